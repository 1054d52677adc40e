"""An endpoint: where a tenant wants events, which, and how far it has them. Plain data with its JSON form."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from console.outgoing.event import HAPPENED, EventType
from console.outgoing.event_log import Filter

#: Kinds of the documents an endpoint is kept in.
ENDPOINT_KIND = "webhook"
STATE_KIND = "webhook.state"
DEAD_KIND = "webhook.dead"
#: Names the tenants that have endpoints; a document of the house.
TENANT_KIND = "webhook.tenant"


class Secret(msgspec.Struct, frozen=True):
    """A key requests are signed with; ``until`` (seconds since 1970) None: the newest, without an end."""

    value: str
    until: float | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """What the tenant said. ``types`` empty means all that happened to mails."""

    id: str
    url: str
    types: tuple[EventType, ...]
    secrets: tuple[Secret, ...]
    made_at: float
    #: number and id of the one broadcast wanted
    broadcast: int | None = None
    broadcast_id: str | None = None
    with_tests: bool = False
    description: str = ""

    @property
    def wanted(self) -> Filter:
        """Which events it gets."""
        return Filter(frozenset(self.types) or HAPPENED, self.broadcast, self.with_tests)

    def valid_secrets(self, now_s: float) -> list[str]:
        """Return the secrets in force, the newest first."""
        return [secret.value for secret in self.secrets if secret.until is None or secret.until > now_s]


class Trial(msgspec.Struct, frozen=True):
    """An event under way or given up: since when, how often it was tried, and what the last try said."""

    seq: int
    id: str
    since: float
    attempts: int
    next_at: float
    status: int | None = None
    problem: str = ""


class Standing(StrEnum):
    """How an endpoint stands."""

    #: delivers, or waits for something to deliver
    ACTIVE = "active"
    #: the last try failed; it is tried again
    FAILING = "failing"
    #: stopped, and says why; goes on where it was once enabled
    DISABLED = "disabled"


class State(msgspec.Struct, frozen=True):
    """How far an endpoint is. Everything up to number ``cursor`` is delivered, parked or a dead letter."""

    cursor: int
    #: the event after the cursor, once it was tried in vain
    head: Trial | None = None
    #: events the receiver refuses while it takes others, tried again on their own
    parked: tuple[Trial, ...] = ()
    failing_since: float | None = None
    disabled_why: str = ""
    disabled_at: float | None = None
    delivered_at: float | None = None
    last_status: int | None = None
    last_problem: str = ""

    @property
    def standing(self) -> Standing:
        """How it stands."""
        if self.disabled_why:
            return Standing.DISABLED
        return Standing.FAILING if self.failing_since is not None else Standing.ACTIVE


encode = msgspec.json.Encoder().encode
decode_endpoint = msgspec.json.Decoder(Endpoint).decode
decode_state = msgspec.json.Decoder(State).decode
decode_trial = msgspec.json.Decoder(Trial).decode


def dead_name(endpoint: str, seq: int) -> str:
    """Return the name of a dead letter's document; those of an endpoint are together, in order."""
    return f"{endpoint}.{seq:016x}"
