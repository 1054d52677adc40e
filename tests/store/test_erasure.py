"""Forgetting: after an erasure the file holds nothing of the person, counts as before, and still does not mail."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from model.detail import (
    Agent,
    Audited,
    AutoReplied,
    Complained,
    Detail,
    DocumentSet,
    Engaged,
    Planned,
    Report,
    Unmatched,
)
from model.fact import DeliveryKey, Fact, FactType
from store import keys
from store.codec import unpack_chunk
from store.environment import Environment
from store.erasure import ERASURE_KIND, RETENTION_KIND, RETENTION_NAME, Retention, erase, wished_erasures
from store.gate import BLOCK_KIND, Candidate, block_name
from store.log import scan_chunks, scan_log
from store.reader import Reader
from store.report import build_report
from store.verify import verify
from store.writer import write_now
from tests.store.world import DAY, HOUR, T0_US, clicked, complained, failed, key, opened, planned, random_facts

_BLOCK = block_name("recipient", f"{7:016x}")
CANARIES = [f"canary{n:02d}x{n * 7919}" for n in range(20)]


def canary_facts() -> list[Fact]:
    """Everything that can name recipient 7 of tenant 1, each place with a canary of its own."""
    c = CANARIES
    address = f"{c[0]}@example.jp"
    listed = Planned(
        address, b"row00001", contact_ref=c[1], last_name=c[2], first_name=c[3], company=c[4], tags=(c[5],),
        user_ref=c[6], request_ip=c[7],
    )  # fmt: skip
    bounce = failed(7, 1, at=T0_US + HOUR, address=f"<{c[0].upper()}@example.jp>")
    assert isinstance(bounce.detail, Report)
    words = f"550 5.1.1 <{address}>: {c[2]} {c[0]} unknown here, see https://example.jp/{c[8]}"
    bounce = replace(bounce, detail=replace(bounce.detail, diagnostic=words, final_address=f"{c[9]}@example.net"))
    visit: Detail = Engaged(Agent.PERSON, 1, 3, c[10], c[11], f"https://example.jp/?mail={address}")
    reply = AutoReplied("vacation", b"a", c[12], "2026-05-01", f"{c[13]}@example.jp", c[14])
    stranger = failed(8, 1, at=T0_US + HOUR, address="other@example.jp")
    assert isinstance(stranger.detail, Report)
    forwarded = replace(stranger.detail, diagnostic=f"forwarded to {address}, unknown", final_address=address)
    raw = zlib.compress(f"To: {address}\r\n\r\n{c[15]}".encode())
    block = json.dumps({"kind": "address", "value": address, "expires_at_us": None, "note": ""}).encode()
    tenant = DeliveryKey(1, 0, 0)
    return [
        Fact(FactType.PLANNED, key(7), T0_US, listed, is_html=True),
        bounce,
        Fact(FactType.CLICKED, key(7, 2), T0_US + 2 * HOUR, visit, is_html=True),
        Fact(FactType.AUTO_REPLIED, key(7, 2), T0_US + 3 * HOUR, reply),
        Fact(FactType.COMPLAINED, key(7, 2), T0_US + 4 * HOUR, Complained("abuse", b"c", False, c[16], c[17])),
        replace(stranger, detail=forwarded),
        Fact(FactType.UNMATCHED, key(7, 3), T0_US, Unmatched("bounce", b"u1", address, None, c[18], c[19], "x", raw)),
        Fact(FactType.UNMATCHED, DeliveryKey(1, 0, 0), T0_US, Unmatched("bounce", b"u2", None, raw=raw)),
        Fact(FactType.AUDITED, tenant, T0_US, Audited("admin", "look", address, f'{{"who": "{address}"}}')),
        Fact(FactType.DOCUMENT_SET, tenant, T0_US, DocumentSet(BLOCK_KIND, _BLOCK, block)),
    ]


def octets(path: Path) -> bytes:
    """All a store's file holds, with what is compressed in it taken apart as well."""
    found = [(path / "data.mdb").read_bytes()]
    env = Environment(path, read_only=True)
    for first, chunk in scan_chunks(env):
        found += unpack_chunk(first, chunk)
    for _, fact in scan_log(env):
        if isinstance(fact.detail, Unmatched) and fact.detail.raw:
            found.append(zlib.decompress(fact.detail.raw))
    env.close()
    return b"\n".join(found).lower()


def numbers(env: Environment) -> list[object]:
    """Every figure there is of every broadcast, and who is suppressed."""
    reader = Reader(env)
    result: list[object] = []
    for broadcast in (1, 2, 3):
        counts = reader.counts(1, broadcast)
        now = T0_US + 90 * DAY
        result.append(build_report(counts, reader.broadcast(1, broadcast), last_attempt_us=0, now_us=now))
        result.append(reader.links(1, broadcast) and [row[2] for row in reader.links(1, broadcast)])
    result.append([(row.recipient, row.entry) for row in reader.suppressions(1, limit=500).rows])
    return result


def listed_domains(env: Environment) -> list[tuple[bytes, bytes]]:
    with env.read() as txn, txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        found: list[tuple[bytes, bytes]] = []
        is_there = cursor.first()
        while is_there:
            if cursor.key()[8:9] in (keys.SCOPE_DOMAIN, keys.SCOPE_FAILURES, keys.SCOPE_CELL, keys.SCOPE_ALL):
                found.append((cursor.key(), cursor.value()))
            is_there = cursor.next()
    return found


@pytest.mark.row("N14", "D14", "P22", "T8")
def test_nothing_is_left_of_a_person(tmp_path: Path) -> None:
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    rng = random.Random(5)
    write_now(env, random_facts(rng, 300, recipients=6))
    write_now(env, canary_facts())
    write_now(env, [planned(9, 1, address="kept@example.jp"), failed(9, 1, address="kept@example.jp")])
    before, counted = numbers(env), listed_domains(env)
    env.close()
    there = octets(path)
    assert all(canary.encode() in there for canary in CANARIES), "the control: each stands in the file"
    report = erase(path, [(1, 7)], now_us=T0_US + DAY, actor="admin")
    assert (report.people, report.changed) == (1, 10)
    left = octets(path)
    assert [canary for canary in CANARIES if canary.encode() in left] == []
    assert b"kept@example.jp" in left, "the control: nobody else is forgotten"
    env = Environment(path)
    assert verify(env).is_sound
    assert numbers(env) == before
    assert listed_domains(env) == counted
    denial = Reader(env).preflight(1, [Candidate(7)], "", T0_US + DAY)[0]
    assert denial is not None, "still not mailed: suppression knows a number only"
    assert [row.address for row in Reader(env).suppressions(1).rows if row.recipient == 9] == ["kept@example.jp"]
    document = Reader(env).document(1, ERASURE_KIND, f"{7:016x}")
    assert document is not None and json.loads(document.body)["state"] == "done"
    env.close()
    assert sorted(p.name for p in path.iterdir()) == ["data.mdb", "lock.mdb"]


def test_what_is_wished_is_done_at_the_next_occasion_and_once(tmp_path: Path) -> None:
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    write_now(env, canary_facts())
    wish = DocumentSet(ERASURE_KIND, f"{7:016x}", b'{"state": "wished"}', "admin")
    write_now(env, [Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, wish)])
    env.close()
    assert erase(path, [], now_us=T0_US + DAY, actor="system").people == 1
    assert CANARIES[0].encode() not in octets(path)
    again = erase(path, [], now_us=T0_US + 2 * DAY, actor="system")
    assert (again.people, again.changed) == (0, 0)


@pytest.mark.row("T21")
def test_nobody_elses_address_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    write_now(env, [
        planned(7, address="ako@example.jp"),
        planned(8, address="hanako@example.jp"),
        planned(9, address="x.ako@example.jp"),
        planned(10, address="ako@example.jp.example"),
        replace(planned(7, address="two@example.jp"), key=DeliveryKey(2, 1, 7)),
        replace(planned(70, address="ako@example.jp"), key=DeliveryKey(2, 1, 70)),
    ])  # fmt: skip
    env.close()
    assert erase(path, [(1, 7)], now_us=T0_US, actor="admin").changed == 1
    env = Environment(path, read_only=True)
    found = {f.key: f.detail.address for _, f in scan_log(env) if isinstance(f.detail, Planned)}
    env.close()
    assert found == {
        DeliveryKey(1, 1, 7): "erased@example.jp",
        DeliveryKey(1, 1, 8): "hanako@example.jp",
        DeliveryKey(1, 1, 9): "x.ako@example.jp",
        DeliveryKey(1, 1, 10): "ako@example.jp.example",
        DeliveryKey(2, 1, 7): "two@example.jp",
        DeliveryKey(2, 1, 70): "ako@example.jp",
    }


@pytest.mark.row("P15", "K21", "T8")
def test_what_was_kept_long_enough_goes_kind_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    raw = zlib.compress(b"raw-canary")
    rules = Retention(raw_days=30, ip_days=10, agent_days=20, words_days=50, people_days=None)
    write_now(env, [
        opened(1, at=T0_US), clicked(2, at=T0_US), complained(3, at=T0_US),
        replace(opened(4), key=DeliveryKey(2, 1, 4)),
        planned(5, address="kept@example.jp"),
        failed(5, at=T0_US),
        Fact(FactType.UNMATCHED, DeliveryKey(1, 0, 0), T0_US, Unmatched("bounce", b"u", raw=raw, diagnostic="words")),
        Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US,
             DocumentSet(RETENTION_KIND, RETENTION_NAME, rules.body(), "admin")),
    ])  # fmt: skip
    before = numbers(env)
    env.close()

    def kept(days: int) -> list[bool]:
        erase(path, [], now_us=T0_US + days * DAY, actor="system")
        found = Environment(path)
        facts = {(f.type, f.key): f.detail for _, f in scan_log(found)}
        assert verify(found).is_sound and numbers(found) == before
        found.close()
        visit, other = facts[FactType.OPENED, key(1)], facts[FactType.OPENED, DeliveryKey(2, 1, 4)]
        mail, bounce = facts[FactType.UNMATCHED, DeliveryKey(1, 0, 0)], facts[FactType.FAILED, key(5)]
        assert isinstance(visit, Engaged) and isinstance(other, Engaged) and other.ip, "another tenant's stays"
        assert isinstance(mail, Unmatched) and isinstance(bounce, Report)
        return [bool(visit.ip), bool(visit.user_agent), bool(mail.raw), bool(mail.diagnostic)]

    assert kept(9) == [True, True, True, True]
    assert kept(10) == [False, True, True, True]
    assert kept(20) == [False, False, True, True]
    assert kept(30) == [False, False, False, True]
    assert kept(50) == [False, False, False, False]
    assert b"kept@example.jp" in octets(path)


@pytest.mark.row("N14", "P22")
@pytest.mark.parametrize(
    ("search", "left"),
    [
        ("taro@example.jp", "erased"), ("TARO＠example.jp", "erased"), ("taro@ex", "erased"), ("taro", "erased"),
        ("山田太郎", "erased"), ("山田 太郎", "erased"), ("<taro@example.jp>", "<erased@example.jp>"), ("山田", "山田"),
        ("ﾀﾛｳ", "ﾀﾛｳ"), ("example.jp", "example.jp"), ("@example.jp", "@example.jp"), ("ta", "ta"),
        ("kentaro@example.jp", "kentaro@example.jp"), ("taro@example.com", "taro@example.com"),
    ],
)  # fmt: skip
def test_a_search_that_names_the_person_is_forgotten(search: str, left: str, tmp_path: Path) -> None:
    """Of the request of an export, kept as a document and in the audit."""
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    listed = Planned("taro@example.jp", b"row00001", last_name="山田", first_name="太郎")
    request = {"type": "recipients", "broadcast": "b1", "q": search, "domain": "example.jp"}
    task = json.dumps({"id": "1", "request": request, "rows": 7}).encode()
    facts = [
        Fact(FactType.PLANNED, key(7), T0_US, listed, is_html=True),
        Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, DocumentSet("export", "1", task)),
        Fact(FactType.AUDITED, DeliveryKey(1, 0, 0), T0_US,
             Audited("admin", "export.create", "export:1", json.dumps(request, ensure_ascii=False))),
        Fact(FactType.DOCUMENT_SET, DeliveryKey(2, 0, 0), T0_US, DocumentSet("export", "1", task)),
    ]  # fmt: skip
    write_now(env, facts)
    env.close()
    erase(path, [(1, 7)], now_us=T0_US + DAY, actor="admin")
    env = Environment(path)
    mine, other = (Reader(env).document(tenant, "export", "1") for tenant in (1, 2))
    audit = next(fact.detail for _, fact in scan_log(env) if isinstance(fact.detail, Audited))
    env.close()
    assert mine is not None and other is not None
    expected = request | {"q": left}
    assert json.loads(mine.body) == {"id": "1", "request": expected, "rows": 7}
    assert json.loads(audit.note) == expected
    assert json.loads(other.body)["request"] == request, "another tenant's"


def test_an_address_in_escaped_json_is_found(tmp_path: Path) -> None:
    path = tmp_path / "data"
    env = Environment(path, map_size=64 * 2**20)
    body = json.dumps({"kind": "address", "value": "たろう@example.jp", "note": 'say "hi"'}).encode()
    assert b"\\u" in body
    listed = Planned("たろう@example.jp", b"row00001")
    block = Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), T0_US, DocumentSet(BLOCK_KIND, _BLOCK, body))
    write_now(env, [Fact(FactType.PLANNED, key(7), T0_US, listed), block])
    env.close()
    erase(path, [(1, 7)], now_us=T0_US, actor="admin")
    env = Environment(path)
    document = Reader(env).document(1, BLOCK_KIND, _BLOCK)
    env.close()
    assert document is not None
    assert json.loads(document.body) == {"kind": "address", "value": "erased@example.jp", "note": 'say "hi"'}


def test_wishes_of_all_tenants_are_found_among_other_documents(env: Environment) -> None:
    wished = [(1, 5), (1, 9), (3, 5), (0xFFFF, 1)]
    facts = [
        Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), T0_US,
             DocumentSet(ERASURE_KIND, f"{number:016x}", b'{"state": "wished"}'))
        for tenant, number in wished
    ]  # fmt: skip
    for tenant in (0, 1, 2, 3):
        for kind in ("erased", "erasurf", "block", "webhook"):
            facts.append(
                Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), T0_US, DocumentSet(kind, "x", b"{}"))
            )  # fmt: skip
    write_now(env, facts)
    assert wished_erasures(env) == wished
