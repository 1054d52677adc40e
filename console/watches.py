"""Watches over failures, and the alerts they raise (P07, E28)."""

from __future__ import annotations

import msgspec

from console.audit import write_down
from console.identity import Scope
from console.outgoing.schema import AlertOut, AlertPage, CommandQuery, WatchIn, WatchList, WatchPath
from console.outgoing.watch import Watch
from console.problem import ProblemError, not_found
from console.route import Answer, Call, Reply, Route, missing, refusal

_PAGE = 50
_MAX_WATCHES = 50


async def make_watch(call: Call) -> Reply:
    """Begin to count."""
    watcher, identity = call.services.outgoing.watcher, call.identity
    if len(watcher.watches(identity.tenant)) >= _MAX_WATCHES:
        raise ProblemError(422, "refused", "A tenant may have 50 watches. Delete one first.")
    await write_down(call, "watch.make", call.body.name, command=call.body.command)
    try:
        watch = await watcher.make(identity.tenant, msgspec.structs.asdict(call.body), identity.name)
    except ValueError as error:
        raise ProblemError(422, "refused", f"{error}.") from None
    return Reply(201, watch)


async def list_watches(call: Call) -> Reply:
    """Return all watches of the tenant."""
    return Reply(200, WatchList(call.services.outgoing.watcher.watches(call.identity.tenant)))


async def delete_watch(call: Call) -> Reply:
    """Count no more."""
    await write_down(call, "watch.delete", call.path.id)
    if not await call.services.outgoing.watcher.remove(call.identity.tenant, call.path.id, call.identity.name):
        raise not_found("There is no such watch. GET /v1/watches lists them.")
    return Reply(204)


async def list_alerts(call: Call) -> Reply:
    """Return a page of alerts, the newest first."""
    found = call.services.outgoing.alerts.page(call.identity.tenant, call.query.after or "", _PAGE + 1)
    page = [AlertOut(identity, alert) for identity, alert in found[:_PAGE]]
    return Reply(200, AlertPage(page, page[-1].id if len(found) > _PAGE else None))


_NOT_FOUND = missing("watch")
ROUTES = (
    Route(
        "POST", "/v1/watches", Scope.COMMANDS_WRITE, "makeWatch",
        "So many failures in so much time: raise an alert, ask for a pause.", make_watch,
        (Answer(201, "Made; durable.", Watch), refusal(422, "It cannot be.")),
        body_type=WatchIn,
    ),
    Route(
        "GET", "/v1/watches", Scope.COMMANDS_READ, "listWatches", "All watches.", list_watches,
        (Answer(200, "At most fifty.", WatchList),),
    ),
    Route(
        "DELETE", "/v1/watches/{id}", Scope.COMMANDS_WRITE, "deleteWatch", "Count no more.", delete_watch,
        (Answer(204, "Removed; durable."), _NOT_FOUND), path_type=WatchPath,
    ),
    Route(
        "GET", "/v1/alerts", Scope.COMMANDS_READ, "listAlerts",
        "What watches saw, rates too high, floods of failures, pauses that last too long.", list_alerts,
        (Answer(200, "A page.", AlertPage),), query_type=CommandQuery,
    ),
)  # fmt: skip
