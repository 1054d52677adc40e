"""Webhooks through the API, with the real dispatcher and real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from console.identity import ROLES, Identity, Role
from console.outgoing.dispatcher import load
from console.outgoing.signature import verify
from store.writer import write_now
from tests.console.api import Api
from tests.console.outgoing.world import Receiver
from tests.store.world import failed, planned


async def until(condition: Callable[[], Any], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def make(api: Api, url: str, **fields: Any) -> dict[str, Any]:
    answer = await api.call("POST", "/v1/webhooks", json={"url": url, **fields})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


@pytest.mark.row("N23")
@pytest.mark.row("P17")
@pytest.mark.row("B13")
async def test_from_making_to_delivery(api: Api, hook: Receiver) -> None:
    await api.sends([{"broadcast": "spring", "address": "before@example.jp"}])
    made = await make(api, hook.url, events=["planned", "failed"], description="crm")
    identity = made["webhook"]["id"]
    await api.sends([{"broadcast": "spring", "address": "taro@example.jp"}])
    await until(lambda: hook.got)
    (got,) = hook.got  # what was before it was made is not sent
    assert got.data["broadcast"] == "spring"
    assert got.data["detail"]["address"] == "taro@example.jp"
    verify([made["secret"]], got.headers, got.body, time.time())
    await until(lambda: api.services.outgoing.dispatcher.couriers(1)[0].state.cursor > 1)
    shown = (await api.call("GET", f"/v1/webhooks/{identity}")).json
    assert (shown["standing"], shown["last_status"], shown["waiting"]) == ("active", 204, 0)
    attempts = (await api.call("GET", f"/v1/webhooks/{identity}/attempts")).json["attempts"]
    assert [(a["id"], a["status"]) for a in attempts] == [(got.id, 204)]
    assert (await api.call("DELETE", f"/v1/webhooks/{identity}")).status == 204
    await api.sends([{"broadcast": "spring", "address": "after@example.jp"}])
    await asyncio.sleep(0.6)
    assert len(hook.got) == 1
    assert (await api.call("GET", f"/v1/webhooks/{identity}")).status == 404
    assert (await api.call("GET", "/v1/webhooks")).json == {"webhooks": []}
    deeds = (await api.call("GET", "/v1/audit")).json["audit"]
    assert [(deed["actor"], deed["action"]) for deed in deeds] == [
        ("admin", "webhook.delete"),
        ("admin", "webhook.make"),
    ]
    assert deeds[1]["target"] == hook.url.removesuffix("/hook")


async def test_the_secret_is_shown_once(api: Api, hook: Receiver) -> None:
    made = await make(api, hook.url)
    identity = made["webhook"]["id"]
    renewed = (await api.call("POST", f"/v1/webhooks/{identity}/secret")).json
    assert renewed["secret"] != made["secret"]
    for method, path in (
        ("GET", f"/v1/webhooks/{identity}"), ("GET", "/v1/webhooks"), ("GET", f"/v1/webhooks/{identity}/attempts"),
        ("GET", "/v1/events"), ("POST", f"/v1/webhooks/{identity}/enable"), ("POST", f"/v1/webhooks/{identity}/test"),
    ):  # fmt: skip
        assert "whsec_" not in (await api.call(method, path)).text, path
    (test,) = hook.got
    for secret in (made["secret"], renewed["secret"]):
        verify([secret], test.headers, test.body, time.time())
    assert test.type == "test" and test.data["is_test"]


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "http://example.com/", "https://[::1]/", "https://localhost/", "https://u:p@example.com/"]
)  # fmt: skip
async def test_a_url_that_leads_inwards_is_refused_with_a_reason(api: Api, url: str) -> None:
    answer = await api.call("POST", "/v1/webhooks", json={"url": url.replace("localhost", "127.0.0.1.invalid")})
    assert answer.status == 422
    assert answer.json["detail"].startswith("`url`:")
    assert (await api.call("GET", "/v1/webhooks")).json == {"webhooks": []}


async def test_what_the_receiver_wrote_is_never_shown(api: Api, hook: Receiver) -> None:
    hook.answer = lambda _: web.Response(status=500, text="secret words", reason="Secret Words")
    identity = (await make(api, hook.url, from_seq=0))["webhook"]["id"]
    tested = await api.call("POST", f"/v1/webhooks/{identity}/test")
    assert tested.json["delivered"] is False and tested.json["status"] == 500
    await api.sends([{"broadcast": "spring", "address": "taro@example.jp"}])
    await until(lambda: len(hook.tried) >= 2)
    await until(lambda: api.services.outgoing.dispatcher.couriers(1)[0].state.head)
    shown = await api.call("GET", f"/v1/webhooks/{identity}")
    assert shown.json["standing"] == "failing" and shown.json["last_problem"] == "answered 500"
    for text in (tested.text, shown.text, (await api.call("GET", f"/v1/webhooks/{identity}/attempts")).text):
        assert "ecret" not in text


@pytest.mark.row("T07")
async def test_dead_letters_are_listed_and_replayed(api: Api, hook: Receiver) -> None:
    made = await make(api, hook.url, from_seq=0)
    identity = made["webhook"]["id"]
    hook.answer = lambda _: None
    write_now(api.services.reader._env, [planned(1), planned(2)])
    outgoing = api.services.outgoing
    courier = outgoing.dispatcher.couriers(1)[0]
    await until(lambda: courier.state.head is not None)
    trial = courier.state.head
    assert trial is not None
    async with courier._lock:
        await courier._bury(trial)
    dead = (await api.call("GET", f"/v1/webhooks/{identity}/dead")).json
    assert [row["seq"] for row in dead["dead"]] == [trial.seq] and dead["next"] is None
    assert dead["dead"][0]["last_problem"] == "the connection broke"
    hook.answer = lambda _: web.Response(status=204)
    assert (await api.call("POST", f"/v1/webhooks/{identity}/replay", json={})).status == 200
    await until(lambda: trial.seq in hook.seqs)
    await until(lambda: outgoing.endpoints.dead(courier, after=-1, limit=9) == [])
    again = await api.call("POST", f"/v1/webhooks/{identity}/replay", json={"from_seq": 1})
    assert again.status == 200
    await until(lambda: len(hook.got) >= 3)
    assert hook.got[0].id == hook.got[1].id


async def test_a_replay_from_beyond_the_end_skips_nothing(api: Api, hook: Receiver) -> None:
    identity = (await make(api, hook.url, from_seq=2**53 - 1))["webhook"]["id"]
    await api.call("POST", f"/v1/webhooks/{identity}/replay", json={"from_seq": 2**53 - 1})
    write_now(api.services.reader._env, [planned(1)])
    await until(lambda: hook.got)


async def test_endpoints_and_cursors_are_there_after_a_new_start(api: Api, hook: Receiver) -> None:
    made = await make(api, hook.url, events=["planned"], broadcast="spring")
    await api.call("POST", f"/v1/webhooks/{made['webhook']['id']}/secret")
    courier = api.services.outgoing.dispatcher.couriers(1)[0]
    ((tenant, endpoint, state),) = load(courier._means.documents)
    assert (tenant, endpoint) == (1, courier.endpoint)
    assert state.cursor <= courier.state.cursor  # what was passed over unsent is passed over again
    assert len(endpoint.secrets) == 2


async def test_webhooks_are_the_tenants_own(api: Api, hook: Receiver) -> None:
    api.tokens["ymb_other"] = Identity("other", 2, frozenset(ROLES[Role.ADMIN]))
    identity = (await make(api, hook.url))["webhook"]["id"]
    assert (await api.call("GET", "/v1/webhooks", token="ymb_other")).json == {"webhooks": []}
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/dead"), ("POST", "/test"), ("POST", "/secret")):
        assert (await api.call(method, f"/v1/webhooks/{identity}{rest}", token="ymb_other")).status == 404
    write_now(api.services.reader._env, [failed(1)])
    await until(lambda: hook.got)
    await make_other(api, hook)
    assert all(got.data["id"] != "" for got in hook.got)


async def make_other(api: Api, hook: Receiver) -> None:
    """Another tenant's endpoint gets nothing of the first's."""
    before = len(hook.got)
    answer = await api.call("POST", "/v1/webhooks", token="ymb_other", json={"url": hook.url, "from_seq": 0})
    assert answer.status == 201
    await asyncio.sleep(0.6)
    assert len(hook.got) == before


async def test_fifty_and_no_more(api: Api, hook: Receiver) -> None:
    for _ in range(50):
        await make(api, hook.url)
    answer = await api.call("POST", "/v1/webhooks", json={"url": hook.url})
    assert answer.status == 422 and "50 webhooks" in answer.json["detail"]
