"""Broadcasts: described by the sender, listed for everybody who may look (S01-S05)."""

from __future__ import annotations

import base64
import binascii

from console.problem import ProblemError, bad_request, not_found
from console.route import Call, Reply
from console.schema import (
    BroadcastIn,
    BroadcastOut,
    BroadcastPage,
    BroadcastsQuery,
    View,
    time_of,
    us_of,
)
from model.detail import BroadcastSet
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from store.reader import PAGE_SIZE, Broadcast, Budget
from store.report import build_report, status_of
from store.roster import fold_text


async def put_broadcast(call: Call) -> Reply:
    """Describe a broadcast, or change what was said of it; answers after the commit."""
    services, tenant, body = call.services, call.identity.tenant, call.body
    number = services.keys().broadcast_number(tenant, call.path.id)
    is_new = services.reader.broadcast(tenant, number) is None
    fact = described(call, call.path.id, number, body)
    await services.writer.submit([fact])
    return Reply(201 if is_new else 200, shown(call, find_broadcast(call, number)))


async def get_broadcast(call: Call) -> Reply:
    """Return one broadcast."""
    return Reply(200, shown(call, find_broadcast(call, number_of(call, call.path.id))))


async def list_broadcasts(call: Call) -> Reply:
    """Return a page of broadcasts, the newest first (S01, S02, R07)."""
    query: BroadcastsQuery = call.query
    reader, tenant = call.services.reader, call.identity.tenant
    rows: list[BroadcastOut] = []
    after = read_cursor(query.after)
    budget = Budget()
    while True:
        page = reader.broadcasts(
            tenant, after=after, limit=PAGE_SIZE - len(rows), where=lambda row: _is_meant(row, query)
        )  # fmt: skip
        after = page.after
        for row in page.rows:
            out = shown(call, row)
            if query.status in (None, out.status) and (query.view is View.ALL or out.status == query.view.value):
                rows.append(out)
            else:
                budget.miss()
        if after is None or len(rows) >= PAGE_SIZE or budget.is_spent:
            return Reply(200, BroadcastPage(rows, write_cursor(after)))


def _is_meant(row: Broadcast, query: BroadcastsQuery) -> bool:
    """Whether a broadcast fits, but for its status."""
    at = row.updated_at_us or 0
    word = fold_text(query.q.strip())
    return (
        at >= (us_of(query.from_) or 0)
        and at < (us_of(query.to) or 2**63)
        and (not word or any(word in fold_text(text or "") for text in (row.broadcast_id, row.name, row.subject)))
    )


def described(call: Call, broadcast_id: str, number: int, body: BroadcastIn) -> Fact:
    """Return the fact that says ``body`` of a broadcast."""
    detail = BroadcastSet(
        broadcast_id=broadcast_id,
        name=body.name,
        status=body.status.value if body.status else None,
        subject=body.subject,
        format=body.format.value if body.format else None,
        stream=body.stream,
        scheduled_at_us=us_of(body.scheduled_at),
        sender=body.sender,
        schedule_task_id=body.schedule_task_id,
    )
    services = call.services
    key = DeliveryKey(call.identity.tenant, number, 0)
    return Fact(FactType.BROADCAST_SET, key, services.stamp(), detail, node=services.node)


def number_of(call: Call, reference: str) -> int:
    """Return the number behind a broadcast's id, or behind ``~`` and its number."""
    if reference.startswith("~"):
        return int(reference[1:], 16)
    return call.services.keys().broadcast_number(call.identity.tenant, reference)


def find_broadcast(call: Call, number: int) -> Broadcast:
    """Return a broadcast of the caller's tenant. Raises ProblemError 404 when there is none."""
    found = call.services.reader.broadcast(call.identity.tenant, number)
    if found is None:
        raise not_found("There is no such broadcast. PUT /v1/broadcasts/{id} makes one.")
    return found


def shown(call: Call, row: Broadcast) -> BroadcastOut:
    """Return a broadcast as the API shows it."""
    services, now_us = call.services, call.services.now_us()
    report = build_report(
        services.reader.counts(row.tenant, row.number), row,
        last_attempt_us=services.reader.last_attempt_us(row.tenant), now_us=now_us,
    )  # fmt: skip
    return BroadcastOut(
        id=row.broadcast_id,
        number=f"{row.number:012x}",
        name=row.name,
        status=status_of(row, report, services.windows.last_done_us(row.tenant, row.number), now_us),
        subject=row.subject,
        format=row.format,
        stream=row.stream,
        scheduled_at=time_of(row.scheduled_at_us),
        sender=row.sender,
        schedule_task_id=row.schedule_task_id,
        updated_at=time_of(row.updated_at_us),
    )


def read_cursor(text: str | None) -> bytes | None:
    """Return the place a cursor names. Raises ProblemError when it is none of ours."""
    if text is None:
        return None
    try:
        return base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        raise cursor_error() from None


def cursor_error() -> ProblemError:
    """Return the error for a cursor that is none of ours."""
    return bad_request("`after` is not a cursor; use `next` of the page before, unchanged.")


def write_cursor(after: bytes | None) -> str | None:
    """Return a place as a cursor."""
    return None if after is None else base64.urlsafe_b64encode(after).decode("ascii")
