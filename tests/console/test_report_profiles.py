"""GET /v1/broadcasts/{id}/report?profile=&lang=&explain=: typed, in both languages, beside the native answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from console.profiles.evaluation import PROFILES, definitions_of
from console.schema import ProfileName
from model.keyring import KeyRing
from store.environment import Environment
from tests.console.api import Api, running_api
from tests.console.test_broadcasts import failed

PATH = "/v1/broadcasts/spring/report"


async def a_broadcast(api: Api) -> None:
    """Three listed, one of them failed."""
    rows = [{"broadcast": "spring", "address": f"u{n}@example.jp"} for n in range(3)]
    answers = (await api.sends(rows)).lines
    await api.services.writer.submit([failed(api, "spring", answers[0]["recipient"])])


def test_the_api_offers_every_profile() -> None:
    assert [name.value for name in ProfileName] == list(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("lang", ["ja", "en"])
async def test_a_report_in_a_profile(api: Api, profile: str, lang: str) -> None:
    await a_broadcast(api)
    answer = (await api.call("GET", f"{PATH}?profile={profile}&lang={lang}&explain=all")).json
    view = answer["view"]
    assert view["profile"] == profile
    listed = [figure["id"] for section in view["sections"] for figure in section["figures"]]
    assert [explanation["figure"] for explanation in view["explanations"]] == [f"{profile}.{name}" for name in listed]
    for explanation in view["explanations"]:
        assert all(one["holds"] is not False for one in explanation["reconciles"]), explanation
        definition = definitions_of(profile)[explanation["figure"].partition(".")[2]]
        assert explanation["meaning"] == definition.meaning.of(lang)
    plain = (await api.call("GET", f"{PATH}?lang={lang}")).json
    assert plain["view"] is None
    assert answer["numbers"] == plain["numbers"], "the native answer is the same with a profile and without"
    assert answer["labels"] == plain["labels"]


@pytest.mark.row("S06", "S07", "S10", "S19", "S38")
async def test_sansan_in_japanese(api: Api) -> None:
    await a_broadcast(api)
    view = (await api.call("GET", f"{PATH}?profile=sansan&lang=ja")).json["view"]
    numbers = {figure["label"]: figure["value"] for figure in view["sections"][0]["figures"]}
    assert numbers == {"宛先": 3, "到達": 2, "開封": 0, "リンククリック": 0, "不達": 1, "未開封": 2, "未クリック": 0}
    classes = {figure["label"]: figure for figure in view["sections"][1]["figures"]}
    assert classes["ユーザー不明"]["value"] == 1
    assert [hint["id"] for hint in classes["ユーザー不明"]["hints"]] == ["auto_suppress", "address_check_hint"]
    assert view["explanations"] == []
    assert view["empty_reason"] is None


@pytest.mark.row("N11")
async def test_one_figure_is_explained(api: Api) -> None:
    await a_broadcast(api)
    view = (await api.call("GET", f"{PATH}?profile=sansan&explain=undelivered")).json["view"]
    (explanation,) = view["explanations"]
    assert (explanation["figure"], explanation["value"]) == ("sansan.undelivered", 1)
    assert explanation["formula"] == "native.undelivered"
    assert explanation["terms"] == [{"figure": "native.undelivered", "label": "Undelivered", "value": 1}]
    siblings = {one["equation"]: (one["left"], one["right"], one["holds"]) for one in explanation["reconciles"]}
    assert siblings["sansan.undelivered = relation.error"] == (1, 1, True)
    assert {"text": "test sends", "amount": 0} in explanation["excludes"]
    rate = (await api.call("GET", f"{PATH}?explain=bounce_rate")).json["view"]["explanations"][0]
    assert rate["formula"] == "native.undelivered / native.targeted"
    assert rate["value"] == pytest.approx(1 / 3)


async def test_what_another_profile_calls_a_term_can_be_asked_for_in_turn(api: Api) -> None:
    """Every figure an explanation names can itself be explained: nothing leads nowhere."""
    await a_broadcast(api)
    asked: set[str] = set()
    waiting = {"sansan.class.user_unknown", "engagelab.total", "karte.codes.hard"}
    while waiting and len(asked) < 120:
        name = waiting.pop()
        asked.add(name)
        profile, _, figure = name.partition(".")
        answer = await api.call("GET", f"{PATH}?profile={profile}&explain={figure}")
        assert answer.status == 200, name
        waiting |= {term["figure"] for term in answer.json["view"]["explanations"][0]["terms"]} - asked
    assert len(asked) > 20


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("profile=sansan&explain=nothing", "has no such figure"),
        ("profile=sansan&explain=relation.done", "has no such figure"),
        ("profile=other", "Invalid enum value"),
        ("explain=", "explain"),
        ("explain=a%20b", "explain"),
        ("explain=" + "x" * 101, "explain"),
    ],
)
async def test_what_is_not_there_is_refused(api: Api, query: str, part: str) -> None:
    await a_broadcast(api)
    answer = await api.call("GET", f"{PATH}?{query}")
    assert answer.status == 400
    assert part in answer.text


@pytest.mark.row("K01", "K02")
async def test_an_empty_report_says_why(api: Api) -> None:
    await api.call("PUT", "/v1/broadcasts/spring", json={"status": "draft", "format": "html"})
    view = (await api.call("GET", f"{PATH}?profile=karte&lang=ja")).json["view"]
    assert (view["empty_reason"], view["empty_text"]) == ("not_yet_sent", "まだ配信されていません")
    await api.call("PUT", "/v1/broadcasts/spring", json={"status": "sending"})
    await api.sends([{"broadcast": "spring", "address": "t@example.jp", "test": True}])
    view = (await api.call("GET", f"{PATH}?profile=karte")).json["view"]
    assert view["empty_reason"] == "only_test_sends"


@pytest.mark.row("S12", "K08")
async def test_text_mail_is_null_and_says_so(api: Api) -> None:
    await api.call("PUT", "/v1/broadcasts/spring", json={"format": "text"})
    await api.sends([{"broadcast": "spring", "address": "a@example.jp", "format": "text"}])
    view = (await api.call("GET", f"{PATH}?profile=sansan&lang=ja")).json["view"]
    figures = {figure["id"]: figure for figure in view["sections"][0]["figures"]}
    for name in ("opened", "unopened", "link_clicked", "not_clicked"):
        assert (figures[name]["value"], figures[name]["why_none"]) == (None, "テキストメールの開封は計測できない")
    assert view["empty_reason"] == "text_mail"


@pytest.mark.row("R04", "R13", "S15")
async def test_a_scheduled_broadcast_is_reserved_and_provisional(api: Api) -> None:
    await api.call("PUT", "/v1/broadcasts/spring", json={"status": "scheduled"})
    await api.sends([{"broadcast": "spring", "address": "a@example.jp"}])
    view = (await api.call("GET", f"{PATH}?profile=relation")).json["view"]
    figures = {figure["id"]: figure["value"] for figure in view["sections"][0]["figures"]}
    assert (figures["reserved"], figures["in_flight"], figures["done"]) == (1, 0, 0)
    assert (view["settlement"]["mark"], view["settlement"]["is_open"]) == ("provisional", True)


async def test_test_sends_have_a_view_of_their_own(api: Api) -> None:
    await api.sends([{"broadcast": "spring", "address": "t@example.jp", "test": True}])
    view = (await api.call("GET", f"{PATH}?profile=bales&test=true")).json["view"]
    assert view["sections"][0]["figures"][0]["value"] == 1


@pytest.mark.row("R09")
async def test_the_expected_end_while_it_is_under_way(env: Environment, keys: KeyRing) -> None:
    """Of 100 mails 40 are done in the ten minutes before now, by the sender's word: the other 60 take about fifteen."""
    minute = 60_000_000
    now = [1_775_001_600_000_000]  # on an hour
    async with running_api(env, keys, now_us=lambda: now[0]) as api:
        await api.call("PUT", "/v1/broadcasts/spring", json={"format": "html", "status": "sending"})
        await api.sends([{"broadcast": "spring", "address": f"u{n}@example.jp"} for n in range(100)])

        async def eta() -> str | None:
            view = (await api.call("GET", f"{PATH}?profile=relation")).json["view"]
            found: str | None = view["eta"]
            return found

        async def report(people: range) -> None:
            rows = [
                {"broadcast": "spring", "address": f"u{n}@example.jp", "outcome": "accepted",
                 "at": datetime.fromtimestamp((now[0] - 1 - n % 40 * minute // 4) / 1e6, UTC).isoformat()}
                for n in people
            ]  # fmt: skip
            text = "".join(json.dumps(row) + "\n" for row in rows)
            await api.call("POST", "/v1/attempts", data=text, Content_Type="application/x-ndjson")

        assert await eta() is None, "nobody reports attempts: all is reached"
        now[0] += 10 * minute
        await report(range(40))
        found = await eta()
        assert found is not None
        assert abs(datetime.fromisoformat(found).timestamp() * 1e6 - now[0] - 15 * minute) < minute, found
        await report(range(40, 100))
        assert await eta() is None, "nothing is under way any more"
