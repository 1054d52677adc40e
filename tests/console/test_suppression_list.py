"""The suppression list through the API: filters, provenance, lifting, policy, and the changes a copy is kept by."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from console.identity import ROLES, Identity, Role
from console.services import Services
from model.cause import Cause
from model.detail import Agent, Report
from model.fact import Fact, FactType
from store.environment import Environment
from store.writer import write_now
from tests.console.api import Api
from tests.store.world import (
    DAY,
    HOUR,
    SECOND,
    T0_US,
    clicked,
    complained,
    described,
    failed,
    opened,
    planned,
    report,
    unsubscribed,
)

BOUNCE = "Blacklist: Bounce (worker:address in bounce list)"
NOW_US = T0_US + 10 * DAY


def at_noon(api: Api, now_us: int = NOW_US) -> None:
    """Let the server believe that it is a certain time."""
    object.__setattr__(api.services, "now_us", lambda: now_us)
    assert isinstance(api.services, Services)


async def rows(api: Api, query: str = "") -> list[Any]:
    answer = await api.call("GET", f"/v1/suppressions{query}")
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json["suppressions"]
    return found


@pytest.mark.row("E31", "E35", "E38", "N15")
async def test_the_list_is_narrowed_and_says_why(api: Api, env: Environment) -> None:
    at_noon(api)
    number = api.services.keys().recipient_number(1, "taro@example.jp")
    bounce = failed(number, 1, at=T0_US + DAY)
    assert isinstance(bounce.detail, Report)
    bounce = replace(bounce, detail=replace(bounce.detail, rule="gmail.unknown", rules_version="abc"))
    write_now(env, [described(1, stream="news"), planned(number, 1, address="taro@example.jp"), bounce])
    write_now(env, [planned(2, 1, address="b@example.com"), complained(2, 1, at=T0_US + 2 * DAY)])
    write_now(env, [planned(3, 1, address="c@example.com"), unsubscribed(3, 1, at=T0_US + 3 * DAY)])
    assert {row["kind"] for row in await rows(api)} == {"bounce", "complaint", "unsubscribe"}
    (spam,) = await rows(api, "?kind=complaint")
    assert spam["because"]["reason"] == "abuse", "E31 has the reason in its list"
    (row,) = await rows(api, "?kind=bounce")
    assert row["because"] == {
        "type": "failed", "at": "2026-04-02T00:00:00Z", "broadcast": "b1", "diagnostic": "no such user",
        "status": "5.1.1", "rule": "gmail.unknown", "rules_version": "abc", "reason": None,
    }  # fmt: skip
    assert (row["address"], row["domain"], row["detail"], row["failures"]) == (
        "taro@example.jp", "example.jp", BOUNCE, 1,
    )  # fmt: skip
    assert (row["expires_at"], row["holds_again_at"]) == ("2026-05-02T00:00:00Z", "2027-04-02T00:00:00Z")
    assert [r["kind"] for r in await rows(api, "?domain=example.com")] == ["complaint", "unsubscribe"]
    assert [r["kind"] for r in await rows(api, f"?address={quote('TARO@example.jp')}")] == ["bounce"]
    assert await rows(api, "?address=nobody@example.jp") == []
    span = "?from=2026-04-03T00:00:00Z&to=2026-04-04T00:00:00Z"
    assert [r["kind"] for r in await rows(api, span)] == ["complaint"]
    assert (await api.call("GET", "/v1/suppressions?from=yesterday")).status == 400


@pytest.mark.row("R23")
async def test_pages_of_fifty(api: Api, env: Environment) -> None:
    at_noon(api)
    write_now(env, [failed(n, at=T0_US + n * HOUR, address=f"r{n}@example.jp") for n in range(1, 104)])
    seen: list[str] = []
    after, sizes = "", []
    while True:
        page = (await api.call("GET", f"/v1/suppressions{after}")).json
        sizes.append(len(page["suppressions"]))
        seen += [row["recipient"] for row in page["suppressions"]]
        if page["next"] is None:
            break
        after = f"?after={page['next']}"
    assert sizes == [50, 50, 3] and len(set(seen)) == 103


@pytest.mark.row("E35")
async def test_several_are_lifted_at_once_with_a_reason(api: Api, env: Environment) -> None:
    at_noon(api)
    write_now(env, [failed(1), failed(2), complained(2)])
    one, two, three = (f"{n:016x}" for n in (1, 2, 3))
    entries = [{"recipient": one, "kind": "bounce"}, {"recipient": two, "kind": "complaint"},
               {"recipient": three, "kind": "bounce"}]  # fmt: skip
    assert (await api.call("POST", "/v1/suppressions/release", json={"entries": entries})).status == 400
    answer = await api.call("POST", "/v1/suppressions/release", json={"entries": entries, "reason": "asked"})
    assert answer.json == {"released": 2, "missing": [entries[2]]}
    assert [(row["recipient"], row["kind"]) for row in await rows(api)] == [(two, "bounce")]
    deeds = (await api.call("GET", "/v1/audit")).json["audit"]
    assert {deed["target"] for deed in deeds} == {f"recipient:{one}:bounce", f"recipient:{two}:complaint"}
    assert all(deed["actor"] == "admin" and "asked" in deed["note"] for deed in deeds)


@pytest.mark.row("K29", "X5", "X10")
async def test_a_bounce_keeps_out_of_its_own_project_where_kartes_rule_is_chosen(api: Api, env: Environment) -> None:
    """Campaign A fails; B of the same project does not count the user again; another project mails as before."""
    chosen = (await api.call("PUT", "/v1/policy", json={"profile": "karte"})).json
    assert chosen["profile"] == "karte" and chosen["scopes"]["bounce"].startswith("stream: ")
    for broadcast, stream in (("a", "news"), ("b", "news"), ("c", "shop")):
        await api.call("PUT", f"/v1/broadcasts/{broadcast}", json={"stream": stream, "format": "html"})
    person = {"address": "taro@example.jp"}
    mail = (await api.sends([{"broadcast": "a", **person}])).lines[0]
    number = int((await api.call("GET", "/v1/broadcasts/a")).json["number"], 16)
    write_now(env, [failed(int(mail["recipient"], 16), number, at=api.services.now_us())])
    held, other = (await api.sends([{"broadcast": name, **person} for name in ("b", "c")])).lines
    assert (held["excluded"], held["detail"]) == ("bounce", BOUNCE) and "return_path" in other
    fails = {
        name: {figure["id"]: figure["value"] for section in view["sections"] for figure in section["figures"]}[
            "fail_count"
        ]
        for name in ("a", "b")
        for view in [(await api.call("GET", f"/v1/broadcasts/{name}/report?profile=karte")).json["view"]]
    }
    assert fails == {"a": 1, "b": 0}
    (row,) = await rows(api)
    assert (row["kind"], row["because"]["broadcast"], row["expires_at"]) == ("bounce", "a", None)
    lifted = await api.call("DELETE", f"/v1/suppressions/{row['recipient']}/bounce?reason=new+mailbox")
    assert lifted.status == 204 and await rows(api) == []


@pytest.mark.row("X5", "X10", "S31", "S21")
async def test_the_policy_decides_what_counts(api: Api, env: Environment) -> None:
    at_noon(api)
    start = (await api.call("GET", "/v1/policy")).json
    assert (start["profile"], start["sender_guard"], start["breaker"], start["share_bounces"]) == (
        "native", True, True, False,
    )  # fmt: skip
    assert set(start["scopes"]) == {"unsubscribe", "complaint", "block", "bounce", "soft"}
    number = api.services.keys().recipient_number(1, "taro@example.jp")
    write_now(env, [planned(number, address="taro@example.jp"), failed(number, at=T0_US - 100 * DAY)])
    asked = {"addresses": ["taro@example.jp"]}
    assert (await api.call("POST", "/v1/preflight", json=asked)).json["results"][0]["allowed"]
    answer = await api.call("PUT", "/v1/policy", json={"profile": "sansan"})
    assert answer.json["profile"] == "sansan" and answer.json["sender_guard"] is True
    told = (await api.call("POST", "/v1/preflight", json=asked)).json["results"][0]
    assert (told["excluded"], told["detail"], told["expires_at"]) == ("bounce", BOUNCE, None)
    sent = (await api.sends([{"broadcast": "b2", "address": "taro@example.jp"}])).lines[0]
    assert (sent["excluded"], sent["detail"]) == ("bounce", BOUNCE)
    path = f"/v1/suppressions/{number:016x}/bounce?reason=new+mailbox"
    assert (await api.call("DELETE", path)).status == 204
    assert (await api.call("POST", "/v1/preflight", json=asked)).json["results"][0]["allowed"]
    await api.call("PUT", "/v1/policy", json={"profile": "engagelab"})
    write_now(env, [failed(number, 7, at=api.services.now_us() + SECOND)])
    told = (await api.call("POST", "/v1/preflight", json=asked)).json["results"][0]
    assert (told["excluded"], told["expires_at"][:7]) == ("bounce", "2026-05"), "thirty days: the lifted one counts not"
    assert (await api.call("PUT", "/v1/policy", json={"profile": "relation"})).status == 400
    assert [deed["action"] for deed in (await api.call("GET", "/v1/audit")).json["audit"]][-1] == "policy.put"


async def test_changes_of_the_policy_that_come_together_all_hold(api: Api) -> None:
    changes: list[dict[str, object]] = [
        {"profile": "sansan"},
        {"sender_guard": False},
        {"breaker": False},
        {"pause_senders": False},
    ]
    await asyncio.gather(*(api.call("PUT", "/v1/policy", json=change) for change in changes))
    policy = (await api.call("GET", "/v1/policy")).json
    assert [{name: policy[name] for name in change} for change in changes] == changes


@pytest.mark.row("B02", "E13")
async def test_a_role_address_is_the_last_reason(api: Api, env: Environment) -> None:
    at_noon(api)
    number = api.services.keys().recipient_number(1, "info@example.jp")
    asked = {"addresses": ["info@example.jp", "no address"]}
    told = (await api.call("POST", "/v1/preflight", json=asked)).json["results"]
    assert [row["excluded"] for row in told] == ["role", "syntax"]
    write_now(env, [unsubscribed(number, everything=True)])
    told = (await api.call("POST", "/v1/preflight", json=asked)).json["results"]
    assert (told[0]["excluded"], told[0]["detail"]) == ("unsubscribe", "購読解除")
    sent = (await api.sends([{"broadcast": "b2", "address": "info@example.jp"}])).lines[0]
    assert sent["excluded"] == "unsubscribe"


# The changes


class Copy:
    """A sender that keeps a copy of the list by the feed alone."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.since = "0"
        self.entries: dict[str, list[Any]] = {}
        self.blocks: dict[str, Any] = {}
        self.resyncs = self.calls = 0
        self.held: set[str] = set()

    async def follow(self) -> None:
        more = True
        while more:
            answer = (await self.api.call("GET", f"/v1/suppressions/changes?since={self.since}")).json
            self.calls += 1
            for row in answer["recipients"]:
                self.entries[row["recipient"]] = row["entries"]
            for row in answer["blocks"]:
                if row["deleted"]:
                    self.blocks.pop(row["id"], None)
                else:
                    self.blocks[row["id"]] = row["block"]
            self.resyncs += answer["resync"]
            self.held |= set(answer["held_domains"])
            self.since, more = answer["next"], answer["more"]

    def kinds(self) -> dict[str, list[str]]:
        return {key: [e["kind"] for e in entries] for key, entries in self.entries.items() if entries}


@pytest.mark.row("N15")
async def test_a_copy_sees_what_is_added_lifted_and_added_again(api: Api, env: Environment) -> None:
    at_noon(api)
    copy = Copy(api)
    one, two = f"{1:016x}", f"{2:016x}"
    write_now(env, [described(1, stream="news"), planned(1, 1), failed(1, 1), complained(2, 1), opened(3, 1)])
    await copy.follow()
    assert copy.kinds() == {one: ["bounce"], two: ["complaint"]}
    assert set(copy.entries) == {one, two}, "who only opened is not told"
    entry = copy.entries[one][0]
    assert (entry["expires_at"], entry["detail"]) == ("2026-05-01T00:00:00Z", BOUNCE)
    write_now(env, [report(FactType.ACCEPTED, 1, 2, at=T0_US + DAY)])
    await copy.follow()
    assert copy.kinds() == {two: ["complaint"]}
    write_now(env, [failed(1, 3, at=T0_US + 2 * DAY), unsubscribed(2, 1, at=T0_US + 2 * DAY)])
    await copy.follow()
    assert copy.kinds() == {one: ["bounce"], two: ["unsubscribe", "complaint"]}
    assert copy.entries[two][0]["stream"] == "news"
    # A sign of life, and the machine that it turns out to be.
    write_now(env, [clicked(1, 4, at=T0_US + 3 * DAY, links=9)])
    await copy.follow()
    assert one not in copy.kinds()
    write_now(env, [clicked(1, 4, at=T0_US + 3 * DAY + SECOND, link=9, links=9, agent=Agent.HONEYPOT)])
    await copy.follow()
    assert copy.kinds()[one] == ["bounce"]
    answer = await api.call("DELETE", f"/v1/suppressions/{one}/bounce?reason=telephone")
    assert answer.status == 204
    await copy.follow()
    assert one not in copy.kinds()
    before = copy.calls
    await copy.follow()
    assert copy.calls == before + 1


@pytest.mark.row("N15")
async def test_a_copy_sees_blocks_exemptions_and_a_new_policy(api: Api, env: Environment) -> None:
    at_noon(api)
    copy = Copy(api)
    write_now(env, [failed(1, 1)])
    block = {"kind": "domain", "value": "*.example.com"}
    assert (await api.call("POST", "/v1/blocks", json=block)).status == 201
    assert (await api.call("PUT", f"/v1/exemptions/{1:016x}", json={"reason": "vip"})).status == 201
    await copy.follow()
    assert copy.blocks["domain:*.example.com"]["value"] == "*.example.com"
    assert copy.kinds() == {} and copy.resyncs == 0
    assert (await api.call("DELETE", "/v1/blocks/domain:*.example.com?reason=x")).status == 204
    assert (await api.call("DELETE", f"/v1/exemptions/{1:016x}?reason=x")).status == 204
    await copy.follow()
    assert copy.blocks == {} and list(copy.kinds()) == [f"{1:016x}"]
    await api.call("PUT", "/v1/policy", json={"profile": "sansan"})
    await copy.follow()
    assert copy.resyncs == 1


@pytest.mark.row("T21")
async def test_the_feed_begins_where_the_list_stands_and_shows_no_other_tenant(api: Api, env: Environment) -> None:
    at_noon(api)
    write_now(env, [failed(1, 1)])
    start = (await api.call("GET", "/v1/suppressions/changes")).json
    assert start["recipients"] == [] and start["next"] == "1"
    for n in range(2, 5):
        fact = failed(n, 1)
        write_now(env, [replace(fact, key=fact.key._replace(tenant=2))])
    found = (await api.call("GET", "/v1/suppressions/changes?since=1")).json
    assert (found["recipients"], found["next"]) == ([], "4")
    api.tokens["ymb_two"] = Identity("two", 2, frozenset(ROLES[Role.SENDER]))
    found = (await api.call("GET", "/v1/suppressions/changes?since=0", token="ymb_two")).json
    assert len(found["recipients"]) == 3
    assert (await api.call("GET", "/v1/suppressions/changes?since=99")).status == 400
    assert (await api.call("GET", "/v1/suppressions/changes?since=x")).status == 400


@pytest.mark.row("N15", "S26")
async def test_a_long_feed_comes_in_parts_and_tells_of_floods(api: Api, env: Environment) -> None:
    at_noon(api)
    facts: list[Fact] = [planned(n, 1, address=f"r{n}@example.jp") for n in range(1, 2_501)]
    facts += [failed(n, 1, at=T0_US + n * HOUR // 100) for n in range(1, 2_501)]
    write_now(env, facts)
    copy = Copy(api)
    await copy.follow()
    assert copy.calls > 1 and len(copy.entries) == 2_500
    assert copy.held == set() or len(copy.kinds()) < 2_500
    write_now(env, [failed(n, 2, at=T0_US + 3 * DAY, cause=Cause.USER_UNKNOWN, address=f"r{n}@big.example")
                    for n in range(5_000, 5_200)])  # fmt: skip
    await copy.follow()
    assert copy.held >= {"big.example"}
    assert not any(key in copy.kinds() for key in (f"{n:016x}" for n in range(5_000, 5_200)))
