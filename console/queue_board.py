"""Queues of the sending side, per receiving domain: how much waits, how fast it moves, why it stands (E23-E28).

Rates live in this process only: they are of the last half minute.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from console.schema import ShortText, time_of

#: Kind of the document that says that a queue stands: named DOMAIN|API_USER, since when and why.
QUEUE_KIND = "queue"
_BUCKET_S = 5
_KEPT_BUCKETS = 7
#: A queue that stands for longer is worth a call (E28).
_ALERT_US = 48 * 3_600_000_000
#: Words in a pause reason that mean one of the three usual causes (E27).
_REASONS = (
    ("ip_conn_rate", ("connection rate", "too many connections", "concurren", "接続頻度")),
    ("ip_quota", ("ip quota", "per ip", "ipのクォータ", "ip limit")),
    ("domain_quota", ("quota", "rate limit", "volume", "クォータ")),
)


class Window(IntEnum):
    """Seconds that rates are means over (E24)."""

    FIVE = 5
    FIFTEEN = 15
    THIRTY = 30


class QueueIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"arrived": "in", "sent": "out"}):
    """How one queue stands; ``in``, ``attempted`` and ``out`` count mails since the report before."""

    domain: Annotated[str, Meta(min_length=1, max_length=253)]
    api_user: ShortText = ""
    pending: Annotated[int, Meta(ge=0)] = 0
    arrived: Annotated[int, Meta(ge=0)] = 0
    attempted: Annotated[int, Meta(ge=0)] = 0
    sent: Annotated[int, Meta(ge=0)] = 0
    paused_reason: Annotated[str, Meta(max_length=500)] | None = None
    next_attempt_at: Annotated[datetime, Meta(tz=True)] | None = None


class QueuesIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Queues as they stand now. One that is left out stays as it was."""

    queues: Annotated[list[QueueIn], Meta(min_length=1, max_length=5_000)]


class QueuesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What rates are means over, in seconds; one domain or user only."""

    window: Window = Window.FIFTEEN
    domain: ShortText | None = None
    api_user: ShortText | None = None


class QueueOut(Struct, frozen=True):
    """One queue; rates in mails a second, null where nothing was reported."""

    domain: str
    api_user: str
    status: str
    pending: int
    rate_in: float | None
    rate_attempt: float | None
    rate_out: float | None
    reported_at: datetime | None
    paused_since: datetime | None
    paused_reason: str | None
    paused_class: str | None
    next_attempt_at: datetime | None
    alert: str | None


class QueuesOut(Struct, frozen=True):
    """All queues, the longest first; ask again after ``refresh_s``."""

    queues: list[QueueOut]
    refresh_s: int = _BUCKET_S


@dataclass(slots=True)
class _Queue:
    said: QueueIn
    at_us: int
    paused_since_us: int | None = None
    #: (number of the five seconds, in, attempted, out)
    buckets: deque[list[int]] = field(default_factory=lambda: deque(maxlen=_KEPT_BUCKETS))

    def add(self, now_us: int) -> None:
        """Take the counts of ``said`` into the bucket of now."""
        number = now_us // 1_000_000 // _BUCKET_S
        if not self.buckets or self.buckets[-1][0] != number:
            self.buckets.append([number, 0, 0, 0])
        for place, count in enumerate((self.said.arrived, self.said.attempted, self.said.sent), 1):
            self.buckets[-1][place] += count

    def rates(self, window_s: int, now_us: int) -> tuple[float | None, float | None, float | None]:
        """Return mails a second in, attempted and out; None each when nothing was reported within the window."""
        newest = now_us // 1_000_000 // _BUCKET_S
        taken = [bucket for bucket in self.buckets if newest - bucket[0] < window_s // _BUCKET_S]
        if not taken:
            return None, None, None
        arrived, attempted, sent = (sum(bucket[place] for bucket in taken) / window_s for place in (1, 2, 3))
        return arrived, attempted, sent


class QueueBoard:
    """The queues of all tenants as last reported to this process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._queues: dict[tuple[int, str, str], _Queue] = {}

    def report(self, tenant: int, said: QueueIn, now_us: int, known_since_us: int | None) -> tuple[bool, int | None]:
        """Take in a report. Returns whether it came to stand or to move, and since when it stands.

        ``known_since_us`` is since when it was kept as standing, from before this process began.
        """
        place = (tenant, said.domain.lower(), said.api_user)
        queue = self._queues.get(place)
        is_new = queue is None
        if queue is None:
            queue = self._queues[place] = _Queue(said, now_us, known_since_us)
        was_paused = queue.paused_since_us is not None
        queue.said, queue.at_us = said, now_us
        queue.add(now_us)
        if said.paused_reason is None:
            queue.paused_since_us = None
        elif queue.paused_since_us is None:
            queue.paused_since_us = now_us
        has_changed = was_paused != (queue.paused_since_us is not None)
        return has_changed or (is_new and said.paused_reason is not None), queue.paused_since_us

    def shown(self, tenant: int, query: QueuesQuery, now_us: int) -> list[QueueOut]:
        """Return a tenant's queues, the longest first."""
        rows = [
            _shown(queue, query.window, now_us)
            for (owner, domain, user), queue in self._queues.items()
            if owner == tenant and query.domain in (None, domain) and query.api_user in (None, user)
        ]
        return sorted(rows, key=lambda row: (-row.pending, row.domain, row.api_user))


def _shown(queue: _Queue, window_s: int, now_us: int) -> QueueOut:
    said, since = queue.said, queue.paused_since_us
    rate_in, rate_attempt, rate_out = queue.rates(window_s, now_us)
    alert = None
    if since is not None and now_us - since > _ALERT_US:
        alert = "paused for more than 48 hours: ask the receiving side, or whoever runs the sending servers"
    return QueueOut(
        said.domain.lower(), said.api_user, "paused" if since is not None else "moving", said.pending, rate_in,
        rate_attempt, rate_out, time_of(queue.at_us), time_of(since), said.paused_reason,
        pause_class(said.paused_reason), said.next_attempt_at, alert,
    )  # fmt: skip


def pause_class(reason: str | None) -> str | None:
    """Return which of the three usual causes a pause has, "other" for another, None when it has none (E27)."""
    if reason is None:
        return None
    words = reason.lower()
    return next((name for name, signs in _REASONS if any(sign in words for sign in signs)), "other")
