"""What people and tokens did that must be answerable for (T17), the newest first."""

from __future__ import annotations

import json
from datetime import datetime

from msgspec import Struct

from console.broadcasts import read_cursor, write_cursor
from console.identity import Scope
from console.route import Answer, Call, Reply, Route
from console.schema import PageQuery, time_of
from model.detail import Audited
from model.fact import DeliveryKey, Fact, FactType


class AuditOut(Struct, frozen=True):
    """One deed; ``note`` is JSON without secrets."""

    at: datetime
    actor: str
    action: str
    target: str
    note: str


class AuditPage(Struct, frozen=True):
    """Fifty deeds."""

    audit: list[AuditOut]
    next: str | None


def audited(call: Call, action: str, target: str = "", note: str = "") -> Fact:
    """Return the fact that the caller did something."""
    services, identity = call.services, call.identity
    detail = Audited(identity.name, action, target, note)
    return Fact(FactType.AUDITED, DeliveryKey(identity.tenant, 0, 0), services.stamp(), detail, services.node)


async def write_down(call: Call, action: str, target: str = "", **note: object) -> None:
    """Write down what is about to be done: a deed without its line would be the worse mistake. Raises StoreError."""
    await call.services.writer.submit([audited(call, action, target, json.dumps(note, ensure_ascii=False))])


async def list_audit(call: Call) -> Reply:
    """Return a page of deeds."""
    page = call.services.reader.audit(call.identity.tenant, after=read_cursor(call.query.after))
    rows = [
        AuditOut(time_of(fact.at_us) or datetime.min, detail.actor, detail.action, detail.target, detail.note)
        for fact in page.rows
        if isinstance(detail := fact.detail, Audited)
    ]
    return Reply(200, AuditPage(rows, write_cursor(page.after)))


ROUTES = (
    Route(
        "GET", "/v1/audit", Scope.AUDIT_READ, "listAudit", "What people and tokens did, the newest first.", list_audit,
        (Answer(200, "A page.", AuditPage),), query_type=PageQuery,
    ),
)  # fmt: skip
