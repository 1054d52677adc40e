"""Who is not mailed: asked before sending, listed, lifted by hand, told as it changes (S31, E30-E44, N15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import msgspec

from console.audit import audited
from console.broadcasts import read_cursor, write_cursor
from console.identity import Scope
from console.outgoing.event_log import Names
from console.problem import bad_request, not_found
from console.route import Answer, Call, Reply, Route, missing
from console.schema import (
    PreflightIn,
    PreflightOut,
    PreflightRow,
    ReleaseQuery,
    SuppressionName,
    SuppressionPath,
    time_of,
    us_of,
)
from console.schema_suppressions import (
    ChangedBlockOut,
    ChangedEntry,
    ChangedOut,
    ChangesOut,
    ChangesQuery,
    Provenance,
    ReleaseIn,
    ReleaseOut,
    ReleaseRow,
    SuppressionOut,
    SuppressionPage,
    SuppressionsQuery,
)
from model.address import Address
from model.cause import BY_NUMBER
from model.detail import Complained, Released, Report, Unsubscribed
from model.errors import AddressError
from model.fact import DeliveryKey, Fact, FactType
from model.keyring import KeyRing
from store.gate import Candidate
from store.keys import recipient_prefix
from store.reader import SuppressionRow
from store.suppression import DENIALS, Suppression, SuppressionKind
from store.suppression_desk import ChangedRecipient

#: What is said of addresses that are refused whoever asks.
ROLE_DETAIL = "Role address (info, admin, sales, ...): not for mailings"
#: Stored entries one recipient may have, at most, that a page about it must take in.
_OF_ONE = 64
#: What a release may be about; a bounce of a profile is lifted with the bounces.
_KINDS = {kind.public_name: kind for kind in SuppressionKind if kind is not SuppressionKind.CLASS}


async def preflight(call: Call) -> Reply:
    """Say of each address whether it may be mailed now; changes nothing."""
    services, tenant = call.services, call.identity.tenant
    now_us, body = services.now_us(), call.body
    asked: list[tuple[str, Address | str]] = []
    candidates: list[Candidate] = []
    for said in body.addresses:
        text, company = (said, None) if isinstance(said, str) else (said.address, said.company)
        try:
            address = Address.parse(text)
        except AddressError as error:
            asked.append((text, str(error)))
            continue
        asked.append((text, address))
        candidates.append(candidate_of(call, address, company))
    denials = iter(services.reader.preflight(tenant, candidates, body.stream, now_us))
    results = []
    for text, parsed in asked:
        if isinstance(parsed, str):
            results.append(PreflightRow(text, False, "syntax", parsed))
            continue
        denial = next(denials)
        # The order of mission 4.5: what a person or the list says goes before what kind of address it is.
        if denial is not None:
            until = time_of(denial.expires_at_us)
            results.append(PreflightRow(text, False, denial.kind.public_name, denial.detail, until))
        elif parsed.local_part.lower() in services.role_addresses:
            results.append(PreflightRow(text, False, "role", ROLE_DETAIL))
        else:
            results.append(PreflightRow(text, True))
    return Reply(200, PreflightOut(results))


def candidate_of(call: Call, address: Address, company: str | None = None) -> Candidate:
    """Return what the gate is asked of an address."""
    keys, tenant = call.services.keys(), call.identity.tenant
    number = keys.recipient_number(tenant, address.folded)
    return Candidate(number, address.domain, company, partial(mark_of, keys, address))


def mark_of(keys: KeyRing, address: Address) -> bytes | None:
    """Return what stands for an address among the tenants that share bounces (E39)."""
    return keys.global_mark(address.folded)


def recipient_of(call: Call, text: str) -> int:
    """Return the number behind an address, or behind its 16 hexadecimal digits. Raises ProblemError 400."""
    if len(text) == 16 and not set(text) - set("0123456789abcdef"):
        return int(text, 16)
    try:
        address = Address.parse(text)
    except AddressError as error:
        raise bad_request(f"Not an address: {error}.") from None
    return call.services.keys().recipient_number(call.identity.tenant, address.folded)


async def list_suppressions(call: Call) -> Reply:
    """Return a page of entries that hold now (E35)."""
    services, tenant = call.services, call.identity.tenant
    query: SuppressionsQuery = call.query
    if query.kind is SuppressionName.BLOCK:
        raise bad_request("Custom blocks have a list of their own: GET /v1/blocks.")
    limits = {
        "now_us": services.now_us(),
        "kind": _KINDS[query.kind.value] if query.kind else None,
        "domain": query.domain.lower() if query.domain else None,
        "since_us": us_of(query.from_) or 0,
        "until_us": us_of(query.to),
    }
    if query.address is not None:
        recipient = recipient_of(call, query.address)
        page = services.reader.suppressions(
            tenant,
            after=recipient_prefix(tenant, recipient),
            limit=_OF_ONE,
            **limits,  # type: ignore[arg-type]
        )
        rows = [shown(row, services.outgoing.names) for row in page.rows if row.recipient == recipient]
        return Reply(200, SuppressionPage(rows, None))
    page = services.reader.suppressions(tenant, after=read_cursor(query.after), **limits)  # type: ignore[arg-type]
    return Reply(
        200, SuppressionPage([shown(row, services.outgoing.names) for row in page.rows], write_cursor(page.after))
    )


async def list_changes(call: Call) -> Reply:
    """Return what may have changed since a place in the log, as it is now (N15)."""
    services, tenant = call.services, call.identity.tenant
    desk = services.suppression
    query: ChangesQuery = call.query
    last = desk.last_seq()
    if query.since is None:
        return Reply(200, ChangesOut([], [], False, [], str(last), False))
    since = int(query.since)
    if since > last:
        raise bad_request("`since` lies behind the end of what there is: it is of another server, or was changed.")
    changes = desk.changes(tenant, after=since, now_us=services.now_us())
    blocks = [
        ChangedBlockOut(block.name, block.body is None, msgspec.json.decode(block.body) if block.body else None)
        for block in changes.blocks
    ]
    return Reply(
        200,
        ChangesOut(
            [_changed(row) for row in changes.recipients], blocks, changes.is_reset, sorted(changes.held_domains),
            str(changes.until), not changes.is_end,
        ),
    )  # fmt: skip


def _changed(row: ChangedRecipient) -> ChangedOut:
    entries = [
        ChangedEntry(
            one.entry.kind.public_name,
            DENIALS[one.entry.kind],
            time_of(one.entry.at_us) or datetime.min,
            time_of(one.entry.expires_at_us),
            time_of(one.entry.returns_at_us),
            one.stream,
        )
        for one in row.entries
    ]
    return ChangedOut(f"{row.recipient:016x}", row.address, row.is_exempt, entries)


async def release(call: Call) -> Reply:
    """Lift the entries of one recipient and kind; kept as a fact with reason and name (E35)."""
    path: SuppressionPath = call.path
    row = ReleaseRow(path.recipient, path.kind)
    if not _holds(call, row):
        raise not_found("This recipient has no such entry that holds now.")
    await call.services.writer.submit(list(release_facts(call, [row], call.query.reason)))
    return Reply(204)


async def release_many(call: Call) -> Reply:
    """Lift several entries at once (E35)."""
    body: ReleaseIn = call.body
    rows = list(dict.fromkeys(body.entries))
    there = [row for row in rows if _holds(call, row)]
    await call.services.writer.submit(list(release_facts(call, there, body.reason)))
    return Reply(200, ReleaseOut(len(there), [row for row in rows if row not in there]))


def release_facts(call: Call, rows: list[ReleaseRow], reason: str) -> Iterator[Fact]:
    """Yield the facts that lift entries, each with its line for the audit."""
    services, identity = call.services, call.identity
    for row in rows:
        detail = Released(row.kind.value, reason, identity.name)
        key = DeliveryKey(identity.tenant, 0, int(row.recipient, 16))
        yield Fact(FactType.RELEASED, key, services.stamp(), detail, node=services.node)
        note = msgspec.json.encode({"reason": reason}).decode()
        yield audited(call, "suppression.release", f"recipient:{row.recipient}:{row.kind.value}", note)


def _holds(call: Call, row: ReleaseRow) -> bool:
    services, tenant = call.services, call.identity.tenant
    holding = services.suppression.holding(tenant, int(row.recipient, 16), services.now_us())
    return any(entry.kind.public_name == row.kind.value for entry in holding)


def shown(row: SuppressionRow, names: Names) -> SuppressionOut:
    """Return an entry as the API shows it."""
    entry = row.entry
    cause = BY_NUMBER.get(entry.cause)
    return SuppressionOut(
        recipient=f"{row.recipient:016x}",
        address=row.address,
        domain=entry.domain or None,
        api_user=row.api_user,
        kind=entry.kind.public_name,
        detail=DENIALS[entry.kind],
        since=time_of(entry.at_us) or datetime.min,
        expires_at=time_of(entry.expires_at_us),
        holds_again_at=time_of(entry.returns_at_us),
        cause=cause.cause.value if cause else None,
        failures=entry.failures,
        because=_because(entry, row.fact, names),
    )


def _because(entry: Suppression, fact: Fact, names: Names) -> Provenance:
    report = fact.detail if isinstance(fact.detail, Report) else None
    reason = None
    if isinstance(fact.detail, Unsubscribed):
        reason = fact.detail.reason.name.lower()
    elif isinstance(fact.detail, Complained):
        reason = fact.detail.feedback_type
    return Provenance(
        type=fact.type.name.lower(),
        at=time_of(fact.at_us) or time_of(entry.at_us) or datetime.min,
        broadcast=names.broadcast(fact.key.tenant, fact.key.broadcast),
        diagnostic=report.diagnostic if report else None,
        status=report.status if report else None,
        rule=(report.rule or None) if report else None,
        rules_version=(report.rules_version or None) if report else None,
        reason=reason,
    )


_NOT_FOUND = missing("entry that holds now")
ROUTES = (
    Route(
        "POST", "/v1/preflight", Scope.SUPPRESSIONS_READ, "preflight",
        "Ask which addresses may be mailed now; changes nothing.", preflight,
        (Answer(200, "Answers in the order asked.", PreflightOut),), body_type=PreflightIn,
    ),
    Route(
        "GET", "/v1/suppressions", Scope.SUPPRESSIONS_READ, "listSuppressions",
        "Who is not mailed now and why, fifty a page; narrowed by kind, domain, address and time.", list_suppressions,
        (Answer(200, "A page.", SuppressionPage),), query_type=SuppressionsQuery,
    ),
    Route(
        "GET", "/v1/suppressions/changes", Scope.SUPPRESSIONS_READ, "listSuppressionChanges",
        "What may have changed on the list since a place in the log, for senders that keep a copy.", list_changes,
        (Answer(200, "Recipients as they stand now.", ChangesOut),), query_type=ChangesQuery,
    ),
    Route(
        "DELETE", "/v1/suppressions/{recipient}/{kind}", Scope.SUPPRESSIONS_WRITE, "releaseSuppression",
        "Lift one recipient's suppression of a kind; kept with reason and name.", release,
        (Answer(204, "Lifted; durable."), _NOT_FOUND), path_type=SuppressionPath, query_type=ReleaseQuery,
    ),
    Route(
        "POST", "/v1/suppressions/release", Scope.SUPPRESSIONS_WRITE, "releaseSuppressions",
        "Lift several entries at once; each kept with reason and name.", release_many,
        (Answer(200, "Lifted; durable.", ReleaseOut),), body_type=ReleaseIn,
    ),
)  # fmt: skip
