"""Puts deliveries on the lists of their broadcasts and takes them off, in one transaction; see store.lists."""

from __future__ import annotations

from store import keys
from store.environment import Environment
from store.lists import list_seq
from store.transaction import Transaction, put_over


class ListWriter:
    """Moves deliveries between lists. ``finish`` writes those they came on."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction."""
        self._txn = txn
        self._db = env.db(keys.LISTS)
        #: to be written: recipient by key
        self._new: dict[bytes, bytes] = {}

    def move(self, place: bytes, off: set[bytes], on: set[bytes]) -> None:
        """Take the delivery with key ``place`` off and put it on lists, by the keys of ``list_keys``."""
        for key in off:
            self._new.pop(key, None)
            self._txn.delete(key, db=self._db)
        for key in on:
            self._new[key] = place[8:]

    def come_on(self, place: bytes, which: frozenset[int], seq: int) -> None:
        """Put a delivery on the lists ``which``, for something that came as number ``seq``."""
        for one in which:
            self._new[keys.list_key(place[:8], one, seq)] = place[8:]

    def finish(self) -> None:
        """Write the new places in order: LMDB fills a page to its end before it begins another."""
        for key, recipient in sorted(self._new.items()):
            put_over(self._txn, self._db, key, recipient)


def list_keys(place: bytes, which: frozenset[int], first_seqs: tuple[int, int]) -> set[bytes]:
    """Return the LISTS keys of the delivery with key ``place`` on the lists ``which``; see ``list_seq``."""
    if not which:
        return set()
    return {keys.list_key(place[:8], one, list_seq(one, first_seqs)) for one in which}
