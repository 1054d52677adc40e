"""Watches: a spike raises one alert and asks for a pause (P07)."""

from __future__ import annotations

from typing import Any

import pytest

from console.outgoing.alert import Alerts
from console.outgoing.commands import Commands
from console.outgoing.watcher import Watcher
from model.cause import Cause
from model.fact import Fact, UniqueClock
from store.writer import write_now
from tests.console.api import Api
from tests.console.outgoing.test_routes import make, until
from tests.console.outgoing.world import T0_S, Receiver, World
from tests.store.world import T0_US, failed

S = 1_000_000


def watcher_of(world: World, *, takes: bool = True) -> Watcher:
    clock = UniqueClock(6)

    def stamp() -> int:
        return clock.stamp(int(world.clock.now * 1e6))

    commands, alerts = Commands(world.documents, world.clock, stamp), Alerts(world.documents, stamp)
    return Watcher(
        world.documents, world.feed, world.log._names, commands, alerts, world.clock, lambda _: takes
    )  # fmt: skip


def fail(recipient: int, broadcast: int = 1, *, after_s: float = 0, cause: Cause = Cause.IP_BLOCKLISTED) -> Fact:
    return failed(recipient, broadcast, at=T0_US + int(after_s * S), cause=cause)


async def look(world: World, watcher: Watcher) -> None:
    while await watcher.step():
        pass


async def make_watch(watcher: Watcher, **fields: Any) -> None:
    await watcher.make(1, {"name": "spike", "threshold": 10, **fields}, "test")


@pytest.mark.row("P07")
async def test_a_spike_raises_one_alert_and_pauses_that_broadcast_alone(world: World) -> None:
    watcher = watcher_of(world)
    await make_watch(watcher, causes=(Cause.IP_BLOCKLISTED,), command="broadcast.pause", for_s=7_200)
    world.add(*(fail(n, 1) for n in range(1, 10)), *(fail(n, 2) for n in range(1, 10)))
    world.add(*(fail(n, 1, cause=Cause.USER_UNKNOWN) for n in range(100, 150)))
    await look(world, watcher)
    assert watcher._alerts.page(1, "", 10) == []  # nine each: not yet
    world.add(*(fail(n, 1) for n in range(10, 40)))
    await look(world, watcher)
    ((_, alert),) = watcher._alerts.page(1, "", 10)
    assert (alert.what, alert.name, alert.count, alert.broadcast) == ("threshold", "spike", 10, f"~{1:012x}")
    (command,) = watcher._commands.list(1, "", 10)
    assert command.id == alert.command
    assert (command.command.command, command.command.broadcast, command.command.for_s) == (
        "broadcast.pause", f"~{1:012x}", 7_200,
    )  # fmt: skip
    assert command.command.reason == "spike: 10 in 3600 s"
    # Quiet for as long as the pause; then it may be told again.
    world.clock.now += 3_700
    world.add(*(fail(n, 1, after_s=3_700) for n in range(200, 240)))
    await look(world, watcher)
    assert len(watcher._alerts.page(1, "", 10)) == 1
    world.clock.now += 3_600
    world.add(*(fail(n, 1, after_s=7_300) for n in range(300, 310)))
    await look(world, watcher)
    assert len(watcher._alerts.page(1, "", 10)) == 2


async def test_slow_failures_never_add_up(world: World) -> None:
    watcher = watcher_of(world)
    await make_watch(watcher)
    for n in range(1, 100):
        world.clock.now = T0_S + n * 400  # nine in an hour
        world.add(fail(n, after_s=n * 400))
        await look(world, watcher)
    assert watcher._alerts.page(1, "", 10) == []


async def test_a_pattern_and_all_broadcasts_together(world: World) -> None:
    watcher = watcher_of(world)
    await make_watch(watcher, pattern="(?i)NO SUCH", per="tenant")
    await make_watch(watcher, pattern="spamhaus", per="tenant")
    world.add(*(fail(n, n) for n in range(1, 11)))
    await look(world, watcher)
    ((_, alert),) = watcher._alerts.page(1, "", 10)
    assert alert.broadcast is None
    with pytest.raises(ValueError, match=r"^`pattern` is not RE2: missing \): \(unclosed$"):
        await make_watch(watcher, pattern="(unclosed")


async def test_a_restart_forgets_neither_counts_nor_who_is_to_be_quiet(world: World) -> None:
    watcher = watcher_of(world)
    await make_watch(watcher)
    world.add(*(fail(n, 1) for n in range(1, 11)), *(fail(n, 2) for n in range(1, 10)))
    await look(world, watcher)
    assert len(watcher._alerts.page(1, "", 10)) == 1
    world.clock.now += 1
    again = watcher_of(world)
    await again.load()
    world.add(*(fail(n, 1) for n in range(20, 40)))  # told already
    world.add(fail(10, 2))  # the tenth
    await look(world, again)
    assert [alert.broadcast for _, alert in again._alerts.page(1, "", 10)] == [f"~{2:012x}", f"~{1:012x}"]


async def test_through_the_api_to_the_receiver(api: Api, hook: Receiver) -> None:
    await make(api, hook.url, events=["command", "alert"])
    answer = await api.call(
        "POST", "/v1/watches", json={"name": "spike", "threshold": 3, "command": "broadcast.pause", "per": "tenant"}
    )
    assert answer.status == 201, answer.text
    now = api.services.now_us()
    write_now(api.services.reader._env, [failed(n, at=now + n) for n in range(1, 4)])
    await until(lambda: len(hook.got) == 2)
    assert [got.type for got in hook.got] == ["command", "alert"]
    assert hook.got[1].data["detail"]["command"] == hook.got[0].data["detail"]["id"]
    (alert,) = (await api.call("GET", "/v1/alerts")).json["alerts"]
    assert alert["alert"]["count"] == 3
    identity = answer.json["id"]
    assert [w["id"] for w in (await api.call("GET", "/v1/watches")).json["watches"]] == [identity]
    assert (await api.call("DELETE", f"/v1/watches/{identity}")).status == 204
    assert (await api.call("DELETE", f"/v1/watches/{identity}")).status == 404
    assert (await api.call("POST", "/v1/watches", json={"name": "x", "threshold": 3, "pattern": "("})).status == 422
