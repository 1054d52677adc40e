"""Look through a store for damage, row by row, beside everything else (D11).

What ``verify`` does is more, but takes a copy and the time to fold every fact anew. This reads each row once: whether
its checksum fits, and whether searching finds what going through the database finds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from store import keys
from store.environment import Environment
from store.errors import StoreError
from store.transaction import Database, Transaction

#: Databases each of whose values begins with a CRC-32 over its key and the rest (store.sealed and others).
_SEALED = frozenset({
    keys.LOG, keys.RECENT, keys.DELIVERIES, keys.TEST_DELIVERIES, keys.COUNTERS, keys.BROADCASTS, keys.SUPPRESSED,
    keys.GLOBAL_BOUNCES, keys.ROSTER, keys.DOCUMENTS,
})  # fmt: skip
#: Rows of one read transaction, so that no reader grows old (D7).
_ROWS_PER_READ = 1_000


class Damage(NamedTuple):
    """A row, or a place in a database, that is not as it was written."""

    database: str
    #: in hexadecimal digits
    key: str
    problem: str


@dataclass(slots=True)
class Scrubbed:
    """What was found: rows read, how much of it is damaged, and the first of that."""

    rows: int = 0
    damaged: int = 0
    first: list[Damage] = field(default_factory=list)

    def note(self, name: bytes, key: bytes, problem: str, limit: int) -> None:
        """Count a damage."""
        self.damaged += 1
        if len(self.first) < limit:
            self.first.append(Damage(name.decode(), key.hex(), problem))


def scrub(env: Environment, after_batch: Callable[[int], None], *, limit: int = 20) -> Scrubbed:
    """Read every row there is while others write; tells of at most ``limit`` that are damaged.

    ``after_batch`` is told how many rows were read, while no transaction is open: it may rest.
    """
    found = Scrubbed()
    for name in keys.DATABASES:
        position: bytes | None = b""
        while position is not None:
            try:
                with env.read() as txn:
                    position = _read_batch(env, txn, name, position, found, limit)
            except StoreError as error:
                # LMDB cannot go on in this database.
                found.note(name, position or b"", str(error), limit)
                position = None
            after_batch(found.rows)
    return found


def _read_batch(
    env: Environment, txn: Transaction, name: bytes, position: bytes, found: Scrubbed, limit: int
) -> bytes | None:
    """Read rows from ``position`` on; returns where to go on, None at the end."""
    db, key = env.db(name), b""
    with txn.cursor(db=db) as cursor:
        is_there = cursor.set_range(position) if position else cursor.first()
        for _ in range(_ROWS_PER_READ):
            if not is_there:
                return None
            before, key = key or position, cursor.key()
            if key < before:
                # Going on could lead round in a circle.
                found.note(name, key, "the keys are out of order", limit)
                return None
            found.rows += 1
            if (problem := _problem_of(txn, db, key, cursor.value(), is_sealed=name in _SEALED)) is not None:
                found.note(name, key, problem, limit)
            is_there = cursor.next()
    return key + b"\0" if is_there else None


def _problem_of(txn: Transaction, db: Database, key: bytes, value: bytes, *, is_sealed: bool) -> str | None:
    if is_sealed and zlib.crc32(value[4:], zlib.crc32(key)).to_bytes(4, "big") != value[:4]:
        return "the value does not pass its checksum"
    if txn.get(key, db=db) != value:
        return "searching does not find this row"
    return None
