"""Apply a batch of facts inside one transaction: the log, and everything that changes by them.

This is the only place where state changes. Live writing and re-folding (verify, rebuild) both come through
here, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from model.address import Address
from model.cause import Channel
from model.detail import (
    Agent,
    BroadcastSet,
    Engaged,
    Planned,
    Report,
)
from model.errors import AddressError
from model.fact import DeliveryKey, Fact, FactType, Hit
from store import keys
from store.codec import pack_chunks, pack_fact
from store.counters import Counts, contributions, is_empty
from store.environment import Environment
from store.errors import StoreCorruptError, StoreError
from store.log import read_fact
from store.record import Entry, Overflow, Record, entry_of
from store.sealed import pack_value, unpack_value
from store.suppression import fold_recipient
from store.transaction import Database, Transaction

#: Facts that can change who is suppressed; those below only where somebody is suppressed already.
_SUPPRESSING = frozenset(
    {FactType.FAILED, FactType.COMPLAINED, FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED, FactType.RELEASED}
)
#: PLANNED is among them for the address it gives: the ladder of a bounce depends on the domain.
_RELEASING = frozenset({FactType.PLANNED, FactType.ACCEPTED, FactType.OPENED, FactType.CLICKED, FactType.AUTO_REPLIED})
_LISTING = frozenset({FactType.PLANNED, FactType.EXCLUDED})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a commit did with the facts of one submission: how many were new, how many known already."""

    added: int
    known: int


@dataclass(slots=True)
class _Touched:
    """A delivery this batch reads and writes."""

    record: Record
    before: Counts
    links_before: dict[int, Counts]
    is_changed: bool = False


class Fold:
    """One batch. Use: ``fold = Fold(env, txn); fold.apply(facts); fold.finish()``, then commit."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is the open write transaction of ``env``; nothing is written before ``finish``."""
        self._env = env
        self._txn = txn
        next_seq = txn.get(keys.META_NEXT_SEQ, db=env.db(keys.META))
        self._first_seq = self._next_seq = int.from_bytes(next_seq, "big") if next_seq else 1
        self._log: list[bytes] = []
        self._facts: dict[int, Fact] = {}
        self._touched: dict[tuple[DeliveryKey, bool], _Touched] = {}
        self._broadcasts: dict[tuple[int, int], dict[str, object]] = {}
        self._targets: dict[tuple[int, int, int], str] = {}
        self._recipients: dict[tuple[int, int], bool] = {}
        self._attempts: dict[tuple[int, int], int] = {}
        self._seen: dict[bytes, int] = {}

    def apply(self, facts: Iterable[Fact | Hit]) -> Receipt:
        """Take facts in; returns how many were new. Raises FactRefusedError for one that cannot be stored."""
        added = known = 0
        for fact in facts:
            if self._take(fact.as_fact() if isinstance(fact, Hit) else fact):
                added += 1
            else:
                known += 1
        return Receipt(added, known)

    def replay(self, seq: int, fact: Fact) -> None:
        """Take in a fact that is in the log already, as number ``seq`` (re-folding)."""
        self._next_seq = seq
        self._take(fact)

    def restore_overflow(self, key: DeliveryKey, overflow: Overflow, *, is_test: bool) -> None:
        """Set what was only counted of a delivery: it is in no log and cannot be folded anew."""
        touched = self._touch(key, is_test)
        touched.record.overflow = overflow
        touched.is_changed = True

    def finish(self, *, write_log: bool = True) -> None:
        """Write what changed. Afterwards the transaction is ready to be committed."""
        if write_log:
            self._write_log()
        counts: dict[bytes, Counts] = {}
        for (key, is_test), touched in self._touched.items():
            if touched.is_changed:
                self._write_delivery(key, is_test, touched, counts)
        self._write_counts(counts)
        self._write_broadcasts()
        self._write_suppressions()

    # Taking in

    def _take(self, fact: Fact) -> bool:
        if fact.type is FactType.BROADCAST_SET:
            return self._take_broadcast(fact)
        if fact.type is FactType.UNMATCHED:
            return self._take_unmatched(fact)
        touched = self._touch(fact.key, fact.is_test)
        record, entry = touched.record, entry_of(fact, self._next_seq)
        is_known = record.knows(entry)
        if is_known and record.is_html >= fact.is_html:
            return False
        touched.is_changed = True
        if not is_known and record.is_flooded(entry):
            # No word of it goes into the log, so nothing but the count may change by it.
            record.count_only(entry)
            return True
        record.is_html |= fact.is_html
        is_resighted = record.add(entry) if not is_known else False
        self._append(fact if fact.is_test else self._shorten(fact))
        if not fact.is_test:
            self._note(fact, record, is_resighted=is_resighted)
        return True

    def _append(self, fact: Fact) -> None:
        self._log.append(pack_fact(fact))
        self._facts[self._next_seq] = fact
        self._next_seq += 1

    def _note(self, fact: Fact, record: Record, *, is_resighted: bool) -> None:
        """Remember what beside the delivery itself the fact may change."""
        tenant, broadcast, recipient = fact.key
        if broadcast:
            self._broadcast(tenant, broadcast)
        # An earlier time of a known sign of life, or an exclusion after the fact, takes that sign away.
        is_withdrawing = is_resighted or (
            fact.type is FactType.EXCLUDED and any(e.type not in _LISTING for e in record.entries)
        )
        if fact.type in _SUPPRESSING or is_withdrawing:
            self._recipients[tenant, recipient] = True
        elif fact.type in _RELEASING:
            self._recipients.setdefault((tenant, recipient), False)
        if isinstance(fact.detail, Report) and fact.detail.channel is Channel.IN_SESSION:
            self._attempts[tenant, broadcast] = max(fact.at_us, self._attempts.get((tenant, broadcast), 0))
            self._attempts[tenant, 0] = max(fact.at_us, self._attempts.get((tenant, 0), 0))

    def _take_unmatched(self, fact: Fact) -> bool:
        mark, db = fact.id, self._env.db(keys.SEEN)
        if mark in self._seen or self._txn.get(mark, db=db) is not None:
            return False
        seq = self._seen[mark] = self._next_seq
        self._put(keys.SEEN, mark, keys.seq_key(seq))
        self._put(keys.UNMATCHED, keys.tenant_seq_key(fact.key.tenant, seq), b"")
        self._append(fact)
        return True

    def _take_broadcast(self, fact: Fact) -> bool:
        """Merge the fields that are set; of two values the later holds, whatever order they come in."""
        detail = fact.detail
        assert isinstance(detail, BroadcastSet)
        row = self._broadcast(fact.key.tenant, fact.key.broadcast)
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
        if is_new:
            self._append(fact)
        return is_new

    def _shorten(self, fact: Fact) -> Fact:
        """Leave out a click's target where it is the link's usual one: it is kept once, with the broadcast."""
        detail = fact.detail
        if not isinstance(detail, Engaged) or detail.target is None or detail.agent is Agent.HONEYPOT:
            return fact
        tenant, broadcast, _ = fact.key
        place = (tenant, broadcast, detail.link)
        usual = self._targets.get(place)
        if usual is None:
            row = self._load_counts(keys.broadcast_key(tenant, broadcast) + keys.link_scope(detail.link))
            usual = str(row["target"]) if "target" in row else None
        if usual is None:
            self._targets[place] = detail.target
            return fact
        if usual != detail.target:
            return fact
        short = Engaged(detail.agent, detail.link, detail.links, detail.ip, detail.user_agent)
        return Fact(fact.type, fact.key, fact.at_us, short, fact.node, fact.is_test, fact.is_html)

    # Loading

    def _touch(self, key: DeliveryKey, is_test: bool) -> _Touched:
        touched = self._touched.get((key, is_test))
        if touched is None:
            name = keys.TEST_DELIVERIES if is_test else keys.DELIVERIES
            place = key.pack()
            record = Record.unpack(place, self._txn.get(place, db=self._env.db(name)))
            if is_empty(record) or not key.broadcast:
                touched = _Touched(record, {}, {})
            else:
                touched = _Touched(record, *contributions(record))
            self._touched[key, is_test] = touched
        return touched

    def _broadcast(self, tenant: int, number: int) -> dict[str, object]:
        row = self._broadcasts.get((tenant, number))
        if row is None:
            key = keys.broadcast_key(tenant, number)
            raw = self._txn.get(key, db=self._env.db(keys.BROADCASTS))
            row = unpack_value(key, raw) if raw else {"times": {}, "first_seq": self._next_seq}
            self._broadcasts[tenant, number] = row
        return row

    def _load_counts(self, key: bytes) -> dict[str, Any]:
        raw = self._txn.get(key, db=self._env.db(keys.COUNTERS))
        counts: dict[str, Any] = unpack_value(key, raw) if raw else {}
        return counts

    def _put_counts(self, key: bytes, row: dict[str, Any]) -> None:
        # Sorted, so that equal counts are equal bytes whatever their history.
        self._put(keys.COUNTERS, key, pack_value(key, dict(sorted(row.items()))), overwrite=True)

    # Writing

    def _put(self, name: bytes, key: bytes, value: bytes, *, overwrite: bool = False, append: bool = False) -> None:
        if not self._txn.put(key, value, db=self._env.db(name), overwrite=overwrite, append=append):
            raise StoreError(f"a key of {name.decode()} was there already")  # never silently dropped (M27)

    def _write_log(self) -> None:
        if not self._log:
            return
        if self._next_seq - self._first_seq != len(self._log):
            raise StoreError("facts and numbers do not fit")
        for seq, chunk in pack_chunks(self._first_seq, self._log):
            self._put(keys.LOG, keys.seq_key(seq), chunk, append=True)
        self._put(keys.META, keys.META_NEXT_SEQ, self._next_seq.to_bytes(8, "big"), overwrite=True)

    def _write_delivery(self, key: DeliveryKey, is_test: bool, touched: _Touched, counts: dict[bytes, Counts]) -> None:
        name = keys.TEST_DELIVERIES if is_test else keys.DELIVERIES
        place = key.pack()
        self._put(name, place, touched.record.pack(place), overwrite=True)
        if not key.broadcast:
            return
        after, links = contributions(touched.record)
        base = keys.broadcast_key(key.tenant, key.broadcast)
        scope = base + (keys.SCOPE_TEST if is_test else keys.SCOPE_ALL)
        _add_difference(counts.setdefault(scope, {}), touched.before, after)
        if is_test:
            return
        if _can_unmask(touched.before, after):
            self._recipients[key.tenant, key.recipient] = True
        for link in links.keys() | touched.links_before.keys():
            change = counts.setdefault(base + keys.link_scope(link), {})
            _add_difference(change, touched.links_before.get(link, {}), links.get(link, {}))
        if not touched.before:
            self._put(keys.MAILED, keys.mailed_key(key), b"", overwrite=True)

    def _write_counts(self, changes: dict[bytes, Counts]) -> None:
        for (tenant, broadcast, link), target in self._targets.items():
            key = keys.broadcast_key(tenant, broadcast) + keys.link_scope(link)
            self._put_counts(key, self._load_counts(key) | {"target": target})
        for (tenant, broadcast), at_us in self._attempts.items():
            key = keys.broadcast_key(tenant, broadcast) + keys.SCOPE_ALL
            row = self._load_counts(key)
            self._put_counts(key, row | {"last_attempt_us": max(at_us, row.get("last_attempt_us", 0))})
        for key, change in changes.items():
            if not change:
                continue
            row = self._load_counts(key)
            for name, difference in change.items():
                row[name] = row.get(name, 0) + difference
            row = {name: value for name, value in row.items() if value}
            if row:
                self._put_counts(key, row)
            else:
                # As if it had never been: equal facts make equal bytes, whatever happened between.
                self._txn.delete(key, db=self._env.db(keys.COUNTERS))

    def _write_broadcasts(self) -> None:
        for (tenant, number), row in self._broadcasts.items():
            key = keys.broadcast_key(tenant, number)
            if self._txn.get(key, db=self._env.db(keys.BROADCASTS)) is None:
                first_seq = row["first_seq"]
                assert isinstance(first_seq, int)
                self._put(keys.BROADCAST_ORDER, keys.tenant_seq_key(tenant, first_seq) + key[2:], b"")
            self._put(keys.BROADCASTS, key, pack_value(key, row), overwrite=True)

    def _write_suppressions(self) -> None:
        db = self._env.db(keys.SUPPRESSED)
        for (tenant, recipient), can_suppress in self._recipients.items():
            known = self._suppressed_keys(tenant, recipient)
            if not can_suppress and not known:
                continue
            entries = fold_recipient(*self._evidence(tenant, recipient))
            for key in known:
                self._txn.delete(key, db=db)
            for entry in entries:
                key = keys.suppressed_key(tenant, recipient, entry.kind, entry.broadcast)
                self._put(keys.SUPPRESSED, key, entry.pack(key))

    def _suppressed_keys(self, tenant: int, recipient: int) -> list[bytes]:
        return list(_scan_keys(self._txn, self._env.db(keys.SUPPRESSED), keys.recipient_prefix(tenant, recipient)))

    def _evidence(self, tenant: int, recipient: int) -> tuple[list[tuple[DeliveryKey, Record]], str]:
        """Return all of a recipient's records and the domain of its address."""
        prefix = keys.recipient_prefix(tenant, recipient)
        numbers = [0]
        numbers += [int.from_bytes(k[10:], "big") for k in _scan_keys(self._txn, self._env.db(keys.MAILED), prefix)]
        records: list[tuple[DeliveryKey, Record]] = []
        domain = ""
        for number in numbers:
            key = DeliveryKey(tenant, number, recipient)
            raw = self._txn.get(key.pack(), db=self._env.db(keys.DELIVERIES))
            if raw is None:
                continue
            record = Record.unpack(key.pack(), raw)
            records.append((key, record))
            domain = domain or self._domain_of(record.entries)
        return records, domain

    def _domain_of(self, entries: Sequence[Entry]) -> str:
        for entry in entries:
            if entry.type not in (FactType.PLANNED, FactType.FAILED):
                continue
            try:
                fact = self._facts.get(entry.seq) or read_fact(self._env, self._txn, entry.seq)
                detail = fact.detail
                address = detail.address if isinstance(detail, Planned | Report) else None
                if address:
                    return Address.parse(address).domain
            except (AddressError, StoreCorruptError):
                continue  # what is damaged must not keep out an unsubscribe
        return ""


def _add_difference(change: Counts, before: Counts, after: Counts) -> None:
    for name in before.keys() | after.keys():
        difference = after.get(name, 0) - before.get(name, 0)
        if difference:
            change[name] = change.get(name, 0) + difference


def _can_unmask(before: Counts, after: Counts) -> bool:
    """Whether opens or clicks that were taken for a person's may have turned out a machine's."""
    return any(
        after.get(f"{name}_machine", 0) > before.get(f"{name}_machine", 0)
        and (before.get("opens_raw", 0) > before.get("opens_machine", 0)
             or before.get("clicks_raw", 0) > before.get("clicks_machine", 0))
        for name in ("opens", "clicks")
    )  # fmt: skip


def _scan_keys(txn: Transaction, db: Database, prefix: bytes) -> list[bytes]:
    found: list[bytes] = []
    with txn.cursor(db=db) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            found.append(cursor.key())
            is_there = cursor.next()
    return found
