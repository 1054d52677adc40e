"""Where the records of deliveries are: most in their place, those that changed lately in RECENT.

Opens come at random over all deliveries, so hardly two of a commit share a page of DELIVERIES, and a page costs a sync
20 microseconds and more, whatever is in it. So the records that a commit changed are written together, in RECENT, one
commit behind the other; and when more than ``MAX_WAITING`` wait there, or in too many rows for so few, those of one
bucket (a 256th of all recipients, whose records are neighbours) are put in their places in DELIVERIES, many a page. All
of it happens in the transaction that changes the records, so every state on disk is whole.

A delivery's record is its last one in RECENT, else the one in DELIVERIES. Who was mailed what is in MAILED from the
moment a delivery's record is first put in its place; until then the record in RECENT says it. Each process remembers
what is in RECENT and reads only what came since. That memory holds for transactions of different age at once: every
record in it has the number of its row in RECENT, and a transaction sees the numbers that its own RECENT has.
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from store import keys
from store.errors import RebuildNeededError, StoreError
from store.transaction import Database, Transaction, put_all, scan_keys

#: Deliveries whose records may wait in RECENT: some 10 MB there, and 20 MB in each process.
MAX_WAITING = 65_536
#: Rows of RECENT, however few deliveries they are about: every process reads them all when it begins.
_MAX_ROWS = 8_192
#: Rows that may be there beyond one for each delivery that waits: a flood about a few fills no more (T10).
_SPARE_ROWS = 512
#: A commit that changes so many deliveries meets some of them on every page, and puts them in their places at once.
_MANY = 8_192
_BUCKETS = 256
#: Where the octet that is the bucket stands in a delivery's key: the first of the recipient, which is a hash.
_BUCKET_AT = 8
#: Octets of records in one row, unless a single one has more: two rows fit into a page.
_ROW_BYTES = 1_960
_RECORDS, _PUT_IN_PLACE = 0, 1
_PLACE, _LENGTH = 16, 4
#: Older versions of a record that are remembered for transactions begun before.
_MAX_VERSIONS = 8
#: Rows that are remembered though they are gone, for the same transactions.
_LINGERING_ROWS = 512


class _Version(NamedTuple):
    """A record as a row of RECENT has it, and the version before."""

    number: int
    raw: bytes
    older: _Version | None
    depth: int


#: A row of RECENT: its number, and the bucket that was put in place or deliveries and their records.
_Row = tuple[int, int | list[tuple[bytes, bytes]]]
#: The constructor that a NamedTuple is given takes twice as long.
_new = tuple.__new__
#: Stands for versions that are not remembered any more.
_FORGOTTEN = _Version(0, b"", None, 0)


class RecentRecords:
    """What one process knows of RECENT. Transactions of all its threads share it."""

    def __init__(self, recent: Database, deliveries: Database, mailed: Database) -> None:
        """Handles of the databases."""
        self.recent = recent
        self.deliveries = deliveries
        self.mailed = mailed
        self.newest: dict[bytes, _Version] = {}
        #: by bucket the records that are not in their places, by delivery, and the row of the oldest of them
        self.waiting: list[dict[bytes, bytes]] = [{} for _ in range(_BUCKETS)]
        self.oldest = [0] * _BUCKETS
        #: rows below this number are forgotten
        self.forgotten_below = 0
        #: the last row that was taken in, and the one that is or was being taken in
        self.last = self.begun = 0
        self._rows: deque[tuple[int, list[bytes]]] = deque()
        self._lock = threading.Lock()

    def span(self, txn: Transaction) -> tuple[int, int]:
        """Return the first and the last number of RECENT as ``txn`` sees it, and remember what is new in it.

        ``txn`` must not have written to RECENT. Raises RebuildNeededError when a row does not pass its checksum.
        """
        with txn.cursor(db=self.recent) as cursor:
            if not cursor.last():
                return 1, 0
            last = int.from_bytes(cursor.key(), "big")
            cursor.first()
            first = int.from_bytes(cursor.key(), "big")
        if last > self.last:
            with self._lock:
                if last > self.last:
                    self._take_in(txn, first)
        return first, last

    def _take_in(self, txn: Transaction, first: int) -> None:
        if first > self.last + 1:
            self._forget_all(first)
        else:
            self._forget(first)
        for number, kind, body in _rows_of(txn, self.recent, max(self.last + 1, first)):
            self._remember(number, body[0] if kind == _PUT_IN_PLACE else list(_records_of(body)))

    def take_in_own(self, seen: int, first: int, rows: Iterable[_Row]) -> None:
        """Remember rows that this process has just committed, so that they need not be read.

        ``seen`` was the last row before them, ``first`` is now the first. Does nothing if they were read already.
        """
        with self._lock:
            if self.last == seen:
                self._forget(first)
                for number, what in rows:
                    self._remember(number, what)

    def _remember(self, number: int, what: int | list[tuple[bytes, bytes]]) -> None:
        """Take in row ``number``: a bucket that was put in place, or deliveries and their records."""
        self.begun = number
        if isinstance(what, int):
            self.waiting[what] = {}
        else:
            self._remember_records(number, what)
            self._rows.append((number, [place for place, _ in what]))
        self.last = number

    def waiting_in(self, bucket: int, last: int) -> Sequence[bytes] | None:
        """Return the deliveries of a bucket whose records wait, as after row ``last``; None if more was taken in."""
        waiting = tuple(self.waiting[bucket])
        # Looked at afterwards: whoever takes a row in says so beforehand.
        return waiting if self.begun == last else None

    def _remember_records(self, number: int, records: list[tuple[bytes, bytes]]) -> None:
        newest, buckets = self.newest, self.waiting
        for place, raw in records:
            older = newest.get(place)
            depth = 1 if older is None else older.depth + 1
            if older is not None and depth > _MAX_VERSIONS:
                older, depth = older._replace(older=_FORGOTTEN), 2
            newest[place] = _new(_Version, (number, raw, older, depth))
            waiting = buckets[place[_BUCKET_AT]]
            if not waiting:
                self.oldest[place[_BUCKET_AT]] = number
            waiting[place] = raw

    def _forget_all(self, first: int) -> None:
        """Begin anew, since rows were gone before we saw them; transactions begun before keep the old memory."""
        self.forgotten_below = first
        self.newest = {}
        self.waiting = [{} for _ in range(_BUCKETS)]
        self._rows.clear()

    def _forget(self, first: int) -> None:
        """Forget rows that are long gone, now that ``first`` is the first."""
        if not self._rows or first - self._rows[0][0] < _LINGERING_ROWS:
            return
        # Said before it is done: whoever finds nothing looks at this.
        self.forgotten_below = first
        while self._rows and self._rows[0][0] < first:
            for place in self._rows.popleft()[1]:
                version = self.newest.get(place)
                if version is not None and version.number < first:
                    del self.newest[place]


class Records:
    """The records of deliveries as one transaction sees them."""

    def __init__(self, known: RecentRecords, txn: Transaction) -> None:
        """``txn`` must not have written records yet. Raises RebuildNeededError when RECENT is damaged."""
        self._known = known
        self._txn = txn
        self._first, self._last = known.span(txn)
        self._newest = known.newest
        #: read by this transaction for itself, where it is too old for what the process knows
        self._own: dict[bytes, bytes] | None = None

    def get(self, place: bytes) -> bytes | None:
        """Return the record of the delivery with the 16 octets ``place``, None if there is none."""
        raw = self.recent(place)
        return self._txn.get(place, db=self._known.deliveries) if raw is None else raw

    def get_all(self, places: Sequence[bytes]) -> list[bytes | None]:
        """Return the records of these deliveries, as ``get`` would, in less time."""
        newest, get, deliveries = self._newest, self._txn.get, self._known.deliveries
        if self._own is None:
            found = [self.get(place) if place in newest else get(place, db=deliveries) for place in places]
            # Nothing was forgotten while we looked, or before.
            if self._known.forgotten_below <= self._first:
                return found
        return [self.get(place) for place in places]

    def found(self, places: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the records of those of these deliveries that have one."""
        return {place: raw for place, raw in zip(places, self.get_all(places), strict=True) if raw is not None}

    def recent(self, place: bytes) -> bytes | None:
        """Return the record if it is in RECENT."""
        if self._own is not None:
            return self._own.get(place)
        version = self._newest.get(place)
        while version is not None and version.number > self._last:
            version = version.older
        if version is not None and version.number >= self._first:
            return version.raw
        if version is _FORGOTTEN or self._known.forgotten_below > self._first:
            return self.all_recent().get(place)
        return None

    def mailed(self, tenant: int, recipient: int) -> list[int]:
        """Return the numbers of the broadcasts that listed a recipient, or of which something came back."""
        prefix = keys.recipient_prefix(tenant, recipient)
        found = {key[10:] for key in scan_keys(self._txn, self._known.mailed, prefix)}
        found.update(place[2:8] for place in self._waiting_of(prefix))
        return sorted(int.from_bytes(number, "big") for number in found if number != keys.NO_BROADCAST)

    def _waiting_of(self, prefix: bytes) -> list[bytes]:
        """Return the deliveries of a recipient whose records may not be in their places."""
        tenant, recipient = prefix[:2], prefix[2:]
        places: Iterable[bytes] | None = None
        if self._own is None:
            places = self._known.waiting_in(recipient[0], last=self._last)
        if places is None:
            places = self.all_recent()
        return [place for place in places if place[8:] == recipient and place[:2] == tenant]

    def all_recent(self) -> dict[bytes, bytes]:
        """Return all records that are in RECENT, by the keys of their deliveries."""
        if self._own is None:
            self._own = {}
            for _, kind, body in _rows_of(self._txn, self._known.recent, self._first):
                if kind == _RECORDS:
                    self._own.update(_records_of(body))
        return self._own


class RecordsWriter(Records):
    """Reads and writes the records of deliveries in one write transaction; ``finish`` writes them."""

    def __init__(self, known: RecentRecords, txn: Transaction) -> None:
        """``txn`` is an open write transaction that has written no records yet."""
        super().__init__(known, txn)
        self._changed: dict[bytes, bytes] = {}
        #: the same by recipient, once somebody asks
        self._by_recipient: dict[bytes, list[bytes]] | None = None
        self._next = self._last + 1
        #: rows this transaction wrote, and the first that is left
        self._rows: list[_Row] = []
        self._first_left = self._first

    def get(self, place: bytes) -> bytes | None:
        """Return the record of a delivery, as set last."""
        raw = self._changed.get(place)
        if raw is None:
            # A transaction that writes is the youngest there is: no older version concerns it.
            version = self._newest.get(place)
            if version is not None and version.number >= self._first:
                return version.raw
            raw = self._txn.get(place, db=self._known.deliveries)
        return raw

    def found(self, places: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the records of those of these deliveries that have one, as set last."""
        found, changed = super().found(places), self._changed
        found.update((place, changed[place]) for place in places if place in changed)
        return found

    def set(self, place: bytes, raw: bytes) -> None:
        """Set the record of a delivery."""
        self._changed[place] = raw

    def set_all(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Set the records of many deliveries."""
        self._changed.update(records)

    def _waiting_of(self, prefix: bytes) -> list[bytes]:
        if self._by_recipient is None:
            self._by_recipient = {}
            for place in self._changed:
                self._by_recipient.setdefault(place[:2] + place[8:], []).append(place)
        return super()._waiting_of(prefix) + self._by_recipient.get(prefix, [])

    def finish(self) -> None:
        """Write all that was set, and put in their places what waits too long; ``get`` goes on to work."""
        changed = self._changed
        if len(changed) >= _MANY:
            # What has a record in RECENT gets another one there: it would be found before that in its place.
            in_place = [place for place in changed if self.recent(place) is None]
            self._put_in_place([(place, changed[place]) for place in in_place])
            known = set(in_place)
            changed = {place: raw for place, raw in changed.items() if place not in known}
        self._write_rows(changed)
        self._make_room(changed)

    def committed(self) -> None:
        """Say that what ``finish`` wrote is durable: it is remembered, so that nobody here need read it."""
        self._known.take_in_own(self._last, self._first_left, self._rows)

    def _write_rows(self, changed: dict[bytes, bytes]) -> None:
        row: list[tuple[bytes, bytes]] = []
        size = 0
        for record in changed.items():
            length = len(record[1]) + _PLACE + _LENGTH
            if row and size + length > _ROW_BYTES:
                self._append_records(row)
                row, size = [], 0
            row.append(record)
            size += length
        if row:
            self._append_records(row)

    def _append_records(self, row: list[tuple[bytes, bytes]]) -> None:
        parts: list[bytes] = []
        for place, raw in row:
            parts += (place, len(raw).to_bytes(_LENGTH, "big"), raw)
        self._append(_RECORDS, b"".join(parts), row)

    def _append(self, kind: int, body: bytes, what: int | list[tuple[bytes, bytes]]) -> None:
        key = keys.recent_key(self._next)
        body = bytes((kind,)) + body
        # At the end, so that LMDB fills a page before it begins another.
        if not self._txn.put(key, _checksum(key, body) + body, db=self._known.recent, append=True):
            raise StoreError("a row of recent records was not taken")
        self._rows.append((self._next, what))
        self._next += 1

    def _make_room(self, changed: dict[bytes, bytes]) -> None:
        """Put bucket after bucket in place, whose records wait longest first, until no more wait than may."""
        known, waiting = self._known, self._known.waiting
        count = sum(map(len, waiting)) + sum([place not in waiting[place[_BUCKET_AT]] for place in changed])
        most_rows = min(_MAX_ROWS, _SPARE_ROWS + count)
        if count <= MAX_WAITING and self._next - self._first <= most_rows:
            return
        written: dict[int, dict[bytes, bytes]] = {}
        for place, raw in changed.items():
            written.setdefault(place[_BUCKET_AT], {})[place] = raw
        # Which row the oldest record of each bucket stands in; those of this transaction are the youngest.
        oldest = dict.fromkeys(written, self._last + 1)
        oldest.update((bucket, known.oldest[bucket]) for bucket, records in enumerate(waiting) if records)
        while oldest:
            bucket = min(oldest, key=oldest.__getitem__)
            if count <= MAX_WAITING and self._next - oldest[bucket] <= most_rows:
                break
            records = {**waiting[bucket], **written.get(bucket, {})}
            self._put_in_place(records.items())
            self._append(_PUT_IN_PLACE, bytes((bucket,)), bucket)
            count -= len(records)
            del oldest[bucket]
        # The last row stays whatever it is, so that no number is used twice.
        self._first_left = min(oldest.values(), default=self._next - 1)
        for number in range(self._first, self._first_left):
            self._txn.delete(keys.recent_key(number), db=known.recent)

    def _put_in_place(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        records = sorted(records)
        places = [place for place, _ in records]
        with self._txn.cursor(db=self._known.deliveries) as cursor:
            there = dict(cursor.getmulti(places))
        put_all(self._txn, self._known.deliveries, records)
        mailed = [place for place in places if place not in there and place[2:8] != keys.NO_BROADCAST]
        put_all(self._txn, self._known.mailed, [(key, b"") for key in sorted(map(keys.mailed_place, mailed))])


def _rows_of(txn: Transaction, recent: Database, first: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, kind and body of the rows of RECENT from ``first`` on."""
    with txn.cursor(db=recent) as cursor:
        is_there = cursor.set_range(keys.recent_key(first))
        while is_there:
            key, value = cursor.key(), cursor.value()
            body = value[4:]
            if len(body) < 2 or _checksum(key, body) != value[:4]:
                raise RebuildNeededError(
                    "a row of recent records does not pass its checksum, nothing more can be stored: stop the server, "
                    "run `yamabiko store rebuild`, start it again"
                )
            yield int.from_bytes(key, "big"), body[0], body[1:]
            is_there = cursor.next()


def _records_of(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(body):
        start = at + _PLACE + _LENGTH
        end = start + int.from_bytes(body[at + _PLACE : start], "big")
        yield body[at : at + _PLACE], body[start:end]
        at = end


def _checksum(key: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big")
