"""Endpoints: made, shown, tested, given new secrets, replayed, removed (N23, P09, P17). Secrets are shown once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from yarl import URL

from console.audit import write_down
from console.identity import Scope
from console.outgoing.courier import Courier
from console.outgoing.endpoint import Endpoint
from console.outgoing.endpoints import TooManyError
from console.outgoing.guard import GuardError
from console.outgoing.outgoing import Outgoing
from console.outgoing.schema import (
    AttemptList,
    AttemptOut,
    DeadOut,
    DeadPage,
    DeadQuery,
    ReplayIn,
    SecretOut,
    TestOut,
    WebhookIn,
    WebhookList,
    WebhookMade,
    WebhookOut,
    WebhookPath,
)
from console.problem import ProblemError, not_found, store_busy
from console.route import Answer, Call, Reply, Route, missing, refusal
from console.services import Services

_PAGE = 50
_RESOLVE_S = 10.0


async def make_webhook(call: Call) -> Reply:
    """Make an endpoint; its URL must lead to a public address now, and at each delivery."""
    services, identity, body = call.services, call.identity, call.body
    outgoing = _loaded(call)
    try:
        async with asyncio.timeout(_RESOLVE_S):
            await outgoing.sender.guard.check(body.url)
    except GuardError as error:
        raise ProblemError(422, "refused", f"`url`: {error}.") from None
    except TimeoutError:
        raise ProblemError(422, "refused", "`url`: the host cannot be resolved in time.") from None
    number = services.keys().broadcast_number(identity.tenant, body.broadcast) if body.broadcast else None
    said = Endpoint(
        id="", url=body.url, types=tuple(dict.fromkeys(body.events)), secrets=(), made_at=0.0, broadcast=number,
        broadcast_id=body.broadcast, with_tests=body.with_tests, description=body.description,
    )  # fmt: skip
    head = outgoing.log.head()
    cursor = head if body.from_seq is None else min(max(body.from_seq - 1, 0), head)
    # The origin only: a path may hold a secret of the receiver's.
    await write_down(call, "webhook.make", str(URL(body.url).origin()), events=list(body.events))
    try:
        courier = await outgoing.endpoints.make(identity.tenant, said, cursor=cursor, actor=identity.name)
    except TooManyError:
        raise ProblemError(422, "refused", "A tenant may have 50 webhooks. Delete one first.") from None
    return Reply(201, WebhookMade(shown(courier, services), courier.endpoint.secrets[0].value))


async def list_webhooks(call: Call) -> Reply:
    """Return all endpoints of the tenant, in the order they were made."""
    couriers = _loaded(call).dispatcher.couriers(call.identity.tenant)
    return Reply(200, WebhookList([shown(courier, call.services) for courier in couriers]))


async def get_webhook(call: Call) -> Reply:
    """Return one endpoint."""
    return Reply(200, shown(_find(call), call.services))


async def delete_webhook(call: Call) -> Reply:
    """Remove an endpoint with its cursor and dead letters."""
    courier = _find(call)
    await write_down(call, "webhook.delete", courier.endpoint.id)
    await call.services.outgoing.endpoints.remove(courier, call.identity.name)
    return Reply(204)


async def test_webhook(call: Call) -> Reply:
    """Send a test event now and say what became of it; what the receiver wrote is not shown."""
    outcome = await call.services.outgoing.test(_find(call))
    result = TestOut(outcome.is_delivered, outcome.status, outcome.problem, round(outcome.took_s * 1_000))
    return Reply(200, result)


test_webhook.__test__ = False  # type: ignore[attr-defined]  # a handler, no test


async def renew_secret(call: Call) -> Reply:
    """Give a new secret. Both sign for a day, so that the receiver may change over when it likes."""
    courier = _find(call)
    await write_down(call, "webhook.secret", courier.endpoint.id)
    secret, until = await call.services.outgoing.endpoints.renew_secret(courier, call.identity.name)
    return Reply(200, SecretOut(secret, _time(until)))


async def enable_webhook(call: Call) -> Reply:
    """Go on delivering where it was disabled; nothing in between is left out."""
    courier = _find(call)
    await write_down(call, "webhook.enable", courier.endpoint.id)
    await call.services.outgoing.endpoints.enable(courier)
    return Reply(200, shown(courier, call.services))


async def list_attempts(call: Call) -> Reply:
    """Return the last requests, newest first."""
    attempts = [
        AttemptOut(
            _time(one.at_s), one.seq, one.id, one.type, one.status, one.problem, round(one.took_s * 1_000)
        )
        for one in reversed(_find(call).attempts)
    ]  # fmt: skip
    return Reply(200, AttemptList(attempts))


async def list_dead(call: Call) -> Reply:
    """Return a page of events that were given up, oldest first."""
    after = -1 if call.query.after is None else call.query.after
    trials = call.services.outgoing.endpoints.dead(_find(call), after=after, limit=_PAGE + 1)
    page = [
        DeadOut(trial.seq, trial.id, _time(trial.since), trial.attempts, trial.status, trial.problem)
        for trial in trials[:_PAGE]
    ]
    return Reply(200, DeadPage(page, page[-1].seq if len(trials) > _PAGE else None))


async def replay(call: Call) -> Reply:
    """Deliver again, with the same ids: everything from a fact on, or the dead letters."""
    courier, endpoints = _find(call), call.services.outgoing.endpoints
    await write_down(call, "webhook.replay", courier.endpoint.id, from_seq=call.body.from_seq)
    if call.body.from_seq is None:
        await endpoints.replay_dead(courier)
    else:
        # Nothing beyond the end can be asked for again; it will come by itself.
        await endpoints.replay(courier, min(call.body.from_seq, call.services.outgoing.log.head() + 1))
    return Reply(200, shown(courier, call.services))


def shown(courier: Courier, services: Services) -> WebhookOut:
    """Return an endpoint as the API shows it: without its secrets."""
    endpoint, state = courier.endpoint, courier.state
    head = state.head
    return WebhookOut(
        id=endpoint.id,
        url=endpoint.url,
        events=list(endpoint.types),
        broadcast=endpoint.broadcast_id,
        with_tests=endpoint.with_tests,
        description=endpoint.description,
        made_at=_time(endpoint.made_at),
        standing=state.standing,
        cursor=state.cursor,
        behind=max(services.outgoing.log.head() - state.cursor, 0),
        waiting=len(state.parked),
        attempts=head.attempts if head else 0,
        next_attempt_at=_time(head.next_at) if head and not state.disabled_why else None,
        failing_since=_time_or_none(state.failing_since),
        delivered_at=_time_or_none(state.delivered_at),
        disabled_at=_time_or_none(state.disabled_at),
        disabled_why=state.disabled_why,
        last_status=state.last_status,
        last_problem=state.last_problem,
    )


def _loaded(call: Call) -> Outgoing:
    """Return what goes out. Raises ProblemError 503 in the moment after a start when endpoints are not known yet."""
    if not call.services.outgoing.dispatcher.is_loaded.is_set():
        raise store_busy()
    return call.services.outgoing


def _find(call: Call) -> Courier:
    courier = _loaded(call).dispatcher.courier(call.identity.tenant, call.path.id)
    if courier is None:
        raise not_found("There is no such webhook. GET /v1/webhooks lists them.")
    return courier


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _time_or_none(at_s: float | None) -> datetime | None:
    return None if at_s is None else _time(at_s)


_NOT_FOUND = missing("webhook")
ROUTES = (
    Route(
        "POST", "/v1/webhooks", Scope.WEBHOOKS_WRITE, "makeWebhook",
        "Have events sent to a URL, signed after Standard Webhooks.", make_webhook,
        (
            Answer(201, "Made; durable. The secret is shown this once.", WebhookMade),
            refusal(422, "Events may not go there."),
        ),
        body_type=WebhookIn,
    ),
    Route(
        "GET", "/v1/webhooks", Scope.WEBHOOKS_WRITE, "listWebhooks", "All webhooks and how they stand.",
        list_webhooks, (Answer(200, "At most fifty.", WebhookList),),
    ),
    Route(
        "GET", "/v1/webhooks/{id}", Scope.WEBHOOKS_WRITE, "getWebhook", "One webhook and how it stands.",
        get_webhook, (Answer(200, "The webhook.", WebhookOut), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "DELETE", "/v1/webhooks/{id}", Scope.WEBHOOKS_WRITE, "deleteWebhook",
        "Send nothing there any more; its cursor and dead letters go too.", delete_webhook,
        (Answer(204, "Removed; durable."), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "POST", "/v1/webhooks/{id}/test", Scope.WEBHOOKS_WRITE, "testWebhook",
        "Send a test event now; tells the status, never what the receiver wrote.", test_webhook,
        (Answer(200, "What became of it.", TestOut), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "POST", "/v1/webhooks/{id}/secret", Scope.WEBHOOKS_WRITE, "renewWebhookSecret",
        "A new secret; both sign for a day.", renew_secret,
        (Answer(200, "Shown this once.", SecretOut), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "POST", "/v1/webhooks/{id}/enable", Scope.WEBHOOKS_WRITE, "enableWebhook",
        "Go on where it was disabled; nothing in between is left out.", enable_webhook,
        (Answer(200, "Enabled; durable.", WebhookOut), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "GET", "/v1/webhooks/{id}/attempts", Scope.WEBHOOKS_WRITE, "listWebhookAttempts",
        "The last fifty requests, the newest first.", list_attempts,
        (Answer(200, "The request log.", AttemptList), _NOT_FOUND), path_type=WebhookPath,
    ),
    Route(
        "GET", "/v1/webhooks/{id}/dead", Scope.WEBHOOKS_WRITE, "listDeadLetters",
        "Events that were given up after 72 hours, fifty a page.", list_dead,
        (Answer(200, "A page.", DeadPage), _NOT_FOUND), path_type=WebhookPath, query_type=DeadQuery,
    ),
    Route(
        "POST", "/v1/webhooks/{id}/replay", Scope.WEBHOOKS_WRITE, "replayWebhook",
        "Send again, with the same ids: everything from a fact on, or the dead letters.", replay,
        (Answer(200, "It begins; durable.", WebhookOut), _NOT_FOUND),
        path_type=WebhookPath, body_type=ReplayIn,
    ),
)  # fmt: skip
