"""Read the log: one fact by its number, or all facts from a number on."""

from __future__ import annotations

from collections.abc import Iterator

from model.fact import Fact
from store import keys
from store.codec import unpack_chunk, unpack_fact
from store.environment import Environment
from store.errors import StoreCorruptError
from store.transaction import Cursor, Transaction

#: Chunks read in one transaction when going through the whole log, so that no reader grows old (D7).
_CHUNKS_PER_READ = 2_000


def read_fact(env: Environment, txn: Transaction, seq: int) -> Fact:
    """Return fact number ``seq``. Raises StoreCorruptError when it is not there or does not pass its checksum."""
    with txn.cursor(db=env.db(keys.LOG)) as cursor:
        is_there = cursor.set_range(keys.seq_key(seq))
        if not is_there or cursor.key() != keys.seq_key(seq):
            is_there = cursor.prev() if is_there else cursor.last()
        if not is_there:
            raise StoreCorruptError(f"fact {seq} is not in the log")
        first = int.from_bytes(cursor.key(), "big")
        chunk = unpack_chunk(first, cursor.value())
    if not 0 <= seq - first < len(chunk):
        raise StoreCorruptError(f"fact {seq} is not in the log")
    return unpack_fact(chunk[seq - first])


def scan_log(env: Environment, *, after: int = 0) -> Iterator[tuple[int, Fact]]:
    """Yield (number, fact) of every fact with a number above ``after``, in order, in short transactions.

    Raises StoreCorruptError at the first chunk that does not pass its checksum.
    """
    for first, raw in scan_chunks(env, after=after):
        for offset, packed in enumerate(unpack_chunk(first, raw)):
            if first + offset > after:
                yield first + offset, unpack_fact(packed)


def scan_chunks(env: Environment, *, after: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (number of its first fact, stored value) of every chunk that may hold facts above ``after``."""
    position, is_first = after + 1, True
    while True:
        with env.read() as txn, txn.cursor(db=env.db(keys.LOG)) as cursor:
            batch = _read_chunks(cursor, position, reach_back=is_first)
        if not batch:
            return
        yield from batch
        position, is_first = batch[-1][0] + 1, False


def _read_chunks(cursor: Cursor, position: int, *, reach_back: bool) -> list[tuple[int, bytes]]:
    """Return the chunks from ``position`` on; ``reach_back`` takes in the one that begins before it."""
    is_there = cursor.set_range(keys.seq_key(position))
    if reach_back and (not is_there or cursor.key() != keys.seq_key(position)):
        at_earlier = cursor.prev() if is_there else cursor.last()
        is_there = at_earlier or cursor.first()
    batch: list[tuple[int, bytes]] = []
    while is_there and len(batch) < _CHUNKS_PER_READ:
        batch.append((int.from_bytes(cursor.key(), "big"), cursor.value()))
        is_there = cursor.next()
    return batch
