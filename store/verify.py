"""Look whether a store is sound: every checksum, and every fact folded anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from store import keys
from store.codec import unpack_chunk
from store.environment import DEFAULT_MAP_SIZE, Environment
from store.errors import StoreCorruptError
from store.log import scan_chunks
from store.maintenance import CHECKED, refold
from store.rows import batched, rows_in_place, rows_of
from store.writer import next_seq


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that re-folding all facts does not give. ``stored`` or ``folded`` is None where one lacks it."""

    database: str
    key: str
    stored: str | None
    folded: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found: facts read, checksums that failed (numbers of first facts), records that differ."""

    facts: int
    corrupt: tuple[int, ...]
    differences: tuple[Difference, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.corrupt and not self.differences


def verify(env: Environment, *, limit: int = 20) -> Verification:
    """Check every checksum, fold every fact anew beside the store, and compare record by record (I9).

    Takes the state at the beginning: facts that come meanwhile would show as differences, so verify a copy
    (``snapshot``) of a store in use. Returns at most ``limit`` differences.
    """
    corrupt, differences = _check_log(env)
    if corrupt:
        return Verification(0, corrupt, differences)
    with tempfile.TemporaryDirectory(prefix=CHECKED, dir=env.path.parent) as folder:
        folded = Environment(Path(folder) / "data", map_size=DEFAULT_MAP_SIZE)
        try:
            facts = refold(env, folded)
            found = chain(
                differences,
                _check_recent(env),
                *(_check_search(env, name) for name in keys.DERIVED),
                *(_compare(env, folded, name) for name in keys.DERIVED),
            )
            return Verification(facts, (), tuple(islice(found, limit)))
        finally:
            folded.close()


def _compare(env: Environment, folded: Environment, name: bytes) -> Iterator[Difference]:
    stored_rows, folded_rows = rows_of(env, name, is_lenient=True), rows_of(folded, name)
    end = (None, None)
    one, other = next(stored_rows, end), next(folded_rows, end)
    while one[0] is not None or other[0] is not None:
        if other[0] is None or (one[0] is not None and one[0] < other[0]):
            yield _difference(name, one[0], one[1], None)
            one = next(stored_rows, end)
        elif one[0] is None or other[0] < one[0]:
            yield _difference(name, other[0], None, other[1])
            other = next(folded_rows, end)
        else:
            if one[1] != other[1]:
                yield _difference(name, one[0], one[1], other[1])
            one, other = next(stored_rows, end), next(folded_rows, end)


def _difference(name: bytes, key: bytes | None, stored: bytes | None, folded: bytes | None) -> Difference:
    assert key is not None
    return Difference(name.decode(), key.hex(), _hex(stored), _hex(folded))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _check_recent(env: Environment) -> Iterator[Difference]:
    try:
        with env.read() as txn:
            env.records(txn).all_recent()
    except StoreCorruptError as error:
        yield Difference(keys.RECENT.decode(), "", str(error), None)


def _check_search(env: Environment, name: bytes) -> Iterator[Difference]:
    """Yield the records that going through a database finds and looking for their keys does not."""
    for rows in batched(rows_in_place(env, name)):
        with env.read() as txn:
            for key, value in rows:
                if txn.get(key, db=env.db(name)) != value:
                    yield _difference(name, key, None, value)


def _check_log(env: Environment) -> tuple[tuple[int, ...], tuple[Difference, ...]]:
    """Return which chunks are damaged or do not follow the one before, and whether the next number fits."""
    corrupt: list[int] = []
    end = 1
    for first, value in scan_chunks(env):
        try:
            size = len(unpack_chunk(first, value))
        except StoreCorruptError:
            corrupt.append(first)
            end = 0  # how many it held is not known
            continue
        if first != end and end:
            corrupt.append(first)
        end = first + size
    stored = next_seq(env)
    if corrupt or stored == end:
        return tuple(corrupt), ()
    name = keys.META_NEXT_SEQ.hex()
    return (), (Difference(keys.META.decode(), name, keys.seq_key(stored).hex(), keys.seq_key(end).hex()),)
