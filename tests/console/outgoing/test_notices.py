"""Notices: each kind by its own checkbox, by broadcast; a feed of when, who, what (B12, B16)."""

from __future__ import annotations

from typing import Any

import pytest

from console.outgoing.notices import NoticeOf, Notices, Wish
from model.detail import Agent
from store.environment import Environment
from store.reader import Reader
from store.writer import write_now
from tests.console.api import Api
from tests.console.outgoing.world import World
from tests.store.world import T0_US, clicked, failed, opened, planned, unsubscribed


async def feed(api: Api, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await api.call("GET", f"/v1/notices/feed{query}")).json["notices"]
    return rows


@pytest.mark.row("B12")
@pytest.mark.row("B16")
async def test_who_did_what_when(api: Api, env: Environment) -> None:
    row = {
        "broadcast": "spring",
        "address": "taro@example.jp",
        "last_name": "山田",
        "first_name": "太郎",
        "company": "例",
    }
    sent = (await api.sends([row, {"broadcast": "autumn", "address": "hanako@example.jp"}])).lines
    spring = int((await api.call("GET", "/v1/broadcasts/spring")).json["number"], 16)
    autumn = int((await api.call("GET", "/v1/broadcasts/autumn")).json["number"], 16)
    taro, hanako = (int(line["recipient"], 16) for line in sent)
    write_now(env, [opened(taro, spring), clicked(taro, spring, at=T0_US + 1, target="https://example.jp/"),
                    opened(hanako, autumn), clicked(hanako, autumn)])  # fmt: skip
    assert await feed(api) == []  # nobody asked for any
    put = await api.call("PUT", "/v1/notices", json={"broadcast": "spring", "notify_on": ["click"]})
    assert put.json == {"broadcast": "spring", "notify_on": ["click"]}
    (notice,) = await feed(api)
    assert notice["what"] == "click" and notice["broadcast"] == "spring" and notice["target"] == "https://example.jp/"
    assert notice["at"].startswith("2026-04-01T00:00:00.000001")
    assert notice["who"] == {
        "recipient": f"{taro:016x}", "address": "taro@example.jp", "name": "山田 太郎", "company": "例",
    }  # fmt: skip
    # Every broadcast by default; one with a wish of its own keeps to it.
    await api.call("PUT", "/v1/notices", json={"notify_on": ["open", "click"]})
    assert [(n["what"], n["broadcast"]) for n in await feed(api)] == [
        ("click", "autumn"), ("open", "autumn"), ("click", "spring"),
    ]  # fmt: skip
    assert (await api.call("GET", "/v1/notices")).json["notices"] == [
        {"broadcast": None, "notify_on": ["open", "click"]}, {"broadcast": "spring", "notify_on": ["click"]},
    ]  # fmt: skip
    await api.call("PUT", "/v1/notices", json={"broadcast": "autumn", "notify_on": []})
    assert [n["broadcast"] for n in await feed(api)] == ["spring"]


async def test_machines_and_test_sends_are_no_news(api: Api, env: Environment) -> None:
    await api.call("PUT", "/v1/notices", json={"notify_on": [what.value for what in NoticeOf]})
    write_now(env, [opened(1, agent=Agent.MACHINE), opened(2, agent=Agent.PREFETCH), opened(3, is_test=True),
                    opened(4, agent=Agent.PROXY), planned(5), failed(6), unsubscribed(7)])  # fmt: skip
    assert [(n["what"], n["who"]["recipient"]) for n in await feed(api)] == [
        ("unsubscribe", f"{7:016x}"), ("bounce", f"{6:016x}"), ("open", f"{4:016x}"),
    ]  # fmt: skip


@pytest.mark.row("B16", "W8")
async def test_a_scanner_that_poses_as_a_person_is_no_news(api: Api, env: Environment) -> None:
    """Each click by itself is a person's; together they are a machine's, as the numbers say. One hours later is not."""
    await api.call("PUT", "/v1/notices", json={"notify_on": ["click"]})
    scan = [clicked(1, link=place, links=12, at=T0_US + place * 100_000) for place in range(1, 13)]
    write_now(env, [planned(1), *scan, clicked(1, link=3, links=12, at=T0_US + 7_200_000_000)])
    (notice,) = await feed(api)
    assert notice["at"].startswith("2026-04-01T02:00:00")


async def test_pages_meet_without_gap_or_overlap(world: World) -> None:
    notices = Notices(world.documents, world.feed, Reader(world.env))
    await notices.wish(1, "*", Wish(0, (NoticeOf.OPEN,)), "test")
    world.add(*(opened(n) if n % 3 else planned(n) for n in range(1, 400)))
    rows, before = [], None
    while True:
        found = await notices.read(1, before, 50)
        rows += [fact.key.recipient for _, fact in found.rows]
        before = found.before
        if before is None:
            break
    assert rows == [n for n in range(399, 0, -1) if n % 3]
