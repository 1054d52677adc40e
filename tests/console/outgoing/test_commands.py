"""Commands: asked for, sent signed and in order, acknowledged; the state is visible at each point (E26)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from console.identity import Identity, Scope
from console.outgoing.commands import VALID_S, Commands
from console.outgoing.event import EventType
from tests.console.api import Api
from tests.console.outgoing.test_routes import make, until
from tests.console.outgoing.world import Got, Receiver, World

RESUME = {"command": "queue.resume", "queue": "docomo.ne.jp", "reason": "押した"}


async def state(api: Api, identity: str) -> str:
    return str((await api.call("GET", f"/v1/commands/{identity}")).json["state"])


@pytest.mark.row("E26")
async def test_from_the_button_to_the_acknowledgement(api: Api, hook: Receiver) -> None:
    await make(api, hook.url, events=["command"])
    asked = await api.call("POST", "/v1/commands", json=RESUME)
    assert asked.status == 201
    identity = asked.json["id"]
    assert (asked.json["state"], asked.json["asked_by"]) == ("asked", "admin")
    await until(lambda: hook.got)
    (got,) = hook.got
    detail = got.data["detail"]
    assert (got.type, detail["command"], detail["queue"]) == ("command", "queue.resume", "docomo.ne.jp")
    assert detail["id"] == identity  # what to acknowledge
    for _ in range(100):
        if await state(api, identity) == "sent":
            break
        await asyncio.sleep(0.05)
    assert await state(api, identity) == "sent"
    # The sending system has a token that can acknowledge and nothing else.
    api.tokens["ymb_mta"] = Identity("mta-1", 1, frozenset({Scope.COMMANDS_ACK}))
    acknowledged = await api.call(
        "POST", f"/v1/commands/{identity}/ack", token="ymb_mta", json={"state": "done", "note": "17 mails"}
    )
    assert (acknowledged.json["state"], acknowledged.json["changed_by"], acknowledged.json["note"]) == (
        "done", "mta-1", "17 mails",
    )  # fmt: skip
    assert (await api.call("GET", f"/v1/commands/{identity}", token="ymb_mta")).status == 403


async def test_nothing_is_asked_of_nobody(api: Api, hook: Receiver) -> None:
    await make(api, hook.url)  # gets all that happened, and no commands
    answer = await api.call("POST", "/v1/commands", json=RESUME)
    assert answer.status == 409 and "No webhook takes commands" in answer.json["detail"]


async def test_an_acknowledgement_during_the_request_stays(api: Api, hook: Receiver) -> None:
    await make(api, hook.url, events=["command"])

    async def acknowledge_first(got: Got) -> None:
        path = f"/v1/commands/{got.data['detail']['id']}/ack"
        await api.call("POST", path, json={"state": "failed", "note": "no such queue"})

    plain_handle = hook.answer
    tasks: list[asyncio.Task[None]] = []

    def answer(got: Got) -> web.StreamResponse | None:
        tasks.append(asyncio.ensure_future(acknowledge_first(got)))
        return plain_handle(got)

    hook.answer = answer
    identity = (await api.call("POST", "/v1/commands", json=RESUME)).json["id"]
    await until(lambda: tasks and tasks[0].done())
    await asyncio.sleep(0.3)
    assert await state(api, identity) == "failed"


async def test_lists_are_newest_first_and_paged(api: Api, hook: Receiver) -> None:
    await make(api, hook.url, events=["command"])
    made = [(await api.call("POST", "/v1/commands", json=RESUME)).json["id"] for _ in range(55)]
    first = (await api.call("GET", "/v1/commands")).json
    second = (await api.call("GET", f"/v1/commands?after={first['next']}")).json
    assert [c["id"] for c in first["commands"] + second["commands"]] == made[::-1]
    assert second["next"] is None


async def test_a_command_nobody_took_in_time_expires_unsent(world: World, hook: Receiver) -> None:
    """A receiver that was down all night must not resume in the morning what was paused since."""
    commands = Commands(world.documents, world.clock, iter(range(1, 100)).__next__)
    said: dict[str, Any] = {"command": "queue.resume"}
    courier = world.courier(hook.url, types=(EventType.COMMAND,))
    hook.answer = lambda _: None
    old = await commands.ask(1, said, "test")
    await world.go(courier, until_s=VALID_S + 10)
    fresh = await commands.ask(1, said, "test")
    hook.answer = lambda _: web.Response()
    await world.go(courier, until_s=VALID_S - 20)
    assert [got.data["detail"]["id"] for got in hook.got] == [fresh.id]
    assert commands.find(1, old.id).state(world.clock.now) == "expired"  # type: ignore[union-attr]
    assert commands.find(2, old.id) is None


@pytest.mark.parametrize(
    "body", [{}, {"command": "rm -rf"}, {"command": "queue.pause", "for_s": 0}, {**RESUME, "url": "https://x/"}]
)
async def test_what_is_no_command_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.call("POST", "/v1/commands", json=body)).status == 400
