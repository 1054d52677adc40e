"""Exports through the API: exact columns, filters, encodings, tasks that end, fail, are retried and expire."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from console.export_rules import is_restricted
from console.export_tasks import INTERRUPTED, KEPT_US, ExportTasks
from console.identity import ROLES, Identity, Role, Scope
from model.cause import Cause, Channel
from model.detail import DocumentSet, Report
from model.fact import DeliveryKey, Fact, FactType
from model.keyring import KeyRing
from store.environment import Environment
from tests.console.api import Api, running_api
from tests.console.exporting import (
    SPRING,
    download,
    ended,
    export,
    exported,
    failed,
    number_of,
    place,
    planned,
    rows_of,
    spring,
)
from tests.store.world import DAY, HOUR, SECOND, T0_US
from yamabiko import errand
from yamabiko.exporter.launcher import ChildLauncher

EIGHT = ["状況", "エラー確認日時", "姓", "名", "宛先", "会社名", "詳細メッセージ", "取得日時"]
EIGHT_EN = ["Status", "Error acknowledged at", "Last name", "First name", "Address", "Company", "Detail message",
            "Fetched at"]  # fmt: skip


def acked(number: int, until: int, at: int) -> Fact:
    """An acknowledgement as the console writes it."""
    body = json.dumps([{"until_seq": until, "at_us": at, "actor": "hanako"}]).encode()
    detail = DocumentSet("ack", f"{number:012x}", body, "hanako")
    return Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), at, detail)


@pytest.mark.row("R14", "R16", "R17", "R18", "R19", "R20", "R21", "E46", "E47")
async def test_recipients_are_exactly_the_eight_columns(api: Api) -> None:
    number = await spring(api)
    first = api.services.reader.timeline(DeliveryKey(1, number, 1))[-1]
    assert first.type is FactType.FAILED
    # One failure was seen by somebody: the first of the two in the log.
    seq = 1 + 1 + 6  # the broadcast, six recipients
    await api.services.writer.submit([acked(number, seq, T0_US + 6 * HOUR)])
    shown = await export(api, type="recipients", broadcast=SPRING)
    assert (shown["state"], shown["progress"], shown["rows"], shown["replaced"]) == ("succeeded", 1.0, 6, 0)
    assert shown["created_at"] <= shown["started_at"] <= shown["ended_at"]
    content, headers = await download(api, shown)
    assert len(content) == shown["size_bytes"] == int(headers["Content-Length"])
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Content-Disposition"] == f'attachment; filename="{shown["file_name"]}"'
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == content.count(b"\n") == 7
    rows = rows_of(content)
    assert rows == [
        EIGHT,
        ["配信エラー", "2026-04-01 15:00:00", "山田", "太郎", "r1@example.jp", "株式会社例", "550 5.1.1 User unknown",
         "2026-04-01 10:00:00"],
        ["配信エラー", "", "鈴木", "花子", "r2@example.jp", "例商事", "550 5.1.1 No such user here",
         "2026-04-01 11:00:00"],
        ["除外", "", "佐藤", "次郎", "r3@example.jp", "株式会社例", "Blacklist: Bounce (worker:address in bounce list)",
         "2026-04-01 09:00:01"],
        ["配信成功", "", "高橋", "", "r4@example.jp", "", "", "2026-04-01 12:00:00"],
        ["配信成功", "", "田中", "", "r5@example.jp", "", "", "2026-04-01 18:00:00"],
        ["配信成功", "", "", "", "r6@example.jp", "", "", "2026-04-01 09:00:00"],
    ]  # fmt: skip
    for line in content.removeprefix(b"\xef\xbb\xbf").decode().split("\r\n")[:-1]:
        assert line.startswith('"') and line.endswith('"') and line.count('","') == 7, "every field is quoted"
    english = await exported(api, type="recipients", broadcast=SPRING, lang="en", zone="UTC")
    assert english[0] == EIGHT_EN
    assert english[1][0] == "Error" and english[1][7] == "2026-04-01 01:00:00"


@pytest.mark.row("R16", "K35", "R15")
async def test_filtered_by_default_and_whole_when_asked(api: Api) -> None:
    await spring(api)

    async def addresses(**request: Any) -> list[str]:
        rows = await exported(api, type="recipients", broadcast=SPRING, **request)
        return [row[4].partition("@")[0] for row in rows[1:]]

    assert await addresses() == ["r1", "r2", "r3", "r4", "r5", "r6"]
    assert await addresses(metric="undelivered") == ["r1", "r2"]
    assert await addresses(metric="channel:in_session") == ["r2"]
    assert await addresses(metric="reached") == ["r4", "r5", "r6"]
    assert await addresses(metric="excluded:bounce") == ["r3"]
    assert await addresses(q="株式会社") == ["r1", "r3"]
    assert await addresses(q="株式会社", metric="undelivered") == ["r1"]
    assert await addresses(q="株式会社", metric="undelivered", scope="all") == ["r1", "r2", "r3", "r4", "r5", "r6"]


@pytest.mark.row("R24", "R25")
async def test_unacknowledged_errors(api: Api) -> None:
    number = await spring(api)
    assert [row[4] for row in await exported(api, type="unacked_errors", broadcast=SPRING)] == [
        "宛先", "r1@example.jp", "r2@example.jp",
    ]  # fmt: skip
    await api.services.writer.submit([acked(number, 8, T0_US + DAY)])
    rows = await exported(api, type="unacked_errors", broadcast=SPRING)
    assert rows[0] == EIGHT
    assert [row[:5] for row in rows[1:]] == [["配信エラー", "", "鈴木", "花子", "r2@example.jp"]]
    # One that comes after somebody looked is not among what was seen (W14).
    await api.services.writer.submit([failed(number, 6, at=T0_US + 2 * DAY)])
    assert [row[4] for row in (await exported(api, type="unacked_errors", broadcast=SPRING))[1:]] == [
        "r2@example.jp", "r6@example.jp",
    ]  # fmt: skip
    whole = await exported(api, type="unacked_errors", broadcast=SPRING, scope="all")
    assert [(row[1], row[4]) for row in whole[1:]] == [
        ("2026-04-02 09:00:00", "r1@example.jp"), ("", "r2@example.jp"), ("", "r6@example.jp"),
    ]  # fmt: skip


@pytest.mark.row("S34")
async def test_cp932_replaces_visibly_and_counts(api: Api) -> None:
    await api.call("PUT", f"/v1/broadcasts/{SPRING}", json={})
    number = number_of(api)
    await api.services.writer.submit([
        planned(number, 1, last="髙橋", first="𠮷", company="〜例〜 〓 ☃社"),
        planned(number, 2, last="한", first="−1"),
    ])  # fmt: skip
    shown = await export(api, type="recipients", broadcast=SPRING, encoding="cp932")
    content, headers = await download(api, shown)
    assert headers["Content-Type"] == "text/csv; charset=windows-31j"
    rows = rows_of(content, "cp932")
    assert rows[0] == EIGHT
    assert [row[2:6] for row in rows[1:]] == [
        ["髙橋", "〓", "r1@example.jp", "～例～ 〓 〓社"], ["〓", "－1", "r2@example.jp", ""],
    ]  # fmt: skip
    assert shown["replaced"] == 3


@pytest.mark.row("E22", "E01", "E02", "E03", "E04", "E05", "E20", "K27")
async def test_mail_status_has_the_eight_fields_and_no_limit_of_days(api: Api) -> None:
    number = await spring(api)
    await api.services.writer.submit([planned(number, 7, at=T0_US + 60 * DAY, api_user="shop")])
    rows = await exported(api, type="mail_status", zone="UTC")
    assert rows[0] == [
        "ステータス",
        "API_USER",
        "受信者",
        "リクエスト時間",
        "送信時間",
        "リクエストIP",
        "送信IP",
        "送信ログ",
    ]
    assert [row[0] for row in rows[1:]] == [
        "ソフトバウンス", "無効なメール", "無効なメール", "配信済み", "配信済み", "配信済み", "配信済み",
    ]  # fmt: skip
    assert rows[1] == [
        "ソフトバウンス", "shop", "r1@example.jp", "2026-04-01 00:00:00", "", "", "",
        "550 5.1.1 User unknown",
    ]  # fmt: skip
    assert rows[5][5] == "203.0.113.7"

    async def who(**request: Any) -> list[str]:
        return [row[2].partition("@")[0] for row in (await exported(api, type="mail_status", **request))[1:]]

    assert await who(api_user="shop") == ["r1", "r7"]
    assert await who(mail_type="news") == ["r2"]
    assert await who(tag="b") == ["r2"]
    assert await who(status="invalid") == ["r2", "r3"]
    # Three months in one query, which the screen refuses (E21, K27).
    assert await who(**{"from": "2026-03-15T00:00:00Z", "to": "2026-06-15T00:00:00Z", "q": "r7"}) == ["r7"]
    assert await who(**{"from": "2026-05-01T00:00:00Z"}) == ["r7"]
    assert await who(**{"from": "2026-05-01T00:00:00Z", "api_user": "nobody", "scope": "all"}) == [
        f"r{recipient}" for recipient in range(1, 8)
    ]


@pytest.mark.row("E01", "E22")
async def test_sent_is_when_and_from_where_it_went_out(api: Api) -> None:
    """Not when and from where a bounce came back; the list and the file agree."""
    begin = api.services.now_us() // (3_600 * SECOND) * 3_600 * SECOND
    number = number_of(api)

    def said(who: int, kind: FactType, minute: int, channel: Channel, ip: str | None = None) -> Fact:
        detail = Report(
            channel, b"%d-%d" % (who, minute), Cause.USER_UNKNOWN, diagnostic=f"said at {minute}", send_ip=ip
        )  # fmt: skip
        return Fact(kind, place(who, number), begin + minute * 60 * SECOND, detail)

    bounced, tried = Channel.OUT_OF_BAND, Channel.IN_SESSION
    expected: dict[int, tuple[int | None, str | None, int | None]] = {
        1: (1, "192.0.2.1", 9), 2: (5, None, 5), 3: (None, None, 5), 4: (4, "192.0.2.4", 4), 5: (1, "192.0.2.5", 1),
        6: (None, None, None), 7: (5, None, 9), 8: (3, "192.0.2.8", 8),
    }  # fmt: skip
    await api.services.writer.submit([
        *(planned(number, who, at=begin) for who in expected),
        said(1, FactType.ACCEPTED, 1, tried, "192.0.2.1"), said(1, FactType.FAILED, 9, bounced),
        said(2, FactType.RELAYED, 5, bounced),
        said(3, FactType.FAILED, 5, bounced),
        said(4, FactType.DEFERRED, 2, tried, "192.0.2.2"), said(4, FactType.DEFERRED, 4, tried, "192.0.2.4"),
        said(5, FactType.FAILED, 1, tried, "192.0.2.5"),
        said(7, FactType.RELAYED, 5, bounced), said(7, FactType.FAILED, 9, bounced),
        said(8, FactType.DEFERRED, 2, tried, "192.0.2.2"), said(8, FactType.ACCEPTED, 3, tried, "192.0.2.8"),
        said(8, FactType.FAILED, 8, bounced),
    ])  # fmt: skip
    window = {"from": _shown(begin - DAY), "to": _shown(begin + DAY)}
    listed = (await api.call("GET", f"/v1/mail-status?from={window['from']}&to={window['to']}")).json["mails"]
    rows = (await exported(api, type="mail_status", zone="UTC"))[1:]
    assert len(rows) == len(listed) == len(expected)
    for (who, (sent, ip, last)), row, mail in zip(expected.items(), rows, listed, strict=True):
        at = None if sent is None else _shown(begin + sent * 60 * SECOND)
        words = "" if last is None else f"said at {last}"
        assert (mail["sent_at"], mail["send_ip"], mail["send_log"]) == (at, ip, words), who
        assert row[4:5] + row[6:] == [(at or "").replace("T", " ").rstrip("Z"), ip or "", words], who


def _shown(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.row("S33", "S34", "K26", "K05")
async def test_report_clicks_links_and_suppressions(api: Api) -> None:
    number = await spring(api)
    head, row = await exported(api, type="report", broadcast=SPRING)
    numbers = dict(zip(head, row, strict=True))
    assert len(head) == len(set(head))
    wanted = {"配信ID": "spring", "配信名": "春のご案内", "リスト件数": "6", "宛先": "5", "到達": "3", "不達": "2",
              "除外: 不達リスト": "1", "ユーザー不明": "2", "開封": "2", "到達率": "0.600000"}  # fmt: skip
    assert {name: numbers[name] for name in wanted} == wanted
    clicks = await exported(api, type="clicks", broadcast=SPRING, zone="UTC")
    assert [(row[0], row[6], row[9], row[10], row[11]) for row in clicks[1:]] == [
        ("2026-04-01 04:00:00", "r5@example.jp", "2", "https://example.jp/2", "0"),
        ("2026-04-01 09:00:00", "r5@example.jp", "1", "https://example.jp/1", "1"),
    ]
    links = await exported(api, type="links", broadcast=SPRING)
    assert [row[3:] for row in links[1:]] == [
        ["2", "https://example.jp/2", "1", "0", "1"], ["1", "https://example.jp/1", "0", "1", "0"],
    ]  # fmt: skip
    active = await exported(api, type="suppressions")
    kinds = {(row[1], row[3]) for row in active[1:]}
    whole = await exported(api, type="suppressions", scope="all")
    assert kinds <= {(row[1], row[3]) for row in whole[1:]}
    assert ("r5@example.jp", "complaint") in {(row[1], row[3]) for row in whole[1:]}
    by_kind = await exported(api, type="suppressions", kind="complaint", scope="filtered")
    assert {row[3] for row in by_kind[1:]} <= {"complaint"}
    assert number == number_of(api)


@pytest.mark.row("E36", "E38", "N15")
async def test_suppressions_have_custom_blocks(api: Api) -> None:
    """What is set by hand keeps people out as well, and says by whom and until when (E38)."""
    await spring(api)
    for body in (
        {"kind": "address", "value": "Taro@Example.JP", "note": "by phone"},
        {"kind": "domain", "value": "*.example.com", "expires_at": "2099-01-01T00:00:00Z"},
        {"kind": "domain", "value": "gone.example", "expires_at": "2026-01-01T00:00:00Z"},
        {"kind": "company", "value": "=株式会社例"},
    ):
        assert (await api.call("POST", "/v1/blocks", json=body)).status in (200, 201)

    async def blocks(**asked: Any) -> list[dict[str, str]]:
        head, *rows = await exported(api, type="suppressions", lang="en", **asked)
        return [dict(zip(head, row, strict=True)) for row in rows]

    listed = [row for row in await blocks() if row["Kind"] == "block"]
    assert listed == await blocks(kind="block"), "the same rows, whether asked for alone"
    told = {(row["Address"], row["Receiving domain"], row["Company"]): row for row in listed}
    assert set(told) == {
        ("Taro@example.jp", "example.jp", ""), ("", "*.example.com", ""), ("", "", "'=株式会社例"),
    }  # fmt: skip
    by_address = told["Taro@example.jp", "example.jp", ""]
    assert by_address["Reason"] == "Blacklist: Custom Block (worker:address in block list)"
    assert (by_address["Active"], by_address["Expires at"], by_address["Note"]) == ("1", "", "by phone")
    assert by_address["API user"] and by_address["Since"]
    assert len(by_address["Recipient number"]) == 16
    assert told["", "*.example.com", ""]["Expires at"].startswith("2099-01-01 ")
    whole = await blocks(scope="all")
    ended = [row for row in whole if row["Receiving domain"] == "gone.example"]
    assert [row["Active"] for row in ended] == ["0"]
    assert [row["Receiving domain"] for row in await blocks(kind="block", domain="example.com")] == ["*.example.com"]
    assert await blocks(kind="block", to="2020-01-01T00:00:00Z") == []
    refused = await api.call("GET", "/v1/suppressions?kind=block")
    assert refused.status == 400 and "GET /v1/blocks" in refused.text


@pytest.mark.row("K21", "K37")
async def test_events_are_all_facts_without_secrets(api: Api) -> None:
    number = await spring(api)
    detail = DocumentSet("webhook", "w1", b'{"secret": "whsec_canary"}', "admin")
    await api.services.writer.submit([Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, detail)])
    content, headers = await download(api, await export(api, type="events", format="ndjson"))
    assert headers["Content-Type"] == "application/x-ndjson"
    assert b"canary" not in content
    events = [json.loads(line) for line in content.splitlines()]
    assert [event["type"] for event in events] == [
        "broadcast_set", *["planned"] * 6, "failed", "failed", "excluded", "opened", "clicked", "clicked", "complained",
    ]  # fmt: skip
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    click = events[11]
    assert (click["url"], click["link"], click["happened_at"]) == (
        "https://example.jp/2",
        2,
        "2026-04-01T04:00:00.000000Z",
    )
    assert click["broadcast_id"] == SPRING and click["broadcast"] == f"{number:012x}"
    assert json.loads(events[7]["detail"])["rule"] == "user-unknown"
    window = {"from": "2026-04-01T03:00:00Z", "to": "2026-04-01T04:00:00Z"}
    narrowed, _ = await download(api, await export(api, type="events", format="ndjson", broadcast=SPRING, **window))
    assert [json.loads(line)["type"] for line in narrowed.splitlines()] == ["opened"]


@pytest.mark.row("E48")
async def test_a_file_is_kept_seven_days_and_its_row_stays(env: Environment, keys: KeyRing) -> None:
    now = [T0_US + DAY]
    async with running_api(env, keys, now_us=lambda: now[0]) as api:
        await spring(api)
        shown = await export(api, type="recipients", broadcast=SPRING)
        ended_us = now[0]
        assert shown["expires_at"] == "2026-04-09T00:00:00Z"
        file = next((env.path.parent / "exports").glob("*.csv"))
        assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
        now[0] = ended_us + KEPT_US
        await download(api, shown)
        assert api.services.exports is not None
        assert api.services.exports.sweep() == 0
        now[0] = ended_us + KEPT_US + 1_000_000
        gone = await api.call("GET", f"/v1/exports/{shown['id']}/file")
        assert gone.status == 410 and gone.json["type"].endswith(":gone")
        assert not file.exists()
        listed = (await api.call("GET", "/v1/exports")).json["exports"]
        assert [(row["id"], row["state"], row["url"], row["rows"]) for row in listed] == [
            (shown["id"], "succeeded", None, 6)
        ]
        # Made again, under the same id.
        again = await api.call("POST", f"/v1/exports/{shown['id']}/retry")
        assert again.status == 200 and again.json["id"] == shown["id"]
        await download(api, await ended(api, shown["id"]))


@pytest.mark.row("K34")
async def test_what_was_listed_stays_whatever_becomes_of_the_senders_list(api: Api) -> None:
    """Reports and exports show people as they were listed at sending time; the sender's list may change or go."""
    await api.call("PUT", f"/v1/broadcasts/{SPRING}", json={"format": "html", "status": "sent"})
    row = {"address": "taro@example.jp", "last_name": "山田", "company": "旧社名", "list_ref": "list-1"}
    await api.sends([{"broadcast": SPRING, **row}])
    before = await exported(api, type="recipients", broadcast=SPRING)
    await api.sends([{"broadcast": "summer", **row, "last_name": "鈴木", "company": "新社名", "list_ref": "list-2"}])
    assert await exported(api, type="recipients", broadcast=SPRING) == before
    assert before[1][2] == "山田" and before[1][5] == "旧社名"
    assert (await exported(api, type="recipients", broadcast="summer"))[1][5] == "新社名"
    assert (await api.call("GET", f"/v1/broadcasts/{SPRING}/report")).json["numbers"]["listed"] == 1


@pytest.mark.row("E48")
async def test_files_nobody_asks_for_are_swept(env: Environment, keys: KeyRing) -> None:
    now = [T0_US + DAY]
    async with running_api(env, keys, now_us=lambda: now[0]) as api:
        await spring(api)
        for form in ("csv", "ndjson"):
            await export(api, type="report", format=form)
        now[0] += KEPT_US + 1_000_000
        tasks = api.services.exports
        assert tasks is not None and tasks.sweep() == 2 and tasks.sweep() == 0
        assert list((env.path.parent / "exports").iterdir()) == []


class _Held:
    """Stops every child as it starts, so that a test can look at it, and kill it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pids: list[int] = []
        self.is_holding = True
        start = asyncio.create_subprocess_exec

        async def held(*arguments: Any, **more: Any) -> asyncio.subprocess.Process:
            process = await start(*arguments, **more)
            self.pids.append(process.pid)
            if self.is_holding:
                process.send_signal(signal.SIGSTOP)
            return process

        monkeypatch.setattr(errand.asyncio, "create_subprocess_exec", held)

    async def wait_for(self, count: int) -> None:
        for _ in range(600):
            if len(self.pids) >= count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("no process was started")


@pytest.mark.row("E47", "E46")
async def test_a_killed_process_fails_the_export_and_a_retry_keeps_the_id(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spring(api)
    held = _Held(monkeypatch)
    asked = (await api.call("POST", "/v1/exports", json={"type": "recipients", "broadcast": SPRING})).json
    assert asked["state"] == "running" and asked["progress"] == 0.0 and asked["url"] is None
    await held.wait_for(1)
    assert held.pids[0] != os.getpid()
    for path in ("file", "retry"):
        method = "GET" if path == "file" else "POST"
        answer = await api.call(method, f"/v1/exports/{asked['id']}/{path}")
        assert answer.status == 409, path
    os.kill(held.pids[0], signal.SIGKILL)
    failed_one = await ended(api, asked["id"])
    assert failed_one["state"] == "failed" and "signal 9" in failed_one["error"]
    assert (await api.call("GET", f"/v1/exports/{asked['id']}/file")).status == 409
    held.is_holding = False
    again = await api.call("POST", f"/v1/exports/{asked['id']}/retry")
    assert again.status == 200 and again.json["state"] == "running"
    done = await ended(api, asked["id"])
    assert done["id"] == asked["id"] and done["state"] == "succeeded" and done["error"] is None
    assert len(rows_of((await download(api, done))[0])) == 7


@pytest.mark.row("E46")
async def test_two_at_a_time_and_cancelling_frees_a_turn(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await spring(api)
    held = _Held(monkeypatch)
    ids = [(await api.call("POST", "/v1/exports", json={"type": "report"})).json["id"] for _ in range(4)]
    await held.wait_for(2)
    await asyncio.sleep(0.2)
    assert len(held.pids) == 2
    rows = {row["id"]: row for row in (await api.call("GET", "/v1/exports")).json["exports"]}
    assert list(rows) == ids[::-1], "the newest first"
    assert [rows[i]["started_at"] is None for i in ids] == [False, False, True, True]
    waiting = (await api.call("DELETE", f"/v1/exports/{ids[3]}")).json
    assert waiting["state"] == "failed" and waiting["error"] == "Cancelled by admin."
    held.is_holding = False
    cancelled = (await api.call("DELETE", f"/v1/exports/{ids[0]}")).json
    assert cancelled["state"] == "failed"
    with pytest.raises(ProcessLookupError):
        os.kill(held.pids[0], 0)
    assert (await ended(api, ids[2]))["state"] == "succeeded"
    os.kill(held.pids[1], signal.SIGCONT)
    assert (await ended(api, ids[1]))["state"] == "succeeded"
    # Of one that is done, the file goes and the row stays.
    gone = (await api.call("DELETE", f"/v1/exports/{ids[1]}")).json
    assert (gone["url"], gone["removed"]) == (None, "deleted")
    missing = await api.call("GET", f"/v1/exports/{ids[1]}/file")
    assert missing.status == 410 and "removed by request" in missing.text
    assert len((await api.call("GET", "/v1/exports")).json["exports"]) == 4


@pytest.mark.row("E47")
async def test_what_a_killed_console_left_shows_as_failed(
    api: Api, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spring(api)
    held = _Held(monkeypatch)
    asked = (await api.call("POST", "/v1/exports", json={"type": "report"})).json
    await held.wait_for(1)
    # Another console over the same store, as after a restart: it runs nothing of this.
    services, directory = api.services, env.path.parent / "exports"
    fresh = ExportTasks(
        services.reader, services.writer, ChildLauncher(env.path, 256 * 2**20), directory,
        stamp=services.stamp, now_us=services.now_us,
    )  # fmt: skip
    seen = fresh.find(1, asked["id"])
    assert seen is not None and seen.state == "failed" and seen.error == INTERRUPTED and seen.ended_us is None
    await fresh.recover()
    seen = fresh.find(1, asked["id"])
    assert seen is not None and seen.state == "failed" and seen.ended_us is not None
    assert list(directory.glob("*.part")) == []
    held.is_holding = False
    await fresh.retry(1, "admin", seen, may_restricted=True)
    for _ in range(600):
        seen = fresh.find(1, asked["id"])
        assert seen is not None
        if seen.state != "running":
            break
        await asyncio.sleep(0.05)
    assert seen.state == "succeeded"
    os.kill(held.pids[0], signal.SIGKILL)
    await fresh.stop()


def give(api: Api, name: str, *scopes: Scope, role: Role | None = None, tenant: int = 1) -> str:
    """Make a token."""
    granted = frozenset({*scopes, *(ROLES[role] if role else ())})
    api.tokens[f"ymb_{name}"] = Identity(name, tenant, granted)
    return f"ymb_{name}"


@pytest.mark.row("R05", "R06", "S35", "S36")
async def test_rights_by_source_of_recipients(api: Api) -> None:
    operator, admin = give(api, "operator", role=Role.OPERATOR), give(api, "boss", role=Role.ADMIN)
    viewer = give(api, "viewer", role=Role.VIEWER)
    barred = give(api, "barred", *(set(ROLES[Role.ADMIN]) - {Scope.CONTACTS_DOWNLOAD}))
    for source in ("addressbook", "csv", "api", None):
        name = source or "unsaid"
        await api.call("PUT", f"/v1/broadcasts/{name}", json={})
        await api.services.writer.submit([planned(number_of(api, name), 1, recipient_source=source)])
        for token, may in ((operator, source != "addressbook"), (admin, True), (viewer, False), (barred, False)):
            for kind in ("recipients", "deliveries"):
                answer = await api.call("POST", "/v1/exports", token=token, json={"type": kind, "broadcast": name})
                assert answer.status == (201 if may else 403), (source, token, kind)
                if may:
                    await download(api, await ended(api, answer.json["id"], token=token), token=token)
                elif token == operator:
                    assert "exports:addressbook" in answer.json["detail"]
                elif token == barred:
                    assert "contacts:download" in answer.json["detail"]
    # What an administrator had made is no way round.
    shown = await export(api, token=admin, type="recipients", broadcast="addressbook")
    assert (await api.call("GET", shown["url"], token=operator)).status == 403
    assert (await api.call("GET", shown["url"], token=barred)).status == 403
    assert (await api.call("POST", "/v1/exports", token=operator, json={"type": "events"})).status == 403
    # Nor is another tenant's.
    other = give(api, "other", role=Role.ADMIN, tenant=2)
    for method, rest in (("GET", ""), ("GET", "/file"), ("POST", "/retry"), ("DELETE", "")):
        assert (await api.call(method, f"/v1/exports/{shown['id']}{rest}", token=other)).status == 404
    assert (await api.call("GET", "/v1/exports", token=other)).json["exports"] == []


@pytest.mark.row("R05")
async def test_an_address_book_in_the_middle_of_a_list_is_found_too(api: Api) -> None:
    operator = give(api, "operator", role=Role.OPERATOR)
    await api.call("PUT", f"/v1/broadcasts/{SPRING}", json={})
    number = number_of(api)
    await api.services.writer.submit([
        planned(number, recipient, recipient_source="Address_Book" if recipient == 400 else "csv")
        for recipient in range(1, 1_001)
    ])  # fmt: skip
    shown = await export(api, token=operator, type="recipients", broadcast=SPRING)
    assert shown["state"] == "failed" and "exports:addressbook" in shown["error"]
    assert list((api.services.exports._directory).glob("*.csv")) == []  # type: ignore[union-attr]
    # Without that one it may.
    without = await export(api, token=operator, type="recipients", broadcast=SPRING, q="r12")
    assert without["state"] == "succeeded" and without["rows"] == 11


@pytest.mark.row("T17")
async def test_who_exported_what_is_on_record(api: Api) -> None:
    await spring(api)
    shown = await export(api, type="recipients", broadcast=SPRING, metric="undelivered")
    await download(api, shown)
    deeds = [fact.detail for fact in api.services.reader.audit(1).rows]
    assert [(deed.actor, deed.action, deed.target) for deed in deeds] == [  # type: ignore[union-attr]
        ("admin", "export.download", f"export:{shown['id']}"), ("admin", "export.create", f"export:{shown['id']}"),
    ]  # fmt: skip
    assert json.loads(deeds[0].note)["metric"] == "undelivered"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"type": "recipients"}, 400, "needs a `broadcast`"),
        ({"type": "recipients", "broadcast": "nowhere"}, 404, "no such broadcast"),
        ({"type": "everything"}, 400, "Invalid enum value"),
        ({"type": "recipients", "broadcast": SPRING, "metric": "happiness"}, 400, "no number"),
        ({"type": "recipients", "broadcast": SPRING, "metric": "cause:bad_luck"}, 400, "no number"),
        ({"type": "report", "metric": "undelivered"}, 400, "takes no `metric`"),
        ({"type": "suppressions", "kind": "dislike"}, 400, "`kind` is one of"),
        ({"type": "mail_status", "status": "lost"}, 400, "`status` is one of"),
        ({"type": "report", "zone": "Mars/Olympus"}, 400, "`zone` must be"),
        ({"type": "events", "from": "2026-04-02T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, 400, "before `to`"),
        ({"type": "events", "from": "2026-04-02T00:00:00"}, 400, "timezone"),
        ({"type": "report", "format": "xlsx"}, 400, "Invalid enum value"),
        ({"type": "report", "colour": "red"}, 400, "unknown field"),
    ],
)
async def test_what_cannot_be_asked_is_said(api: Api, request_: dict[str, Any], status: int, words: str) -> None:
    await api.call("PUT", f"/v1/broadcasts/{SPRING}", json={})
    answer = await api.call("POST", "/v1/exports", json=request_)
    assert answer.status == status and words in answer.json["detail"], answer.text
    assert (await api.call("GET", "/v1/exports")).json["exports"] == []


async def test_as_many_may_wait_as_can_be_made(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.export_tasks.MAX_UNFINISHED", 2)
    held = _Held(monkeypatch)
    for _ in range(2):
        assert (await api.call("POST", "/v1/exports", json={"type": "report"})).status == 201
    answer = await api.call("POST", "/v1/exports", json={"type": "report"})
    assert answer.status == 429 and answer.headers["Retry-After"]
    await held.wait_for(2)


@pytest.mark.parametrize(
    "source", ["addressbook", "Address Book", "address_book", " ADDRESS-BOOK", "アドレス帳", "ｱﾄﾞﾚｽ帳"]
)
def test_an_address_book_is_one_however_it_is_written(source: str) -> None:
    assert is_restricted(source) and not is_restricted(source + " of others")
