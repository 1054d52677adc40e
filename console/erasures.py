"""Forgetting: who is to be erased, and how long what is kept (N14, K21, P15). Done while nothing is served."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from console.audit import audited
from console.broadcasts import read_cursor, write_cursor
from console.identity import Scope
from console.kept import kept
from console.route import Answer, Call, Reply, Route
from console.schema import PageQuery, time_of
from console.schema_suppressions import AddressOrNumber, Reason
from console.suppressions import recipient_of
from model.fact import Fact
from store.documents import Document
from store.erasure import ERASURE_KIND, RETENTION_KIND, RETENTION_NAME, Retention

Days = Annotated[int, Meta(ge=1, le=36_500)]


class ErasureIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to forget. The address itself is not kept."""

    recipient: AddressOrNumber
    reason: Reason


class ErasureOut(Struct, frozen=True):
    """Somebody to forget: ``state`` is wished until the next start or ``yamabiko store erase``, then done."""

    recipient: str
    state: str
    at: datetime
    actor: str


class ErasurePage(Struct, frozen=True):
    """Fifty erasures."""

    erasures: list[ErasureOut]
    next: str | None


class RetentionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """For how many days each kind is kept; null for ever. What is over goes when ``yamabiko store erase`` is run.

    ``raw``: mails without proof. ``ip``: addresses of machines. ``agent``: what browsers call themselves. ``words``:
    what servers and automatic replies say. ``people``: addresses, names and references of recipients.
    """

    raw_days: Days | None = None
    ip_days: Days | None = None
    agent_days: Days | None = None
    words_days: Days | None = None
    people_days: Days | None = None


async def wish_erasure(call: Call) -> Reply:
    """Write down that somebody is to be forgotten."""
    body: ErasureIn = call.body
    name = f"{recipient_of(call, body.recipient):016x}"
    said = json.dumps({"state": "wished"}).encode()
    await _write(call, ERASURE_KIND, name, said, audited(call, "erasure.wish", f"recipient:{name}"))
    call.services.note_erasure()
    found = call.services.reader.document(call.identity.tenant, ERASURE_KIND, name)
    assert found is not None
    return Reply(202, _shown(found))


async def list_erasures(call: Call) -> Reply:
    """Return a page of erasures."""
    after = read_cursor(call.query.after)
    page = call.services.reader.documents(call.identity.tenant, ERASURE_KIND, after=after)
    return Reply(200, ErasurePage([_shown(row) for row in page.rows], write_cursor(page.after)))


async def get_retention(call: Call) -> Reply:
    """Return how long what is kept."""
    found = call.services.reader.document(call.identity.tenant, RETENTION_KIND, RETENTION_NAME)
    return Reply(200, _body(Retention.parse(found.body if found else None)))


async def put_retention(call: Call) -> Reply:
    """Set how long what is kept; what is left out is kept for ever."""
    body: RetentionBody = call.body
    rules = Retention(body.raw_days, body.ip_days, body.agent_days, body.words_days, body.people_days)
    deed = audited(call, "retention.put", "", rules.body().decode())
    await _write(call, RETENTION_KIND, RETENTION_NAME, rules.body(), deed)
    return Reply(200, _body(rules))


def _body(rules: Retention) -> RetentionBody:
    return RetentionBody(rules.raw_days, rules.ip_days, rules.agent_days, rules.words_days, rules.people_days)


def _shown(document: Document) -> ErasureOut:
    state = json.loads(document.body)["state"]
    return ErasureOut(document.name, state, time_of(document.at_us) or datetime.min, document.actor)


async def _write(call: Call, kind: str, name: str, body: bytes, deed: Fact) -> None:
    fact = kept(call, kind, name, body)
    await call.services.writer.submit([fact, deed])


ROUTES = (
    Route(
        "POST", "/v1/erasures", Scope.ERASURES_WRITE, "wishErasure",
        "Ask for somebody to be forgotten; suppression stays, under a number that leads to no address.", wish_erasure,
        (Answer(202, "Written down, durable; done at the next start or `yamabiko store erase`.", ErasureOut),),
        body_type=ErasureIn,
    ),
    Route(
        "GET", "/v1/erasures", Scope.ERASURES_WRITE, "listErasures", "Who is, or was, to be forgotten.",
        list_erasures, (Answer(200, "A page.", ErasurePage),), query_type=PageQuery,
    ),
    Route(
        "GET", "/v1/retention", Scope.ERASURES_WRITE, "getRetention", "For how many days each kind is kept.",
        get_retention, (Answer(200, "Days; null for ever.", RetentionBody),),
    ),
    Route(
        "PUT", "/v1/retention", Scope.ERASURES_WRITE, "putRetention",
        "Set for how many days each kind is kept; what is left out is kept for ever.", put_retention,
        (Answer(200, "Set; durable.", RetentionBody),), body_type=RetentionBody,
    ),
)  # fmt: skip
