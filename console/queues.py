"""The routes of queues: that a queue stands, since when and why, is kept; see console.queue_board for the rest."""

from __future__ import annotations

import json

from console.identity import Scope
from console.kept import kept
from console.queue_board import QUEUE_KIND, QueuesIn, QueuesOut, QueuesQuery
from console.route import Answer, Call, Reply, Route
from console.schema import us_of
from model.fact import Fact


async def put_queues(call: Call) -> Reply:
    """Take in how queues stand; what stands, or moves again, is durable when this is answered."""
    services, identity = call.services, call.identity
    now_us = services.now_us()
    facts: list[Fact] = []
    for said in call.body.queues:
        name = f"{said.domain.lower()}|{said.api_user}"
        document = services.reader.document(identity.tenant, QUEUE_KIND, name)
        known = json.loads(document.body)["paused_since_us"] if document and said.paused_reason is not None else None
        has_changed, since = services.queues.report(identity.tenant, said, now_us, known)
        if has_changed and (since is not None or document is not None):
            body = None
            if since is not None:
                until = us_of(said.next_attempt_at)
                body = json.dumps({"paused_since_us": since, "reason": said.paused_reason, "next_us": until}).encode()
            facts.append(kept(call, QUEUE_KIND, name, body))
    if facts:
        await services.outgoing.watcher.note_tenant(identity.tenant)  # a queue that stands for long is to be seen (E28)
        await services.writer.submit(facts)
    return Reply(200, QueuesOut(services.queues.shown(identity.tenant, QueuesQuery(), now_us)))


async def list_queues(call: Call) -> Reply:
    """Return how the queues stand."""
    services = call.services
    return Reply(200, QueuesOut(services.queues.shown(call.identity.tenant, call.query, services.now_us())))


ROUTES = (
    Route(
        "PUT", "/v1/queues", Scope.ATTEMPTS_WRITE, "putQueues", "Report how queues stand, every few seconds.",
        put_queues, (Answer(200, "Taken.", QueuesOut),), body_type=QueuesIn,
    ),
    Route(
        "GET", "/v1/queues", Scope.REPORTS_READ, "listQueues",
        "Queues by receiving domain, with rates over 5, 15 or 30 seconds.", list_queues,
        (Answer(200, "The queues.", QueuesOut),), query_type=QueuesQuery, uses_store=False,
    ),
)  # fmt: skip
