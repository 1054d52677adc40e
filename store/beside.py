"""Facts that belong to no delivery: broadcasts described, mails without proof, documents, and what people did."""

from __future__ import annotations

from dataclasses import fields

from model.detail import BroadcastSet, DocumentSet
from model.fact import Fact, FactType
from store import keys
from store.documents import document_row
from store.environment import Environment
from store.errors import StoreError
from store.sealed import pack_value, unpack_value
from store.transaction import Transaction, put_over

#: Types of fact that are taken in here.
BESIDE = frozenset({FactType.BROADCAST_SET, FactType.UNMATCHED, FactType.DOCUMENT_SET, FactType.AUDITED})


class BesideDeliveries:
    """The part of one transaction that is about no delivery. ``finish`` writes it."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction."""
        self._env = env
        self._txn = txn
        self._broadcasts: dict[bytes, dict[str, object]] = {}
        self._documents: dict[bytes, bytes] = {}
        self._seen: set[bytes] = set()
        #: (database, key, value) of what is stored once and never again
        self._new: list[tuple[bytes, bytes, bytes]] = []

    def take(self, fact: Fact, seq: int) -> bool:
        """Take in a fact of one of the types BESIDE as number ``seq``; returns whether it says anything new."""
        match fact.type:
            case FactType.BROADCAST_SET:
                return self._take_broadcast(fact, seq)
            case FactType.DOCUMENT_SET:
                return self._take_document(fact, seq)
        mark = fact.id
        if mark in self._seen or self._txn.get(mark, db=self._env.db(keys.SEEN)) is not None:
            return False
        self._seen.add(mark)
        name = keys.UNMATCHED if fact.type is FactType.UNMATCHED else keys.AUDIT
        self._new.append((keys.SEEN, mark, keys.seq_key(seq)))
        self._new.append((name, keys.tenant_seq_key(fact.key.tenant, seq), b""))
        return True

    def broadcast(self, key: bytes, seq: int) -> dict[str, object]:
        """Return the row of a broadcast by its 8 octets; one not met before begins with fact ``seq``."""
        row = self._broadcasts.get(key)
        if row is None:
            raw = self._txn.get(key, db=self._env.db(keys.BROADCASTS))
            row = unpack_value(key, raw) if raw else {"times": {}, "first_seq": seq}
            self._broadcasts[key] = row
        return row

    def finish(self) -> None:
        """Write what changed."""
        db = self._env.db(keys.BROADCASTS)
        for key, row in self._broadcasts.items():
            if self._txn.get(key, db=db) is None:
                first_seq = row["first_seq"]
                assert isinstance(first_seq, int)
                order = keys.tenant_seq_key(int.from_bytes(key[:2], "big"), first_seq) + key[2:]
                self._new.append((keys.BROADCAST_ORDER, order, b""))
            put_over(self._txn, db, key, pack_value(key, row))
        for key, value in self._documents.items():
            put_over(self._txn, self._env.db(keys.DOCUMENTS), key, value)
        for name, key, value in self._new:
            if not self._txn.put(key, value, db=self._env.db(name), overwrite=False):
                raise StoreError(f"a key of {name.decode()} was there already")

    def _take_document(self, fact: Fact, seq: int) -> bool:
        detail = fact.detail
        assert isinstance(detail, DocumentSet)
        key = keys.document_key(fact.key.tenant, detail.kind, detail.name)
        known = self._documents.get(key) or self._txn.get(key, db=self._env.db(keys.DOCUMENTS))
        row = document_row(fact, seq, known)
        if row is None:
            return False
        self._documents[row[0]] = row[1]
        return True

    def _take_broadcast(self, fact: Fact, seq: int) -> bool:
        """Merge the fields that are set; of two values the later holds, whatever order they come in."""
        detail = fact.detail
        assert isinstance(detail, BroadcastSet)
        row = self.broadcast(keys.broadcast_key(fact.key.tenant, fact.key.broadcast), seq)
        times = row["times"]
        assert isinstance(times, dict)
        is_new = False
        for field in fields(detail):
            value = getattr(detail, field.name)
            if value is None:
                continue
            if (fact.at_us, str(value)) > (times.get(field.name, -1), str(row.get(field.name))):
                row[field.name] = value
                times[field.name] = fact.at_us
                is_new = True
        return is_new
