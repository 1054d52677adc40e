"""Incidents through the API: floods seen, taken for true, undone, and whom to mail again (S26, N04, W15, W16)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from model.cause import Cause, Channel, Permanence
from model.fact import Fact
from model.keyring import KeyRing
from store import writer
from store.environment import Environment
from store.gate import Candidate
from store.writer import write_now
from tests.console.api import Api, running_api
from tests.store.world import DAY, HOUR, SECOND, T0_US, complained, described, failed, planned, unsubscribed

#: A little before the end of a span of ten minutes, so that what follows lies in two.
AT = T0_US + 570 * SECOND


def at_noon(api: Api, now_us: int) -> None:
    object.__setattr__(api.services, "now_us", lambda: now_us)


def blocklisted(recipients: range, *, at: int = AT, broadcast: int = 1) -> list[Fact]:
    """W15: "550 5.7.1 blocked using zen.spamhaus.org", at several domains, within a minute."""
    return [
        failed(
            n, broadcast, at=at + n * SECOND // 7, cause=Cause.IP_BLOCKLISTED, channel=Channel.IN_SESSION,
            permanence=Permanence.PERMANENT, address=f"r{n}@d{n % 3}.example",
        )
        for n in recipients
    ]  # fmt: skip


def world(env: Environment, recipients: range) -> None:
    write_now(
        env, [described(1, stream="news"), *(planned(n, 1, address=f"r{n}@d{n % 3}.example") for n in recipients)]
    )


async def incidents(api: Api) -> list[Any]:
    found: list[Any] = (await api.call("GET", "/v1/incidents")).json["incidents"]
    return found


def suppressed(api: Api, recipients: range, at: int, domain: str = "", stream: str = "news") -> int:
    asked = [Candidate(n, domain) for n in recipients]
    return sum(denial is not None for denial in api.services.reader.preflight(1, asked, stream, at))


def all_listed(api: Api, at: int) -> set[int]:
    """Everybody of big.example on the list that holds, page by page."""
    found: set[int] = set()
    after = None
    while True:
        page = api.services.reader.suppressions(1, now_us=at, domain="big.example", after=after, limit=5_000)
        found |= {row.recipient for row in page.rows}
        after = page.after
        if after is None:
            return found


@pytest.mark.row("W15", "N03", "T04")
async def test_w15_a_block_list_suppresses_nobody_and_is_one_incident(api: Api, env: Environment) -> None:
    people = range(1, 401)
    world(env, people)
    write_now(env, blocklisted(people))
    at_noon(api, AT + HOUR)
    report_ = (await api.call("GET", f"/v1/broadcasts/~{1:012x}/report")).json["numbers"]
    assert report_["undelivered"] == 400 and report_["sansan"]["rejected"] == 400
    assert suppressed(api, people, AT + HOUR) == 0
    (incident,) = await incidents(api)
    assert (incident["kind"], incident["domain"], incident["failures"], incident["broadcasts"]) == (
        "sender", None, 400, 1,
    )  # fmt: skip
    assert (incident["state"], incident["held"]) == ("open", False)


@pytest.mark.row("W16", "N04")
async def test_w16_the_literal_rule_is_undone_in_bulk(api: Api, env: Environment) -> None:
    people = range(1, 401)
    world(env, people)
    write_now(env, [failed(1, 2, at=AT - 40 * DAY, cause=Cause.USER_UNKNOWN, address="r1@d1.example")])
    write_now(env, [unsubscribed(2, 1, at=AT)])
    write_now(env, blocklisted(people))
    at_noon(api, AT + HOUR)
    await api.call("PUT", "/v1/policy", json={"profile": "sansan", "sender_guard": False})
    assert suppressed(api, people, AT + HOUR) == 400
    (incident,) = await incidents(api)
    path = f"/v1/incidents/{incident['id']}"
    answer = await api.call("POST", f"{path}/undo", json={"reason": "our own address was listed"})
    assert answer.json == {"failures": 400, "released": 400}
    assert suppressed(api, people, AT + HOUR) == 2, "one failed before on its own account, one unsubscribed"
    lines = (await api.call("GET", f"{path}/resend")).lines
    assert len(lines) == 400 == len({line["recipient"] for line in lines})
    assert {line["address"] for line in lines} == {f"r{n}@d{n % 3}.example" for n in people}
    assert {line["recipient"]: line["excluded"] for line in lines if line["excluded"]} == {
        f"{1:016x}": "bounce", f"{2:016x}": "unsubscribe",
    }  # fmt: skip
    assert [incident["state"] for incident in await incidents(api)] == ["undone"]
    deed = (await api.call("GET", "/v1/audit")).json["audit"][0]
    assert deed["action"] == "incident.undone" and json.loads(deed["note"])["released"] == 400
    again = await api.call("POST", f"{path}/undo", json={"reason": "again"})
    assert again.json["failures"] == 400, "done again it changes nothing"
    assert suppressed(api, people, AT + HOUR) == 2


@pytest.mark.row("N04")
async def test_a_part_of_an_incident_is_undone(api: Api, env: Environment) -> None:
    people = range(1, 401)
    world(env, people)
    write_now(env, blocklisted(people))
    at_noon(api, AT + HOUR)
    await api.call("PUT", "/v1/policy", json={"profile": "sansan", "sender_guard": False})
    (incident,) = await incidents(api)
    path = f"/v1/incidents/{incident['id']}/undo"
    one = await api.call("POST", path, json={"reason": "x", "domain": "d0.example"})
    assert one.json == {"failures": 133, "released": 133}
    none = await api.call("POST", path, json={"reason": "x", "cause": "auth_failed"})
    assert none.json == {"failures": 0, "released": 0}
    assert suppressed(api, people, AT + HOUR) == 267
    half = {"reason": "x", "from": "2026-04-01T00:00:00Z", "to": "2026-04-01T00:10:00Z"}
    found = (await api.call("POST", path, json=half)).json
    assert 0 < found["failures"] < 400
    assert (await incidents(api))[0]["state"] == "open"
    assert (await api.call("POST", path, json={"domain": "d0.example"})).status == 400, "without a reason"
    assert (await api.call("POST", "/v1/incidents/hard.1.example.jp/undo", json={"reason": "x"})).status == 404


@pytest.mark.timeout(900)
@pytest.mark.row("S26", "N04")
async def test_a_flood_of_false_answers_of_one_domain(
    tmp_path: Path, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S26: at most 500 suppressed before the breaker, undo restores all, other domains unaffected."""
    monkeypatch.setattr(writer, "STALL_S", 60.0)  # thousands are undone at once, on a machine that others may use
    monkeypatch.setattr(writer, "_MAX_WAIT_S", 60.0)
    env = Environment(tmp_path / "data", map_size=512 * 2**20)
    try:
        async with running_api(env, keys) as api:
            await _replay_a_flood(api, env)
    finally:
        env.close()


async def _replay_a_flood(api: Api, env: Environment) -> None:
    # TEST_TORTURE=1 takes S26's own number; a tenth of it goes through the same spans and states.
    count, at = 50_000 if os.environ.get("TEST_TORTURE") == "1" else 5_000, T0_US + DAY
    apart_us = 900_000_000 // count
    others = range(900_001, 900_101)
    write_now(env, [described(1, stream="news")])
    true = [7, 8, 9]
    write_now(env, [failed(n, 5, at=at - 2 * DAY, address=f"r{n}@big.example") for n in true])
    for start in range(1, count + 1, 5_000):
        write_now(env, [planned(n, 1, at=at, address=f"r{n}@big.example") for n in range(start, start + 5_000)])
    write_now(env, [planned(n, 1, at=at, address=f"r{n}@other.example") for n in others])
    write_now(env, [failed(n, 1, at=at + n, address=f"r{n}@other.example") for n in list(others)[:20]])
    most = 0
    together = min(500, count // 20)
    for start in range(1, count + 1, together):
        batch = range(start, start + together)
        # Over a quarter of an hour, so that the flood lies in more than one span.
        write_now(env, [failed(n, 1, at=at + n * apart_us, address=f"r{n}@big.example") for n in batch])
        if start < 2_000 or start == count // 2 + 1:
            most = max(most, suppressed(api, range(1, start + together), at + HOUR))
    print("suppressed before the breaker, at most:", most)
    assert 3 < most <= 500
    at_noon(api, at + HOUR)
    sample = range(1, count + 1, 50)
    assert all_listed(api, at + HOUR) == set(true), "held back, but for who had failed before"
    assert suppressed(api, others, at + HOUR) == 20
    (incident,) = await incidents(api)
    assert (incident["kind"], incident["domain"], incident["held"]) == ("hard", "big.example", True)
    assert incident["failures"] == count
    path = f"/v1/incidents/{incident['id']}"
    confirmed = await api.call("POST", f"{path}/confirm", json={"reason": "they say so"})
    assert (confirmed.json["state"], confirmed.json["held"]) == ("confirmed", False)
    assert suppressed(api, sample, at + HOUR) == len(sample)
    answer = await api.call("POST", f"{path}/undo", json={"reason": "their outage"})
    assert answer.json == {"failures": count, "released": count}
    await api.call("PUT", "/v1/policy", json={"breaker": False})
    assert all_listed(api, at + HOUR) == set(true), "undone for good, breaker or none"
    assert suppressed(api, others, at + HOUR) == 20


@pytest.mark.row("S26")
async def test_the_resend_list_says_who_complained_meanwhile(api: Api, env: Environment) -> None:
    people = range(1, 401)
    world(env, people)
    write_now(env, blocklisted(people))
    write_now(env, [complained(6, 1, at=AT + HOUR)])
    at_noon(api, AT + 2 * HOUR)
    (incident,) = await incidents(api)
    lines = (await api.call("GET", f"/v1/incidents/{incident['id']}/resend")).lines
    assert {line["recipient"]: line["excluded"] for line in lines if line["excluded"]} == {f"{6:016x}": "complaint"}
    assert all(line["broadcast"] == "b1" and line["cause"] == "ip_blocklisted" for line in lines)
