"""Forget a person, or what was kept long enough: the log is written anew without it, and all else folded from that.

Numbers stay as they are, and so does suppression, which knows a person by a keyed number only (N14, D14): whoever is
erased is still not mailed. The new store takes the place of the old one, so no free page keeps anything.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from model.address import Address
from model.detail import (
    Audited,
    AutoReplied,
    Cancelled,
    Complained,
    Detail,
    DocumentSet,
    Engaged,
    Planned,
    Released,
    Report,
    Unmatched,
)
from model.errors import AddressError
from model.fact import DeliveryKey, Fact, FactType
from store import keys
from store.called import calls_of, names_anybody, rewrite_json
from store.codec import pack_fact, unpack_chunk, unpack_fact
from store.documents import Document, read_document
from store.environment import Environment
from store.errors import StoreCorruptError
from store.log import scan_chunks
from store.maintenance import rebuild
from store.messages import normalise_message
from store.writer import write_now

#: Kind of the documents that say who is to be forgotten, named by the recipient's number in hexadecimal, and of the
#: one that says how long a tenant keeps what.
ERASURE_KIND, RETENTION_KIND, RETENTION_NAME = "erasure", "retention", "retention"
_DAY_US = 86_400_000_000
_LAST_TENANT = 0xFFFF
_ERASED = "erased"
#: Name of the searches in what is kept of requests.
_SEARCH = "q"
_LOOKED_INTO = frozenset({FactType.UNMATCHED, FactType.DOCUMENT_SET, FactType.AUDITED})
#: Names shorter than this are parts of too many words.
_LEAST_NAME = 2

Person = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days a tenant keeps what names people; None for ever (K21, P15)."""

    #: raw mails without proof
    raw_days: int | None = None
    #: addresses of machines, and what browsers call themselves
    ip_days: int | None = None
    agent_days: int | None = None
    #: words of servers and automatic replies, complaints' user agents
    words_days: int | None = None
    #: addresses, names, companies and references of recipients
    people_days: int | None = None

    @classmethod
    def parse(cls, body: bytes | None) -> Retention:
        """Read the document's body. Raises StoreCorruptError when it is none."""
        if body is None:
            return cls()
        try:
            said = json.loads(body)
            return cls(**{field.name: said.get(field.name) for field in fields(cls)})
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreCorruptError(f"the retention cannot be read: {error}") from error

    def body(self) -> bytes:
        """Return the document's body."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)}).encode()


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What an erasure did."""

    people: int
    facts: int
    changed: int


def wished_erasures(env: Environment) -> list[Person]:
    """Return whom the documents say to forget and who was not yet forgotten, of all tenants."""
    found: list[Person] = []
    for tenant, document in _documents(env, ERASURE_KIND):
        if json.loads(document.body).get("state") == "wished":
            found.append((tenant, int(document.name, 16)))
    return found


def retentions(env: Environment) -> dict[int, Retention]:
    """Return how long each tenant keeps what."""
    return {tenant: Retention.parse(document.body) for tenant, document in _documents(env, RETENTION_KIND)}


def erase(path: Path, people: Iterable[Person], *, now_us: int, actor: str) -> ErasureReport:
    """Forget ``people`` (tenant, recipient) and those wished for, and what was kept longer than tenants want.

    No process may have the store in ``path`` open. The old store stays until the new one is whole and on disk.
    """
    env = Environment(path)
    try:
        wanted = {*people, *wished_erasures(env)}
        rules = retentions(env)
        scrubber = Scrubber(wanted, rules, _names_of(env, wanted), now_us)
    finally:
        env.close()
    facts = rebuild(path, rewrite=scrubber.rewrite)
    env = Environment(path)
    try:
        write_now(env, [fact for person in sorted(wanted) for fact in _done(person, now_us, actor)])
    finally:
        env.close()
    return ErasureReport(len(wanted), facts, scrubber.changed)


def _done(person: Person, now_us: int, actor: str) -> list[Fact]:
    tenant, recipient = person
    name, key = f"{recipient:016x}", DeliveryKey(tenant, 0, 0)
    body = json.dumps({"state": "done", "done_us": now_us}).encode()
    return [
        Fact(FactType.DOCUMENT_SET, key, now_us, DocumentSet(ERASURE_KIND, name, body, actor)),
        Fact(FactType.AUDITED, key, now_us, Audited(actor, "erasure.done", f"recipient:{name}")),
    ]


@dataclass(slots=True)
class _Names:
    """What names one person: addresses as written, and the words only looked for in the person's own facts."""

    addresses: set[str]
    words: set[str]
    #: as searches may name the person (store.called)
    calls: set[str]


def _names_of(env: Environment, people: set[Person]) -> dict[Person, _Names]:
    """Go through the log for what the people to forget are called."""
    found: dict[Person, _Names] = {}
    if not people:
        return found
    numbers = {recipient.to_bytes(8, "big") for _, recipient in people}
    for first, chunk in scan_chunks(env):
        for raw in unpack_chunk(first, chunk):
            at = 3 if raw[0] == 0xDC else 1
            if raw[at + 11 : at + 19] not in numbers:
                continue
            fact = unpack_fact(raw)
            person = (fact.key.tenant, fact.key.recipient)
            if person not in people:
                continue
            names = found.setdefault(person, _Names(set(), set(), set()))
            detail = fact.detail
            if isinstance(detail, Planned):
                names.addresses.add(detail.address)
                names.calls |= calls_of(detail)
                given = (detail.last_name, detail.first_name, detail.company, detail.contact_ref, detail.user_ref)
                names.words.update(word for word in given if word and len(word) >= _LEAST_NAME)
            elif isinstance(detail, Report):
                names.addresses.update(text for text in (detail.address, detail.final_address) if text)
    for names in found.values():
        names.words.update(local for a in names.addresses if len(local := a.rpartition("@")[0]) >= _LEAST_NAME)
    return found


class Scrubber:
    """Writes facts anew without what is to be forgotten. Nothing else of them changes."""

    def __init__(
        self, people: set[Person], rules: Mapping[int, Retention], names: Mapping[Person, _Names], now_us: int
    ) -> None:
        """``rules`` by tenant; ``names`` as found in the log."""
        self._people = people
        self._numbers = {recipient.to_bytes(8, "big") for _, recipient in people}
        self._rules = rules
        self._now_us = now_us
        self._words = {person: _pattern([*found.addresses, *found.words]) for person, found in names.items()}
        #: what is looked for in all facts of a tenant: whole addresses only
        self._everywhere: dict[int, re.Pattern[str]] = {}
        #: how they are called, for searches that somebody kept
        self._calls: dict[int, set[str]] = {}
        for tenant in {tenant for tenant, _ in names}:
            own = [address for person, found in names.items() if person[0] == tenant for address in found.addresses]
            pattern = _pattern(own, is_whole=True)
            if pattern is not None:
                self._everywhere[tenant] = pattern
                calls = (found.calls for person, found in names.items() if person[0] == tenant)
                self._calls[tenant] = set().union(*calls)
        self.changed = 0

    def rewrite(self, raws: list[bytes]) -> list[bytes]:
        """Return the packed facts of a chunk as they are to be kept."""
        return [self._rewrite(raw) for raw in raws]

    def _rewrite(self, raw: bytes) -> bytes:
        at = 3 if raw[0] == 0xDC else 1
        tenant = int.from_bytes(raw[at + 3 : at + 5], "big")
        is_own = raw[at + 11 : at + 19] in self._numbers
        everywhere = self._everywhere.get(tenant)
        # What an unmatched mail says may be compressed; JSON may be escaped, and has searches.
        is_said = everywhere is not None and (
            raw[at] in _LOOKED_INTO or everywhere.search(raw.decode("utf-8", "replace")) is not None
        )
        if not (is_own or is_said or tenant in self._rules):
            return raw
        fact = unpack_fact(raw)
        detail = fact.detail
        person = (tenant, fact.key.recipient)
        if person in self._people:
            detail = _forget(detail, self._words.get(person))
        if tenant in self._rules:
            detail = self._expire(detail, fact.at_us, self._rules[tenant])
        if everywhere is not None:
            detail = _mask(detail, everywhere, self._calls[tenant])
        if detail == fact.detail:
            return raw
        self.changed += 1
        return pack_fact(replace(fact, detail=detail))

    def _expire(self, detail: Detail, at_us: int, rules: Retention) -> Detail:
        def is_over(days: int | None) -> bool:
            return days is not None and at_us + days * _DAY_US <= self._now_us

        match detail:
            case Unmatched() if is_over(rules.raw_days):
                detail = replace(detail, raw=None)
            case Engaged():
                ip = None if is_over(rules.ip_days) else detail.ip
                agent = None if is_over(rules.agent_days) else detail.user_agent
                detail = replace(detail, ip=ip, user_agent=agent)
            case Complained() if is_over(rules.ip_days):
                detail = replace(detail, source_ip=None)
            case Planned() if is_over(rules.ip_days):
                detail = replace(detail, request_ip=None)
        if is_over(rules.words_days):
            detail = _without_words(detail, None)
        return _without_people(detail) if is_over(rules.people_days) else detail


def _forget(detail: Detail, names: re.Pattern[str] | None) -> Detail:
    """Return a fact's detail without anything about its person; what is counted stays."""
    match detail:
        case Engaged():
            return replace(detail, ip=None, user_agent=None, target=_masked(detail.target, names))
        case Complained():
            return replace(detail, user_agent=None, source_ip=None)
        case Cancelled():
            return Cancelled()
        case Released():
            return replace(detail, reason=_ERASED)
        case Unmatched():
            return replace(detail, address=None, diagnostic="", subject="", raw=None)
        case Planned():
            return _without_people(replace(detail, request_ip=None))
    return _without_people(_without_words(detail, names))


def _without_words(detail: Detail, names: re.Pattern[str] | None) -> Detail:
    """Return a detail without what servers and people wrote, but for what is needed to count equal messages."""
    match detail:
        case Report():
            return replace(detail, diagnostic=_masked(normalise_message(detail.diagnostic), names) or "")
        case AutoReplied():
            return replace(detail, text="", back_on=None, new_address=None, sentence="")
        case Complained():
            return replace(detail, user_agent=None)
        case Unmatched():
            return replace(detail, diagnostic="", subject="", raw=None)
    return detail


def _without_people(detail: Detail) -> Detail:
    """Return a detail without addresses, names and references; of an address its domain stays, which is counted."""
    match detail:
        case Planned():
            return replace(
                detail, address=_anonymous(detail.address) or detail.address, contact_ref=None, last_name=None,
                first_name=None, company=None, tags=(), user_ref=None,
            )  # fmt: skip
        case Report():
            return replace(
                detail, address=_anonymous(detail.address), final_address=_anonymous(detail.final_address)
            )  # fmt: skip
        case Unmatched():
            return replace(detail, address=None)
    return detail


def _mask(detail: Detail, names: re.Pattern[str], calls: set[str]) -> Detail:
    """Return a detail of somebody else without the addresses of those to forget, and without searches for them."""

    def rewrite(name: str, text: str) -> str:
        if name == _SEARCH and names_anybody(text, calls):
            return _ERASED
        return _masked(text, names) or ""

    match detail:
        case Unmatched() if detail.raw is not None and names.search(_text_of(detail.raw)):
            detail = replace(detail, raw=None)
        case DocumentSet() if detail.body is not None:
            body = rewrite_json(detail.body.decode("utf-8", "surrogateescape"), rewrite)
            detail = replace(detail, body=body.encode("utf-8", "surrogateescape"))
        case Audited():
            detail = replace(detail, note=rewrite_json(detail.note, rewrite))
    changes: dict[str, Any] = {
        field.name: masked
        for field in fields(detail)
        if isinstance(value := getattr(detail, field.name), str) and (masked := _masked(value, names)) != value
    }
    return replace(detail, **changes) if changes else detail


def _text_of(raw: bytes) -> str:
    try:
        return zlib.decompress(raw).decode("utf-8", "replace")
    except zlib.error:
        return raw.decode("utf-8", "replace")


def _masked(text: str | None, names: re.Pattern[str] | None) -> str | None:
    return text if text is None or names is None else names.sub(lambda found: _anonymous(found[0]) or _ERASED, text)


def _anonymous(address: str | None) -> str | None:
    """Return what stands for an address: its domain, which counts and the ladder depend on, stays."""
    if address is None:
        return None
    try:
        return f"{_ERASED}@{Address.parse(address).domain}"
    except AddressError:
        return None


def _pattern(words: Iterable[str], *, is_whole: bool = False) -> re.Pattern[str] | None:
    """Return what finds any of these words, the longest first, whatever the case; None of none.

    ``is_whole``: not as a part of a longer address.
    """
    found = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    if not found:
        return None
    text = "|".join(map(re.escape, found))
    if is_whole:
        text = rf"(?<![\w!#$%&'*+/=?^`{{|}}~.-])(?:{text})(?![\w-]|\.\w)"
    return re.compile(text, re.IGNORECASE)


def _documents(env: Environment, kind: str) -> list[tuple[int, Document]]:
    """Return the documents of a kind of all tenants."""
    found: list[tuple[int, Document]] = []
    with env.read() as txn, txn.cursor(db=env.db(keys.DOCUMENTS)) as cursor:
        is_there = cursor.first()
        while is_there:
            tenant = int.from_bytes(cursor.key()[:2], "big")
            prefix = keys.document_key(tenant, kind)
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                document = read_document(cursor.key(), cursor.value())
                if document is not None:
                    found.append((tenant, document))
                is_there = cursor.next()
            is_there = tenant < _LAST_TENANT and cursor.set_range(keys.tenant_key(tenant + 1))
    return found
