"""Forgetting through the API: a wish without an address, retention, and in-session failures shared by mark."""

from __future__ import annotations

import pytest

from console.route import NDJSON
from model.detail import DocumentSet, Report
from model.fact import FactType
from store.environment import Environment
from store.erasure import retentions, wished_erasures
from store.log import scan_log
from tests.console.api import Api


@pytest.mark.row("N14", "P22")
async def test_a_wish_is_written_down_without_the_address(api: Api, env: Environment) -> None:
    number = api.services.keys().recipient_number(1, "taro@example.jp")
    body = {"recipient": "Taro@example.jp", "reason": "asked by letter"}
    answer = await api.call("POST", "/v1/erasures", json=body)
    assert (answer.status, answer.json["recipient"], answer.json["state"]) == (202, f"{number:016x}", "wished")
    assert wished_erasures(env) == [(1, number)]
    assert [row["recipient"] for row in (await api.call("GET", "/v1/erasures")).json["erasures"]] == [f"{number:016x}"]
    assert not any(b"taro" in repr(fact).lower().encode() for _, fact in scan_log(env))
    assert (await api.call("GET", "/v1/audit")).json["audit"][0]["action"] == "erasure.wish"
    assert (await api.call("POST", "/v1/erasures", json={"recipient": "no one", "reason": "x"})).status == 400


@pytest.mark.row("K21", "P15")
async def test_retention_is_for_ever_unless_said(api: Api, env: Environment) -> None:
    kinds = ("raw_days", "ip_days", "agent_days", "words_days", "people_days")
    assert (await api.call("GET", "/v1/retention")).json == dict.fromkeys(kinds)
    answer = await api.call("PUT", "/v1/retention", json={"raw_days": 30, "ip_days": 90})
    assert answer.json == dict.fromkeys(kinds) | {"raw_days": 30, "ip_days": 90}
    assert (retentions(env)[1].raw_days, retentions(env)[1].people_days) == (30, None)
    assert (await api.call("PUT", "/v1/retention", json={"raw_days": 0})).status == 400
    assert any(isinstance(f.detail, DocumentSet) for _, f in scan_log(env))


@pytest.mark.row("E39")
async def test_a_refusal_in_session_is_shared_by_those_who_chose_so(api: Api, env: Environment) -> None:
    row = (
        b'{"broadcast": "b1", "address": "taro@example.jp", "outcome": "failed", '
        b'"reply": "550 5.1.1 <taro@example.jp>: User unknown", "id": "%d"}\n'
    )
    await api.sends([{"broadcast": "b1", "address": "taro@example.jp"}])
    await api.call("POST", "/v1/attempts", data=row % 1, **{"Content-Type": NDJSON})
    await api.call("PUT", "/v1/policy", json={"share_bounces": True})
    await api.call("POST", "/v1/attempts", data=row % 2, **{"Content-Type": NDJSON})
    marks = [f.detail.global_mark for _, f in scan_log(env) if isinstance(f.detail, Report)]
    assert marks == [None, api.services.keys().global_mark("taro@example.jp")]
    assert any(f.type is FactType.FAILED for _, f in scan_log(env))
    shown = (await api.call("GET", "/v1/recipients?address=taro@example.jp")).text
    assert "550 5.1.1" in shown and "global_mark" not in shown, "the mark is shown to nobody"
