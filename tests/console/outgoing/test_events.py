"""GET /v1/events: complete, in order, the same ids every time, a cursor that is a number (N23, T18)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from console.identity import ROLES, Identity, Role
from console.outgoing.event import EventType, type_of
from model.detail import DocumentSet
from model.fact import DETAILS, DeliveryKey, Fact, FactType
from store.environment import Environment
from store.writer import write_now
from tests.console.api import Api
from tests.interop.world import seeded
from tests.store.world import T0_US, clicked, failed, opened, planned, random_facts


async def read_all(api: Api, query: str = "", limit: int = 7) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        page = (await api.call("GET", f"/v1/events?after={after}&limit={limit}{query}")).json
        events += page["events"]
        assert page["next"] >= after
        after = page["next"]
        if not page["more"]:
            return events


@pytest.mark.row("N23")
@pytest.mark.row("T18")
async def test_every_fact_once_in_order_and_the_same_when_read_again(api: Api, env: Environment) -> None:
    facts = random_facts(seeded(), 300)
    write_now(env, facts)
    events = await read_all(api)
    log = [fact for fact in facts if not fact.is_test]
    assert {e["id"] for e in events} <= {fact.id.hex() for fact in log}
    assert len(events) > 150
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
    assert await read_all(api, limit=1_000) == events
    # Everything told again adds no event with another id.
    write_now(env, facts)
    assert {e["id"] for e in await read_all(api)} == {e["id"] for e in events}


async def test_types_broadcast_and_test_sends(api: Api, env: Environment) -> None:
    await api.call("PUT", "/v1/broadcasts/spring", json={"name": "s"})
    await api.sends([{"broadcast": "spring", "address": "a@example.jp"}, {"broadcast": "autumn", "address": "a@b.jp"}])
    write_now(env, [failed(1), opened(1), planned(5, is_test=True)])
    assert [e["type"] for e in await read_all(api, "&types=failed,opened")] == ["failed", "opened"]
    assert {e["broadcast"] for e in await read_all(api, "&broadcast=spring")} == {"spring"}
    assert not any(e["is_test"] for e in await read_all(api))
    assert [e["is_test"] for e in await read_all(api, "&test=true")].count(True) == 1
    wrong = await api.call("GET", "/v1/events?types=failed,nonsense")
    assert wrong.status == 400 and "`types`" in wrong.json["detail"]


async def test_clicks_say_where_they_led_though_the_log_keeps_that_once(api: Api, env: Environment) -> None:
    write_now(env, [clicked(n, target="https://example.jp/spring") for n in range(1, 6)])
    targets = [e["detail"]["target"] for e in await read_all(api)]
    assert targets == ["https://example.jp/spring"] * 5


async def test_waiting_for_the_next_event(api: Api, env: Environment) -> None:
    after = (await api.call("GET", "/v1/events")).json["next"]
    began = time.monotonic()
    asked = asyncio.create_task(api.call("GET", f"/v1/events?after={after}&wait=20&types=failed"))
    await asyncio.sleep(0.3)
    write_now(env, [planned(1)])  # not this one
    await asyncio.sleep(0.3)
    assert not asked.done()
    write_now(env, [failed(1)])
    page = (await asked).json
    assert [e["type"] for e in page["events"]] == ["failed"]
    assert time.monotonic() - began < 10
    began = time.monotonic()
    page = (await api.call("GET", f"/v1/events?after={page['next']}&wait=1")).json
    assert page["events"] == [] and 0.9 < time.monotonic() - began < 5


async def test_who_waits_is_let_go_when_the_server_stops(api: Api) -> None:
    asked = asyncio.create_task(api.call("GET", "/v1/events?after=0&wait=30"))
    await asyncio.sleep(0.2)
    api.services.outgoing.dispatcher.pulse.end()
    assert (await asyncio.wait_for(asked, 3)).json["events"] == []


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=1001", "wait=31", "types=A", "nonsense=1"])
async def test_what_cannot_be_is_refused(api: Api, query: str) -> None:
    assert (await api.call("GET", f"/v1/events?{query}")).status == 400


async def test_events_are_the_tenants_own(api: Api, env: Environment) -> None:
    api.tokens["ymb_other"] = Identity("other", 2, frozenset(ROLES[Role.ADMIN]))
    write_now(env, [failed(1)])
    page = (await api.call("GET", "/v1/events", token="ymb_other")).json
    assert (page["events"], page["more"]) == ([], False)


def test_every_type_of_fact_is_an_event_or_stays_in_the_house_on_purpose() -> None:
    in_house = {FactType.DOCUMENT_SET, FactType.AUDITED}
    assert {t.name for t in FactType} - {t.name for t in in_house} == {t.name for t in EventType} - {"COMMAND", "ALERT"}
    for kind in ("webhook", "webhook.state", "block", "command.progress"):
        fact = Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, DocumentSet(kind, "x", b"{}"))
        assert type_of(fact) is None
    assert len(DETAILS) == len(FactType)
