"""May this recipient be mailed now? The last word before sending, from all that speaks against it (mission 4.5, 5).

Asked of many recipients in one transaction: what is the same for all of them is looked up once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from model.cause import BY_NUMBER, SPECS, Cause, SuppressPolicy
from store import keys
from store.documents import Document, read_document
from store.environment import Environment
from store.incidents import is_flooded
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.roster import fold_text
from store.sealed import unpack_value
from store.suppression import DAY_US, DENIALS, ORDER, Suppression, SuppressionKind, choose
from store.transaction import Cursor, Transaction

#: Kinds of documents: custom blocks, named ``address:…``, ``domain:…``, ``company:…`` or ``recipient:…``; addresses
#: that bounces never keep out, named by recipient; incidents somebody looked at.
BLOCK_KIND, EXEMPT_KIND, INCIDENT_KIND = "block", "exempt", "incident"
#: A host counts as dead when it was not found for so many addresses, for so long (mission 4.5).
_DEAD_HOST_ADDRESSES = 2
_DEAD_HOST_DAYS = 30
_LADDER = frozenset({SuppressPolicy.LADDER, SuppressPolicy.DAYS_30, SuppressPolicy.DAYS_180, SuppressPolicy.FOREVER})


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody a sender is about to mail. Without domain or company what depends on them is not asked."""

    recipient: int
    domain: str = ""
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a recipient must not be mailed; ``detail`` is the exact string to tell (E34, E37, E40)."""

    kind: SuppressionKind
    detail: str
    expires_at_us: int | None
    seq: int


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
        self._dead: dict[str, Suppression | None] = {}
        self._floods: dict[tuple[str, int], bool] = {}
        self._streams: dict[int, str] = {}
        self._confirmed: list[tuple[str, int, int]] | None = None

    def ask(self, cursor: Cursor, candidate: Candidate) -> Denial | None:
        """Return why ``candidate`` may not be mailed, or None. ``cursor`` is one of SUPPRESSED."""
        prefix = keys.recipient_prefix(self._tenant, candidate.recipient)
        entries: list[Suppression] = []
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            entries.append(Suppression.unpack(cursor.key(), cursor.value()))
            is_there = cursor.next()
        entries = self.holding(entries, candidate)
        entry = choose(entries, self._streams_of(entries), self._stream, self._now_us) if entries else None
        block = self._block(candidate) if self._has_blocks else None
        if block is not None and (entry is None or ORDER[SuppressionKind.BLOCK] < ORDER[entry.kind]):
            return Denial(SuppressionKind.BLOCK, DENIALS[SuppressionKind.BLOCK], _expiry(block), block.seq)
        return Denial(entry.kind, DENIALS[entry.kind], entry.expires_at_us, entry.seq) if entry else None

    def holding(self, entries: Sequence[Suppression], candidate: Candidate) -> list[Suppression]:
        """Return what counts of a recipient's entries, with what its dead host adds."""
        found = self.policy.effective(entries) if entries else []
        if self.policy.has_breaker:
            found = [entry for entry in found if not self._is_held(entry)]
        dead = self._dead_host(candidate.domain) if candidate.domain else None
        if dead is not None:
            found.append(dead)
        if self._has_exempt and self.is_exempt(candidate.recipient):
            # An exemption stands against bounces only, never against what a person said (E43).
            bounces = (SuppressionKind.BOUNCE, SuppressionKind.SOFT, SuppressionKind.CLASS)
            found = [entry for entry in found if entry.kind not in bounces]
        return found

    def is_exempt(self, recipient: int) -> bool:
        """Whether bounces do not keep this recipient out (E43)."""
        return self._body(EXEMPT_KIND, f"{recipient:016x}") is not None

    def _is_held(self, entry: Suppression) -> bool:
        """Whether an entry rests on a failure that came in a flood nobody has looked at (S26)."""
        if entry.kind not in (SuppressionKind.BOUNCE, SuppressionKind.CLASS) or not entry.domain:
            return False
        spec = BY_NUMBER.get(entry.cause)
        if spec is None or spec.suppress not in _LADDER or self._is_confirmed(entry):
            return False
        place = (entry.domain, entry.at_us // 600_000_000)
        if place not in self._floods:
            self._floods[place] = is_flooded(self._env, self._txn, self._tenant, entry.domain, entry.at_us)
        return self._floods[place]

    def _is_confirmed(self, entry: Suppression) -> bool:
        """Whether somebody looked at the incident and said the failures are true."""
        if self._confirmed is None:
            self._confirmed = []
            for document in self._documents(INCIDENT_KIND):
                said = json.loads(document.body)
                if said.get("state") == "confirmed":
                    self._confirmed.append((said["domain"], said["first_us"], said["until_us"]))
        return any(domain == entry.domain and a <= entry.at_us < b for domain, a, b in self._confirmed)

    def _dead_host(self, domain: str) -> Suppression | None:
        """Return the entry of a domain whose host was not found for two addresses within 30 days."""
        if domain not in self._dead:
            self._dead[domain] = self._find_dead_host(domain)
        return self._dead[domain]

    def _find_dead_host(self, domain: str) -> Suppression | None:
        prefix = keys.dead_host_prefix(self._tenant, domain)
        since = self._now_us - _DEAD_HOST_DAYS * DAY_US
        times: list[int] = []
        with self._txn.cursor(db=self._env.db(keys.DEAD_HOSTS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix) and len(times) < 1_000:
                at_us = int.from_bytes(cursor.value(), "big")
                if at_us > since:
                    times.append(at_us)
                is_there = cursor.next()
        if len(times) < _DEAD_HOST_ADDRESSES:
            return None
        # It holds as long as the second youngest word of it does.
        at_us = sorted(times)[-_DEAD_HOST_ADDRESSES]
        number = SPECS[Cause.HOST_UNKNOWN].number
        expires = at_us + _DEAD_HOST_DAYS * DAY_US
        return Suppression(SuppressionKind.BOUNCE, at_us, expires, 0, cause=number, domain=domain)

    def _block(self, candidate: Candidate) -> Document | None:
        """Return the custom block that holds for a candidate: its own, its domain's, its company's (E36, S32)."""
        names = [f"recipient:{candidate.recipient:016x}"]
        if candidate.domain:
            names.append(f"domain:{candidate.domain}")
            parent = candidate.domain
            while "." in parent:
                parent = parent.partition(".")[2]
                names.append(f"domain:*.{parent}")
        if candidate.company:
            names.append(f"company:{fold_text(candidate.company).strip()}")
        for name in names:
            key = keys.document_key(self._tenant, BLOCK_KIND, name)
            raw = self._txn.get(key, db=self._env.db(keys.DOCUMENTS))
            document = read_document(key, raw) if raw else None
            if document is not None:
                expires = _expiry(document)
                if expires is None or expires > self._now_us:
                    return document
        return None

    def _streams_of(self, entries: Sequence[Suppression]) -> dict[int, str]:
        for number in {entry.broadcast for entry in entries if entry.broadcast} - self._streams.keys():
            key = keys.broadcast_key(self._tenant, number)
            raw = self._txn.get(key, db=self._env.db(keys.BROADCASTS))
            self._streams[number] = str(unpack_value(key, raw).get("stream", "")) if raw else ""
        return self._streams

    def _body(self, kind: str, name: str) -> bytes | None:
        key = keys.document_key(self._tenant, kind, name)
        raw = self._txn.get(key, db=self._env.db(keys.DOCUMENTS))
        document = read_document(key, raw) if raw else None
        return document.body if document else None

    def _documents(self, kind: str) -> list[Document]:
        prefix = keys.document_key(self._tenant, kind)
        found: list[Document] = []
        with self._txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                document = read_document(cursor.key(), cursor.value())
                if document is not None:
                    found.append(document)
                is_there = cursor.next()
        return found

    def _has_any(self, kind: str) -> bool:
        prefix = keys.document_key(self._tenant, kind)
        with self._txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            return cursor.set_range(prefix) and cursor.key().startswith(prefix)


def _expiry(document: Document) -> int | None:
    expires: int | None = json.loads(document.body).get("expires_at_us")
    return expires
