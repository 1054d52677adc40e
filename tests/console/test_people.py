"""The people behind the numbers, errors to acknowledge, the status log: through the API over a real socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model.address import Address
from model.cause import Cause, Channel, Permanence
from model.detail import Agent, AutoReplied, Engaged, Report, Trust, Unsubscribed, UnsubscribeReason, UnsubscribeVia
from model.fact import DeliveryKey, Fact, FactType
from store.people import lists_behind, predicate_of
from tests.console.api import Api

DAY = timedelta(days=1)
PEOPLE: list[dict[str, Any]] = [
    {"address": "taro@example.jp", "last_name": "山田", "first_name": "太郎", "company": "例株式会社",
     "contact_ref": "c-1", "tags": ["spring"], "mail_type": "news", "api_user": "u1"},
    {"address": "hanako@gmail.com", "last_name": "佐藤", "first_name": "花子", "company": "ＡＢＣ商事",
     "schedule_task_id": "t-9"},
    {"address": "jiro@docomo.ne.jp", "last_name": "鈴木", "first_name": "二郎", "mail_type": "orders"},
    {"address": "saburo@example.jp", "last_name": "田中", "first_name": "三郎", "company": "Acme Ltd"},
    {"address": "shiro@dead.example", "last_name": "高橋", "first_name": "四郎"},
]  # fmt: skip


def key_of(api: Api, address: str, broadcast: str = "spring") -> DeliveryKey:
    keys = api.services.keys()
    return DeliveryKey(1, keys.broadcast_number(1, broadcast), keys.recipient_number(1, Address.parse(address).folded))


async def listed(api: Api, broadcast: str = "spring") -> None:
    """A described broadcast with five people."""
    await api.call("PUT", f"/v1/broadcasts/{broadcast}", json={"name": "春", "format": "html", "status": "sent"})
    answer = await api.sends([{"broadcast": broadcast, **person} for person in PEOPLE])
    assert all("return_path" in line for line in answer.lines), answer.text


def failure(api: Api, address: str, cause: Cause, text: str, *, broadcast: str = "spring",
            channel: Channel = Channel.OUT_OF_BAND, at_us: int | None = None) -> Fact:  # fmt: skip
    detail = Report(channel, f"{address}{broadcast}{text}".encode()[:16], cause, Permanence.PERMANENT, Trust.SUPPRESS,
                    status="5.1.1", diagnostic=text)  # fmt: skip
    return Fact(FactType.FAILED, key_of(api, address, broadcast), at_us or api.services.stamp(), detail, is_html=True)


def opened(api: Api, address: str) -> Fact:
    detail = Engaged(Agent.PERSON, ip="192.0.2.0", user_agent="Mozilla/5.0 (X11)")
    return Fact(FactType.OPENED, key_of(api, address), api.services.stamp(), detail, is_html=True)


def clicked(api: Api, address: str, link: int = 1) -> Fact:
    detail = Engaged(Agent.PERSON, link, 3, "192.0.2.0", "Mozilla/5.0 (X11)", f"https://example.jp/{link}")
    return Fact(FactType.CLICKED, key_of(api, address), api.services.stamp(), detail, is_html=True)


async def a_mailing(api: Api) -> None:
    """Two fail, one opens, one clicks, one unsubscribes and one answers automatically."""
    await listed(api)
    unsubscribe = Unsubscribed(UnsubscribeVia.ONE_CLICK)
    reply = AutoReplied("vacation", b"reply-1", "不在です")
    facts = [
        failure(api, "jiro@docomo.ne.jp", Cause.RECIPIENT_FILTERED, "550 Unknown user jiro@docomo.ne.jp"),
        failure(api, "shiro@dead.example", Cause.HOST_UNKNOWN, "Host or domain name not found"),
        opened(api, "taro@example.jp"),
        clicked(api, "hanako@gmail.com", 2),
        clicked(api, "hanako@gmail.com", 2),
        Fact(FactType.UNSUBSCRIBED, key_of(api, "taro@example.jp"), api.services.stamp(), unsubscribe, is_html=True),
        Fact(FactType.AUTO_REPLIED, key_of(api, "saburo@example.jp"), api.services.stamp(), reply, is_html=True),
    ]
    await api.services.writer.submit(facts)


async def people(api: Api, metric: str, **query: str) -> list[str]:
    """The addresses behind a metric."""
    text = "".join(f"&{name}={value}" for name, value in query.items())
    answer = await api.call("GET", f"/v1/broadcasts/spring/recipients?metric={metric}{text}")
    assert answer.status == 200, answer.text
    return [person["address"] for person in answer.json["people"]]


BEHIND = {
    "listed": {"taro", "hanako", "jiro", "saburo", "shiro"},
    "targeted": {"taro", "hanako", "jiro", "saburo", "shiro"},
    "reached": {"taro", "hanako", "saburo"},
    "undelivered": {"jiro", "shiro"},
    "hard": {"jiro", "shiro"},
    "soft": set(),
    "soft_bounce": {"jiro", "shiro"},
    "opened_users": {"taro", "hanako"},
    "opened_pixel": {"taro"},
    "opened_inferred": {"hanako"},
    "evidence:engaged": {"taro", "hanako"},
    "evidence:assumed": {"saburo"},
    "evidence:accepted": set(),
    "unopened": {"saburo"},
    "clicked_users": {"hanako"},
    "clicked_of_opened": {"hanako"},
    "not_clicked": {"taro"},
    "engaged": {"taro", "hanako"},
    "unsubs": {"taro"},
    "auto_replies": {"saburo"},
    "complaints": set(),
    "excluded": set(),
    "cause:host_unknown": {"shiro"},
    "sansan:rejected": {"jiro"},
    "sansan:host_unknown": {"shiro"},
    "reason:rejected": {"jiro"},
    "channel:out_of_band": {"jiro", "shiro"},
    "soft:service_unreachable": {"shiro"},
    "ses:Permanent:General": {"jiro", "shiro"},
}


@pytest.mark.row("S17", "S08", "S09", "S10", "S11", "S16", "B18", "B19")
async def test_every_number_leads_to_its_people(api: Api) -> None:
    await a_mailing(api)
    report = (await api.call("GET", "/v1/broadcasts/spring/report")).json["numbers"]
    for metric, who in BEHIND.items():
        found = await people(api, metric)
        assert {address.partition("@")[0] for address in found} == who, metric
        assert len(found) == len(who), metric
        if metric in report:
            assert report[metric] == len(who) if isinstance(report[metric], int) else True, metric


def test_a_list_holds_all_its_predicate_takes() -> None:
    """What has a list of its own is asked from it: every metric with lists is among the ones tried above."""
    with_lists = [metric for metric in BEHIND if lists_behind(metric) is not None]
    assert len(with_lists) > 15
    for metric in BEHIND:
        assert predicate_of(metric, is_assuming=True)


@pytest.mark.row("R15", "R14")
@pytest.mark.parametrize(
    ("word", "who"),
    [("山田", {"taro"}), ("太郎", {"taro"}), ("山田太郎", {"taro"}), ("山田 太郎", {"taro"}), ("abc商事", {"hanako"}),
     ("ABC", {"hanako"}), ("ａｃｍｅ", {"saburo"}), ("ACME", {"saburo"}), ("example.jp", {"taro", "saburo"}),
     ("DOCOMO", {"jiro"}), ("nobody", set()), ("太郎%0A", {"taro"})],
)  # fmt: skip
async def test_a_word_finds_names_addresses_and_companies(api: Api, word: str, who: set[str]) -> None:
    await listed(api)
    assert {address.partition("@")[0] for address in await people(api, "listed", q=word)} == who


@pytest.mark.row("R15", "B21")
async def test_a_word_and_a_status_narrow_together(api: Api) -> None:
    await a_mailing(api)
    assert await people(api, "undelivered", q="docomo") == ["jiro@docomo.ne.jp"]
    assert await people(api, "reached", q="docomo") == []
    assert await people(api, "listed", unsubscribed="true") == ["taro@example.jp"]
    assert len(await people(api, "listed", unsubscribed="false")) == 4


@pytest.mark.row("B21", "B22")
async def test_who_unsubscribed_before_is_found_where_it_was_not_sent(api: Api) -> None:
    await a_mailing(api)
    await api.sends([{"broadcast": "summer", "address": a} for a in ("taro@example.jp", "hanako@gmail.com")])
    for wanted, address in (("true", "taro@example.jp"), ("false", "hanako@gmail.com")):
        found = await api.call("GET", f"/v1/broadcasts/summer/recipients?unsubscribed={wanted}")
        assert [person["address"] for person in found.json["people"]] == [address]


@pytest.mark.row("S18", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "R21", "B20")
async def test_a_row_says_what_happened(api: Api) -> None:
    await a_mailing(api)
    answer = await api.call("GET", "/v1/broadcasts/spring/recipients?metric=undelivered")
    rows = {row["address"]: row for row in answer.json["people"]}
    filtered = rows["jiro@docomo.ne.jp"]
    assert filtered["delivery_status"] == "rejected" and filtered["cause"] == "recipient_filtered"
    assert filtered["diagnostic"] == "550 Unknown user jiro@docomo.ne.jp"
    assert filtered["detail"] == "550 Unknown user <address>"
    assert (filtered["last_name"], filtered["first_name"]) == ("鈴木", "二郎")
    dead = rows["shiro@dead.example"]
    assert (dead["delivery_status"], dead["address_check_hint"], dead["resend_hint"]) == ("host_unknown", True, False)
    await api.services.writer.submit([failure(api, "saburo@example.jp", Cause.MAILBOX_FULL, "552 5.2.2 over quota")])
    full = (await api.call("GET", "/v1/broadcasts/spring/recipients?metric=cause:mailbox_full")).json["people"][0]
    assert (full["delivery_status"], full["resend_hint"], full["address_check_hint"]) == ("disk_full", True, False)


@pytest.mark.row("R23")
async def test_fifty_a_page(api: Api) -> None:
    rows = [{"broadcast": "many", "address": f"p{n}@example.jp"} for n in range(50)]
    await api.sends(rows)
    page = (await api.call("GET", "/v1/broadcasts/many/recipients")).json
    assert (len(page["people"]), page["next"]) == (50, None)
    await api.sends([{"broadcast": "many", "address": "p50@example.jp"}])
    page = (await api.call("GET", "/v1/broadcasts/many/recipients")).json
    assert len(page["people"]) == 50 and page["next"]
    rest = (await api.call("GET", f"/v1/broadcasts/many/recipients?after={page['next']}")).json
    assert [person["address"] for person in rest["people"]] == ["p50@example.jp"] and rest["next"] is None
    met = [person["address"] for person in page["people"]] + ["p50@example.jp"]
    assert met == [f"p{n}@example.jp" for n in range(51)], "in the order listed"


async def test_an_unknown_metric_is_told(api: Api) -> None:
    await listed(api)
    for metric in ("nonsense", "evidence:x", "cause:nonsense", "sansan:x", "excluded:x", "soft:x"):
        answer = await api.call("GET", f"/v1/broadcasts/spring/recipients?metric={metric}")
        assert answer.status == 400 and "docs/lists.md" in answer.text, metric


@pytest.mark.row("K34", "S17")
async def test_a_list_keeps_what_was_listed_whatever_the_sender_does_to_its_own(api: Api) -> None:
    await listed(api)
    before = (await api.call("GET", "/v1/broadcasts/spring/recipients?q=山田")).json["people"]
    renamed = {"broadcast": "summer", "address": "taro@example.jp", "last_name": "旧山田", "company": "別会社"}
    await api.sends([renamed])
    assert (await api.call("GET", "/v1/broadcasts/spring/recipients?q=山田")).json["people"] == before
    assert (await api.call("GET", "/v1/broadcasts/spring/recipients?q=別会社")).json["people"] == []
    assert len((await api.call("GET", "/v1/broadcasts/summer/recipients?q=別会社")).json["people"]) == 1


@pytest.mark.row("E44", "E13")
async def test_who_unsubscribed_is_listed_with_time_and_reason_and_not_mailed(api: Api) -> None:
    await listed(api)
    detail = Unsubscribed(UnsubscribeVia.PAGE, UnsubscribeReason.NOT_SUBSCRIBED)
    fact = Fact(FactType.UNSUBSCRIBED, key_of(api, "taro@example.jp"), api.services.stamp(), detail, is_html=True)
    await api.services.writer.submit([fact])
    row = (await api.call("GET", "/v1/suppressions?kind=unsubscribe")).json["suppressions"][0]
    assert (row["address"], row["kind"], row["expires_at"]) == ("taro@example.jp", "unsubscribe", None)
    assert row["since"] and "not_subscribed" in str(row)
    again = (await api.sends([{"broadcast": "summer", "address": "taro@example.jp"}])).lines[0]
    assert (again["excluded"], again["detail"]) == ("unsubscribe", "購読解除")
    found = (await api.call("GET", f"/v1/mail-status?{period()}&address=taro@example.jp&status=invalid")).json["mails"]
    assert [mail["status_class"] for mail in found] == ["unsubscribed"]


@pytest.mark.row("S28", "S38", "E12", "E13", "E15")
async def test_what_is_no_failure_leads_to_its_people_too(api: Api) -> None:
    """自動応答 among the twelve, what a list stopped among EngageLab's eight, and who was listed twice."""
    await a_mailing(api)
    await api.call("POST", "/v1/blocks", json={"kind": "address", "value": "kuro@example.jp"})
    more = ["shiro@dead.example", "kuro@example.jp", "info@example.jp", "no address", "TARO@example.jp"]
    await api.sends([{"broadcast": "spring", "address": address} for address in more])
    await api.sends([{"broadcast": "summer", "address": address} for address in ("taro@example.jp",)])
    view = (await api.call("GET", "/v1/broadcasts/spring/report?profile=engagelab")).json["view"]
    figures = {figure["id"]: figure["value"] for section in view["sections"] for figure in section["figures"]}
    found = {
        metric: await people(api, metric)
        for metric in ("sansan:auto_reply", "invalid:blacklist", "invalid:address_format", "excluded:duplicate")
    }
    assert found == {
        "sansan:auto_reply": ["saburo@example.jp"], "invalid:blacklist": ["kuro@example.jp"],
        "invalid:address_format": ["no address"], "excluded:duplicate": ["taro@example.jp", "shiro@dead.example"],
    }  # fmt: skip
    assert (figures["invalid.blacklist"], figures["invalid.address_format"]) == (1, 1)


@pytest.mark.row("S07", "R26", "B17")
async def test_who_is_taken_for_reached_is_shown_as_reached(api: Api) -> None:
    """The report counts them (evidence.assumed); their own rows said `planned`."""
    await listed(api)
    rows = (await api.call("GET", "/v1/broadcasts/spring/recipients?metric=reached")).json["people"]
    assert {(row["status"], row["evidence"]) for row in rows} == {("reached", "assumed")}
    lead = (await api.call("GET", "/v1/recipients?address=taro@example.jp")).json
    assert lead["deliveries"][0]["status"] == "reached"
    await api.call("PUT", "/v1/broadcasts/spring", json={"status": "scheduled"})
    rows = (await api.call("GET", "/v1/broadcasts/spring/recipients?metric=in_flight")).json["people"]
    assert {(row["status"], row["evidence"]) for row in rows} == {("planned", None)} and len(rows) == 5


# Errors to acknowledge


@pytest.mark.row("R22", "R25", "W14")
async def test_nobody_has_seen_what_is_yet_to_come(api: Api) -> None:
    """A client that sends a number of its own would have every later error taken for seen."""
    await listed(api)
    ask = {"until": 2**53}
    assert (await api.call("POST", "/v1/broadcasts/spring/errors/ack", json=ask)).json == {"acked": 0, "unacked": 0}
    await api.services.writer.submit([failure(api, "taro@example.jp", Cause.USER_UNKNOWN, "550 5.1.1")])
    assert (await api.call("POST", "/v1/broadcasts/spring/errors/ack", json=ask)).json == {"acked": 1, "unacked": 0}
    await api.services.writer.submit([failure(api, "jiro@docomo.ne.jp", Cause.USER_UNKNOWN, "550 5.1.1")])
    left = (await api.call("GET", "/v1/broadcasts/spring/errors?acked=false")).json
    assert left["unacked"] == 1 and [row["error_acked_at"] for row in left["people"]] == [None]


@pytest.mark.row("R19", "R22", "R25", "W14")
async def test_w14_an_acknowledgement_leaves_what_came_since(api: Api) -> None:
    rows = [{"broadcast": "spring", "address": f"p{n}@example.jp"} for n in range(123)]
    await api.sends(rows)
    await api.services.writer.submit(
        [failure(api, f"p{n}@example.jp", Cause.USER_UNKNOWN, "550 5.1.1") for n in range(120)]
    )
    seen = (await api.call("GET", "/v1/broadcasts/spring/errors?acked=false")).json
    assert (seen["unacked"], len(seen["people"])) == (120, 50)
    await api.services.writer.submit(
        [failure(api, f"p{n}@example.jp", Cause.USER_UNKNOWN, "550 5.1.1") for n in range(120, 123)]
    )
    answer = await api.call("POST", "/v1/broadcasts/spring/errors/ack", json={"until": seen["until"]})
    assert answer.json == {"acked": 120, "unacked": 3}
    left = (await api.call("GET", "/v1/broadcasts/spring/errors?acked=false")).json
    assert [person["address"] for person in left["people"]] == [f"p{n}@example.jp" for n in (120, 121, 122)]
    assert all(person["error_acked_at"] is None for person in left["people"])
    done = (await api.call("GET", "/v1/broadcasts/spring/errors?acked=true")).json["people"]
    assert done and all(person["error_acked_at"] for person in done)
    again = await api.call("POST", "/v1/broadcasts/spring/errors/ack", json={"until": seen["until"]})
    assert again.json == {"acked": 0, "unacked": 3}, "twice is once"


@pytest.mark.row("R19")
async def test_an_error_in_another_broadcast_is_unseen_there(api: Api) -> None:
    await listed(api)
    await listed(api, "summer")
    await api.services.writer.submit([failure(api, "taro@example.jp", Cause.MAILBOX_FULL, "full")])
    until = (await api.call("GET", "/v1/broadcasts/spring/errors")).json["until"]
    await api.call("POST", "/v1/broadcasts/spring/errors/ack", json={"until": until})
    await api.services.writer.submit([failure(api, "taro@example.jp", Cause.MAILBOX_FULL, "full", broadcast="summer")])
    assert (await api.call("GET", "/v1/broadcasts/summer/errors?acked=false")).json["unacked"] == 1
    assert (await api.call("GET", "/v1/broadcasts/spring/errors?acked=false")).json["unacked"] == 0
    deeds = (await api.call("GET", "/v1/audit")).json["audit"]
    assert [(deed["actor"], deed["action"]) for deed in deeds] == [("admin", "errors.ack")]


@pytest.mark.row("W2", "R28", "S13", "S15", "R27", "R20")
async def test_w2_late_word_flips_and_is_marked(api: Api) -> None:
    await listed(api)
    now = api.services.now_us()
    done = Fact(
        FactType.ACCEPTED, key_of(api, "taro@example.jp"), now - 30 * 3_600_000_000,
        Report(Channel.IN_SESSION, b"accepted"), is_html=True,
    )  # fmt: skip
    await api.services.writer.submit([done])
    assert "taro@example.jp" in await people(api, "reached")
    late = failure(api, "taro@example.jp", Cause.USER_UNKNOWN, "550", at_us=now - 4 * 3_600_000_000)
    await api.services.writer.submit([late])
    row = (await api.call("GET", "/v1/broadcasts/spring/recipients?metric=undelivered")).json["people"][0]
    assert (row["channel"], row["after_24h"], row["late"], row["settle"]) == ("out_of_band", True, False, "checked")
    assert row["fetched_at"] >= row["failed_at"], "when the last word on it was taken in"
    assert "taro@example.jp" not in await people(api, "reached")


# The log of all mails


def period(days: float = 1, ahead: float = 1) -> str:
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=days), now + timedelta(days=ahead)
    return f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"


async def mails(api: Api, rest: str = "") -> list[dict[str, Any]]:
    answer = await api.call("GET", f"/v1/mail-status?{period()}{rest}")
    assert answer.status == 200, answer.text
    rows: list[dict[str, Any]] = answer.json["mails"]
    return rows


@pytest.mark.row("K03", "E01", "E02", "E03", "E04", "E05", "E20")
async def test_the_log_has_every_mail_and_six_filters(api: Api) -> None:
    await a_mailing(api)
    attempt = {
        "broadcast": "spring", "address": "saburo@example.jp", "outcome": "failed", "send_ip": "192.0.2.7",
        "reply": "550 5.1.1 User unknown",
    }  # fmt: skip
    answer = await api.call("POST", "/v1/attempts", data=_line(attempt), **{"Content-Type": "application/x-ndjson"})
    assert answer.lines == [{"row": 0, "taken": True}]
    rows = {row["address"]: row for row in await mails(api)}
    assert len(rows) == 5
    assert rows["shiro@dead.example"]["status"] == "soft_bounce"
    assert rows["shiro@dead.example"]["status_class"] == "service_unreachable"
    refused = rows["saburo@example.jp"]
    assert (refused["status"], refused["status_class"]) == ("invalid", "address_not_exist")
    assert (refused["send_ip"], refused["send_log"]) == ("192.0.2.7", "550 5.1.1 User unknown")
    assert rows["taro@example.jp"]["api_user"] == "u1"
    for rest, who in {
        "&address=TARO@example.jp": {"taro"}, "&mail_type=orders": {"jiro"}, "&tag=spring": {"taro"},
        "&api_user=u1": {"taro"}, "&status=soft_bounce": {"jiro", "shiro"}, "&status=invalid": {"saburo"},
        "&mail_type=nothing": set(),
        "&schedule_task_id=t-9": {"hanako"},
    }.items():  # fmt: skip
        assert {row["address"].partition("@")[0] for row in await mails(api, rest)} == who, rest


def _line(row: dict[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(row) + b"\n"


@pytest.mark.row("E21", "K27")
async def test_thirty_days_and_not_a_second_more(api: Api) -> None:
    await listed(api)
    begin = datetime(2026, 4, 1, tzinfo=UTC)
    for seconds, status in ((0, 200), (1, 400)):
        end = begin + timedelta(days=30, seconds=seconds)
        answer = await api.call("GET", f"/v1/mail-status?from={begin:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}")
        assert answer.status == status
    assert "export" in answer.json["detail"]


@pytest.mark.row("E29", "S33", "B17")
async def test_engagement_has_time_link_and_address(api: Api) -> None:
    await a_mailing(api)
    rows = (await api.call("GET", "/v1/broadcasts/spring/engagement")).json["engagement"]
    assert {(row["type"], row["address"], row["url"]) for row in rows} == {
        ("opened", "taro@example.jp", None), ("clicked", "hanako@gmail.com", "https://example.jp/2"),
    }  # fmt: skip
    assert all(row["ip"] == "192.0.2.0" and row["at"] for row in rows)
    found = (await api.call("GET", "/v1/recipients?address=Taro@example.jp")).json
    assert [event["type"] for event in found["deliveries"][0]["events"]] == ["planned", "opened", "unsubscribed"]
    assert found["suppressed"] == ["unsubscribe"]
    assert (await api.call("GET", "/v1/recipients?address=nobody@example.jp")).status == 404


@pytest.mark.row("E29", "S33", "B17", "W8")
async def test_a_scanners_clicks_are_shown_as_a_machines(api: Api) -> None:
    """Each by itself is a person's; the numbers count them as a machine's, and so must the list behind them."""
    await listed(api)
    at_us = api.services.now_us() - 3_600_000_000
    hits = [(place, at_us + place * 100_000) for place in range(1, 4)] + [(2, at_us + 3_000_000_000)]
    details = [(Engaged(Agent.PERSON, place, 3, target=f"https://example.jp/{place}"), at) for place, at in hits]
    key = key_of(api, "taro@example.jp")
    await api.services.writer.submit([Fact(FactType.CLICKED, key, at, detail, is_html=True) for detail, at in details])
    numbers = (await api.call("GET", "/v1/broadcasts/spring/report")).json["numbers"]
    assert (numbers["clicks"], numbers["clicks_machine"]) == (1, 3)
    people_only = (await api.call("GET", "/v1/broadcasts/spring/engagement")).json["engagement"]
    assert [(row["link"], row["machine"]) for row in people_only] == [(2, False)]
    every = (await api.call("GET", "/v1/broadcasts/spring/engagement?machines=true")).json["engagement"]
    assert [row["machine"] for row in every] == [True, True, True, False]
    lead = (await api.call("GET", "/v1/recipients?address=taro@example.jp")).json["deliveries"][0]["events"]
    assert [event["detail"].get("machine", False) for event in lead if event["type"] == "clicked"] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.row("E20", "R23")
async def test_all_mails_of_one_address_page_by_page_the_newest_first(api: Api) -> None:
    """What was behind the fiftieth could not be had: the cursor was empty."""
    for place in range(60):
        await api.sends([{"broadcast": f"b{place}", "address": "taro@example.jp"}])
    ask = f"/v1/mail-status?{period()}&address=taro@example.jp"
    first = (await api.call("GET", ask)).json
    assert len(first["mails"]) == 50 and first["next"]
    second = (await api.call("GET", f"{ask}&after={first['next']}")).json
    met = [mail["broadcast"] for mail in first["mails"] + second["mails"]]
    assert met == [f"b{place}" for place in reversed(range(60))] and second["next"] is None


@pytest.mark.row("E20", "R04")
async def test_a_mail_of_a_broadcast_not_begun_is_requested(api: Api) -> None:
    await listed(api)
    await api.call("PUT", "/v1/broadcasts/spring", json={"status": "scheduled"})
    await api.sends([{"broadcast": "summer", "address": a} for a in ("taro@example.jp", "info@example.jp", "kuro")])
    mails = (await api.call("GET", f"/v1/mail-status?{period()}")).json["mails"]
    assert {mail["status"] for mail in mails if mail["broadcast"] == "spring"} == {"requested"}
    told = {mail["address"]: (mail["status"], mail["status_class"]) for mail in mails if mail["broadcast"] == "summer"}
    assert told == {
        "taro@example.jp": ("delivered", None), "info@example.jp": ("excluded", None),
        "kuro": ("invalid", "address_format"),
    }  # fmt: skip
    export = (await api.call("GET", f"/v1/mail-status?{period()}&status=excluded")).json["mails"]
    assert [mail["address"] for mail in export] == ["info@example.jp"]
