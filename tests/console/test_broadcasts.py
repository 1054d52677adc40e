"""Broadcasts, their reports, lists and cursors."""

from __future__ import annotations

import pytest

from console.labels import LABELS
from model.cause import Cause, Channel, Permanence
from model.detail import (
    Report,
    Trust,
    Unmatched,
)
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from store.report import Report as Numbers
from tests.console.api import Api


async def test_a_broadcast_is_described_changed_and_read(api: Api) -> None:
    first = await api.call(
        "PUT",
        "/v1/broadcasts/Spring_2026-04.a",
        json={"name": "春のご案内", "status": "scheduled", "scheduled_at": "2026-04-01T09:00:00+09:00"},
    )
    assert first.status == 201
    changed = await api.call("PUT", "/v1/broadcasts/Spring_2026-04.a", json={"status": "sent"})
    assert changed.status == 200
    assert changed.json["name"] == "春のご案内"
    assert changed.json["status"] == "sent"
    assert changed.json["scheduled_at"] == "2026-04-01T00:00:00Z"
    assert (await api.call("GET", "/v1/broadcasts/Spring_2026-04.a")).json == changed.json
    assert (await api.call("GET", f"/v1/broadcasts/~{changed.json['number']}")).json == changed.json


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/broadcasts/" + "x" * 65, {}),
        ("/v1/broadcasts/a%20b", {}),
        ("/v1/broadcasts/a%0A", {}),
        ("/v1/broadcasts/~0123456789ab", {}),
        ("/v1/broadcasts/a", {"status": "lost"}),
        ("/v1/broadcasts/a", {"colour": "red"}),
        ("/v1/broadcasts/a", {"name": "x" * 201}),
        ("/v1/broadcasts/a", {"scheduled_at": "2026-04-01T09:00:00"}),
        ("/v1/broadcasts/a?x=1", {}),
        ("/v1/broadcasts/a", []),
    ],
)
async def test_bad_descriptions_are_refused(api: Api, path: str, body: object) -> None:
    answer = await api.call("PUT", path, json=body)
    assert answer.status == 400
    assert answer.json["detail"]


async def test_lists_have_fifty_a_page_and_no_cursor_at_their_end(api: Api) -> None:
    for number in range(51):
        await api.call("PUT", f"/v1/broadcasts/b{number}", json={})
    first = (await api.call("GET", "/v1/broadcasts")).json
    assert len(first["broadcasts"]) == 50
    second = (await api.call("GET", f"/v1/broadcasts?after={first['next']}")).json
    assert second["next"] is None
    ids = [row["id"] for row in first["broadcasts"] + second["broadcasts"]]
    assert ids == [f"b{number}" for number in reversed(range(51))]


@pytest.mark.parametrize("cursor", ["x", "!!", "AAAA", "%00", "a" * 201, "AP__AP__AP__"])
async def test_strange_cursors_do_no_harm(api: Api, cursor: str) -> None:
    assert (await api.call("GET", f"/v1/broadcasts?after={cursor}")).status in (200, 400)
    assert (await api.call("GET", f"/v1/suppressions?after={cursor}")).status in (200, 400)


def failed(api: Api, broadcast: str, recipient: str, tenant: int = 1) -> Fact:
    """A hard bounce."""
    keys = api.services.keys()
    key = DeliveryKey(tenant, keys.broadcast_number(tenant, broadcast), int(recipient, 16))
    detail = Report(
        Channel.OUT_OF_BAND, b"o" * 16, Cause.USER_UNKNOWN, Permanence.PERMANENT, Trust.SUPPRESS, status="5.1.1",
        diagnostic="550 5.1.1 <script>alert(1)</script>",
    )  # fmt: skip
    return Fact(FactType.FAILED, key, api.services.stamp(), detail)


async def test_numbers_are_true_at_once_and_named_in_two_languages(api: Api) -> None:
    rows = [{"broadcast": "spring", "address": f"u{n}@example.jp"} for n in range(3)]
    answers = (await api.sends(rows)).lines
    await api.services.writer.submit([failed(api, "spring", answers[0]["recipient"])])
    report = (await api.call("GET", "/v1/broadcasts/spring/report?lang=ja")).json
    assert report["numbers"]["targeted"] == 3
    assert report["numbers"]["undelivered"] == report["numbers"]["hard"] == 1
    assert report["numbers"]["reached"] == 2
    assert report["numbers"]["rates"]["bounce_rate"] == pytest.approx(1 / 3)
    assert report["labels"]["undelivered"] == "不達"
    english = (await api.call("GET", "/v1/broadcasts/spring/report")).json
    assert english["labels"]["undelivered"] == "Undelivered"
    assert (await api.call("GET", "/v1/broadcasts/spring/report?lang=de")).status == 400
    assert (await api.call("GET", "/v1/broadcasts/nothing/report")).status == 404


async def test_text_mails_have_hyphens(api: Api) -> None:
    await api.call("PUT", "/v1/broadcasts/plain", json={"format": "text"})
    await api.sends([{"broadcast": "plain", "address": "a@example.jp", "format": "text"}])
    numbers = (await api.call("GET", "/v1/broadcasts/plain/report")).json["numbers"]
    assert numbers["opened_users"] is None
    assert numbers["unopened"] is None


def test_every_number_has_a_label_in_both_languages() -> None:
    names = set(Numbers.__dataclass_fields__)
    assert names <= set(LABELS)
    assert all(japanese and english for japanese, english in LABELS.values())


async def test_a_timeline_tells_what_happened(api: Api) -> None:
    row = (await api.sends([{"broadcast": "spring", "address": "Taro@Example.JP", "last_name": "山田"}])).lines[0]
    await api.services.writer.submit([failed(api, "spring", row["recipient"])])
    path = f"/v1/broadcasts/spring/recipients/{row['recipient']}"
    answer = await api.call("GET", path)
    delivery = answer.json
    assert delivery["state"] == "undelivered"
    assert delivery["cause"] == "user_unknown"
    assert delivery["address"] == "Taro@Example.JP"
    assert [event["type"] for event in delivery["events"]] == ["planned", "failed"]
    assert delivery["events"][0]["detail"]["last_name"] == "山田"
    assert "origin" not in delivery["events"][1]["detail"]
    # JSON with nosniff: markup in what a server said is data.
    assert answer.headers["Content-Type"].startswith("application/json")
    assert (await api.call("GET", path + "?test=true")).status == 404


async def test_a_suppression_is_asked_listed_lifted_and_kept_as_a_fact(api: Api) -> None:
    row = (await api.sends([{"broadcast": "spring", "address": "gone@example.jp"}])).lines[0]
    await api.services.writer.submit([failed(api, "spring", row["recipient"])])
    ask = {"addresses": ["gone@example.jp", "ok@example.jp", "info@example.jp", "@"]}
    results = (await api.call("POST", "/v1/preflight", json=ask)).json["results"]
    assert [result["allowed"] for result in results] == [False, True, False, False]
    assert results[0]["detail"] == "Blacklist: Bounce (worker:address in bounce list)"
    assert [result["excluded"] for result in results] == ["bounce", None, "role", "syntax"]
    entries = (await api.call("GET", "/v1/suppressions")).json["suppressions"]
    assert [(entry["address"], entry["kind"], entry["failures"]) for entry in entries] == [
        ("gone@example.jp", "bounce", 1)
    ]
    path = f"/v1/suppressions/{row['recipient']}/bounce"
    assert (await api.call("DELETE", path)).status == 400
    assert (await api.call("DELETE", path + "?reason=")).status == 400
    assert (await api.call("DELETE", f"/v1/suppressions/{row['recipient']}/complaint?reason=x")).status == 404
    assert (await api.call("DELETE", path + "?reason=they+wrote+to+us")).status == 204
    assert (await api.call("GET", "/v1/suppressions")).json["suppressions"] == []
    assert (await api.call("DELETE", path + "?reason=again")).status == 404
    results = (await api.call("POST", "/v1/preflight", json=ask)).json["results"]
    assert results[0]["allowed"]


async def test_health_is_503_only_for_what_matters(api: Api) -> None:
    from console.services import HealthCheck

    assert (await api.call("GET", "/healthz", token=None)).status == 200
    api.health.append(HealthCheck("rules", "10-x.toml:3: wrong", is_fatal=False))
    answer = await api.call("GET", "/healthz", token=None)
    assert answer.status == 200
    assert answer.json["checks"][1] == {"name": "rules", "ok": False, "problem": "10-x.toml:3: wrong"}
    api.health.append(HealthCheck("store", "stalled"))
    assert (await api.call("GET", "/healthz", token=None)).status == 503
    assert (await api.call("GET", "/metrics", token=None)).text == "up 1\n"


async def test_mails_without_proof_are_shown_page_by_page(api: Api) -> None:
    facts = [
        Fact(FactType.UNMATCHED, DeliveryKey(1, 0, 0), number, Unmatched("bounce", b"%d" % number, why="no token"))
        for number in range(51)
    ]
    elsewhere = Fact(FactType.UNMATCHED, DeliveryKey(2, 0, 0), 99, Unmatched("bounce", b"another tenant's"))
    await api.services.writer.submit([*facts, elsewhere])
    first = (await api.call("GET", "/v1/unmatched")).json
    assert (len(first["unmatched"]), first["unmatched"][0]["why"]) == (50, "no token")
    second = (await api.call("GET", f"/v1/unmatched?after={first['next']}")).json
    assert (len(second["unmatched"]), second["next"]) == (1, None)
