"""The record of one delivery: its evidence, as a set of short entries from which its state is folded.

Two records with the same entries are the same, in whatever order the facts came. A fact that is in the
record already adds nothing, which is how repetition is harmless without a table of marks (design decision 3).

A record keeps its entries in columns of octets, since most of what comes only adds one more open at the end:
that needs no entry to be read. What the entries amount to is kept beside them (``Summary``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from struct import Struct, unpack
from struct import error as StructError  # noqa: N812 - it is an error
from typing import NamedTuple

from model.detail import Agent
from model.fact import FactType
from store.errors import FactRefusedError, StoreCorruptError

_US_PER_DAY = 86_400_000_000
#: Opens, and clicks, of one delivery kept one by one a day; beyond it they are only counted (T10).
DAILY_LIMIT = 100

_ENGAGED = (FactType.OPENED, FactType.CLICKED)
_REPORT, _NOTHING = Struct(">BBBBB"), Struct("")
#: How ``Entry.extra`` of each type is written behind the type.
_EXTRA: dict[int, Struct] = {
    **dict.fromkeys(map(int, FactType), _NOTHING),
    FactType.EXCLUDED: Struct(">B"),
    FactType.ACCEPTED: _REPORT,
    FactType.DEFERRED: _REPORT,
    FactType.FAILED: _REPORT,
    FactType.RELAYED: _REPORT,
    FactType.COMPLAINED: Struct(">B"),
    FactType.OPENED: Struct(">B"),
    FactType.CLICKED: Struct(">BHH"),
    FactType.UNSUBSCRIBED: Struct(">BBB"),
    FactType.RESUBSCRIBED: Struct(">BBB"),
    FactType.RELEASED: Struct(">BQQ"),
}
#: octets of a shape, by type
_SHAPE_SIZES = {fact_type: 1 + layout.size for fact_type, layout in _EXTRA.items()}
#: flags, length of the domain, state, entries, octets of shapes, opens, by machines, clicks, by machines, done
HEAD = Struct(">BBBHHHHHHI")
_OVERFLOW = Struct(">IIII")
IS_HTML, HAS_OVERFLOW, HAS_TRAP = 1, 2, 4
_TIME, _SEQ, _MARK = 8, 6, 8
_FAILED, _OPENED, _CLICKED = int(FactType.FAILED), int(FactType.OPENED), int(FactType.CLICKED)
_PLANNED = int(FactType.PLANNED)
_LISTED = bytes((_PLANNED,))
_MACHINES = frozenset(int(agent) for agent in Agent if agent.is_machine)


class Entry(NamedTuple):
    """One piece of evidence. What ``extra`` holds depends on the type; see store.evidence."""

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


_NO_OVERFLOW = Overflow()
_new = tuple.__new__


class Summary(NamedTuple):
    """What the entries amount to, kept so that one more open need not read them (store.hits)."""

    #: place in store.outcome.STATES, 0 of an empty record
    state: int = 0
    opens: int = 0
    opens_machine: int = 0
    clicks: int = 0
    clicks_machine: int = 0
    #: quarter of an hour, since 1970-01-01 UTC, in which it was done (store.footprint)
    done: int = 0


class Record:
    """The evidence about one delivery."""

    __slots__ = (
        "_entries", "clicks", "clicks_machine", "domain", "done", "has_trap", "is_html", "marks", "opens",
        "opens_machine", "overflow", "seqs", "shapes", "size", "state", "times",
    )  # fmt: skip

    def __init__(self, is_html: bool = False, entries: list[Entry] | None = None) -> None:
        """Make a record of ``entries``, which must be sorted as ``add`` sorts them."""
        self.is_html = is_html
        #: of the address, behind an octet that says how sure it is (see ``name_domain``); empty if unknown
        self.domain = b""
        self.overflow = _NO_OVERFLOW
        self.state = self.opens = self.opens_machine = self.clicks = self.clicks_machine = self.done = 0
        self.has_trap = False
        self._entries: list[Entry] | None = None
        if entries:
            self.entries = entries
        else:
            self.shapes = self.times = self.seqs = self.marks = b""
            self.size = 0

    @property
    def entries(self) -> list[Entry]:
        """The entries in order of time: do not change the list. Setting them writes all columns anew."""
        known = self._entries
        if known is None:
            known = self._entries = self._read()
        return known

    @entries.setter
    def entries(self, entries: list[Entry]) -> None:
        try:
            self.shapes = b"".join([shape_of(entry) for entry in entries])
            self.times = b"".join([entry.at_us.to_bytes(_TIME, "big") for entry in entries])
            self.seqs = b"".join([entry.seq.to_bytes(_SEQ, "big") for entry in entries])
        except (StructError, OverflowError) as error:
            raise FactRefusedError(f"a number is out of its range: {error}") from error
        self.marks = b"".join(map(_mark_of, entries))
        self.size = len(entries)
        self._entries = entries
        self.has_trap = any(e.type in _ENGAGED and e.extra[0] == Agent.HONEYPOT for e in entries)

    def _read(self) -> list[Entry]:
        result: list[Entry] = []
        shapes, seqs, marks = self.shapes, self.seqs, self.marks
        times = unpack(f">{self.size}Q", self.times)
        at = mark_at = seq_at = 0
        for at_us in times:
            fact_type = shapes[at]
            layout = _EXTRA[fact_type]
            extra = layout.unpack_from(shapes, at + 1)
            at += _SHAPE_SIZES[fact_type]
            mark = b""
            if fact_type == _OPENED:
                extra = (*extra, 0, 0)
            elif fact_type != _CLICKED:
                mark = marks[mark_at : mark_at + _MARK]
                mark_at += _MARK
                if fact_type == _FAILED:
                    extra = (*extra, int.from_bytes(marks[mark_at : mark_at + _MARK], "big"))
                    mark_at += _MARK
            # The constructor that a NamedTuple is given takes twice as long.
            result.append(
                _new(Entry, (fact_type, at_us, mark, extra, int.from_bytes(seqs[seq_at : seq_at + _SEQ], "big")))
            )
            seq_at += _SEQ
        return result

    def first_seqs(self) -> tuple[int, int]:
        """Return the lowest number in the log of an open or click, and of any entry but these and a listing; 0 if none.

        A person's goes before a machine's, as far as each tells by itself (see store.outcome).
        """
        shapes, seqs = self.shapes, self.seqs
        person = machine = other = b""
        at = seq_at = 0
        while seq_at < len(seqs):
            fact_type = shapes[at]
            if fact_type != _PLANNED:
                # Octets in the order of their numbers.
                seq = seqs[seq_at : seq_at + _SEQ]
                if fact_type != _OPENED and fact_type != _CLICKED:
                    if not other or seq < other:
                        other = seq
                elif shapes[at + 1] in _MACHINES:
                    if not machine or seq < machine:
                        machine = seq
                elif not person or seq < person:
                    person = seq
            at += _SHAPE_SIZES[fact_type]
            seq_at += _SEQ
        return int.from_bytes(person or machine, "big"), int.from_bytes(other, "big")

    @property
    def summary(self) -> Summary:
        """What the entries amount to, as last set."""
        return Summary(self.state, self.opens, self.opens_machine, self.clicks, self.clicks_machine, self.done)

    @summary.setter
    def summary(self, summary: Summary) -> None:
        self.state, self.opens, self.opens_machine, self.clicks, self.clicks_machine, self.done = summary

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing yet, and so adds nothing to any count."""
        return not self.size and not any(self.overflow)

    @property
    def last_us(self) -> int:
        """Time of the last entry; 0 when there is none."""
        return int.from_bytes(self.times[-_TIME:], "big")

    @property
    def domain_name(self) -> str:
        """Domain of the address, empty if unknown."""
        return self.domain[1:].decode("ascii", "replace")

    def name_domain(self, domain: str, *, is_listed: bool) -> bool:
        """Take in a domain; what the list says goes before what a report says. Returns whether it changes."""
        named = domain_octets(domain, is_listed=is_listed)
        if not named or (self.domain and self.domain <= named):
            return False
        self.domain = named
        return True

    def add(self, entry: Entry) -> tuple[bool, bool]:
        """Add an entry; entries stay sorted by time. Returns (whether it is new, whether it replaced a later one).

        Of two sightings of one fact the earlier holds, so that which came first to us plays no part.
        """
        if entry.mark and entry.at_us > self.last_us and self.marks.find(entry.mark) < 0:
            self._append(entry)
            return True, False
        entries = list(self.entries)
        known = next((e for e in entries if e.identity == entry.identity), None)
        if known is not None:
            if _order(known) <= _order(entry):
                return False, False
            entries.remove(known)
        entries.append(entry)
        entries.sort(key=_order)
        self.entries = entries
        return True, known is not None

    def _append(self, entry: Entry) -> None:
        """Add an entry, no open or click, that is later than all there is."""
        try:
            self.shapes += shape_of(entry)
            self.times += entry.at_us.to_bytes(_TIME, "big")
            self.seqs += entry.seq.to_bytes(_SEQ, "big")
        except (StructError, OverflowError) as error:
            raise FactRefusedError(f"a number is out of its range: {error}") from error
        self.marks += _mark_of(entry)
        self.size += 1
        self._entries = None

    def is_flooded(self, entry: Entry) -> bool:
        """Whether so many like ``entry`` came on its day that it is only counted."""
        if entry.type not in _ENGAGED or self.size < DAILY_LIMIT:
            return False
        day = entry.at_us // _US_PER_DAY
        same = sum(1 for known in self.entries if known.type == entry.type and known.at_us // _US_PER_DAY == day)
        return same >= DAILY_LIMIT

    def knows(self, entry: Entry) -> bool:
        """Whether the fact behind ``entry`` is here already, seen no later than ``entry`` says."""
        known = next((e for e in self.entries if e.identity == entry.identity), None)
        return known is not None and _order(known) <= _order(entry)

    def count_only(self, entry: Entry) -> None:
        """Count an open or click without keeping it."""
        is_machine = Agent(entry.extra[0]).is_machine
        name = ("opens" if entry.type == FactType.OPENED else "clicks") + ("_machine" if is_machine else "")
        self.overflow = self.overflow._replace(**{name: getattr(self.overflow, name) + 1})

    def pack(self, key: bytes) -> bytes:
        """Return the form in which it is stored under ``key``."""
        flags = (IS_HTML if self.is_html else 0) | (HAS_TRAP if self.has_trap else 0)
        tail = b""
        if self.overflow is not _NO_OVERFLOW:
            flags |= HAS_OVERFLOW
            tail = _OVERFLOW.pack(*self.overflow)
        try:
            head = HEAD.pack(
                flags, len(self.domain), self.state, self.size, len(self.shapes), self.opens, self.opens_machine,
                self.clicks, self.clicks_machine, self.done,
            )  # fmt: skip
        except StructError as error:
            raise FactRefusedError(f"a delivery has too much evidence: {error}") from error
        return seal_record(key, (head, self.domain, self.shapes, self.times, self.seqs, self.marks, tail))

    @classmethod
    def unpack(cls, key: bytes, raw: bytes | None) -> Record:
        """Read what ``pack`` wrote; an empty record for None. Raises StoreCorruptError when it is not that."""
        if raw is None:
            return cls()
        check_record(key, raw)
        body = raw[4:]
        self = cls.__new__(cls)
        (
            flags, domain, self.state, size, shapes, self.opens, self.opens_machine, self.clicks, self.clicks_machine,
            self.done,
        ) = HEAD.unpack_from(body)  # fmt: skip
        at = HEAD.size
        self.domain = body[at : (at := at + domain)]
        self.shapes = body[at : (at := at + shapes)]
        self.times = body[at : (at := at + size * 8)]
        self.seqs = body[at : (at := at + size * 6)]
        self.overflow = _NO_OVERFLOW
        end = len(body)
        if flags & HAS_OVERFLOW:
            end -= _OVERFLOW.size
            self.overflow = Overflow(*_OVERFLOW.unpack_from(body, end))
        self.marks = body[at:end]
        self.size = size
        self._entries = None
        self.is_html = flags & IS_HTML != 0
        self.has_trap = flags & HAS_TRAP != 0
        return self


def seal_record(key: bytes, parts: Iterable[bytes]) -> bytes:
    """Return the stored form, under ``key``, of what these parts make up together: HEAD, domain, columns, overflow."""
    body = b"".join(parts)
    return zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big") + body


def check_record(key: bytes, raw: bytes) -> None:
    """Raise StoreCorruptError when the record stored under ``key`` does not pass its checksum."""
    body = raw[4:]
    if len(body) < HEAD.size or zlib.crc32(body, zlib.crc32(key)) != int.from_bytes(raw[:4], "big"):
        raise StoreCorruptError("a delivery's record does not pass its checksum")


def pack_listings(
    keys: Sequence[bytes], heads: Iterable[bytes], times: Iterable[int], seqs: Iterable[int], marks: Iterable[bytes]
) -> list[bytes]:
    """Return the records, as ``Record.pack`` would, of deliveries of which nothing is known but that they were listed.

    Arguments, one item a delivery: ``heads`` as ``listing_head`` returns them, the rest as in the Entry of the listing.
    """
    crc32 = zlib.crc32
    try:
        bodies = [
            head + at_us.to_bytes(_TIME, "big") + seq.to_bytes(_SEQ, "big") + mark
            for head, at_us, seq, mark in zip(heads, times, seqs, marks, strict=True)
        ]
    except OverflowError as error:
        raise FactRefusedError(f"a number is out of its range: {error}") from error
    return [crc32(body, crc32(key)).to_bytes(4, "big") + body for key, body in zip(keys, bodies, strict=True)]


def listing_head(domain: bytes, *, is_html: bool, state: int, done: int) -> bytes:
    """Return what many records begin with, for ``pack_listings``: the arguments are as Record has them."""
    try:
        return HEAD.pack(IS_HTML if is_html else 0, len(domain), state, 1, 1, 0, 0, 0, 0, done) + domain + _LISTED
    except StructError as error:
        raise FactRefusedError(f"a number is out of its range: {error}") from error


def domain_octets(domain: str, *, is_listed: bool) -> bytes:
    """Return the domain of an address as ``Record.domain`` has it; empty for none."""
    return (b"\0" if is_listed else b"\1") + domain.encode("ascii", "replace")[:253] if domain else b""


def shape_of(entry: Entry) -> bytes:
    """Return type and extra of an entry as octets."""
    fact_type, extra = entry.type, entry.extra
    if fact_type == _OPENED:
        extra = extra[:1]
    elif fact_type == _FAILED:
        extra = extra[:5]
    return bytes((fact_type,)) + _EXTRA[fact_type].pack(*extra)


def _mark_of(entry: Entry) -> bytes:
    """Return what tells a fact apart, and of a failure the number of its message, which few others share."""
    return entry.mark + entry.extra[5].to_bytes(_MARK, "big") if entry.type == _FAILED else entry.mark


def _order(entry: Entry) -> tuple[object, ...]:
    return (entry.at_us, entry.type, entry.mark, entry.extra)
