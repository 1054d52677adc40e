"""Alarms nobody set: rates ask for a pause (N16, P19), floods for a look (S26), lasting pauses for a call (E28)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from console.outgoing.alarms import PAUSED_S, Alarms
from console.outgoing.alert import Alert, Alerts
from console.outgoing.commands import Commands, CommandState
from console.outgoing.watcher import Watcher
from console.queue_board import QUEUE_KIND
from model.cause import Cause, Channel
from model.detail import DocumentSet
from model.fact import DeliveryKey, Fact, FactType, UniqueClock
from store.environment import Environment
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.reader import Reader
from store.suppression_desk import SuppressionDesk
from store.writer import write_now
from tests.console.api import Api
from tests.console.outgoing.test_routes import make, until
from tests.console.outgoing.world import T0_S, Receiver, World
from tests.store.world import T0_US, complained, described, failed, planned, report

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


class Watching:
    """Alarms whose clock is ours, with what they keep."""

    def __init__(self, world: World, *, takes: bool = True) -> None:
        clock = UniqueClock(6)
        self.world = world

        def stamp() -> int:
            return clock.stamp(int(world.clock.now * 1e6))

        self.commands, self.kept = Commands(world.documents, world.clock, stamp), Alerts(world.documents, stamp)
        self.alarms = Alarms(
            world.documents, SuppressionDesk(world.env), Reader(world.env), world.log._names, self.commands, self.kept,
            world.clock, lambda _: takes,
        )  # fmt: skip
        self.watcher = Watcher(
            world.documents, world.feed, world.log._names, self.commands, self.kept, world.clock, lambda _: takes
        )

    async def look(self) -> None:
        await self.alarms.look_at_failures()

    def alerts(self, tenant: int = 1) -> list[Alert]:
        return [alert for _, alert in self.kept.page(tenant, "", 100)]

    def asked(self) -> list[tuple[str, str | None]]:
        return [(known.command.command.value, known.command.broadcast) for known in self.commands.list(1, "", 100)]


def mailing(
    count: int, hard: int, broadcast: int = 1, *, after_s: float = 0.0, tenant: int = 1, first: int = 1
) -> list[Fact]:
    """So many sent, so many of them refused for good; ``first`` is the number of the first recipient."""
    at, last = T0_US + int(after_s * 1e6), first + count
    facts = [planned(n, broadcast, at=at, address=f"r{n}@d{n % 50}.example.jp") for n in range(first, last)]
    facts += [failed(n, broadcast, at=at, channel=Channel.IN_SESSION) for n in range(first, first + hard)]
    facts += [report(FactType.ACCEPTED, n, broadcast, at=at) for n in range(first + hard, last)]
    return [Fact(f.type, f.key._replace(tenant=tenant), f.at_us, f.detail, is_html=f.is_html) for f in facts]


def shown(alert: Alert) -> tuple[Any, ...]:
    return (alert.what, alert.broadcast, alert.metric, alert.level, alert.window_s)


@pytest.mark.row("N16", "P19")
async def test_a_rate_raises_one_alert_and_asks_for_one_pause(world: World) -> None:
    watching = Watching(world)
    world.add(described(1, broadcast_id="spring"), *mailing(400, 15))
    world.clock.now = T0_S + MINUTE
    await watching.look()
    assert watching.alerts() == [], "fifteen say nothing"
    world.add(*(failed(n, at=T0_US + 1, channel=Channel.OUT_OF_BAND) for n in range(16, 31)))
    await watching.look()
    assert [shown(alert) for alert in watching.alerts()] == [("rate", "spring", "hard", "warn", 3_600)]
    assert watching.asked() == [], "a warning asks for nothing"
    world.add(*(failed(n, at=T0_US + 2) for n in range(31, 61)))
    for _ in range(3):
        world.clock.now += MINUTE
        await watching.look()
        world.add(*(failed(61 + n, at=T0_US + 3) for n in range(3)))
    alert = watching.alerts()[0]
    assert shown(alert) == ("rate", "spring", "hard", "pause", 3_600) and len(watching.alerts()) == 2
    assert (alert.sends, alert.count, alert.number) == (400, 60, f"{1:012x}")
    assert watching.asked() == [("broadcast.pause", "spring")]
    (command,) = watching.commands.list(1, "", 10)
    assert alert.command == command.id and command.command.for_s is None
    assert (command.command.reason, command.command.asked_by) == ("hard: 60 of 400 in 1 h", "rates")


@pytest.mark.row("N16")
async def test_one_pause_is_enough_until_somebody_resumes(world: World) -> None:
    """Another rate of the same broadcast, and the same one after its hour, find the pause there."""
    watching = Watching(world)
    world.add(*mailing(1_000, 120), *(complained(n, at=T0_US) for n in range(200, 206)))
    world.clock.now = T0_S + MINUTE
    await watching.look()
    names = {(alert.metric, alert.window_s, alert.level) for alert in watching.alerts()}
    assert names == {("hard", 3_600, "pause"), ("hard", 86_400, "pause"), ("complaints", 3_600, "warn"),
                     ("complaints", 86_400, "pause")}  # fmt: skip
    ids = {alert.command for alert in watching.alerts() if alert.level == "pause"}
    assert len(ids) == 1 and len(watching.asked()) == 1
    world.add(*mailing(1_000, 120, after_s=2 * HOUR, broadcast=1))
    resume = await watching.commands.ask(1, {"command": "broadcast.resume", "broadcast": f"~{1:012x}"}, "a person")
    await watching.commands.acknowledge(1, resume.id, CommandState.DONE, "", "mta")
    await watching.look()
    assert len(watching.asked()) == 2, "told within its window: quiet, and nobody is asked against a person's word"
    world.add(*mailing(400, 80, 2, after_s=DAY + HOUR))
    world.clock.now = T0_S + DAY + HOUR + MINUTE
    await watching.look()
    assert watching.asked()[0] == ("broadcast.pause", f"~{2:012x}")


@pytest.mark.row("N16")
async def test_who_wants_no_pauses_gets_alerts_alone(world: World) -> None:
    deaf = Watching(world, takes=False)
    world.add(*mailing(400, 80))
    world.clock.now = T0_S + MINUTE
    await deaf.look()
    assert [alert.command for alert in deaf.alerts()] == [None] and deaf.asked() == []
    document = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(pauses_senders=False).body())
    world.add(Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, document), *mailing(400, 80, 2))
    world.clock.now += 1
    unwilling = Watching(world)
    await unwilling.look()
    assert [alert.broadcast for alert in unwilling.alerts()] == [f"~{2:012x}", f"~{1:012x}"]
    assert unwilling.asked() == []


@pytest.mark.row("N16")
async def test_many_small_broadcasts_are_told_of_together_and_tenants_apart(world: World) -> None:
    watching = Watching(world)
    for broadcast in range(1, 9):
        world.add(*mailing(60, 12, broadcast))
    world.add(*mailing(400, 80, 3, tenant=7), *mailing(400, 0, 3, tenant=9))
    world.clock.now = T0_S + MINUTE
    await watching.look()
    assert [shown(alert) for alert in watching.alerts()] == [("rate", None, "hard", "pause", 3_600)]
    assert watching.asked() == [("broadcast.pause", None)], "all of them"
    assert [alert.broadcast for alert in watching.alerts(7)] == [f"~{3:012x}"], "not again of the whole"
    assert watching.alerts(9) == []


@pytest.mark.row("N16")
async def test_a_rate_that_rises_by_time_alone_is_seen(world: World) -> None:
    """What went well leaves the window before what failed does."""
    watching = Watching(world)
    world.add(*mailing(4_000, 0), *mailing(400, 80, after_s=1_800, first=5_001))
    world.clock.now = T0_S + 2_000
    await watching.look()
    assert watching.alerts() == []
    world.clock.now = T0_S + 4_600
    await watching.look()
    assert [(alert.level, alert.window_s) for alert in watching.alerts()] == [("pause", 3_600)]


@pytest.mark.row("N16")
async def test_a_restart_tells_nothing_twice(world: World) -> None:
    world.add(*mailing(400, 80))
    world.clock.now = T0_S + MINUTE
    for _ in range(2):
        watching = Watching(world)
        await watching.look()
        assert len(watching.alerts()) == len(watching.asked()) == 1


@pytest.mark.row("S26", "N04", "W15")
async def test_a_flood_is_told_once_while_it_lasts(world: World) -> None:
    """Our address is block-listed: 40 refusals say little, 400 are an incident."""
    watching = Watching(world)
    world.add(*(planned(n) for n in range(1, 3_001)), *(failed(n, cause=Cause.IP_BLOCKLISTED) for n in range(1, 41)))
    world.clock.now = T0_S + MINUTE
    await watching.look()
    assert watching.alerts() == []
    for first in (41, 241):
        world.clock.now += MINUTE
        world.add(*(failed(n, cause=Cause.IP_BLOCKLISTED, at=T0_US + first) for n in range(first, first + 200)))
        await watching.look()
    (alert,) = watching.alerts()
    assert (alert.what, alert.name, alert.count) == ("incident", "sender", 240)
    (incident,) = Reader(world.env).incidents(1, since_us=0)
    assert alert.incident == incident.incident_id
    world.clock.now += 2 * HOUR
    world.add(planned(1, 2))
    await Watching(world).look()
    assert len(watching.alerts()) == 1


# Pauses


@pytest.mark.row("E28")
async def test_a_pause_of_two_days_is_told_once(world: World) -> None:
    watching = Watching(world)
    await watching.watcher.note_tenant(1)
    commands, look = watching.commands, watching.alarms.look_at_pauses
    pause, resume = {"command": "queue.pause"}, {"command": "queue.resume"}
    asked = {}
    for queue, said in (("docomo.ne.jp", pause), ("au.com", pause), ("short.example", {**pause, "for_s": 3_600})):
        asked[queue] = await commands.ask(1, {**said, "queue": queue}, "test")
        await commands.acknowledge(1, asked[queue].id, CommandState.DONE, "", "mta")
        world.clock.now += 1
    await commands.ask(1, {**pause, "queue": "nobody-took-it.example"}, "test")
    world.clock.now += 3_600
    done = await commands.ask(1, {**resume, "queue": "au.com"}, "test")
    await commands.acknowledge(1, done.id, CommandState.DONE, "", "mta")
    await look()
    assert watching.alerts() == []
    world.clock.now = T0_S + PAUSED_S + 10
    for _ in range(3):
        await look()
        world.clock.now += 600
    (alert,) = watching.alerts()
    assert (alert.what, alert.queue, alert.command) == ("paused_too_long", "docomo.ne.jp", asked["docomo.ne.jp"].id)


def standing(name: str, since_s: float | None, *, at_s: float) -> Fact:
    body = None
    if since_s is not None:
        body = b'{"paused_since_us": %d, "reason": "IP quota", "next_us": null}' % int(since_s * 1e6)
    return Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), int(at_s * 1e6), DocumentSet(QUEUE_KIND, name, body))


@pytest.mark.row("E28")
async def test_a_queue_that_stands_for_two_days_is_told_once_a_standstill(world: World) -> None:
    """As the sending side reported it; asked for by nobody."""
    watching, start = Watching(world), T0_S + 0.25
    await watching.watcher.note_tenant(1)
    world.add(standing("docomo.ne.jp|u1", start, at_s=start), standing("au.com|", start + HOUR, at_s=start + HOUR))
    for now, told in ((start + PAUSED_S - 1, 0), (start + PAUSED_S, 1), (start + PAUSED_S + MINUTE, 1)):
        world.clock.now = now
        await watching.alarms.look_at_pauses()
        assert len(watching.alerts()) == told
    (alert,) = watching.alerts()
    assert (alert.what, alert.queue, alert.api_user, alert.reason, alert.since) == (
        "paused_too_long", "docomo.ne.jp", "u1", "IP quota", datetime.fromtimestamp(start, UTC),
    )  # fmt: skip
    moving = start + PAUSED_S + HOUR
    world.add(standing("docomo.ne.jp|u1", None, at_s=moving), standing("docomo.ne.jp|u1", moving, at_s=moving + 1))
    world.clock.now = moving + PAUSED_S - 1
    await watching.alarms.look_at_pauses()
    assert [alert.queue for alert in watching.alerts()] == ["au.com", "docomo.ne.jp"], "it stands anew: not yet"
    world.clock.now += 1
    again = Watching(world)
    await again.alarms.look_at_pauses()
    assert [alert.queue for alert in again.alerts()] == ["docomo.ne.jp", "au.com", "docomo.ne.jp"]


@pytest.mark.row("E28")
async def test_a_reported_queue_is_looked_at(api: Api, env: Environment) -> None:
    """From the report over the API to the alert, two days later."""
    assert (
        await api.call("PUT", "/v1/queues", json={"queues": [{"domain": "au.com", "paused_reason": "quota"}]})
    ).status == 200
    now_s = api.services.outgoing.now_s() + PAUSED_S + 1
    api.services.outgoing.alarms._now_s = lambda: now_s
    await api.services.outgoing.alarms.look_at_pauses()
    (row,) = (await api.call("GET", "/v1/alerts")).json["alerts"]
    assert (row["alert"]["what"], row["alert"]["queue"], row["alert"]["reason"]) == (
        "paused_too_long",
        "au.com",
        "quota",
    )


@pytest.mark.row("N16")
async def test_from_the_facts_to_the_sending_system(api: Api, env: Environment, hook: Receiver) -> None:
    """With nothing set up but a webhook that takes commands."""
    await make(api, hook.url, events=["command", "alert"])
    now_s = api.services.outgoing.now_s()
    write_now(env, mailing(400, 80, after_s=now_s - T0_S - MINUTE))
    await api.services.outgoing.alarms.look_at_failures()
    await until(lambda: len(hook.got) == 2)
    command, alert = (got.data["detail"] for got in hook.got)
    assert (command["command"], command["broadcast"]) == ("broadcast.pause", f"~{1:012x}")
    assert (alert["what"], alert["level"], alert["command"]) == ("rate", "pause", command["id"])
    (row,) = (await api.call("GET", "/v1/alerts")).json["alerts"]
    assert (row["alert"]["sends"], row["alert"]["count"]) == (400, 80)
