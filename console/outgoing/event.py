"""A fact as others see it: the JSON of the event stream and of webhooks.

The id is that of the fact, a hash of what it says, so it is the same however often the event goes out (T18).
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from model.detail import Detail, DocumentSet, Engaged
from model.fact import DETAILS, Fact, FactType

#: Kind of the documents that are commands: the only ones that leave the house.
COMMAND_KIND = "command"
#: Kind of the documents that are alerts.
ALERT_KIND = "alert"
#: Octets that identify and say nothing to a reader.
_INTERNAL = frozenset({"origin", "row", "raw", "global_mark"})


_FIELDS: dict[type[Detail], tuple[str, ...]] = {
    cls: tuple(field.name for field in dataclasses.fields(cls) if field.name not in _INTERNAL)
    for cls in set(DETAILS.values())
}


class EventType(StrEnum):
    """What happened. All are facts except the last two."""

    BROADCAST_SET = "broadcast_set"
    PLANNED = "planned"
    EXCLUDED = "excluded"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    RELAYED = "relayed"
    AUTO_REPLIED = "auto_replied"
    COMPLAINED = "complained"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    CANCELLED = "cancelled"
    UNMATCHED = "unmatched"
    RELEASED = "released"
    CONVERTED = "converted"
    #: somebody here asks a sending system to do something (E26)
    COMMAND = "command"
    #: a threshold was passed (P07), or a queue has been paused for too long (E28)
    ALERT = "alert"


_OF_DOCUMENT = {COMMAND_KIND: EventType.COMMAND, ALERT_KIND: EventType.ALERT}
_OF_FACT = {fact: EventType(fact.name.lower()) for fact in FactType if fact.name in EventType.__members__}
#: What an endpoint gets that names no types: all that happened to mails, but nobody's orders.
HAPPENED = frozenset(EventType) - {EventType.COMMAND, EventType.ALERT}
_FACT_OF = {event_type: fact_type for fact_type, event_type in _OF_FACT.items()}


class Event(msgspec.Struct, frozen=True):
    """One event; ``detail`` has the fields of its type (docs/api.md)."""

    id: Annotated[str, Meta(description="the same whenever and however often this event is told")]
    seq: Annotated[int, Meta(description="place in the log: `after` of the next request")]
    type: str
    at: datetime
    broadcast: Annotated[str | None, Meta(description="its id, or ~ and its number if it was never described")]
    recipient: str | None
    is_test: bool
    detail: dict[str, Any]


def type_of(fact: Fact) -> EventType | None:
    """Return a fact's event type; None for what stays in the house (settings, secrets, the audit log)."""
    if isinstance(fact.detail, DocumentSet):
        return _OF_DOCUMENT.get(fact.detail.kind) if fact.detail.body is not None else None
    return _OF_FACT.get(fact.type)


def fact_types(types: frozenset[EventType]) -> frozenset[FactType]:
    """Return the fact types among which events of ``types`` are."""
    return frozenset(_FACT_OF.get(event_type, FactType.DOCUMENT_SET) for event_type in types)


def event_of(seq: int, fact: Fact, broadcast: str | None, target: str | None = None) -> Event | None:
    """Return fact number ``seq`` as an event, or None when it is nobody else's business.

    Arguments: ``broadcast`` is the id to show, ``target`` where a click led if the fact leaves that out.
    """
    event_type = type_of(fact)
    if event_type is None:
        return None
    if isinstance(fact.detail, DocumentSet):
        assert fact.detail.body is not None
        detail = {"id": fact.detail.name, **msgspec.json.decode(fact.detail.body)}
        broadcast = detail.get("broadcast")
    else:
        detail = plain(fact.detail)
        if isinstance(fact.detail, Engaged) and target is not None:
            detail.setdefault("target", target)
    recipient = f"{fact.key.recipient:016x}" if fact.key.recipient else None
    at = datetime.fromtimestamp(fact.at_us / 1e6, UTC)
    return Event(fact.id.hex(), seq, event_type.value, at, broadcast, recipient, fact.is_test, detail)


def plain(detail: Detail) -> dict[str, Any]:
    """Return the fields of a detail that say something, enumerations by name, times as times."""
    values: dict[str, Any] = {}
    for name in _FIELDS[type(detail)]:
        value = getattr(detail, name)
        if value is None or value in ("", ()):
            continue
        if isinstance(value, Enum):
            value = value.value if isinstance(value, str) else value.name.lower()
        elif isinstance(value, str):
            value = _encodable(value)
        elif isinstance(value, tuple):
            value = [_encodable(item) for item in value]
        elif name.endswith("_us"):
            name, value = name.removesuffix("_us"), datetime.fromtimestamp(value / 1e6, UTC)
        values[name] = value
    return values


def _encodable(text: str) -> str:
    """Return ``text`` without lone surrogates: mail from outside may hold some, JSON may not."""
    return text.encode("utf-8", "replace").decode("utf-8")
