"""Alerts: what somebody should know, kept as documents whose facts are events like any other (P07, E28, N16, S26)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from console.outgoing.documents import Documents
from console.outgoing.event import ALERT_KIND

#: Who keeps alerts.
ACTOR = "watch"
_BEYOND = 2**63 - 1
_PER_READ = 500


class AlertOf(StrEnum):
    """Why there is an alert."""

    #: a watch counted to its threshold
    THRESHOLD = "threshold"
    #: a pause or a standing queue lasts longer than two days (E28): somebody should ask why
    PAUSED_TOO_LONG = "paused_too_long"
    #: hard failures or complaints are too large a share of what was sent (N16, P19)
    RATE = "rate"
    #: a flood of failures that somebody should look at (S26, N04)
    INCIDENT = "incident"


class Alert(msgspec.Struct, frozen=True):
    """What somebody should know. ``command`` is the id of the command it made, or of the pause it is about."""

    what: AlertOf
    at: datetime
    watch: str | None = None
    name: str = ""
    broadcast: str | None = None
    #: the broadcast's number
    number: str | None = None
    #: a receiving domain, or a queue as the sending system calls it
    queue: str | None = None
    api_user: str | None = None
    #: since when a pause lasts, and why, as the sending side says
    since: datetime | None = None
    reason: str = ""
    #: of a rate: ``hard`` or ``complaints``, ``warn`` or ``pause``, events among so many mails
    metric: str | None = None
    level: str | None = None
    sends: int | None = None
    count: int | None = None
    window_s: int | None = None
    command: str | None = None
    incident: str | None = None


class Alerts:
    """The alerts of all tenants. All methods raise StoreError."""

    def __init__(self, documents: Documents, stamp: Callable[[], int]) -> None:
        """``stamp`` returns times in microseconds, never the same twice."""
        self._documents = documents
        self._stamp = stamp

    async def keep(self, tenant: int, alert: Alert) -> None:
        """Keep an alert; durable when this returns, and on its way to whoever wants to be told."""
        identity = f"{_BEYOND - self._stamp():016x}"  # counted down: the newest comes first by name
        await self._documents.put(tenant, ALERT_KIND, identity, msgspec.json.encode(alert), ACTOR)

    def page(self, tenant: int, after: str, limit: int) -> list[tuple[str, Alert]]:
        """Return (id, alert), the newest first."""
        rows = self._documents.list(tenant, ALERT_KIND, after=after, limit=limit)
        return [(identity, msgspec.json.decode(body, type=Alert)) for identity, body in rows]

    def since(self, tenant: int, at_s: float) -> Iterator[Alert]:
        """Yield the alerts raised since ``at_s``, the newest first."""
        after = ""
        while rows := self.page(tenant, after, _PER_READ):
            for identity, alert in rows:
                if alert.at.timestamp() < at_s:
                    return
                after = identity
                yield alert
