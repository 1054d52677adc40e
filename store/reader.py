"""Read the store: broadcasts, counts, deliveries, timelines, suppressions. Short transactions, paged by key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic, TypeVar

from model.detail import (
    Engaged,
    Planned,
    Report,
)
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from store import keys
from store.documents import Document, read_document
from store.environment import Environment
from store.gate import Candidate, Denial, Gate
from store.incidents import Incident, find_incidents
from store.listing import Listing, listings_of
from store.log import read_fact, scan_log
from store.outcome import Outcome, judge_machines, settle
from store.record import Record
from store.sealed import unpack_value
from store.suppression import Suppression, SuppressionKind, current
from store.transaction import Transaction

PAGE_SIZE = 50
#: Rows a page may look through in vain, and for how many seconds, before it is given as it is, with a cursor.
_MAX_LOOKED = 50_000
_PAGE_S = 0.02
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A mailing, as far as the sender described it."""

    tenant: int
    number: int
    broadcast_id: str | None = None
    name: str | None = None
    status: str | None = None
    subject: str | None = None
    format: str | None = None
    stream: str = ""
    scheduled_at_us: int | None = None
    sender: str | None = None
    schedule_task_id: str | None = None
    updated_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery with its outcome; ``planned`` as the sender listed it, if it did."""

    key: DeliveryKey
    outcome: Outcome
    planned: Planned | None
    failure: Fact | None


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """An entry of the suppression list with the address and the fact it rests on."""

    recipient: int
    entry: Suppression
    address: str | None
    fact: Fact
    api_user: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows and the cursor to go on from; None when there is no more."""

    rows: list[Row]
    after: bytes | None


class Budget:
    """How much one page may look through in vain: so many rows, or so long, whichever comes first."""

    def __init__(self) -> None:
        """Begin to count."""
        self._left = _MAX_LOOKED
        self._until_s = time.perf_counter() + _PAGE_S
        self.is_spent = False

    def miss(self, rows: int = 1) -> None:
        """Note that rows were looked at which do not belong on the page."""
        self._left -= rows
        if self._left < 0 or (self._left % 16 < rows and time.perf_counter() > self._until_s):
            self.is_spent = True


class Reader:
    """Reads through one environment."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def broadcast(self, tenant: int, number: int) -> Broadcast | None:
        """Return a broadcast, or None if nothing was ever seen of it."""
        with self._env.read() as txn:
            return self._broadcast(txn, tenant, number)

    def broadcasts(
        self, tenant: int, *, after: bytes | None = None, limit: int = PAGE_SIZE,
        where: Callable[[Broadcast], bool] | None = None,
    ) -> Page[Broadcast]:  # fmt: skip
        """Return broadcasts, the newest first; those ``where`` holds of, if given."""
        prefix = tenant.to_bytes(2, "big")
        rows: list[Broadcast] = []
        last = None
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.BROADCAST_ORDER)) as cursor:
            is_there = cursor.set_range(after or prefix + b"\xff" * 14)
            is_there = cursor.prev() if is_there else cursor.last()
            while is_there and cursor.key().startswith(prefix):
                if len(rows) == limit:
                    return Page(rows, last)
                last = cursor.key()
                found = self._broadcast(txn, tenant, int.from_bytes(last[10:], "big"))
                if found is not None and (where is None or where(found)):
                    rows.append(found)
                is_there = cursor.prev()
        return Page(rows, None)

    def counts(self, tenant: int, number: int, *, is_test: bool = False) -> dict[str, int]:
        """Return the counts of a broadcast as store.counters names them; its test sends with ``is_test``."""
        scope = keys.SCOPE_TEST if is_test else keys.SCOPE_ALL
        with self._env.read() as txn:
            return self._counts(txn, keys.broadcast_key(tenant, number) + scope)

    def last_attempt_us(self, tenant: int) -> int:
        """Return when a sending system of the tenant last reported an attempt; 0 if never (mission 4.1)."""
        with self._env.read() as txn:
            row = self._counts(txn, keys.broadcast_key(tenant, 0) + keys.SCOPE_ALL)
        return row.get("last_attempt_us", 0)

    def links(self, tenant: int, number: int) -> list[tuple[int, str, dict[str, int]]]:
        """Return (number, target, counts) of each link of a broadcast that was clicked."""
        prefix = keys.broadcast_key(tenant, number) + keys.SCOPE_LINK
        result: list[tuple[int, str, dict[str, int]]] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.COUNTERS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                row: dict[str, Any] = unpack_value(cursor.key(), cursor.value())
                target = str(row.pop("target", ""))
                result.append((int.from_bytes(cursor.key()[len(prefix) :], "big"), target, row))
                is_there = cursor.next()
        return result

    def delivery(self, key: DeliveryKey, *, is_test: bool = False) -> Delivery | None:
        """Return one delivery, or None if nothing was ever seen of it."""
        with self._env.read() as txn:
            raw = self._record(txn, key, is_test=is_test)
            return self._delivery(txn, key, raw) if raw else None

    def listings(self, places: Sequence[bytes], *, is_test: bool = False) -> dict[bytes, Listing]:
        """Return how recipients are listed already, by DeliveryKey.pack() of each delivery; those that are."""
        with self._env.read() as txn:
            if is_test:
                with txn.cursor(db=self._env.db(keys.TEST_DELIVERIES)) as cursor:
                    found = dict(cursor.getmulti(places))
            else:
                found = self._env.records(txn).found(places)
            return listings_of(self._env, txn, found)

    def listings_before(self, found: Mapping[bytes, bytes]) -> dict[bytes, Listing]:
        """Return how recipients were listed by the records that Receipt.found gives; those that were."""
        with self._env.read() as txn:
            return listings_of(self._env, txn, found)

    def timeline(self, key: DeliveryKey, *, is_test: bool = False) -> list[Fact]:
        """Return the facts of one delivery in order of time, clicks with their targets (B17)."""
        return [fact for fact, _ in self.judged(key, is_test=is_test)]

    def judged(self, key: DeliveryKey, *, is_test: bool = False) -> list[tuple[Fact, bool]]:
        """Return what ``timeline`` does, and of each whether it is a machine's hit, judged beside all others (4.8)."""
        with self._env.read() as txn:
            entries = Record.unpack(key.pack(), self._record(txn, key, is_test=is_test)).entries
            machine = judge_machines(entries)
            facts = [read_fact(self._env, txn, entry.seq) for entry in entries]
            return [(self._with_target(txn, fact), place in machine) for place, fact in enumerate(facts)]

    def machine_hits(self, key: DeliveryKey) -> frozenset[int]:
        """Return the numbers of the facts of one delivery that are taken for a machine's hits."""
        with self._env.read() as txn:
            entries = Record.unpack(key.pack(), self._record(txn, key, is_test=False)).entries
            return frozenset(entries[place].seq for place in judge_machines(entries))

    def mailed(self, tenant: int, recipient: int) -> list[int]:
        """Return the numbers of the broadcasts that listed a recipient."""
        with self._env.read() as txn:
            return self._env.records(txn).mailed(tenant, recipient)

    def preflight(self, tenant: int, candidates: Sequence[Candidate], stream: str, now_us: int) -> list[Denial | None]:
        """Say of each candidate whether it may be mailed now on ``stream`` (mission 5, gate)."""
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.SUPPRESSED)) as cursor:
            gate = Gate(self._env, txn, tenant, stream, now_us)
            return [gate.ask(cursor, candidate) for candidate in candidates]

    def denials(
        self, tenant: int, recipients: Sequence[bytes], domains: Sequence[str], companies: Sequence[str | None],
        stream: str, now_us: int, candidate: Callable[[int], Candidate],
    ) -> dict[int, Denial]:  # fmt: skip
        """Say by their places who of many must not be mailed; ``candidate`` gives one by its place (Gate.suspects)."""
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.SUPPRESSED)) as cursor:
            gate = Gate(self._env, txn, tenant, stream, now_us)
            places = gate.suspects(cursor, recipients, domains, companies)
            asked = {at: gate.ask(cursor, candidate(at)) for at in places}
        return {at: denial for at, denial in asked.items() if denial is not None}

    def suppressions(
        self, tenant: int, *, after: bytes | None = None, limit: int = PAGE_SIZE, now_us: int | None = None,
        kind: SuppressionKind | None = None, domain: str | None = None, since_us: int = 0, until_us: int | None = None,
    ) -> Page[SuppressionRow]:  # fmt: skip
        """Return the suppression list; with ``now_us`` only what holds at that time.

        The others narrow it: a kind, a receiving domain, when the reason came (E35). A page may have fewer rows than
        ``limit`` and still a cursor, where much was looked through.
        """
        prefix = keys.tenant_key(tenant)
        rows: list[SuppressionRow] = []
        budget = Budget()
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.SUPPRESSED)) as cursor:
            gate = Gate(self._env, txn, tenant, "", now_us or 0)
            is_there = cursor.set_range(after or prefix)
            while is_there and cursor.key().startswith(prefix):
                place = cursor.key()[:10]
                if len(rows) >= limit or budget.is_spent:
                    return Page(rows, place)
                recipient = int.from_bytes(place[2:], "big")
                entries = gate.entries(cursor, recipient)
                if now_us is None:
                    entries = gate.effective(entries, recipient)
                else:
                    entries = gate.holding(entries, Candidate(recipient))
                    entries = current(entries, gate.streams_of(entries), now_us)
                found = [
                    entry
                    for entry in entries
                    if (kind is None or entry.kind.public_name == kind.public_name)
                    and (domain is None or entry.domain == domain)
                    and since_us <= entry.at_us < (until_us or 2**63)
                ]
                if rows and len(rows) + len(found) > limit:
                    return Page(rows, place)
                if not found:
                    budget.miss()
                rows += [self._suppression_row(txn, recipient, entry) for entry in found]
                is_there = cursor.set_range(place + b"\xff" * 8)
        return Page(rows, None)

    def suppressed(self, tenant: int, recipient: int) -> list[Suppression]:
        """Return all entries of one recipient, those included that do not hold."""
        prefix = keys.recipient_prefix(tenant, recipient)
        return [Suppression.unpack(key, value) for key, value in self._scan(keys.SUPPRESSED, prefix)]

    def incidents(self, tenant: int, *, since_us: int) -> list[Incident]:
        """Return the floods of failures that ended after ``since_us`` (S26, N04)."""
        with self._env.read() as txn:
            return find_incidents(self._env, txn, tenant, since_us=since_us)

    def document(self, tenant: int, kind: str, name: str) -> Document | None:
        """Return a document, or None."""
        key = keys.document_key(tenant, kind, name)
        with self._env.read() as txn:
            raw = txn.get(key, db=self._env.db(keys.DOCUMENTS))
            return read_document(key, raw) if raw else None

    def documents(
        self, tenant: int, kind: str, *, after: bytes | None = None, limit: int = PAGE_SIZE
    ) -> Page[Document]:
        """Return the documents of a kind in the order of their names."""
        prefix = keys.document_key(tenant, kind)
        rows: list[Document] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            is_there = cursor.set_range(after or prefix)
            while is_there and cursor.key().startswith(prefix):
                if len(rows) == limit:
                    return Page(rows, cursor.key())
                document = read_document(cursor.key(), cursor.value())
                if document is not None:
                    rows.append(document)
                is_there = cursor.next()
        return Page(rows, None)

    def audit(self, tenant: int, *, after: bytes | None = None, limit: int = PAGE_SIZE) -> Page[Fact]:
        """Return what people did, the newest first (T17)."""
        return self._facts_back(keys.AUDIT, tenant, after, limit)

    def facts(self, tenant: int, *, after: int, limit: int) -> tuple[list[tuple[int, Fact]], int]:
        """Return (number, fact) of a tenant's facts above number ``after``, and the number looked through to (N23)."""
        found: list[tuple[int, Fact]] = []
        seq = after
        for seq, fact in islice(scan_log(self._env, after=after), 10 * limit):
            if fact.key.tenant == tenant:
                found.append((seq, fact))
                if len(found) == limit:
                    break
        return found, seq

    def unmatched(self, tenant: int, *, after: bytes | None = None, limit: int = PAGE_SIZE) -> Page[Fact]:
        """Return the mails that prove nothing, oldest first."""
        prefix = tenant.to_bytes(2, "big")
        rows: list[Fact] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.UNMATCHED)) as cursor:
            is_there = cursor.set_range(after or prefix)
            while is_there and cursor.key().startswith(prefix):
                if len(rows) == limit:
                    return Page(rows, cursor.key())
                rows.append(read_fact(self._env, txn, int.from_bytes(cursor.key()[2:], "big")))
                is_there = cursor.next()
        return Page(rows, None)

    # Inside one transaction

    def _broadcast(self, txn: Transaction, tenant: int, number: int) -> Broadcast | None:
        key = keys.broadcast_key(tenant, number)
        raw = txn.get(key, db=self._env.db(keys.BROADCASTS))
        if raw is None:
            return None
        row: dict[str, Any] = unpack_value(key, raw)
        times: dict[str, int] = row.pop("times")
        row.pop("first_seq")
        return Broadcast(tenant, number, updated_at_us=max(times.values(), default=None), **row)

    def _counts(self, txn: Transaction, key: bytes) -> dict[str, int]:
        raw = txn.get(key, db=self._env.db(keys.COUNTERS))
        counts: dict[str, int] = unpack_value(key, raw) if raw else {}
        return counts

    def _delivery(self, txn: Transaction, key: DeliveryKey, raw: bytes) -> Delivery:
        record = Record.unpack(key.pack(), raw)
        outcome = settle(record)
        planned: Planned | None = None
        for entry in record.entries:
            if entry.type == FactType.PLANNED:
                detail = read_fact(self._env, txn, entry.seq).detail
                planned = detail if isinstance(detail, Planned) else None
                break
        failure = read_fact(self._env, txn, outcome.failure.seq) if outcome.failure else None
        return Delivery(key, outcome, planned, failure)

    def _record(self, txn: Transaction, key: DeliveryKey, *, is_test: bool) -> bytes | None:
        if is_test:
            return txn.get(key.pack(), db=self._env.db(keys.TEST_DELIVERIES))
        return self._env.records(txn).get(key.pack())

    def _with_target(self, txn: Transaction, fact: Fact) -> Fact:
        detail = fact.detail
        if not isinstance(detail, Engaged) or detail.target is not None or fact.type is not FactType.CLICKED:
            return fact
        key = keys.broadcast_key(fact.key.tenant, fact.key.broadcast) + keys.link_scope(detail.link)
        target = self._counts(txn, key).get("target")
        return replace(fact, detail=replace(detail, target=None if target is None else str(target)))

    def _facts_back(self, name: bytes, tenant: int, after: bytes | None, limit: int) -> Page[Fact]:
        prefix = keys.tenant_key(tenant)
        rows: list[Fact] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(name)) as cursor:
            is_there = cursor.set_range(after or prefix + b"\xff" * 8)
            is_there = cursor.prev() if is_there else cursor.last()
            last = None
            while is_there and cursor.key().startswith(prefix):
                if len(rows) == limit:
                    return Page(rows, last)
                last = cursor.key()
                rows.append(read_fact(self._env, txn, int.from_bytes(last[2:], "big")))
                is_there = cursor.prev()
        return Page(rows, None)

    def _suppression_row(self, txn: Transaction, recipient: int, entry: Suppression) -> SuppressionRow:
        fact = read_fact(self._env, txn, entry.seq)
        raw = self._record(txn, fact.key, is_test=False)
        planned = self._delivery(txn, fact.key, raw).planned if raw else None
        if planned is not None:
            return SuppressionRow(recipient, entry, planned.address, fact, planned.api_user)
        return SuppressionRow(recipient, entry, fact.detail.address if isinstance(fact.detail, Report) else None, fact)

    def _scan(self, name: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._env.read() as txn, txn.cursor(db=self._env.db(name)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                yield cursor.key(), cursor.value()
                is_there = cursor.next()
