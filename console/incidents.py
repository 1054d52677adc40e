"""Incidents: floods of failures to be looked at, taken for true or undone, with whom to mail again (S26, N04)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from aiohttp import web

from console.answer_stream import AnswerStream
from console.audit import audited
from console.identity import Scope
from console.kept import kept
from console.problem import not_found
from console.route import NDJSON, Answer, Call, Reply, Route, missing
from console.schema import encode, time_of, us_of
from console.schema_suppressions import (
    DecisionIn,
    IncidentOut,
    IncidentPath,
    IncidentsOut,
    IncidentsQuery,
    ResendRow,
    UndoIn,
    UndoOut,
)
from model.detail import Released
from model.fact import DeliveryKey, Fact, FactType
from store.floods import INCIDENT_KIND
from store.gate import Candidate
from store.incidents import WINDOW_US, Affected, Incident
from store.suppression import SuppressionKind

_DAYS_BACK_US = 30 * 86_400_000_000
_BATCH = 500
_BOUNCES = (SuppressionKind.BOUNCE, SuppressionKind.CLASS)


async def list_incidents(call: Call) -> Reply:
    """Return incidents with what was decided of them."""
    query: IncidentsQuery = call.query
    services, tenant = call.services, call.identity.tenant
    since = us_of(query.from_) if query.from_ else services.now_us() - _DAYS_BACK_US
    found = services.reader.incidents(tenant, since_us=max(since or 0, 0))
    return Reply(200, IncidentsOut([_shown(call, incident) for incident in found]))


async def confirm_incident(call: Call) -> Reply:
    """Take the failures for true: they suppress from now on."""
    incident = _find(call)
    body: DecisionIn = call.body
    await _decide(call, incident, "confirmed", body.reason, {})
    return Reply(200, _shown(call, incident))


async def undo_incident(call: Call) -> Reply:
    """Lift what the failures of an incident suppress, or a part of them, as if they had never come."""
    incident = _find(call)
    body: UndoIn = call.body
    first, until = us_of(body.from_) or incident.first_us, us_of(body.to) or incident.until_us
    failures = 0
    recipients: dict[int, None] = {}
    released = 0
    for row in call.services.suppression.affected(call.identity.tenant, incident):
        if not first <= row.failure.at_us < until or not _is_meant(row, body):
            continue
        failures += 1
        recipients[row.key.recipient] = None
        if len(recipients) >= _BATCH:
            released += await _lift(call, list(recipients), first, until, body.reason)
            recipients.clear()
    released += await _lift(call, list(recipients), first, until, body.reason)
    is_whole = (body.domain or body.cause or body.from_ or body.to) is None
    limits = {"domain": body.domain, "cause": body.cause, "from_us": us_of(body.from_), "to_us": us_of(body.to)}
    note: dict[str, object] = {
        "failures": failures,
        "released": released,
        **{k: v for k, v in limits.items() if v is not None},
    }
    await _decide(call, incident, "undone" if is_whole else None, body.reason, note)
    return Reply(200, UndoOut(failures, released))


def _is_meant(row: Affected, body: UndoIn) -> bool:
    return (body.domain is None or row.domain == body.domain.lower()) and body.cause in (None, row.cause)


async def _lift(call: Call, recipients: list[int], first: int, until: int, reason: str) -> int:
    """Lift for those who have an entry; returns how many."""
    services, identity = call.services, call.identity
    facts: list[Fact] = []
    for recipient in recipients:
        entries = services.reader.suppressed(identity.tenant, recipient)
        if any(entry.kind in _BOUNCES for entry in entries):
            detail = Released("bounce", reason, identity.name, first, until)
            key = DeliveryKey(identity.tenant, 0, recipient)
            facts.append(Fact(FactType.RELEASED, key, services.stamp(), detail, services.node))
    await services.writer.submit(facts)
    return len(facts)


async def resend_list(call: Call) -> web.StreamResponse:
    """Stream whom to mail again, a line each, with what else speaks against it now."""
    incident = _find(call)
    stream = AnswerStream(call.request, NDJSON, call.services.limits.stream_idle_s)
    try:
        batch: list[Affected] = []
        for row in call.services.suppression.affected(call.identity.tenant, incident):
            batch.append(row)
            if len(batch) >= _BATCH:
                await stream.write(_resend_lines(call, batch))
                batch.clear()
                await asyncio.sleep(0)  # others are served between
        if batch:
            await stream.write(_resend_lines(call, batch))
        return await stream.finish()
    finally:
        stream.close()


def _resend_lines(call: Call, rows: list[Affected]) -> bytes:
    services, tenant = call.services, call.identity.tenant
    lines: list[bytes] = []
    streams: dict[int, tuple[str, str]] = {}
    for row in rows:
        number = row.key.broadcast
        if number not in streams:
            broadcast = services.reader.broadcast(tenant, number)
            name = broadcast.broadcast_id if broadcast else None
            streams[number] = (name or f"~{number:012x}", broadcast.stream if broadcast else "")
        name, stream = streams[number]
        candidate = Candidate(row.key.recipient, row.domain)
        denial = services.reader.preflight(tenant, [candidate], stream, services.now_us())[0]
        line = ResendRow(
            f"{row.key.recipient:016x}", services.suppression.address(tenant, row.key.recipient), name,
            row.cause.value, time_of(row.failure.at_us) or datetime.min,
            denial.kind.public_name if denial else None,
        )  # fmt: skip
        lines.append(encode(line) + b"\n")
    return b"".join(lines)


def _find(call: Call) -> Incident:
    """Return the incident meant; one that grew at its beginning meanwhile is known by any of its spans."""
    path: IncidentPath = call.path
    kind, window, *rest = path.incident.split(".", 2)
    domain, at_us = rest[0] if rest else "", int(window) * WINDOW_US
    for incident in call.services.reader.incidents(call.identity.tenant, since_us=at_us):
        if (incident.kind, incident.domain) == (kind, domain) and incident.first_us <= at_us < incident.until_us:
            return incident
    raise not_found("There is no such incident. GET /v1/incidents lists them.")


async def _decide(call: Call, incident: Incident, state: str | None, reason: str, note: dict[str, object]) -> None:
    """Write down what was decided of an incident, and who did."""
    services = call.services
    name = incident.incident_id
    facts = [audited(call, f"incident.{state or 'undone in part'}", name, json.dumps({"reason": reason, **note}))]
    if state is not None:
        said = {
            "state": state, "domain": incident.domain, "first_us": incident.first_us, "until_us": incident.until_us,
            "reason": reason,
        }  # fmt: skip
        facts.append(kept(call, INCIDENT_KIND, name, json.dumps(said).encode()))
    await services.writer.submit(facts)


def _shown(call: Call, incident: Incident) -> IncidentOut:
    services, tenant = call.services, call.identity.tenant
    document = services.reader.document(tenant, INCIDENT_KIND, incident.incident_id)
    said = json.loads(document.body) if document else {}
    # What came after the decision nobody has looked at.
    state = str(said["state"]) if said.get("until_us", 0) >= incident.until_us else "open"
    has_breaker = services.suppression.policy(tenant).has_breaker
    return IncidentOut(
        incident.incident_id, incident.kind, incident.domain or None, time_of(incident.first_us) or datetime.min,
        time_of(incident.until_us) or datetime.min, incident.failures, len(incident.broadcasts), state,
        has_breaker and incident.kind == "hard" and state == "open",
    )  # fmt: skip


_NOT_FOUND = missing("incident")
ROUTES = (
    Route(
        "GET", "/v1/incidents", Scope.SUPPRESSIONS_READ, "listIncidents",
        "Floods of failures of the last thirty days, or since a time.", list_incidents,
        (Answer(200, "Incidents, oldest first.", IncidentsOut),), query_type=IncidentsQuery,
    ),
    Route(
        "POST", "/v1/incidents/{incident}/confirm", Scope.SUPPRESSIONS_WRITE, "confirmIncident",
        "The failures are true: they suppress.", confirm_incident,
        (Answer(200, "Decided; durable.", IncidentOut), _NOT_FOUND), path_type=IncidentPath, body_type=DecisionIn,
    ),
    Route(
        "POST", "/v1/incidents/{incident}/undo", Scope.SUPPRESSIONS_WRITE, "undoIncident",
        "The failures are false, all of them or those of a domain, cause or time: lift what they suppress.",
        undo_incident, (Answer(200, "Lifted; durable.", UndoOut), _NOT_FOUND),
        path_type=IncidentPath, body_type=UndoIn,
    ),
    Route(
        "GET", "/v1/incidents/{incident}/resend", Scope.RECIPIENTS_READ, "resendList",
        "Whom to mail again, a JSON object a line.", resend_list,
        (Answer(200, "A line a delivery that failed.", ResendRow, NDJSON), _NOT_FOUND), path_type=IncidentPath,
    ),
)  # fmt: skip
