"""Exemptions: recipients whom bounces do not keep out, whatever comes back (E43)."""

from __future__ import annotations

import json
from datetime import datetime

from console.audit import audited
from console.broadcasts import read_cursor, write_cursor
from console.identity import Scope
from console.kept import kept
from console.problem import not_found
from console.route import Answer, Call, Reply, Route, refusal
from console.schema import PageQuery, time_of
from console.schema_suppressions import ExemptIn, ExemptOut, ExemptPage, ExemptPath, ReasonQuery
from console.suppressions import recipient_of
from model.address import Address
from model.errors import AddressError
from store.documents import Document
from store.gate import EXEMPT_KIND


async def put_exemption(call: Call) -> Reply:
    """Exempt a recipient; what a person said (complaint, unsubscribe) still holds."""
    path: ExemptPath = call.path
    body: ExemptIn = call.body
    name = f"{recipient_of(call, path.recipient):016x}"
    said: dict[str, object] = {"reason": body.reason, "address": _address(path.recipient)}
    is_new = call.services.reader.document(call.identity.tenant, EXEMPT_KIND, name) is None
    await _write(call, name, json.dumps(said, ensure_ascii=False).encode(), "exemption.put", body.reason)
    return Reply(201 if is_new else 200, _shown(_find(call, name)))


async def get_exemption(call: Call) -> Reply:
    """Return one exemption."""
    path: ExemptPath = call.path
    return Reply(200, _shown(_find(call, f"{recipient_of(call, path.recipient):016x}")))


async def list_exemptions(call: Call) -> Reply:
    """Return a page of exemptions."""
    after = read_cursor(call.query.after)
    page = call.services.reader.documents(call.identity.tenant, EXEMPT_KIND, after=after)
    return Reply(200, ExemptPage([_shown(row) for row in page.rows], write_cursor(page.after)))


async def delete_exemption(call: Call) -> Reply:
    """Take an exemption back."""
    path: ExemptPath = call.path
    name = f"{recipient_of(call, path.recipient):016x}"
    _find(call, name)
    await _write(call, name, None, "exemption.delete", call.query.reason)
    return Reply(204)


def _address(text: str) -> str | None:
    try:
        return str(Address.parse(text))
    except AddressError:
        return None


async def _write(call: Call, name: str, body: bytes | None, action: str, reason: str) -> None:
    fact = kept(call, EXEMPT_KIND, name, body)
    await call.services.writer.submit(
        [fact, audited(call, action, f"recipient:{name}", json.dumps({"reason": reason}))]
    )


def _find(call: Call, name: str) -> Document:
    found = call.services.reader.document(call.identity.tenant, EXEMPT_KIND, name)
    if found is None:
        raise not_found("This recipient is not exempt.")
    return found


def _shown(document: Document) -> ExemptOut:
    said = json.loads(document.body)
    at = time_of(document.at_us) or datetime.min
    return ExemptOut(document.name, said["address"], said["reason"], document.actor, at)


_NOT_FOUND = refusal(404, "This recipient is not exempt, or is another tenant's.")
ROUTES = (
    Route(
        "PUT", "/v1/exemptions/{recipient}", Scope.SUPPRESSIONS_WRITE, "putExemption",
        "Let bounces no longer keep a recipient out, by address or number.", put_exemption,
        (Answer(200, "Changed; durable.", ExemptOut), Answer(201, "Exempt; durable.", ExemptOut)),
        path_type=ExemptPath, body_type=ExemptIn,
    ),
    Route(
        "GET", "/v1/exemptions/{recipient}", Scope.SUPPRESSIONS_READ, "getExemption", "One exemption.", get_exemption,
        (Answer(200, "The exemption.", ExemptOut), _NOT_FOUND), path_type=ExemptPath,
    ),
    Route(
        "GET", "/v1/exemptions", Scope.SUPPRESSIONS_READ, "listExemptions", "Exemptions, fifty a page.",
        list_exemptions, (Answer(200, "A page.", ExemptPage),), query_type=PageQuery,
    ),
    Route(
        "DELETE", "/v1/exemptions/{recipient}", Scope.SUPPRESSIONS_WRITE, "deleteExemption",
        "Take an exemption back.", delete_exemption, (Answer(204, "Gone; durable."), _NOT_FOUND),
        path_type=ExemptPath, query_type=ReasonQuery,
    ),
)  # fmt: skip
