"""Read all deliveries of a broadcast, or all facts of failures, in bulk: for exports, which show everybody.

Short transactions, each over a few pages of the roster, and on from a page's number (D7): an export of a million
rows never holds old pages for longer than it takes to read two thousand deliveries.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import NamedTuple

from model.cause import Channel
from model.fact import DeliveryKey, Fact, FactType
from store import keys
from store.codec import unpack_chunk, unpack_fact
from store.environment import Environment
from store.errors import StoreCorruptError, StoreError
from store.outcome import STATES, Outcome, settle
from store.record import HAS_OVERFLOW, HEAD, Entry, Record
from store.records import Records
from store.roster import RosterRow, find_in_page, fold_text, last_page, read_page

#: Pages of a roster read in one transaction; a page has up to 256 rows.
_PAGES = 8
#: Octets of a stored record before its domain: checksum and head.
_BODY = 4 + HEAD.size
#: End of what many heads share: all but the last field, a time.
_SHARED_HEAD = _BODY - 4
_MAX_MEMO = 20_000
#: Octets of opened chunks kept: what failed lies scattered over the log, and each chunk is asked for again.
_KEPT_BYTES = 32 * 1024**2
_HITS = (FactType.OPENED, FactType.CLICKED)
_REPORTS = (FactType.ACCEPTED, FactType.DEFERRED, FactType.FAILED, FactType.RELAYED)


@dataclass(frozen=True, slots=True)
class Settled:
    """An outcome whose times are left to be read from the record: deliveries alike share it."""

    outcome: Outcome
    #: place of its state in store.outcome.STATES: looking up a member of an enumeration takes longer
    state: int
    #: places in the record of the failure that stopped it, of the exclusion, and of the last report; None without
    failure: int | None
    exclusion: int | None
    report: int | None
    #: place of the word that it was done (sent, as far as is known), and its type; None and 0 of an empty record
    done: int | None
    done_type: int


class Brief(NamedTuple):
    """What is read of a delivery's record without reading all of it."""

    settled: Settled
    #: time of the last evidence (R20); 0 when there is none
    last_us: int
    #: the record as stored
    raw: bytes

    def time_at(self, place: int) -> int:
        """Return the time of the entry at ``place`` of the record."""
        _, domain, _, _, length, *_ = HEAD.unpack_from(self.raw, 4)
        at = _BODY + domain + length + place * 8
        return int.from_bytes(self.raw[at : at + 8], "big")

    def seq_at(self, place: int) -> int:
        """Return the number of the fact behind the entry at ``place`` of the record."""
        _, domain, _, size, length, *_ = HEAD.unpack_from(self.raw, 4)
        at = _BODY + domain + length + size * 8 + place * 6
        return int.from_bytes(self.raw[at : at + 6], "big")


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Some deliveries in the order listed, and which share of the roster lies behind them (0 to 1)."""

    #: 8 octets: tenant and broadcast
    broadcast: bytes
    rows: list[RosterRow]
    #: one for each row
    briefs: list[Brief]
    share: float

    def record(self, place: int) -> Record:
        """Return the whole record of one of them."""
        return Record.unpack(self.broadcast + self.rows[place].recipient, self.briefs[place].raw)

    def key(self, place: int) -> DeliveryKey:
        """Return the key of one of them."""
        return DeliveryKey.unpack(self.broadcast + self.rows[place].recipient)


def read_deliveries(
    env: Environment, tenant: int, number: int, *, query: str = "", from_us: int = 0, until_us: int = 2**63 - 1
) -> Iterator[Deliveries]:
    """Yield all deliveries of a broadcast listed in [``from_us``, ``until_us``), in the order listed.

    ``query`` narrows to those whose name, address or company has it (R15).
    """
    broadcast = keys.broadcast_key(tenant, number)
    needle = fold_text(query).encode("utf-8", "surrogatepass")
    page, last = 0, _last_number(env, broadcast)
    settler = Settler()
    while page <= last:
        with env.read() as txn:
            rows: list[RosterRow] = []
            position = page
            with txn.cursor(db=env.db(keys.ROSTER)) as cursor:
                is_there = cursor.set_range(keys.page_key(broadcast, page))
                while is_there and cursor.key().startswith(broadcast) and position < page + _PAGES:
                    position = int.from_bytes(cursor.key()[8:], "big") + 1
                    rows += _rows_of(cursor.key(), cursor.value(), needle, from_us, until_us)
                    is_there = cursor.next()
            briefs = settler.briefs(env.records(txn), broadcast, rows)
        if position == page:
            return
        page = position
        found = Deliveries(broadcast, rows, briefs, min(position / (last + 1), 1.0))
        yield found if all(row.is_listed for row in rows) else _without_replaced(found)


def sources_at_ends(env: Environment, tenant: int, number: int) -> set[str]:
    """Return the sources of the recipients on the first and the last page of a broadcast's roster.

    A look that costs next to nothing; what lies between is seen when the deliveries are read.
    """
    broadcast = keys.broadcast_key(tenant, number)
    with env.read() as txn:
        first = txn.get(keys.page_key(broadcast, 0), db=env.db(keys.ROSTER))
        pages = [read_page(keys.page_key(broadcast, 0), first)] if first else []
        last = last_page(env, txn, broadcast)
    pages += [last] if last is not None else []
    return {row.recipient_source for page in pages for row in page.rows if row.recipient_source}


def _last_number(env: Environment, broadcast: bytes) -> int:
    with env.read() as txn:
        last = last_page(env, txn, broadcast)
    return -1 if last is None else last.number


def _rows_of(key: bytes, value: bytes, needle: bytes, from_us: int, until_us: int) -> list[RosterRow]:
    places = find_in_page(key, value, needle) if needle else None
    if places is not None and not places:
        return []
    page = read_page(key, value)
    if page.last_us < from_us or page.first_us >= until_us:
        return []
    rows = page.rows if places is None else [page.rows[place] for place in places]
    if page.first_us < from_us or page.last_us >= until_us:
        rows = [row for row in rows if from_us <= row.at_us < until_us]
    return rows


def _without_replaced(found: Deliveries) -> Deliveries:
    """Leave out what came back before it was listed and has a row of its own since."""
    kept = [
        place for place, row in enumerate(found.rows)
        if row.is_listed or not any(entry.type == FactType.PLANNED for entry in found.record(place).entries)
    ]  # fmt: skip
    rows, briefs = found.rows, found.briefs
    return Deliveries(found.broadcast, [rows[i] for i in kept], [briefs[i] for i in kept], found.share)


class _Layout(NamedTuple):
    """Where things stand in a stored record; of those with the same head but for its last field, in the same places."""

    flags: int
    shapes: int
    #: behind the shapes, and behind the time of the last entry
    shapes_end: int
    times_end: int


class Settler:
    """Settles deliveries; those with the same evidence but for its times share one answer."""

    def __init__(self) -> None:
        """It remembers what it settled."""
        self._memo: dict[tuple[int, bytes], Settled] = {}
        self._layouts: dict[bytes, _Layout] = {}

    def briefs(self, records: Records, broadcast: bytes, rows: Sequence[RosterRow]) -> list[Brief]:
        """Read the records of ``rows``. Raises StoreCorruptError when one does not pass its checksum.

        Step by step for all of them, since an export of a million rows goes through it a million times.
        """
        recipients = [row[0] for row in rows]
        raws: list[bytes] = []
        for raw in records.get_all([broadcast + recipient for recipient in recipients]):
            if raw is None:
                raise StoreError("a delivery of the roster is missing")
            raws.append(raw)
        _check(broadcast, recipients, raws)
        number, new, memo, layouts = int.from_bytes, tuple.__new__, self._memo, self._layouts
        briefs: list[Brief] = []
        for recipient, raw in zip(recipients, raws, strict=True):
            head = raw[4:_SHARED_HEAD]
            flags, shapes, shapes_end, end = layouts.get(head) or self._lay_out(head, raw)
            key = (flags, raw[shapes:shapes_end])
            settled = memo.get(key) or self._settle(key, Record.unpack(broadcast + recipient, raw))
            last_us = number(raw[end - 8 : end], "big") if end > shapes_end else 0
            briefs.append(new(Brief, (settled, last_us, raw)))
        return briefs

    def _lay_out(self, head: bytes, raw: bytes) -> _Layout:
        flags, domain, _, size, length, *_ = HEAD.unpack_from(raw, 4)
        shapes_end = _BODY + domain + length
        if len(self._layouts) >= _MAX_MEMO:
            self._layouts.clear()
        layout = self._layouts[head] = _Layout(flags, _BODY + domain, shapes_end, shapes_end + size * 8)
        return layout

    def _settle(self, key: tuple[int, bytes], record: Record) -> Settled:
        entries, outcome = record.entries, settle(record)
        done = _done_place(entries)
        settled = Settled(
            outcome,
            STATES.index(outcome.state),
            failure=entries.index(outcome.failure) if outcome.failure else None,
            exclusion=next((i for i, e in enumerate(entries) if e.type == FactType.EXCLUDED), None),
            report=max((i for i, e in enumerate(entries) if e.type in _REPORTS), default=None),
            done=done,
            done_type=entries[done].type if done is not None else 0,
        )
        # Times decide which of several failures stopped it, and which of several hits a machine made: what depends on
        # them, or on hits that were only counted, is not shared.
        hits, failures = (sum(e.type in types for e in entries) for types in (_HITS, (FactType.FAILED,)))
        if hits <= 1 and failures <= 1 and not key[0] & HAS_OVERFLOW:
            if len(self._memo) >= _MAX_MEMO:
                self._memo.clear()
            self._memo[key] = settled
        return settled


def _check(broadcast: bytes, recipients: Sequence[bytes], raws: Sequence[bytes]) -> None:
    """Raise StoreCorruptError unless all records pass their checksums."""
    crc32, seed = zlib.crc32, zlib.crc32(broadcast)
    sums = [crc32(raw[4:], crc32(recipient, seed)) for recipient, raw in zip(recipients, raws, strict=True)]
    stored = b"".join([raw[:4] for raw in raws])
    if min(map(len, raws), default=_BODY) < _BODY or unpack(f">{len(raws)}I", stored) != tuple(sums):
        raise StoreCorruptError("a delivery's record does not pass its checksum")


def _done_place(entries: list[Entry]) -> int | None:
    """Return the place of the entry that says when it was done, as store.outcome judges it."""
    ends = (FactType.ACCEPTED, FactType.RELAYED, FactType.FAILED)
    for place, entry in enumerate(entries):
        if entry.type in ends and entry.extra[0] != Channel.OUT_OF_BAND:
            return place
    planned = next((place for place, entry in enumerate(entries) if entry.type == FactType.PLANNED), None)
    return planned if planned is not None else 0 if entries else None


class FactReader:
    """Reads facts by their numbers, many at a time, keeping the chunks it opened last."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared."""
        self._env = env
        #: number of its first fact -> facts, packed; the oldest first
        self._chunks: dict[int, list[bytes]] = {}
        self._kept_bytes = 0

    def read(self, seqs: Iterable[int]) -> dict[int, Fact]:
        """Return facts by number. Raises StoreCorruptError when one is not there or not whole."""
        wanted = sorted(set(seqs))
        found: dict[int, Fact] = {}
        if not wanted:
            return found
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.LOG)) as cursor:
            first = 0
            chunk: list[bytes] = []
            for seq in wanted:
                if not first <= seq < first + len(chunk):
                    key = keys.seq_key(seq)
                    is_there = cursor.set_range(key)
                    if not is_there or cursor.key() != key:
                        is_there = cursor.prev() if is_there else cursor.last()
                    first = int.from_bytes(cursor.key(), "big") if is_there else 0
                    chunk = self._chunk(first, cursor.value()) if is_there else []
                if not first <= seq < first + len(chunk):
                    raise StoreCorruptError(f"fact {seq} is not in the log")
                found[seq] = unpack_fact(chunk[seq - first])
        return found

    def _chunk(self, first: int, value: bytes) -> list[bytes]:
        chunk = self._chunks.get(first)
        if chunk is None:
            chunk = unpack_chunk(first, value)
            self._chunks[first] = chunk
            self._kept_bytes += _size(chunk)
            while self._kept_bytes > _KEPT_BYTES:
                self._kept_bytes -= _size(self._chunks.pop(next(iter(self._chunks))))
        return chunk


def _size(chunk: list[bytes]) -> int:
    """Return what a chunk takes in memory, about: 40 octets an object beside its own."""
    return sum(map(len, chunk)) + 40 * len(chunk)
