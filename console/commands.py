"""Commands for sending systems: asked for here, sent by webhook, acknowledged here (E26)."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from console.audit import write_down
from console.identity import Scope
from console.outgoing.commands import CommandState, KnownCommand
from console.outgoing.schema import AckIn, CommandIn, CommandOut, CommandPage, CommandPath, CommandQuery
from console.problem import ProblemError, not_found
from console.route import Answer, Call, Reply, Route, missing, refusal

_PAGE = 50


async def post_command(call: Call) -> Reply:
    """Ask for something; it goes out at once to every endpoint that takes commands."""
    outgoing, identity = call.services.outgoing, call.identity
    if not outgoing.takes_commands(identity.tenant):
        raise ProblemError(
            409, "nobody-listens", "No webhook takes commands. POST /v1/webhooks with `command` among its `events`."
        )
    await write_down(call, "command.ask", call.body.command.value, broadcast=call.body.broadcast, queue=call.body.queue)
    await outgoing.watcher.note_tenant(identity.tenant)  # a pause that lasts is to be seen (E28)
    known = await outgoing.commands.ask(identity.tenant, msgspec.structs.asdict(call.body), identity.name)
    return Reply(201, _shown(known, outgoing.now_s()))


async def list_commands(call: Call) -> Reply:
    """Return a page of commands, the newest first."""
    outgoing = call.services.outgoing
    found = outgoing.commands.list(call.identity.tenant, call.query.after or "", _PAGE + 1)
    page = [_shown(known, outgoing.now_s()) for known in found[:_PAGE]]
    return Reply(200, CommandPage(page, page[-1].id if len(found) > _PAGE else None))


async def get_command(call: Call) -> Reply:
    """Return one command."""
    return Reply(200, _shown(_find(call), call.services.outgoing.now_s()))


async def acknowledge(call: Call) -> Reply:
    """The sending system says what became of a command."""
    outgoing, identity = call.services.outgoing, call.identity
    _find(call)
    state = CommandState(call.body.state.value)
    await outgoing.commands.acknowledge(identity.tenant, call.path.id, state, call.body.note, identity.name)
    return Reply(200, _shown(_find(call), outgoing.now_s()))


def _find(call: Call) -> KnownCommand:
    found = call.services.outgoing.commands.find(call.identity.tenant, call.path.id)
    if found is None:
        raise not_found("There is no such command. GET /v1/commands lists them.")
    return found


def _shown(known: KnownCommand, now_s: float) -> CommandOut:
    command, progress = known.command, known.progress
    return CommandOut(
        id=known.id,
        command=command.command,
        state=known.state(now_s),
        broadcast=command.broadcast,
        queue=command.queue,
        reason=command.reason,
        for_s=command.for_s,
        asked_by=command.asked_by,
        asked_at=command.asked_at,
        expires_at=command.expires_at,
        changed_at=datetime.fromtimestamp(progress.at, UTC) if progress else None,
        changed_by=progress.by if progress else None,
        note=progress.note if progress else "",
    )


_NOT_FOUND = missing("command")
ROUTES = (
    Route(
        "POST", "/v1/commands", Scope.COMMANDS_WRITE, "postCommand",
        "Ask the sending systems to pause or resume, by signed webhook.", post_command,
        (
            Answer(201, "Asked; durable.", CommandOut),
            refusal(409, "No webhook takes commands."),
        ),
        body_type=CommandIn,
    ),
    Route(
        "GET", "/v1/commands", Scope.COMMANDS_READ, "listCommands", "Commands and how far they are, fifty a page.",
        list_commands, (Answer(200, "A page.", CommandPage),), query_type=CommandQuery,
    ),
    Route(
        "GET", "/v1/commands/{id}", Scope.COMMANDS_READ, "getCommand", "One command and how far it is.",
        get_command, (Answer(200, "The command.", CommandOut), _NOT_FOUND), path_type=CommandPath,
    ),
    Route(
        "POST", "/v1/commands/{id}/ack", Scope.COMMANDS_ACK, "acknowledgeCommand",
        "The sending system says what became of a command.", acknowledge,
        (Answer(200, "Noted; durable.", CommandOut), _NOT_FOUND), path_type=CommandPath, body_type=AckIn,
    ),
)  # fmt: skip
