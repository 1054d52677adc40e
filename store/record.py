"""The record of one delivery: its evidence, as a set of short entries from which its state is folded.

Two records with the same entries are the same, in whatever order the facts came. A fact that is in the
record already adds nothing, which is how repetition is harmless without a table of marks (design decision 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgpack

from model.cause import SPECS
from model.detail import (
    Agent,
    Complained,
    Engaged,
    Excluded,
    Released,
    Report,
    Unsubscribed,
)
from model.fact import Fact, FactType
from store.errors import StoreCorruptError
from store.sealed import pack_value, unpack_value

_US_PER_DAY = 86_400_000_000
#: Opens, and clicks, of one delivery kept one by one a day; beyond it they are only counted (T10).
DAILY_LIMIT = 100
#: Suppression kinds in RELEASED facts and in keys.
SUPPRESSION_KINDS = {"bounce": 1, "complaint": 2, "block": 3, "unsubscribe": 4, "soft": 5}

_ENGAGED = (FactType.OPENED, FactType.CLICKED)


class Entry(NamedTuple):
    """One piece of evidence. What ``extra`` holds depends on the type; see ``entry_of``."""

    type: int
    at_us: int
    #: 8 octets of the fact's id; empty for opens and clicks, which their time and link identify
    mark: bytes
    extra: tuple[int, ...]
    #: place of the fact in this node's log: a pointer, no evidence
    seq: int

    @property
    def identity(self) -> tuple[object, ...]:
        """What two entries of the same fact share."""
        if self.mark:
            return (self.type, self.mark)
        return (self.type, self.at_us, self.extra)


class Overflow(NamedTuple):
    """Opens and clicks beyond DAILY_LIMIT: counted here and nowhere else, so never folded anew."""

    opens: int = 0
    opens_machine: int = 0
    clicks: int = 0
    clicks_machine: int = 0


@dataclass(slots=True)
class Record:
    """The evidence about one delivery."""

    is_html: bool = False
    entries: list[Entry] = field(default_factory=list)
    overflow: Overflow = Overflow()
    _known: dict[tuple[object, ...], Entry] | None = None

    def knows(self, entry: Entry) -> bool:
        """Whether the fact behind ``entry`` is here already, seen no later than ``entry`` says.

        Of two sightings of one fact the earlier holds, so that which came first to us plays no part.
        """
        if self._known is None:
            self._known = {known.identity: known for known in self.entries}
        known = self._known.get(entry.identity)
        return known is not None and _order(known) <= _order(entry)

    def add(self, entry: Entry) -> bool:
        """Add an entry that ``knows`` does not know; entries stay sorted by time.

        Returns whether it took the place of a later sighting of the same fact.
        """
        known = None
        if self._known is not None:
            known = self._known.get(entry.identity)
            if known is not None:
                self.entries.remove(known)
            self._known[entry.identity] = entry
        self.entries.append(entry)
        if len(self.entries) > 1 and _order(self.entries[-2]) > _order(entry):
            self.entries.sort(key=_order)
        return known is not None

    def is_flooded(self, entry: Entry) -> bool:
        """Whether so many like ``entry`` came on its day that it is only counted."""
        if entry.type not in _ENGAGED or len(self.entries) < DAILY_LIMIT:
            return False
        day = entry.at_us // _US_PER_DAY
        same = sum(1 for known in self.entries if known.type == entry.type and known.at_us // _US_PER_DAY == day)
        return same >= DAILY_LIMIT

    def count_only(self, entry: Entry) -> None:
        """Count an open or click without keeping it."""
        is_machine = Agent(entry.extra[0]).is_machine
        name = ("opens" if entry.type == FactType.OPENED else "clicks") + ("_machine" if is_machine else "")
        self.overflow = self.overflow._replace(**{name: getattr(self.overflow, name) + 1})

    def pack(self, key: bytes) -> bytes:
        """Return the form in which it is stored under ``key``."""
        rows = [tuple(entry) for entry in self.entries]
        tail = () if self.overflow == Overflow() else (tuple(self.overflow),)
        return pack_value(key, (int(self.is_html), rows, *tail))

    @classmethod
    def unpack(cls, key: bytes, raw: bytes | None) -> Record:
        """Read what ``pack`` wrote; an empty record for None. Raises StoreCorruptError when it is not that."""
        if raw is None:
            return cls()
        try:
            is_html, rows, *tail = unpack_value(key, raw, use_list=False)
            return cls(bool(is_html), [Entry(*row) for row in rows], Overflow(*tail[0]) if tail else Overflow())
        except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
            raise StoreCorruptError(f"a delivery's record cannot be read: {error}") from error


def _order(entry: Entry) -> tuple[object, ...]:
    return (entry.at_us, entry.type, entry.mark, entry.extra)


def entry_of(fact: Fact, seq: int) -> Entry:
    """Return the entry of a fact stored as number ``seq``.

    ``extra`` by type: engaged (agent, link, links); report (channel, cause number, permanence 0 permanent
    1 transient 2 unknown, trust, confidence in percent); excluded (kind,); complained (form,); unsubscribed
    (via, reason, everything); released (suppression kind,); others ().
    """
    detail = fact.detail
    if isinstance(detail, Engaged):
        return Entry(int(fact.type), fact.at_us, b"", (int(detail.agent), detail.link, detail.links), seq)
    extra: tuple[int, ...] = ()
    if isinstance(detail, Report):
        cause = SPECS[detail.cause].number if detail.cause else 0
        permanence = ("permanent", "transient", "unknown").index(detail.permanence.value)
        extra = (int(detail.channel), cause, permanence, int(detail.trust), round(detail.confidence * 100))
    elif isinstance(detail, Excluded):
        extra = (int(detail.kind),)
    elif isinstance(detail, Complained):
        extra = (int(detail.via_form),)
    elif isinstance(detail, Unsubscribed):
        extra = (int(detail.via), int(detail.reason), int(detail.everything))
    elif isinstance(detail, Released):
        extra = (SUPPRESSION_KINDS[detail.suppression],)
    return Entry(int(fact.type), fact.at_us, fact.id[:8], extra, seq)
