"""Write the facts of one transaction to the log, in chunks: some come compressed already, by whoever listed many."""

from __future__ import annotations

from collections.abc import Sequence

from store import keys
from store.codec import CHUNK_BYTES, Compressed, compress_facts, seal_chunks, uncompress_facts
from store.environment import Environment
from store.errors import StoreError
from store.transaction import Transaction, put_over

#: What is compressed to less is put together with what follows: most of a page would stay empty.
_SMALL_BYTES = CHUNK_BYTES // 2


class LogWriter:
    """Adds facts to the log; ``finish`` writes them."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction that wrote nothing into the log yet."""
        self._env = env
        self._txn = txn
        raw = txn.get(keys.META_NEXT_SEQ, db=env.db(keys.META))
        #: number of the first fact that is added
        self.first_seq = int.from_bytes(raw, "big") if raw else 1
        self._compressed: list[Compressed] = []
        #: what comes behind those
        self._packed: list[bytes] = []

    def add(self, packed: bytes) -> None:
        """Add a fact, as store.codec packs it."""
        self._packed.append(packed)

    def add_all(self, packed: Sequence[bytes]) -> None:
        """Add facts, as store.codec packs them."""
        self._packed += packed

    def add_compressed(self, compressed: Sequence[Compressed]) -> None:
        """Add facts, as ``compress_facts`` put them together. Raises StoreCorruptError when they cannot be read."""
        for chunk in compressed:
            if len(chunk[1]) < _SMALL_BYTES:
                self._packed += uncompress_facts(chunk[1])
            else:
                self._compress()
                self._compressed.append(chunk)

    def finish(self, next_seq: int) -> None:
        """Write all that was added, which must be as many facts as there are numbers before ``next_seq``.

        Most of it goes without the interpreter's lock. Raises StoreError.
        """
        self._compress()
        if next_seq - self.first_seq != sum([count for count, _ in self._compressed]):
            raise StoreError("facts and numbers do not fit")
        log, meta = self._env.db(keys.LOG), self._env.db(keys.META)
        for seq, chunk in seal_chunks(self.first_seq, self._compressed):
            if not self._txn.put(keys.seq_key(seq), chunk, db=log, overwrite=False, append=True):
                raise StoreError("a chunk of the log was there already")  # never silently dropped (M27)
        if self._compressed:
            put_over(self._txn, meta, keys.META_NEXT_SEQ, next_seq.to_bytes(8, "big"))

    def _compress(self) -> None:
        if self._packed:
            self._compressed += compress_facts(self._packed)
            self._packed = []
