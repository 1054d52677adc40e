"""What may have changed on the suppression list since a fact of the log, for senders that keep a copy of it (N15).

Derived from the log by its numbers: it needs no state of its own, survives restarts and sees what was added, lifted and
added again. What ends by time alone is told beforehand, by ``expires_at_us``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from model.detail import DocumentSet, Planned, Report
from model.fact import DeliveryKey, FactType
from store import keys
from store.codec import unpack_chunk, unpack_fact
from store.documents import read_document
from store.environment import Environment
from store.floods import INCIDENT_KIND
from store.gate import BLOCK_KIND, EXEMPT_KIND, Candidate, Gate
from store.incidents import Affected, Incident, affected
from store.log import read_fact, scan_chunks
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.rates import Rate, due, rates, tenants
from store.record import Record
from store.suppression import Suppression, current
from store.transaction import Transaction
from store.writer import next_seq

#: Facts gone through for one page, and recipients told in one.
_MAX_FACTS = 50_000
_MAX_RECIPIENTS = 300
#: Broadcasts looked at for a recipient's address.
_MAX_MAILED = 20
_ALWAYS = frozenset({
    FactType.FAILED, FactType.COMPLAINED, FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED, FactType.RELEASED,
})  # fmt: skip
#: These matter only to whoever failed before.
_SOMETIMES = frozenset({
    FactType.PLANNED, FactType.EXCLUDED, FactType.ACCEPTED, FactType.DEFERRED, FactType.OPENED, FactType.CLICKED,
    FactType.AUTO_REPLIED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry that holds; ``stream`` for an unsubscribe from one stream, None for all."""

    entry: Suppression
    stream: str | None


@dataclass(frozen=True, slots=True)
class ChangedRecipient:
    """A recipient whose standing may have changed, as it is now: without entries it may be mailed."""

    recipient: int
    address: str | None
    entries: list[StreamEntry]
    is_exempt: bool


@dataclass(frozen=True, slots=True)
class ChangedBlock:
    """A custom block that was set (``body`` JSON) or deleted (None)."""

    name: str
    body: bytes | None


@dataclass(slots=True)
class ListChanges:
    """One page of changes."""

    recipients: list[ChangedRecipient] = field(default_factory=list)
    blocks: list[ChangedBlock] = field(default_factory=list)
    #: whether the policy changed, or what was decided of an incident: the whole list may be another one
    is_reset: bool = False
    #: domains at which a flood of failures is held back: what was told of them before may no longer hold
    held_domains: set[str] = field(default_factory=set)
    #: number of the last fact gone through
    until: int = 0
    is_end: bool = True


class SuppressionDesk:
    """Reads what concerns the list as a whole, through one environment."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def policy(self, tenant: int) -> Policy:
        """Return a tenant's policy in force."""
        key = keys.document_key(tenant, POLICY_KIND, POLICY_NAME)
        with self._env.read() as txn:
            raw = txn.get(key, db=self._env.db(keys.DOCUMENTS))
        document = read_document(key, raw) if raw else None
        return Policy.parse(document.body if document else None)

    def shares_bounces(self, tenant: int) -> bool:
        """Whether a tenant shares with others which addresses do not exist (E39)."""
        return self.policy(tenant).shares_bounces

    def rates(self, tenant: int, now_us: int) -> list[Rate]:
        """Return a tenant's rates of hard failures and complaints (store.rates)."""
        return rates(self._env, tenant, now_us)

    def due(self, tenant: int, now_us: int) -> list[Rate]:
        """Return those of a tenant's rates that ask for something."""
        return due(self._env, tenant, now_us)

    def tenants(self) -> list[int]:
        """Return the tenants that have broadcasts."""
        return tenants(self._env)

    def holding(self, tenant: int, recipient: int, now_us: int) -> list[Suppression]:
        """Return the entries of one recipient that hold at ``now_us``, as the list shows them."""
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.SUPPRESSED)) as cursor:
            gate = Gate(self._env, txn, tenant, "", now_us)
            entries = gate.holding(gate.entries(cursor, recipient), Candidate(recipient))
            return current(entries, gate.streams_of(entries), now_us)

    def last_seq(self) -> int:
        """Return the number of the newest fact."""
        return next_seq(self._env) - 1

    def affected(self, tenant: int, incident: Incident) -> Iterator[Affected]:
        """Yield the deliveries that failed in an incident."""
        return affected(self._env, tenant, incident)

    def address(self, tenant: int, recipient: int) -> str | None:
        """Return a recipient's address as it was listed last seen, else as a report names it; None if unknown."""
        with self._env.read() as txn:
            return self._address(txn, tenant, recipient)

    def changes(self, tenant: int, *, after: int, now_us: int) -> ListChanges:
        """Return what may have changed by the facts above number ``after``, as it is at ``now_us``."""
        changes = ListChanges(until=after)
        found = self._scan(tenant, after, changes)
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.SUPPRESSED)) as cursor:
            gate = Gate(self._env, txn, tenant, "", now_us)
            for recipient in found:
                stored = gate.entries(cursor, recipient)
                changes.held_domains.update(e.domain for e in stored if gate.is_held(e.domain, e.at_us, e.cause))
                holding = gate.holding(stored, Candidate(recipient))
                streams = gate.streams_of(holding)
                entries = [
                    StreamEntry(entry, streams.get(entry.broadcast, "") if entry.broadcast else None)
                    for entry in current(holding, streams, now_us)
                ]
                address = self._address(txn, tenant, recipient)
                changes.recipients.append(ChangedRecipient(recipient, address, entries, gate.is_exempt(recipient)))
        return changes

    def _scan(self, tenant: int, after: int, changes: ListChanges) -> dict[int, None]:
        """Go through the log; returns the recipients to look at, in the order of their last fact."""
        found: dict[int, None] = {}
        own, looked = tenant.to_bytes(2, "big"), 0
        for first, chunk in scan_chunks(self._env, after=after):
            with self._env.read() as txn:
                for seq, raw in enumerate(unpack_chunk(first, chunk), first):
                    if seq <= after:
                        continue
                    if looked >= _MAX_FACTS or len(found) + len(changes.blocks) >= _MAX_RECIPIENTS:
                        changes.is_end = False
                        return found
                    looked += 1
                    changes.until = seq
                    # Without reading the fact as a whole: type and key stand at its beginning (store.codec).
                    at = 3 if raw[0] == 0xDC else 1
                    place = raw[at + 3 : at + 19]
                    if place[:2] != own:
                        continue
                    if raw[at] == FactType.DOCUMENT_SET:
                        recipient = self._take_document(raw, changes)
                    else:
                        recipient = self._recipient_of(txn, raw[at], place)
                    if recipient:
                        found.pop(recipient, None)
                        found[recipient] = None
        return found

    def _recipient_of(self, txn: Transaction, fact_type: int, place: bytes) -> int:
        """Return whose standing a fact may change; 0 for nobody's."""
        is_relevant = fact_type in _ALWAYS
        if fact_type in _SOMETIMES:
            is_relevant = txn.get(place[:2] + place[8:], db=self._env.db(keys.FIRST_FAILED)) is not None
            if fact_type == FactType.EXCLUDED and not is_relevant:
                # It may have taken the only failure away.
                record = Record.unpack(place, self._env.records(txn).get(place))
                is_relevant = any(entry.type == FactType.FAILED for entry in record.entries)
        return int.from_bytes(place[8:], "big") if is_relevant else 0

    def _take_document(self, raw: bytes, changes: ListChanges) -> int:
        detail = unpack_fact(raw).detail
        assert isinstance(detail, DocumentSet)
        if detail.kind == BLOCK_KIND:
            changes.blocks.append(ChangedBlock(detail.name, detail.body))
        elif detail.kind == EXEMPT_KIND:
            return int(detail.name, 16)
        elif (detail.kind, detail.name) == (POLICY_KIND, POLICY_NAME) or detail.kind == INCIDENT_KIND:
            changes.is_reset = True
        return 0

    def _address(self, txn: Transaction, tenant: int, recipient: int) -> str | None:
        records = self._env.records(txn)
        reported: str | None = None
        for number in records.mailed(tenant, recipient)[:_MAX_MAILED]:
            place = DeliveryKey(tenant, number, recipient).pack()
            record = Record.unpack(place, records.get(place))
            for entry in record.entries:
                if entry.type not in (FactType.PLANNED, FactType.FAILED):
                    continue
                detail = read_fact(self._env, txn, entry.seq).detail
                if isinstance(detail, Planned):
                    return detail.address
                if isinstance(detail, Report):
                    reported = reported or detail.address
        return reported
