"""The log as a feed for one tenant: facts by number, forwards or backwards, never more than a set amount a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from model.fact import Fact, FactType
from store import keys
from store.codec import type_of, unpack_chunk, unpack_fact
from store.environment import Environment
from store.transaction import Cursor

#: Facts looked at in one call, and so in one read transaction (D7): some 20 ms.
LOOK_AT = 20_000


class Slice(NamedTuple):
    """Facts found, each with its number, and the number of the last fact looked at: where to go on."""

    rows: list[tuple[int, Fact]]
    reached: int


class Feed:
    """Reads one store's log. May be used from any thread."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with readers and a writer."""
        self._env = env

    def head(self) -> int:
        """Return the number of the newest fact; 0 while there is none."""
        with self._env.read() as txn:
            raw = txn.get(keys.META_NEXT_SEQ, db=self._env.db(keys.META))
        return int.from_bytes(raw, "big") - 1 if raw else 0

    def facts(
        self,
        tenant: int | None,
        after: int,
        limit: int,
        *,
        types: Collection[FactType] | None = None,
        look_at: int = LOOK_AT,
    ) -> Slice:
        """Return up to ``limit`` facts of ``tenant`` (None: of all) with numbers above ``after``, oldest first.

        Arguments: ``types`` leaves out all others. ``look_at`` bounds the facts looked at, so that a call stays
        short however few of them fit; go on with ``after=reached`` until ``reached`` is ``head()``. Numbers are
        given inside the write transaction, so none below one that was seen can appear later.
        Raises StoreCorruptError at a chunk that does not pass its checksum.
        """
        rows: list[tuple[int, Fact]] = []
        reached, looked = after, 0
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.LOG)) as cursor:
            for first, chunk in _forwards(cursor, after + 1):
                for seq, raw in enumerate(chunk, first):
                    if seq <= after:
                        continue
                    if len(rows) == limit or looked == look_at:
                        return Slice(rows, reached)
                    reached = seq
                    looked += 1
                    fact = _wanted(raw, tenant, types)
                    if fact is not None:
                        rows.append((seq, fact))
        return Slice(rows, reached)

    def facts_before(
        self, tenant: int, before: int, limit: int, *, types: Collection[FactType] | None = None, look_at: int = LOOK_AT
    ) -> Slice:
        """Return up to ``limit`` facts of ``tenant`` with numbers below ``before``, newest first.

        Go on with ``before=reached`` until ``reached`` is 1 or no longer changes. Otherwise as ``facts``.
        """
        rows: list[tuple[int, Fact]] = []
        reached, looked = before, 0
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.LOG)) as cursor:
            for first, chunk in _backwards(cursor, before):
                for offset in range(len(chunk) - 1, -1, -1):
                    seq = first + offset
                    if seq >= before:
                        continue
                    if len(rows) == limit or looked == look_at:
                        return Slice(rows, reached)
                    reached = seq
                    looked += 1
                    fact = _wanted(chunk[offset], tenant, types)
                    if fact is not None:
                        rows.append((seq, fact))
        return Slice(rows, reached)


def _forwards(cursor: Cursor, seq: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (first number, packed facts) of the chunk that holds ``seq`` or comes next, and of those after it."""
    is_there = cursor.set_range(keys.seq_key(seq))
    if not is_there or cursor.key() != keys.seq_key(seq):
        at_earlier = cursor.prev() if is_there else cursor.last()
        is_there = at_earlier or cursor.first()
    while is_there:
        first = int.from_bytes(cursor.key(), "big")
        yield first, unpack_chunk(first, cursor.value())
        is_there = cursor.next()


def _backwards(cursor: Cursor, before: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (first number, packed facts) of the last chunk that begins below ``before``, and of those before it."""
    is_there = cursor.prev() if cursor.set_range(keys.seq_key(before)) else cursor.last()
    while is_there:
        first = int.from_bytes(cursor.key(), "big")
        yield first, unpack_chunk(first, cursor.value())
        is_there = cursor.prev()


def _wanted(raw: bytes, tenant: int | None, types: Collection[FactType] | None) -> Fact | None:
    # The type is read without the rest: most facts are of no interest to most readers.
    if types is not None and type_of(raw) not in types:
        return None
    fact = unpack_fact(raw)
    return fact if tenant is None or fact.key.tenant == tenant else None
