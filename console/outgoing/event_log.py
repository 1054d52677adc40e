"""Events of a tenant in the order of the log, with what the facts leave out: names of broadcasts, targets of clicks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from console.outgoing.event import Event, EventType, event_of, fact_types, type_of
from model.detail import Engaged
from model.fact import Fact, FactType
from store.feed import Feed
from store.reader import Reader

#: Broadcasts whose names and link targets are remembered.
_REMEMBERED = 1_000
#: A broadcast without a name may get one any moment.
_NAMELESS_S = 0.1
_ALL = frozenset(EventType)
Value = TypeVar("Value")


class Names(Protocol):
    """What is looked up for events; BroadcastNames is one."""

    def broadcast(self, tenant: int, number: int) -> str | None:
        """Return a broadcast's id as events show it; None for number 0."""

    def target(self, tenant: int, number: int, link: int) -> str | None:
        """Return where a link of a broadcast leads."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: types (none given: all), broadcasts by number (none given: all), test sends too."""

    types: frozenset[EventType] = frozenset()
    broadcast: int | None = None
    with_tests: bool = False

    def fits(self, fact: Fact) -> bool:
        """Whether the event of ``fact`` is wanted."""
        event_type = type_of(fact)
        if event_type is None or (fact.is_test and not self.with_tests):
            return False
        if self.types and event_type not in self.types:
            return False
        # A command or an alert says inside what it is about; whoever asks for it by type gets it.
        is_document = event_type in (EventType.COMMAND, EventType.ALERT)
        return self.broadcast is None or is_document or fact.key.broadcast == self.broadcast


class EventSlice(NamedTuple):
    """Events in order, and the number of the last fact looked at: where to go on."""

    events: list[Event]
    reached: int


class EventLog:
    """Reads events. Blocking for some ten milliseconds at most; call ``read`` in a thread if that is too long."""

    def __init__(self, log: Feed, names: Names) -> None:
        """``log`` has the facts, ``names`` what they leave out."""
        self._log = log
        self._names = names

    def head(self) -> int:
        """Return the number of the newest fact."""
        return self._log.head()

    def read(self, tenant: int, after: int, limit: int, wanted: Filter, *, look_at: int = 20_000) -> EventSlice:
        """Return up to ``limit`` wanted events with numbers above ``after``.

        Raises StoreError. ``reached`` is at least the last event's number and moves on even when none fits.
        """
        found = self._log.facts(tenant, after, limit, types=fact_types(wanted.types or _ALL), look_at=look_at)
        events: list[Event] = []
        for seq, fact in found.rows:
            if wanted.fits(fact):
                event = self.shown(seq, fact)
                if event is not None:
                    events.append(event)
        return EventSlice(events, found.reached)

    def one(self, tenant: int, seq: int) -> Event | None:
        """Return the event of fact number ``seq``; None when there is none (any more)."""
        rows = self._log.facts(tenant, seq - 1, 1, look_at=1).rows
        return self.shown(*rows[0]) if rows and rows[0][0] == seq else None

    def shown(self, seq: int, fact: Fact) -> Event | None:
        """Return the event of a fact."""
        tenant, number, _ = fact.key
        target = None
        if fact.type is FactType.CLICKED and isinstance(fact.detail, Engaged) and fact.detail.target is None:
            target = self._names.target(tenant, number, fact.detail.link)
        return event_of(seq, fact, self._names.broadcast(tenant, number), target)


class BroadcastNames:
    """See Names. Remembers what it found: an id given once does not change, nor does a link's usual target."""

    def __init__(self, reader: Reader) -> None:
        """``reader`` is where to look. May be used from any thread."""
        self._reader = reader
        self._ids: dict[tuple[int, int], str] = {}
        #: broadcasts not described, and until when that may be believed
        self._nameless: dict[tuple[int, int], float] = {}
        self._targets: dict[tuple[int, int], dict[int, str]] = {}

    def broadcast(self, tenant: int, number: int) -> str | None:
        """See Names."""
        if not number:
            return None
        known = self._ids.get((tenant, number))
        if known is not None:
            return known
        now = time.monotonic()
        if self._nameless.get((tenant, number), 0.0) > now:
            return f"~{number:012x}"
        found = self._reader.broadcast(tenant, number)
        if found is None or found.broadcast_id is None:
            _remember(self._nameless, (tenant, number), now + _NAMELESS_S)
            return f"~{number:012x}"
        _remember(self._ids, (tenant, number), found.broadcast_id)
        return found.broadcast_id

    def target(self, tenant: int, number: int, link: int) -> str | None:
        """See Names."""
        known = self._targets.get((tenant, number), {})
        if link not in known:
            known = {link: target for link, target, _ in self._reader.links(tenant, number)}
            _remember(self._targets, (tenant, number), known)
        return known.get(link) or None


def _remember(memory: dict[tuple[int, int], Value], key: tuple[int, int], value: Value) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()  # plain and enough: what is in use comes back with the next event
    memory[key] = value
