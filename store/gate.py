"""May this recipient be mailed now? The last word before sending, from all that speaks against it (mission 4.5, 5).

Asked of many recipients in one transaction: what is the same for all of them is looked up once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from model.cause import BY_NUMBER, SPECS, Cause
from model.fact import DeliveryKey
from store import keys
from store.documents import Document, read_document
from store.environment import Environment
from store.floods import Floods
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.projects import project_bounces
from store.recipients import evidence_of
from store.record import Entry, Record
from store.roster import fold_text
from store.sealed import unpack_value
from store.standing import HARD_POLICIES, Ignored, bounce_days, fold_recipient
from store.suppression import DAY_US, DENIALS, ORDER, Suppression, SuppressionKind, choose
from store.transaction import Cursor, Transaction

#: Kinds of documents: custom blocks, named as ``block_name`` says; addresses that bounces never keep out, named by
#: the recipient's number in hexadecimal.
BLOCK_KIND, EXEMPT_KIND = "block", "exempt"
#: A host counts as dead when it was not found for so many addresses, for so long (mission 4.5).
_DEAD_HOST_ADDRESSES = 2
_DEAD_HOST_DAYS = 30
_MAX_DEAD_HOST_WORDS = 1_000
#: Custom blocks whose names are read before many candidates are asked about: more would take longer than asking.
_FEW_BLOCKS = 1_000
_BOUNCES = (SuppressionKind.BOUNCE, SuppressionKind.SOFT, SuppressionKind.CLASS)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody a sender is about to mail. Without domain, company or mark what depends on them is not asked."""

    recipient: int
    domain: str = ""
    company: str | None = None
    #: gives KeyRing.global_mark of the address, to ask what other tenants heard (E39); called only where that counts
    mark: Callable[[], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a recipient must not be mailed; ``detail`` is the exact string to tell (E34, E37, E40).

    ``seq`` is 0 where no fact of this tenant is behind it.
    """

    kind: SuppressionKind
    detail: str
    expires_at_us: int | None
    seq: int


def block_name(kind: str, value: str) -> str:
    """Return the name of the block document for a ``recipient`` (16 hex digits), ``domain`` or ``company``."""
    if kind == "company":
        # Of any length; the name of a document has a limit.
        return f"company:{blake2b(fold_text(value).strip().encode(), digest_size=16).hexdigest()}"
    return f"{kind}:{value}"


class Gate:
    """Answers for one tenant at one moment, inside one transaction."""

    def __init__(self, env: Environment, txn: Transaction, tenant: int, stream: str, now_us: int) -> None:
        """``stream`` is the subscription stream about to be mailed."""
        self._env = env
        self._txn = txn
        self._tenant = tenant
        self._stream = stream
        self._now_us = now_us
        self.policy = Policy.parse(self._body(POLICY_KIND, POLICY_NAME))
        self._has_blocks = self._has_any(BLOCK_KIND)
        self._has_exempt = self._has_any(EXEMPT_KIND)
        self._floods = Floods(env, txn)
        self._dead: dict[str, Suppression | None] = {}
        self._streams: dict[int, str] = {}

    def ask(self, cursor: Cursor, candidate: Candidate) -> Denial | None:
        """Return why ``candidate`` may not be mailed, or None. ``cursor`` is one of SUPPRESSED."""
        entries = self.holding(self.entries(cursor, candidate.recipient), candidate)
        entry = choose(entries, self.streams_of(entries), self._stream, self._now_us) if entries else None
        block = self._block(candidate) if self._has_blocks else None
        if block is not None and (entry is None or ORDER[SuppressionKind.BLOCK] < ORDER[entry.kind]):
            return Denial(SuppressionKind.BLOCK, DENIALS[SuppressionKind.BLOCK], _expiry(block), block.seq)
        if entry is not None:
            return Denial(entry.kind, DENIALS[entry.kind], entry.expiry(self._now_us), entry.seq)
        if self._is_dead_elsewhere(candidate):
            # Yes or no is all that one tenant may learn of another.
            return Denial(SuppressionKind.BOUNCE, DENIALS[SuppressionKind.BOUNCE], None, 0)
        return None

    def suspects(
        self, cursor: Cursor, recipients: Sequence[bytes], domains: Sequence[str], companies: Sequence[str | None]
    ) -> Sequence[int]:
        """Return the places of those among many whom ``ask`` may deny; none of the others it would.

        Arguments: the 8 octets of each recipient's number; of each the domain (empty if unknown) and the company.
        """
        blocks = self._few_blocks() if self._has_blocks else set()
        if blocks is None or self.policy.shares_bounces:
            return range(len(recipients))
        found: set[int] = set()
        if blocks:
            people = (block_name("recipient", one.hex()) for one in recipients)
            firms = {one for one in set(companies) if one and block_name("company", one) in blocks}
            found.update(place for place, name in enumerate(people) if name in blocks)
            found.update(place for place, one in enumerate(companies) if one in firms)
        bad = {one for one in set(domains) if one and not blocks.isdisjoint(_names_of_domain(one))}
        if self.policy.counts_hosts:
            bad |= {one for one in set(domains) if one and self._dead_host(one)}
        if bad:
            found.update(place for place, domain in enumerate(domains) if domain in bad)
        tenant = keys.tenant_key(self._tenant)
        if cursor.set_range(tenant) and cursor.key().startswith(tenant):
            for place, recipient in enumerate(recipients):
                prefix = tenant + recipient
                if cursor.set_range(prefix) and cursor.key().startswith(prefix):
                    found.add(place)
        return sorted(found)

    def _few_blocks(self) -> set[str] | None:
        """Return the names of all custom blocks, those included that were lifted; None when they are many."""
        prefix = keys.document_key(self._tenant, BLOCK_KIND)
        names: set[str] = set()
        with self._txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                if len(names) == _FEW_BLOCKS:
                    return None
                names.add(cursor.key()[len(prefix) :].decode())
                is_there = cursor.next()
        return names

    def entries(self, cursor: Cursor, recipient: int) -> list[Suppression]:
        """Return all stored entries of a recipient."""
        prefix = keys.recipient_prefix(self._tenant, recipient)
        found: list[Suppression] = []
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            found.append(Suppression.unpack(cursor.key(), cursor.value()))
            is_there = cursor.next()
        return found

    def holding(self, entries: Sequence[Suppression], candidate: Candidate) -> list[Suppression]:
        """Return what counts of a recipient's entries under the tenant's policy, with what its dead host adds."""
        found = self.effective(entries, candidate.recipient) if entries else []
        if self.policy.has_breaker and any(self._is_held(entry) for entry in found):
            found = self.policy.effective(self._without_floods(candidate.recipient))
        dead = self._dead_host(candidate.domain) if candidate.domain and self.policy.counts_hosts else None
        if dead is not None:
            found.append(dead)
        if found and self.is_exempt(candidate.recipient):
            # An exemption stands against bounces only, never against what a person said (E43).
            found = [entry for entry in found if entry.kind not in _BOUNCES]
        return found

    def effective(self, entries: Sequence[Suppression], recipient: int) -> list[Suppression]:
        """Return what counts of a recipient's stored entries under the tenant's policy, whatever the time."""
        found = self.policy.effective(entries)
        if self.policy.keeps_projects and any(entry.kind in _BOUNCES for entry in entries):
            evidence = evidence_of(self._env.records(self._txn), self._tenant, recipient)
            found += project_bounces(evidence, self._flooded(evidence))
        return found

    def is_exempt(self, recipient: int) -> bool:
        """Whether bounces do not keep this recipient out (E43)."""
        return self._has_exempt and self._body(EXEMPT_KIND, f"{recipient:016x}") is not None

    def is_held(self, domain: str, at_us: int, cause: int) -> bool:
        """Whether a failure came in a flood of failures nobody has looked at (S26)."""
        spec = BY_NUMBER.get(cause)
        is_hard = spec is not None and spec.suppress in HARD_POLICIES
        return is_hard and bool(domain) and self._floods.is_held(self._tenant, domain, at_us)

    def streams_of(self, entries: Sequence[Suppression]) -> dict[int, str]:
        """Return the streams of the broadcasts that unsubscribes among ``entries`` came through."""
        for number in {entry.broadcast for entry in entries if entry.broadcast} - self._streams.keys():
            key = keys.broadcast_key(self._tenant, number)
            raw = self._txn.get(key, db=self._env.db(keys.BROADCASTS))
            self._streams[number] = str(unpack_value(key, raw).get("stream", "")) if raw else ""
        return self._streams

    def _is_held(self, entry: Suppression) -> bool:
        is_bounce = entry.kind in (SuppressionKind.BOUNCE, SuppressionKind.CLASS)
        return is_bounce and self.is_held(entry.domain, entry.at_us, entry.cause)

    def _without_floods(self, recipient: int) -> list[Suppression]:
        """Return what a recipient's evidence amounts to without what came in floods: rare, so folded anew."""
        evidence = evidence_of(self._env.records(self._txn), self._tenant, recipient)
        return fold_recipient(evidence, is_ignored=self._flooded(evidence)).entries

    def _flooded(self, evidence: Sequence[tuple[DeliveryKey, Record]]) -> Ignored:
        """Return what tells of a recipient's failures which came in floods that are held back."""
        domain = min((record.domain for _, record in evidence if record.domain), default=b"")[1:].decode()

        def is_ignored(failure: Entry) -> bool:
            return self.policy.has_breaker and self.is_held(domain, failure.at_us, failure.extra[1])

        return is_ignored

    def _dead_host(self, domain: str) -> Suppression | None:
        """Return the entry of a domain whose host was not found for two addresses within 30 days."""
        if domain not in self._dead:
            self._dead[domain] = self._find_dead_host(domain)
        return self._dead[domain]

    def _find_dead_host(self, domain: str) -> Suppression | None:
        prefix = keys.dead_host_prefix(self._tenant, domain)
        since = self._now_us - _DEAD_HOST_DAYS * DAY_US
        number = SPECS[Cause.HOST_UNKNOWN].number
        times: list[int] = []
        with self._txn.cursor(db=self._env.db(keys.DEAD_HOSTS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix) and len(times) < _MAX_DEAD_HOST_WORDS:
                at_us = int.from_bytes(cursor.value(), "big")
                is_counted = at_us > since and not (self.policy.has_breaker and self.is_held(domain, at_us, number))
                if is_counted:
                    times.append(at_us)
                is_there = cursor.next()
        if len(times) < _DEAD_HOST_ADDRESSES or self._lives(domain):
            return None
        # It holds as long as the second youngest word of it does.
        at_us = sorted(times)[-_DEAD_HOST_ADDRESSES]
        expires = at_us + _DEAD_HOST_DAYS * DAY_US
        return Suppression(SuppressionKind.BOUNCE, at_us, expires, 0, cause=number, domain=domain)

    def _lives(self, domain: str) -> bool:
        """Whether more of a domain's recipients were reached than failed, in the broadcasts in which hosts failed.

        So two members who forge reports of their own addresses cannot keep out everybody of a large provider (S23).
        """
        reached = failed = 0
        for row in self._floods.latest_rows(self._tenant, domain):
            hosts = sum(count for name, count in row.items() if _is_host_failure(name))
            if hosts:
                failed += hosts
                reached += sum(row.get(f"reached.{name}", 0) for name in ("accepted", "dsn_relayed", "engaged"))
        return reached > failed

    def _is_dead_elsewhere(self, candidate: Candidate) -> bool:
        """Whether tenants that share bounces heard of no such address, N of E42 being counted over all of them."""
        if candidate.mark is None or not self.policy.shares_bounces or self.is_exempt(candidate.recipient):
            return False
        mark = candidate.mark()
        if mark is None:
            return False
        latest = total = 0
        domain, is_at_tencent = candidate.domain, False
        with self._txn.cursor(db=self._env.db(keys.GLOBAL_BOUNCES)) as cursor:
            is_there = cursor.set_range(mark)
            while is_there and cursor.key().startswith(mark):
                key = cursor.key()
                at_us, count, said_domain, *is_tencent = unpack_value(key, cursor.value())
                tenant = int.from_bytes(key[16:18], "big")
                if not self._floods.is_held(tenant, said_domain, at_us):
                    is_at_tencent = bool(is_tencent) if at_us > latest else is_at_tencent
                    latest, total, domain = max(latest, at_us), total + count, domain or said_domain
                is_there = cursor.next()
        return total > 0 and latest + bounce_days(total, domain, is_at_tencent=is_at_tencent) * DAY_US > self._now_us

    def _block(self, candidate: Candidate) -> Document | None:
        """Return the custom block that holds for a candidate: its own, its domain's, its company's (E36, S32)."""
        names = [block_name("recipient", f"{candidate.recipient:016x}")]
        if candidate.domain:
            names += _names_of_domain(candidate.domain)
        if candidate.company:
            names.append(block_name("company", candidate.company))
        for name in names:
            document = self._document(BLOCK_KIND, name)
            if document is not None:
                expires = _expiry(document)
                if expires is None or expires > self._now_us:
                    return document
        return None

    def _document(self, kind: str, name: str) -> Document | None:
        key = keys.document_key(self._tenant, kind, name)
        raw = self._txn.get(key, db=self._env.db(keys.DOCUMENTS))
        return read_document(key, raw) if raw else None

    def _body(self, kind: str, name: str) -> bytes | None:
        document = self._document(kind, name)
        return document.body if document else None

    def _has_any(self, kind: str) -> bool:
        prefix = keys.document_key(self._tenant, kind)
        with self._txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            return cursor.set_range(prefix) and cursor.key().startswith(prefix)


def _names_of_domain(domain: str) -> list[str]:
    """Return the names of blocks that hold for a domain: its own, and those of all above it."""
    names = [block_name("domain", domain)]
    while "." in domain:
        domain = domain.partition(".")[2]
        names.append(block_name("domain", f"*.{domain}"))
    return names


def _is_host_failure(name: str) -> bool:
    return name.startswith("failed.") and (".host_unknown.permanent" in name or ".domain_no_mail.permanent" in name)


def _expiry(document: Document) -> int | None:
    expires: int | None = json.loads(document.body).get("expires_at_us")
    return expires
