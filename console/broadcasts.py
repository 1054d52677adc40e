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
    BroadcastStatus,
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
from store.reader import Broadcast
from store.roster import fold_text


async def put_broadcast(call: Call) -> Reply:
    """Describe a broadcast, or change what was said of it; answers after the commit."""
    services, tenant, body = call.services, call.identity.tenant, call.body
    number = services.keys().broadcast_number(tenant, call.path.id)
    is_new = services.reader.broadcast(tenant, number) is None
    fact = described(call, call.path.id, number, body)
    await services.writer.submit([fact])
    return Reply(201 if is_new else 200, shown(find_broadcast(call, number)))


async def get_broadcast(call: Call) -> Reply:
    """Return one broadcast."""
    return Reply(200, shown(find_broadcast(call, number_of(call, call.path.id))))


async def list_broadcasts(call: Call) -> Reply:
    """Return a page of broadcasts, the newest first (S01, S02, R07)."""
    query: BroadcastsQuery = call.query
    page = call.services.reader.broadcasts(
        call.identity.tenant, after=read_cursor(query.after), where=lambda row: _fits(row, query)
    )
    return Reply(200, BroadcastPage([shown(row) for row in page.rows], write_cursor(page.after)))


def _fits(row: Broadcast, query: BroadcastsQuery) -> bool:
    status = row.status or BroadcastStatus.SENDING
    at = row.updated_at_us or 0
    word = fold_text(query.q.strip())
    return (
        (query.view is View.ALL or status == query.view.value)
        and (query.status is None or status == query.status.value)
        and at >= (us_of(query.from_) or 0)
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


def shown(row: Broadcast) -> BroadcastOut:
    """Return a broadcast as the API shows it."""
    return BroadcastOut(
        id=row.broadcast_id,
        number=f"{row.number:012x}",
        name=row.name,
        status=row.status,
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
