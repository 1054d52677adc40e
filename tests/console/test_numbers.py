"""Periods on three bases, days and hours, domains, links, messages, a month's usage: through the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from model.cause import Cause, Channel, Permanence
from model.detail import Agent, BroadcastSet, Engaged, Planned, Report, Trust
from model.fact import Fact, FactType
from tests.console.api import Api
from tests.console.test_people import key_of

MAY_1 = datetime(2026, 5, 1, tzinfo=UTC)
#: 2026-05-01 in Japan begins here.
MAY_1_JST = datetime(2026, 4, 30, 15, tzinfo=UTC)


def us(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


def planned(api: Api, name: str, at: datetime, *, broadcast: str = "may", is_test: bool = False) -> Fact:
    detail = Planned(f"{name}@example.jp", name.encode())
    key = key_of(api, f"{name}@example.jp", broadcast)
    return Fact(FactType.PLANNED, key, us(at), detail, is_html=True, is_test=is_test)


def accepted(api: Api, name: str, at: datetime, *, broadcast: str = "may") -> Fact:
    key = key_of(api, f"{name}@example.jp", broadcast)
    return Fact(FactType.ACCEPTED, key, us(at), Report(Channel.IN_SESSION, name.encode()), is_html=True)


def opened(api: Api, name: str, at: datetime, *, broadcast: str = "may") -> Fact:
    key = key_of(api, f"{name}@example.jp", broadcast)
    return Fact(FactType.OPENED, key, us(at), Engaged(Agent.PERSON), is_html=True)


def clicked(api: Api, name: str, at: datetime, link: int, *, broadcast: str = "may", url: str = "") -> Fact:
    key = key_of(api, f"{name}@example.jp", broadcast)
    detail = Engaged(Agent.PERSON, link, 5, target=url or f"https://example.jp/{link}")
    return Fact(FactType.CLICKED, key, us(at), detail, is_html=True)


def failed(api: Api, name: str, at: datetime, text: str, cause: Cause = Cause.USER_UNKNOWN) -> Fact:
    key = key_of(api, f"{name}@example.jp", "may")
    detail = Report(Channel.OUT_OF_BAND, f"{name}{text}".encode(), cause, Permanence.PERMANENT, Trust.SUPPRESS,
                    diagnostic=text)  # fmt: skip
    return Fact(FactType.FAILED, key, us(at), detail, is_html=True)


async def period(api: Api, basis: str, begin: datetime, end: datetime) -> Any:
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    answer = await api.call("GET", f"/v1/broadcasts/may/period?from={begin:{stamp}}&to={end:{stamp}}&basis={basis}")
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.row("K04", "K23", "K24", "K25", "K01")
async def test_k04_delivered_before_the_window(api: Api) -> None:
    """Delivered on 1 May; asked about 3 to 10 May."""
    facts = [accepted(api, "a", MAY_1), opened(api, "a", MAY_1 + timedelta(days=4)),
             opened(api, "a", MAY_1 + timedelta(days=5))]  # fmt: skip
    await api.services.writer.submit([planned(api, "a", MAY_1), *facts])
    begin, end = MAY_1 + timedelta(days=2), MAY_1 + timedelta(days=9)
    cohort = await period(api, "cohort", begin, end)
    assert (cohort["numbers"]["reached"], cohort["numbers"]["opens"]) in ((0, 0), (0, None))
    assert cohort["empty_reason"] == "delivery_outside_window"
    event = await period(api, "event", begin, end)
    assert (event["numbers"]["opens"], event["empty_reason"]) == (2, None)
    whole = await period(api, "cohort", MAY_1, end)
    assert (whole["numbers"]["reached"], whole["numbers"]["opened_users"], whole["numbers"]["opens"]) == (1, 1, 2)
    cut = await period(api, "cohort", MAY_1, MAY_1 + timedelta(days=4, hours=1))
    assert (cut["numbers"]["opened_users"], cut["numbers"]["opens"]) == (1, 1)
    before = await period(api, "cohort", MAY_1, MAY_1 + timedelta(days=3))
    assert (before["numbers"]["reached"], before["numbers"]["opened_users"]) == (1, 0)
    assert (await period(api, "lifetime", MAY_1, MAY_1 + timedelta(days=1)))["numbers"]["opens"] == 2


@pytest.mark.row("K27")
async def test_a_period_is_thirty_days_on_quarters(api: Api) -> None:
    await api.services.writer.submit([planned(api, "a", MAY_1)])
    for rest, status in (
        ("from=2026-05-01T00:00:00Z&to=2026-05-31T00:00:00Z", 200),
        ("from=2026-05-01T00:00:00Z&to=2026-05-31T00:15:00Z", 400),
        ("from=2026-05-01T00:00:01Z&to=2026-05-02T00:00:00Z", 400),
        ("from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z", 400),
        ("from=2026-05-01T00:00:00%2B05:45&to=2026-05-02T00:00:00%2B05:45", 200),
    ):
        assert (await api.call("GET", f"/v1/broadcasts/may/period?{rest}")).status == status, rest


@pytest.mark.row("K22", "K30", "K31")
async def test_all_broadcasts_in_a_period(api: Api) -> None:
    facts = [planned(api, "a", MAY_1), opened(api, "a", MAY_1 + timedelta(hours=2)),
             planned(api, "a", MAY_1, broadcast="june"), planned(api, "b", MAY_1, broadcast="june")]  # fmt: skip
    named = [
        Fact(FactType.BROADCAST_SET, key_of(api, "a@example.jp", name)._replace(recipient=0), us(MAY_1),
             BroadcastSet(name, name=name.title())) for name in ("may", "june")
    ]  # fmt: skip
    await api.services.writer.submit([*named, *facts])
    rest = "from=2026-05-01T00:00:00Z&to=2026-05-02T00:00:00Z&basis=cohort"
    found = (await api.call("GET", f"/v1/project?{rest}")).json
    assert {row["broadcast"]: row["numbers"]["targeted"] for row in found["broadcasts"]} == {"may": 1, "june": 2}
    assert (found["total"]["targeted"], found["total"]["opened_users"]) == (3, 1)
    assert (found["total"]["unsubs"], found["total"]["resubs"]) == (0, 0)
    empty = (await api.call("GET", "/v1/project?from=2026-06-01T00:00:00Z&to=2026-06-02T00:00:00Z")).json
    assert (empty["broadcasts"], empty["empty_reason"]) == ([], "no_data")


@pytest.mark.row("K29")
async def test_who_fails_first_counts_in_the_period_its_mail_was_done_in(api: Api) -> None:
    """In every period it was 0. A report that comes later and says when the mail went out moves it there."""
    day = timedelta(days=1)
    await api.services.writer.submit([
        planned(api, "a", MAY_1), planned(api, "b", MAY_1), failed(api, "a", MAY_1 + 2 * day, "550 5.1.1"),
    ])  # fmt: skip

    async def first(begin: datetime) -> tuple[int, int]:
        found = await period(api, "cohort", begin, begin + day)
        whole = await api.call(
            "GET", f"/v1/project?from={begin:%Y-%m-%dT%H:%M:%SZ}&to={begin + day:%Y-%m-%dT%H:%M:%SZ}"
        )
        return found["numbers"]["failed_first"], whole.json["total"]["failed_first"]

    assert (await first(MAY_1), await first(MAY_1 + 2 * day)) == ((1, 1), (0, 0)), "not when the error came back"
    await api.services.writer.submit([accepted(api, "a", MAY_1 + day)])
    assert (await first(MAY_1), await first(MAY_1 + day)) == ((0, 0), (1, 1))
    report = (await api.call("GET", "/v1/broadcasts/may/report")).json["numbers"]
    assert report["failed_first"] == 1


async def test_days_of_japan_and_hours(api: Api) -> None:
    facts = [planned(api, "a", MAY_1_JST), opened(api, "a", MAY_1_JST + timedelta(hours=23, minutes=59)),
             opened(api, "a", MAY_1_JST + timedelta(hours=24))]  # fmt: skip
    await api.services.writer.submit(facts)
    rest = "from=2026-05-01T00:00:00%2B09:00&to=2026-05-04T00:00:00%2B09:00"
    days = (await api.call("GET", f"/v1/broadcasts/may/series?{rest}")).json["points"]
    assert [point["counts"].get("opens", 0) for point in days] == [1, 1, 0]
    assert days[0]["begin"].startswith("2026-05-01T00:00:00+09:00")
    hours = (await api.call("GET", f"/v1/broadcasts/may/series?{rest}&step=hour")).json["points"]
    assert len(hours) == 72 and [n for n, p in enumerate(hours) if p["counts"].get("opens")] == [23, 24]


@pytest.mark.row("R02", "R03", "R04", "X8")
async def test_a_month_counts_errors_and_keeps_them(api: Api) -> None:
    facts = [
        planned(api, "ok", MAY_1), accepted(api, "ok", MAY_1),
        planned(api, "bad", MAY_1_JST), accepted(api, "bad", MAY_1_JST),
        planned(api, "april", MAY_1_JST - timedelta(minutes=1)),
        planned(api, "test", MAY_1, is_test=True),
    ]  # fmt: skip
    await api.services.writer.submit(facts)
    may = (await api.call("GET", "/v1/usage?month=2026-05")).json
    assert (may["sends"], may["success"], may["error"], may["test_sends"]) == (2, 2, 0, 1)
    await api.services.writer.submit([failed(api, "bad", datetime(2026, 6, 2, tzinfo=UTC), "550 gone")])
    may = (await api.call("GET", "/v1/usage?month=2026-05")).json
    assert (may["sends"], may["success"], may["error"]) == (2, 1, 1), "a flip keeps the month and the total"
    assert (await api.call("GET", "/v1/usage?month=2026-06")).json["sends"] == 0
    assert (await api.call("GET", "/v1/usage?month=2026-04")).json["sends"] == 1


@pytest.mark.row("R02", "R04")
async def test_what_is_reserved_counts_in_no_month_and_in_no_total(api: Api) -> None:
    """Its own report knew; the month and the project took it for reached."""
    await api.call("PUT", "/v1/broadcasts/later", json={"status": "scheduled"})
    await api.sends([{"broadcast": "later", "address": f"p{n}@example.jp"} for n in range(3)])
    await api.sends([{"broadcast": "now", "address": f"p{n}@example.jp"} for n in range(2)])
    month = (await api.call("GET", "/v1/usage")).json
    assert {name: month[name] for name in ("sends", "success", "in_flight", "reserved", "billed")} == {
        "sends": 2, "success": 2, "in_flight": 0, "reserved": 3, "billed": 2,
    }  # fmt: skip
    day = datetime.fromtimestamp(api.services.now_us() / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ask = "&".join(f"{name}={at:%Y-%m-%dT%H:%M:%SZ}" for name, at in (("from", day), ("to", day + timedelta(days=1))))
    found = (await api.call("GET", f"/v1/project?{ask}")).json
    for name in ("targeted", "reached", "in_flight", "reserved"):
        assert found["total"][name] == sum(row["numbers"][name] for row in found["broadcasts"]), name
    assert (found["total"]["reached"], found["total"]["reserved"]) == (2, 3)
    await api.call("PUT", "/v1/broadcasts/later", json={"status": "sending"})
    assert (await api.call("GET", "/v1/usage")).json["sends"] == 5


@pytest.mark.row("R03")
async def test_only_what_a_server_was_asked_to_take_is_billed(api: Api) -> None:
    """A failure before any server was asked is an error, but nothing was handed over (mission 8)."""
    await api.sends([{"broadcast": "may", "address": f"p{n}@example.jp"} for n in range(3)])
    rows = [
        {"outcome": "accepted"}, {"outcome": "failed", "reply": "550 5.1.1 User unknown"},
        {"outcome": "failed", "code": "RENDERING_FAILURE"},
    ]  # fmt: skip
    said = [{"broadcast": "may", "address": f"p{n}@example.jp", **row} for n, row in enumerate(rows)]
    text = "".join(json.dumps(row) + "\n" for row in said)
    await api.call("POST", "/v1/attempts", data=text, Content_Type="application/x-ndjson")
    month = (await api.call("GET", "/v1/usage")).json
    assert (month["sends"], month["success"], month["error"], month["billed"]) == (3, 1, 2, 2)


@pytest.mark.row("N25", "P06")
async def test_by_receiving_domain_and_provider(api: Api) -> None:
    rows = [{"broadcast": "may", "address": f"{n}@{domain}"} for n, domain in
            enumerate(["gmail.com", "gmail.com", "googlemail.com", "docomo.ne.jp", "example.jp"])]  # fmt: skip
    await api.sends(rows)
    found = (await api.call("GET", "/v1/broadcasts/may/domains")).json
    assert found["domains"][0]["name"] == "gmail.com" and found["domains"][0]["targeted"] == 2
    by_provider = {row["name"]: row["targeted"] for row in found["providers"]}
    assert by_provider == {"Google": 3, "NTT docomo": 1, "other": 1}
    assert found["total_domains"] == 4 and sum(row["targeted"] for row in found["domains"]) == 5


@pytest.mark.row("K05", "I10")
async def test_links_ranked_in_one_and_over_all(api: Api) -> None:
    hour = timedelta(hours=1)
    facts = [clicked(api, "a", MAY_1 + n * hour, 2) for n in range(3)]
    facts += [clicked(api, "b", MAY_1, 1), clicked(api, "b", MAY_1 + hour, 2)]
    facts += [clicked(api, "b", MAY_1, 7, broadcast="june", url="https://example.jp/1")]
    await api.services.writer.submit(facts)
    one = (await api.call("GET", "/v1/broadcasts/may/links")).json["links"]
    assert [(row["url"], row["clicks"], row["users"]) for row in one] == [
        ("https://example.jp/2", 4, 2), ("https://example.jp/1", 1, 1),
    ]  # fmt: skip
    report = (await api.call("GET", f"/v1/broadcasts/~{key_of(api, 'a@example.jp', 'may').broadcast:012x}/report")).json
    assert sum(row["users"] for row in one) >= report["numbers"]["clicked_users"] == 2
    everywhere = (await api.call("GET", "/v1/links")).json["links"]
    assert [(row["url"], row["clicks"], row["broadcasts"]) for row in everywhere] == [
        ("https://example.jp/2", 4, 1), ("https://example.jp/1", 2, 2),
    ]  # fmt: skip


@pytest.mark.row("K20", "P03")
async def test_at_most_three_messages_of_a_cause(api: Api) -> None:
    facts = [planned(api, f"p{n}", MAY_1) for n in range(20)]
    texts = ["550 5.1.1 <p{n}@example.jp>: no such user (in reply to RCPT)"] * 9 + ["550 no mailbox here"] * 5
    texts += ["user unknown"] * 3 + ["account gone"] * 2 + ["rare"]
    facts += [failed(api, f"p{n}", MAY_1, text.format(n=n)) for n, text in enumerate(texts)]
    await api.services.writer.submit(facts)
    rows = (await api.call("GET", "/v1/broadcasts/may/messages")).json["messages"]
    assert [(row["text"], row["count"]) for row in rows] == [
        ("550 5.1.1 <<address>>: no such user (in reply to RCPT)", 9), ("550 no mailbox here", 5), ("user unknown", 3),
    ]  # fmt: skip
    assert {row["cause"] for row in rows} == {"user_unknown"}


@pytest.mark.row("K20")
async def test_at_most_three_messages_of_a_code_of_several_causes(api: Api) -> None:
    said = [(Cause.USER_UNKNOWN, "no such user", 3), (Cause.USER_UNKNOWN, "unknown user", 2),
            (Cause.MAILBOX_DISABLED, "mailbox disabled", 4), (Cause.HOST_UNKNOWN, "host not found", 1),
            (Cause.MAILBOX_FULL, "over quota", 1)]  # fmt: skip
    each = [(cause, text) for cause, text, times in said for _ in range(times)]
    facts = [planned(api, f"p{n}", MAY_1) for n in range(len(each))]
    facts += [failed(api, f"p{n}", MAY_1, text, cause) for n, (cause, text) in enumerate(each)]
    await api.services.writer.submit(facts)
    rows = (await api.call("GET", "/v1/broadcasts/may/messages?by=code")).json["messages"]
    assert [(row["ses"], row["text"], row["count"]) for row in rows] == [
        ("Permanent:General", "mailbox disabled", 4), ("Permanent:General", "no such user", 3),
        ("Permanent:General", "unknown user", 2), ("Transient:MailboxFull", "over quota", 1),
    ]  # fmt: skip
    assert len((await api.call("GET", "/v1/broadcasts/may/messages")).json["messages"]) == 5


@pytest.mark.row("K36")
async def test_events_by_device_and_never_people(api: Api) -> None:
    key = key_of(api, "a@example.jp", "may")
    agents = ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)", "Mozilla/5.0 (Windows NT 10.0)", "Mozilla/5.0", None,
              "Mozilla/5.0 (Windows NT 5.1; rv:11.0) (via ggpht.com GoogleImageProxy)"]  # fmt: skip
    facts = [
        Fact(FactType.OPENED, key, us(MAY_1) + 3_600_000_000 * n, Engaged(Agent.PERSON, user_agent=agent), is_html=True)
        for n, agent in enumerate([*agents, agents[0]])
    ]
    await api.services.writer.submit([planned(api, "a", MAY_1), *facts, facts[0]])
    rows = (await api.call("GET", f"/v1/broadcasts/~{key.broadcast:012x}/agents")).json["agents"]
    assert rows[0] == {"family": "iPhone", "opens_raw": 2, "clicks_raw": 0}
    assert {row["family"] for row in rows} == {
        "iPhone", "Windows", "Apple Mail (privacy)", "unknown", "Gmail (image proxy)",
    }  # fmt: skip
    assert sum(row["opens_raw"] for row in rows) == 6


# What the sending side reports


async def attempts(api: Api, *rows: dict[str, Any]) -> list[Any]:
    data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    answer = await api.call("POST", "/v1/attempts", data=data, **{"Content-Type": "application/x-ndjson"})
    assert answer.status == 200, answer.text
    return answer.lines


async def numbers(api: Api) -> Any:
    return (await api.call("GET", "/v1/broadcasts/may/report")).json["numbers"]


@pytest.mark.row("S14", "R13", "W3", "R26")
async def test_w3_what_is_deferred_is_not_reached(api: Api) -> None:
    line = (await api.sends([{"broadcast": "may", "address": "a@example.jp"}])).lines[0]
    assert (await numbers(api))["evidence"]["assumed"] == 1, "no news is good news while nobody reports"
    await attempts(api, {"token": line["envid"], "outcome": "deferred", "reply": "451 4.7.1 try later", "id": "q1-1"})
    now = await numbers(api)
    assert (now["reached"], now["deferred"], now["in_flight"], now["undelivered"]) == (0, 1, 1, 0)
    await attempts(api, {"token": line["envid"], "outcome": "accepted", "reply": "250 ok", "id": "q1-2"})
    now = await numbers(api)
    assert (now["reached"], now["evidence"]["accepted"], now["undelivered"]) == (1, 1, 0)


@pytest.mark.row("K16", "K17", "K18", "K19", "R12")
async def test_failures_before_any_server_was_asked(api: Api) -> None:
    codes = {
        "INVALID_PARAMETER": ("Missing final '@domain'", "address_syntax"),
        "RENDERING_FAILURE": ("HandlebarsError", "render_failed"),
        "FAILED": ("Maximum sending rate exceeded", "rate_limited"),
        "UNKNOWN": ("LINE", "submit_failed"),
        "SUPPRESSED": ("on the list", "suppressed_upstream"),
    }
    await api.sends([{"broadcast": "may", "address": f"{code}@example.jp".lower()} for code in codes])
    rows = [{"broadcast": "may", "address": f"{code}@example.jp".lower(), "outcome": "failed", "code": code,
             "reply": text} for code, (text, _) in codes.items()]  # fmt: skip
    assert all("taken" in line for line in await attempts(api, *rows))
    now = await numbers(api)
    assert now["causes"] == {cause: 1 for _, cause in codes.values()}
    assert now["channels"] == {"pre_send": 5}
    assert now["undelivered"] == now["hard"] + now["soft"] == 5


async def test_the_same_attempt_twice_counts_once_and_nobodys_is_refused(api: Api) -> None:
    await api.sends([{"broadcast": "may", "address": "a@example.jp"}])
    row = {
        "broadcast": "may",
        "address": "a@example.jp",
        "outcome": "failed",
        "reply": "550 5.1.1 no such user",
        "id": "1",
    }
    await attempts(api, row, row)
    await attempts(api, row)
    assert (await numbers(api))["undelivered"] == 1
    found = await attempts(
        api, {**row, "address": "nobody@example.jp"}, {"outcome": "failed"}, {"token": "x" * 48, "outcome": "failed"}
    )
    assert all("error" in line for line in found) and "Nobody listed" in found[0]["error"]


@pytest.mark.row("K28", "K40")
async def test_conversions_count_once(api: Api) -> None:
    line = (await api.sends([{"broadcast": "may", "address": "a@example.jp"}])).lines[0]
    body = msgspec.json.encode({"token": line["envid"], "name": "order", "value": 1200.0, "id": "o-1"}) + b"\n"
    for _ in range(2):
        answer = await api.call("POST", "/v1/conversions", data=body, **{"Content-Type": "application/x-ndjson"})
        assert answer.lines == [{"row": 0, "taken": True}]
    number = key_of(api, "a@example.jp", "may").broadcast
    assert api.services.reader.counts(1, number)["cv"] == 1


@pytest.mark.row("S01", "S02", "R07", "K32")
async def test_broadcasts_are_listed_and_narrowed(api: Api) -> None:
    for name, status in (("one", "draft"), ("two", "sending"), ("three", "sent")):
        await api.call("PUT", f"/v1/broadcasts/{name}", json={"name": f"名前 {name}", "status": status})
    for rest, who in {
        "": ["three", "two", "one"], "?view=sending": ["two"], "?view=sent": ["three"], "?status=draft": ["one"],
        "?q=名前 t": ["three", "two"], "?from=2100-01-01T00:00:00Z": [],
        "?to=2100-01-01T00:00:00Z": ["three", "two", "one"],
    }.items():  # fmt: skip
        found = (await api.call("GET", f"/v1/broadcasts{rest}")).json["broadcasts"]
        assert [row["id"] for row in found] == who, rest


@pytest.mark.row("S05", "R07")
async def test_a_broadcast_is_sent_once_nothing_is_under_way(api: Api) -> None:
    now = [api.services.now_us()]
    object.__setattr__(api.services, "now_us", lambda: now[0])

    async def views(*places: str) -> list[list[str]]:
        found = [(await api.call("GET", f"/v1/broadcasts?{place}")).json["broadcasts"] for place in places]
        return [[row["id"] for row in rows] for rows in found]

    await api.call("PUT", "/v1/broadcasts/empty", json={"name": "nobody yet", "status": "sending"})
    await api.call("PUT", "/v1/broadcasts/off", json={"status": "cancelled"})
    await api.sends([{"broadcast": name, "address": "a@example.jp"} for name in ("may", "june", "off")])
    assert await views("view=sending", "view=sent") == [["june", "may", "empty"], []]
    now[0] += 50 * 60 * 1_000_000
    assert await views("view=sending", "view=sent", "status=cancelled") == [["empty"], ["june", "may"], ["off"]]
    assert (await api.call("GET", "/v1/broadcasts/may")).json["status"] == "sent"
    attempt = {"broadcast": "june", "address": "a@example.jp", "outcome": "deferred", "reply": "451 4.7.1 later"}
    body, media = msgspec.json.encode(attempt) + b"\n", {"Content-Type": "application/x-ndjson"}
    await api.call("POST", "/v1/attempts", data=body, **media)
    assert (await views("view=sent"))[0] == [], "the sending side reports attempts: no news is no good news"
    await api.call("POST", "/v1/attempts", data=body.replace(b"deferred", b"accepted"), **media)
    assert (await views("view=sent"))[0] == [], "it moved a moment ago"
    now[0] += 50 * 60 * 1_000_000
    assert (await views("view=sent"))[0] == ["june"], "of the other nobody said anything"
    await api.sends([{"broadcast": "june", "address": "late@example.jp"}])
    assert (await views("view=sending"))[0] == ["june", "may", "empty"]


@pytest.mark.row("S36", "T17")
async def test_tokens_are_made_shown_once_and_revoked(api: Api) -> None:
    from console.identity import ROLES, Identity, Role

    api.tokens["ymb_system"] = Identity("system", 1, frozenset(ROLES[Role.SYSTEM_ADMIN]))
    body = {"name": "viewer for Hanako", "role": "viewer", "days": 30}
    made = await api.call("POST", "/v1/tokens", json=body, token="ymb_system")
    assert made.status == 201 and made.json["token"].startswith("ymb_")
    found = await api.call("GET", "/v1/tokens", token="ymb_system")
    assert [row["token"] for row in found.json["tokens"]] == [None], "never shown again"
    token_id = made.json["id"]
    assert (await api.call("DELETE", f"/v1/tokens/{token_id}?reason=left", token="ymb_system")).status == 204
    assert (await api.call("DELETE", f"/v1/tokens/{token_id}", token="ymb_system")).status == 404
    assert (await api.call("POST", "/v1/tokens", json={"name": "x"}, token="ymb_system")).status == 400
    deeds = [row["action"] for row in (await api.call("GET", "/v1/audit")).json["audit"]]
    assert deeds == ["token.revoke", "token.revoke", "token.create"]
