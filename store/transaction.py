"""The part of LMDB's transactions and cursors we use, with values as bytes (we never ask for buffers)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from store.errors import StoreError


class Database(Protocol):
    """A named database of the environment."""


class Cursor(Protocol):
    """A position in a database. Do not use it after its transaction ended."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
    def first(self) -> bool: ...
    def last(self) -> bool: ...
    def next(self) -> bool: ...
    def prev(self) -> bool: ...
    def set_range(self, key: bytes) -> bool: ...
    def key(self) -> bytes: ...
    def value(self) -> bytes: ...
    def getmulti(self, keys: Iterable[bytes]) -> list[tuple[bytes, bytes]]: ...
    def putmulti(self, items: Iterable[tuple[bytes, bytes]]) -> tuple[int, int]: ...


class Transaction(Protocol):
    """One consistent state to read, or the one transaction that may write."""

    def get(self, key: bytes, *, db: Database) -> bytes | None: ...
    def put(self, key: bytes, value: bytes, *, db: Database, overwrite: bool = True, append: bool = False) -> bool: ...
    def delete(self, key: bytes, *, db: Database) -> bool: ...
    def cursor(self, *, db: Database) -> Cursor: ...
    def stat(self, db: Database) -> dict[str, int]: ...


def put_over(txn: Transaction, db: Database, key: bytes, value: bytes) -> None:
    """Store ``value`` under ``key``, whatever was there. Raises StoreError when LMDB did not take it (M27)."""
    if not txn.put(key, value, db=db):
        raise StoreError("a value was not taken")


def put_all(txn: Transaction, db: Database, items: Sequence[tuple[bytes, bytes]]) -> None:
    """Store values under keys, whatever was there; sorted ones in the least time. Raises StoreError as ``put_over``."""
    with txn.cursor(db=db) as cursor:
        if cursor.putmulti(items) != (len(items), len(items)):
            raise StoreError("a value was not taken")


def scan_keys(txn: Transaction, db: Database, prefix: bytes) -> list[bytes]:
    """Return all keys of a database that begin with ``prefix``."""
    with txn.cursor(db=db) as cursor:
        return keys_from(cursor, prefix)


def keys_from(cursor: Cursor, prefix: bytes) -> list[bytes]:
    """Return all keys of a cursor's database that begin with ``prefix``, for who looks for many prefixes."""
    found: list[bytes] = []
    is_there = cursor.set_range(prefix)
    while is_there:
        key = cursor.key()
        if not key.startswith(prefix):
            break
        found.append(key)
        is_there = cursor.next()
    return found
