"""Who is not mailed: asked before sending, listed, lifted by hand (S31, E30-E44)."""

from __future__ import annotations

from datetime import datetime

from console.broadcasts import read_cursor, write_cursor
from console.problem import not_found, store_busy
from console.route import Call, Reply
from console.schema import (
    PreflightOut,
    PreflightRow,
    SuppressionOut,
    SuppressionPage,
    time_of,
)
from model.address import Address
from model.cause import BY_NUMBER
from model.detail import Released
from model.errors import AddressError
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from store.errors import StoreError
from store.gate import Candidate
from store.keys import recipient_prefix
from store.reader import SuppressionRow
from store.suppression import DENIALS

#: What is said of addresses that are refused whoever asks.
ROLE_DETAIL = "Role address (info, admin, sales, ...): not for mailings"


async def preflight(call: Call) -> Reply:
    """Say of each address whether it may be mailed now; changes nothing."""
    services, tenant = call.services, call.identity.tenant
    keys, now_us = services.keys(), services.now_us()
    rows: list[PreflightRow | None] = []
    candidates: list[Candidate] = []
    for text in call.body.addresses:
        try:
            address = Address.parse(text)
        except AddressError as error:
            rows.append(PreflightRow(text, False, "syntax", str(error)))
            continue
        if address.local_part.lower() in services.role_addresses:
            rows.append(PreflightRow(text, False, "role", ROLE_DETAIL))
            continue
        rows.append(None)
        candidates.append(Candidate(keys.recipient_number(tenant, address.folded), address.domain))
    denials = iter(services.reader.preflight(tenant, candidates, call.body.stream, now_us))
    results = []
    for text, row in zip(call.body.addresses, rows, strict=True):
        if row is None:
            denial = next(denials)
            row = PreflightRow(text, True)
            if denial is not None:
                kind, until = denial.kind.name.lower(), time_of(denial.expires_at_us)
                row = PreflightRow(text, False, kind, denial.detail, until)
        results.append(row)
    return Reply(200, PreflightOut(results))


async def list_suppressions(call: Call) -> Reply:
    """Return a page of entries that hold now."""
    services = call.services
    page = services.reader.suppressions(
        call.identity.tenant, after=read_cursor(call.query.after), now_us=services.now_us()
    )
    return Reply(200, SuppressionPage([shown(row) for row in page.rows], write_cursor(page.after)))


async def release(call: Call) -> Reply:
    """Lift the entries of one recipient and kind; kept as a fact with reason and name (E35)."""
    services, identity = call.services, call.identity
    recipient, kind = int(call.path.recipient, 16), call.path.kind.value
    page = services.reader.suppressions(
        identity.tenant, after=recipient_prefix(identity.tenant, recipient), limit=64, now_us=services.now_us()
    )
    if not any(row.recipient == recipient and row.entry.kind.name.lower() == kind for row in page.rows):
        raise not_found("This recipient has no such entry that holds now.")
    detail = Released(suppression=kind, reason=call.query.reason, actor=identity.name)
    key = DeliveryKey(identity.tenant, 0, recipient)
    fact = Fact(FactType.RELEASED, key, services.stamp(), detail, node=services.node)
    try:
        await services.writer.submit([fact])
    except StoreError as error:
        raise store_busy() from error
    return Reply(204)


def shown(row: SuppressionRow) -> SuppressionOut:
    """Return an entry as the API shows it."""
    entry = row.entry
    cause = BY_NUMBER.get(entry.cause)
    return SuppressionOut(
        recipient=f"{row.recipient:016x}",
        address=row.address,
        kind=entry.kind.name.lower(),
        detail=DENIALS[entry.kind],
        since=time_of(entry.at_us) or datetime.min,
        expires_at=time_of(entry.expires_at_us),
        cause=cause.cause.value if cause else None,
        failures=entry.failures,
    )
