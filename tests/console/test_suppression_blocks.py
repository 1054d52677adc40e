"""Custom blocks, their CSV, and exemptions, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from console.services import ConsoleLimits
from model.keyring import KeyRing
from store.environment import Environment
from store.writer import write_now
from tests.console.api import Api, running_api
from tests.store.world import T0_US, complained, failed

CSV = {"Content-Type": "text/csv"}
BLOCKED = "Blacklist: Custom Block (worker:address in block list)"


async def excluded(api: Api, address: str, **fields: str) -> Any:
    """What POST /v1/sends says of somebody, by a broadcast of its own."""
    broadcast = f"b{abs(hash((address, *fields.values())))}"
    return (await api.sends([{"broadcast": broadcast, "address": address, **fields}])).lines[0].get("excluded")


async def upload(api: Api, text: str | bytes, *, dry: bool = False) -> Any:
    data = text.encode() if isinstance(text, str) else text
    answer = await api.call("POST", f"/v1/blocks/import?dry_run={str(dry).lower()}", data=data, **CSV)
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.row("E36", "E37", "E38", "S32")
async def test_blocks_of_every_sort(api: Api) -> None:
    for kind, value in (
        ("address", "Taro@Example.jp"), ("domain", "例え.jp"), ("domain", "*.example.com"),
        ("company", "株式会社アクメ"),
    ):  # fmt: skip
        answer = await api.call("POST", "/v1/blocks", json={"kind": kind, "value": value, "note": "why"})
        assert answer.status == 201, answer.text
        assert (answer.json["api_user"], answer.json["expires_at"], answer.json["note"]) == ("admin", None, "why")
    for address, fields, is_blocked in (
        ("taro@example.jp", {}, True), ("jiro@example.jp", {}, False), ("a@xn--r8jz45g.jp", {}, True),
        ("a@mail.example.com", {}, True), ("a@example.com", {}, False),
        ("b@example.org", {"company": "株式会社ｱｸﾒ"}, True),
        ("b@example.org", {"company": "株式会社アクメ商事"}, False),
    ):  # fmt: skip
        assert (await excluded(api, address, **fields)) == ("block" if is_blocked else None), address
        # Asked beforehand the answer is the same.
        asked = {"addresses": [{"address": address, **fields}, address]}
        rows = (await api.call("POST", "/v1/preflight", json=asked)).json["results"]
        assert [row["allowed"] for row in rows] == [not is_blocked, not is_blocked or bool(fields)], address
        assert rows[0]["address"] == address and rows[0]["excluded"] == ("block" if is_blocked else None)
    told = (await api.call("POST", "/v1/preflight", json={"addresses": ["taro@example.jp"]})).json["results"][0]
    assert (told["excluded"], told["detail"]) == ("block", BLOCKED)
    listed = (await api.call("GET", "/v1/blocks")).json
    assert len(listed["blocks"]) == 4 and listed["next"] is None
    by_kind = {row["kind"]: row for row in listed["blocks"]}
    assert (by_kind["address"]["value"], by_kind["address"]["domain"]) == ("Taro@example.jp", "example.jp")
    for query, count in (("?kind=domain", 2), ("?q=アクメ", 1), ("?q=ｱｸﾒ", 1), ("?domain=example.com", 1),
                         ("?to=2020-01-01T00:00:00Z", 0)):  # fmt: skip
        assert len((await api.call("GET", f"/v1/blocks{query}")).json["blocks"]) == count, query


@pytest.mark.row("E38", "E35")
async def test_a_block_is_changed_ends_and_is_deleted_with_a_reason(api: Api) -> None:
    block = {"kind": "domain", "value": "example.com", "expires_at": "2020-01-01T00:00:00Z"}
    assert (await api.call("POST", "/v1/blocks", json=block)).status == 201
    assert await excluded(api, "a@example.com") is None, "it ended"
    assert (await api.call("GET", "/v1/blocks")).json["blocks"] == []
    assert len((await api.call("GET", "/v1/blocks?expired=true")).json["blocks"]) == 1
    assert (await api.call("POST", "/v1/blocks", json=block | {"expires_at": None})).status == 200
    assert await excluded(api, "b@example.com") == "block"
    assert (await api.call("DELETE", "/v1/blocks/domain:example.com")).status == 400, "without a reason"
    assert (await api.call("DELETE", "/v1/blocks/domain:example.com?reason=old")).status == 204
    assert (await api.call("DELETE", "/v1/blocks/domain:example.com?reason=old")).status == 404
    assert await excluded(api, "c@example.com") is None
    actions = [row["action"] for row in (await api.call("GET", "/v1/audit")).json["audit"]]
    assert actions == ["block.delete", "block.add", "block.add"]


@pytest.mark.parametrize(
    "block",
    [
        {"kind": "address", "value": "no address"}, {"kind": "domain", "value": "localhost"},
        {"kind": "domain", "value": "*.*.example.com"}, {"kind": "domain", "value": "a b.example"},
        {"kind": "company", "value": "  "}, {"kind": "ip", "value": "192.0.2.1"},
        {"kind": "domain", "value": "example.com", "expires_at": "soon"},
    ],
)  # fmt: skip
async def test_what_names_nothing_is_refused(block: dict[str, str], api: Api) -> None:
    assert (await api.call("POST", "/v1/blocks", json=block)).status == 400
    assert (await api.call("GET", "/v1/blocks")).json["blocks"] == []


@pytest.mark.row("E36", "P28")
async def test_a_file_is_tried_first_and_then_taken(api: Api) -> None:
    text = (
        "address,domain,company,expires_at,note\n"
        "a@example.jp,,,,one\n"
        ",example.com,,2030-01-01,\n"
        "A@example.jp,,,,again\n"
        ",,株式会社アクメ,,\n"
        "nobody,,,,\n"
        "b@example.jp,example.org,,,two at once\n"
        ",*.example.net,,someday,\n"
        "\n"
        '"quoted, with comma"@example.jp,,,,\n'
    )
    dry = await upload(api, text, dry=True)
    assert (dry["lines"], dry["added"], dry["changed"], dry["known"]) == (8, 3, 0, 0)
    assert [row["line"] for row in dry["malformed"]] == [6, 7, 8, 10]
    assert dry["duplicates"] == [{"line": 4, "first": 2}]
    assert [row["value"] for row in dry["sample"]] == ["a@example.jp", "example.com", "株式会社アクメ"]
    assert (await api.call("GET", "/v1/blocks")).json["blocks"] == [], "a dry run changes nothing"
    taken = await upload(api, text)
    assert taken == dry | {"dry_run": False}
    assert len((await api.call("GET", "/v1/blocks")).json["blocks"]) == 3
    again = await upload(api, text)
    assert (again["added"], again["changed"], again["known"]) == (0, 0, 3)
    assert (await upload(api, "a@example.jp,2031-01-01,new"))["changed"] == 1


@pytest.mark.row("E36", "E38")
@pytest.mark.parametrize("dry", [True, False])
async def test_lines_that_have_ended_are_told(dry: bool, api: Api) -> None:
    """They are taken, so that a list may end a block; nobody must think that they keep anybody out."""
    assert (await api.call("POST", "/v1/blocks", json={"kind": "domain", "value": "held.example"})).status == 201
    text = "domain,expires_at\nold.example,2020-01-01\nnew.example,2099-01-01\nheld.example,2020-01-01T00:00:00+09:00\n"
    told = await upload(api, text, dry=dry)
    assert (told["added"], told["changed"], told["malformed_count"], told["expired_count"]) == (2, 1, 0, 2)
    assert told["expired"] == [
        {"line": 2, "expires_at": "2020-01-01T00:00:00+09:00"}, {"line": 4, "expires_at": "2020-01-01T00:00:00+09:00"},
    ]  # fmt: skip
    assert await excluded(api, "a@old.example") is None
    assert await excluded(api, "a@held.example") == ("block" if dry else None)
    assert await excluded(api, "a@new.example") == (None if dry else "block")


async def test_a_file_without_names_of_columns_from_japanese_excel(api: Api) -> None:
    done = await upload(api, "a@example.jp,,社長の指示\r\n*.example.com\r\n".encode("cp932"))
    assert (done["added"], done["malformed"]) == (2, [])
    assert (await api.call("GET", "/v1/blocks?q=a@")).json["blocks"][0]["note"] == "社長の指示"
    marked = await upload(api, "\ufeffaddress\nz@example.jp\n")
    assert marked["added"] == 1
    answer = await api.call("POST", "/v1/blocks/import", data=b"\xff\xff\xff\x81", **CSV)
    assert answer.status == 400
    assert (await api.call("POST", "/v1/blocks/import", data=b"a", Content_Type="text/plain")).status == 415


@pytest.mark.row("E36", "E38")
async def test_files_as_japanese_operators_have_them(api: Api) -> None:
    """Headings in Japanese, as our own exports write them; Excel's dates, its tabs, its Unicode text."""
    text = (
        "受信者番号,アドレス,受信ドメイン,会社名,有効期限,メモ\r\n"
        "0123,a@example.jp,example.jp,,2030/1/5,一\r\n"
        ",,example.com,,2030/01/05 9:30,\r\n"
        ",,,株式会社アクメ,2030-01-05,\r\n"
        ",b@example.jp,example.org,,,two at once\r\n"
    )
    for content in (text, text.encode("cp932"), text.replace(",", "\t").encode("utf-16")):
        dry = await upload(api, content, dry=True)
        assert [(row["kind"], row["value"], row["expires_at"]) for row in dry["sample"]] == [
            ("address", "a@example.jp", "2030-01-05T00:00:00+09:00"),
            ("domain", "example.com", "2030-01-05T09:30:00+09:00"),
            ("company", "株式会社アクメ", "2030-01-05T00:00:00+09:00"),
        ]  # a date without a zone is one of console.zone
        assert [row["line"] for row in dry["malformed"]] == [5]


@pytest.mark.row("E36")
@pytest.mark.parametrize(
    ("line", "says"),
    [("a@example.jp,来年", "write 2027-03-31"), ("a@example.jp,9999-12-31", "1970 to 2199"),
     ("a@example.jp,0001-01-01", "1970 to 2199"), ("a@example.jp,2030/2/30", "write 2027-03-31")],
)  # fmt: skip
async def test_a_date_that_cannot_be_is_told(api: Api, line: str, says: str) -> None:
    dry = await upload(api, f"address,expires_at\n{line}\n", dry=True)
    assert dry["added"] == 0 and says in dry["malformed"][0]["problem"]


@pytest.mark.row("E36")
async def test_headings_nobody_knows_are_told_as_such(api: Api) -> None:
    dry = await upload(api, "Kunde,bis\na@example.jp,2030-01-01\n", dry=True)
    assert dry["added"] == 1 and "headings" in dry["malformed"][0]["problem"]


async def test_a_file_has_a_limit(env: Environment, keys: KeyRing) -> None:
    async with running_api(env, keys, limits=ConsoleLimits(csv_bytes=1_000)) as api:
        data = b"a@example.jp\n" * 1_000
        assert (await api.call("POST", "/v1/blocks/import", data=data, **CSV)).status == 413
        assert (await api.call("GET", "/v1/blocks")).json["blocks"] == []


async def test_many_blocks_come_in_pages(api: Api) -> None:
    done = await upload(api, "\n".join(f"d{n}.example" for n in range(120)))
    assert done["added"] == 120
    sizes, after = [], ""
    while True:
        page = (await api.call("GET", f"/v1/blocks{after}")).json
        sizes.append(len(page["blocks"]))
        if page["next"] is None:
            break
        after = f"?after={page['next']}"
    assert sizes == [50, 50, 20]


@pytest.mark.row("E43")
async def test_an_exemption_by_address_or_number(api: Api, env: Environment) -> None:
    object.__setattr__(api.services, "now_us", lambda: T0_US)
    number = api.services.keys().recipient_number(1, "taro@example.jp")
    write_now(env, [failed(number)])
    assert await excluded(api, "taro@example.jp") == "bounce"
    assert (await api.call("GET", "/v1/exemptions/taro@example.jp")).status == 404
    put = await api.call("PUT", "/v1/exemptions/Taro@example.jp", json={"reason": "asked by telephone"})
    assert (put.status, put.json["recipient"], put.json["address"]) == (201, f"{number:016x}", "Taro@example.jp")
    assert await excluded(api, "TARO@example.jp") is None
    assert (await api.call("GET", f"/v1/exemptions/{number:016x}")).json["reason"] == "asked by telephone"
    assert len((await api.call("GET", "/v1/exemptions")).json["exemptions"]) == 1
    write_now(env, [complained(number)])
    told = (await api.call("POST", "/v1/preflight", json={"addresses": ["taro@example.jp"]})).json["results"][0]
    assert told["excluded"] == "complaint"
    assert (await api.call("DELETE", f"/v1/exemptions/{number:016x}")).status == 400, "without a reason"
    assert (await api.call("DELETE", f"/v1/exemptions/{number:016x}?reason=left")).status == 204
    assert (await api.call("DELETE", f"/v1/exemptions/{number:016x}?reason=left")).status == 404
    assert (await api.call("PUT", "/v1/exemptions/nobody", json={"reason": "x"})).status == 400


@pytest.mark.parametrize(
    "entry", [{}, {"company": "例"}, {"address": 1}, {"address": "a@example.jp", "firma": "例"}, 7, None,
              {"address": "a@example.jp", "company": "例" * 201}],
)  # fmt: skip
async def test_preflight_refuses_what_is_no_entry(entry: object, api: Api) -> None:
    answer = await api.call("POST", "/v1/preflight", json={"addresses": ["b@example.jp", entry]})
    assert answer.status == 400 and "addresses" in answer.json["detail"]
