"""Go through whole databases in short transactions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from store import keys
from store.environment import Environment
from store.errors import StoreCorruptError

_ROWS_PER_READ = 5_000
_Key = TypeVar("_Key")


def batched(items: Iterator[tuple[_Key, bytes]]) -> Iterator[list[tuple[_Key, bytes]]]:
    """Yield items some thousand at a time."""
    batch: list[tuple[_Key, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) >= _ROWS_PER_READ:
            yield batch
            batch = []
    if batch:
        yield batch


def rows_of(env: Environment, name: bytes, *, is_lenient: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Yield every (key, value) of a database in short transactions; of DELIVERIES and MAILED with what is in RECENT.

    Where RECENT is damaged raises StoreCorruptError, or leaves it out if ``is_lenient``.
    """
    recent: dict[bytes, bytes] = {}
    if name in (keys.DELIVERIES, keys.MAILED):
        try:
            with env.read() as txn:
                recent = env.records(txn).all_recent()
        except StoreCorruptError:
            if not is_lenient:
                raise
    if name == keys.MAILED:
        recent = {keys.mailed_place(place): b"" for place in recent if place[2:8] != keys.NO_BROADCAST}
    waiting = sorted(recent)
    at = 0
    for key, value in rows_in_place(env, name):
        while at < len(waiting) and waiting[at] < key:
            yield waiting[at], recent[waiting[at]]
            at += 1
        if at < len(waiting) and waiting[at] == key:
            at += 1
        yield key, recent.get(key, value)
    for key in waiting[at:]:
        yield key, recent[key]


def rows_in_place(env: Environment, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield every (key, value) of a database as it is."""
    position = b""
    while True:
        batch: list[tuple[bytes, bytes]] = []
        with env.read() as txn, txn.cursor(db=env.db(name)) as cursor:
            is_there = cursor.set_range(position) if position else cursor.first()
            while is_there and len(batch) < _ROWS_PER_READ:
                batch.append((cursor.key(), cursor.value()))
                is_there = cursor.next()
        yield from batch
        if len(batch) < _ROWS_PER_READ:
            return
        position = batch[-1][0] + b"\0"
