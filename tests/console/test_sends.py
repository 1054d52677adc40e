"""POST /v1/sends and /v1/rewrite: answered when durable, the same twice, within limits."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import aiohttp
import pytest

from console.route import NDJSON
from console.services import ConsoleLimits
from model.keyring import KeyRing
from model.mint import Mint
from model.token import TokenType, from_mail, open_token
from store.environment import Environment
from store.errors import StoreBusyError
from tests.console.api import ADMIN, Api, running_api
from tests.stopwatch import Stopwatch

SEED = int(os.environ.get("SEED", random.randrange(2**32)))


def row(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A row."""
    return {"broadcast": "spring", "address": f"u{number}@example.jp", **fields}


async def listed(api: Api) -> int:
    """How many rows the store has."""
    number = api.services.keys().broadcast_number(1, "spring")
    return api.services.reader.counts(1, number).get("listed", 0)


async def test_what_is_answered_is_what_a_sender_would_mint_offline(api: Api, keys: KeyRing) -> None:
    answer = (await api.sends([row()])).lines[0]
    day = open_token(from_mail(answer["envid"]), TokenType.MESSAGE, keys).day
    mint = Mint(keys.for_tenant(1), api.services.hosts)
    mail = mint.mail(tenant=1, broadcast_id="spring", address="U1@example.jp", day=day)
    assert answer["return_path"] == mail.return_path
    assert answer["pixel_url"] == mail.pixel_url
    assert answer["unsubscribe_url"] == mail.unsubscribe_url
    assert answer["unsubscribe_address"] == mail.unsubscribe_address
    assert answer["headers"] == mail.headers()
    assert answer["envid"] == mail.message_token
    assert "u1" not in str(answer).lower().replace("u1a", "")


async def test_text_mails_get_no_pixel_and_tests_say_so_in_their_tokens(api: Api, keys: KeyRing) -> None:
    answers = (await api.sends([row(1, format="text"), row(2, test=True)])).lines
    assert answers[0]["pixel_url"] is None
    token = open_token(from_mail(answers[1]["envid"]), TokenType.MESSAGE, keys)
    assert token.is_test
    assert token.is_html
    assert await listed(api) == 1


@pytest.mark.row("S12")
async def test_a_mail_is_of_the_format_its_broadcast_is_described_as_unless_it_says_so(api: Api, keys: KeyRing) -> None:
    await api.call("PUT", "/v1/broadcasts/spring", json={"format": "text"})
    answers = (await api.sends([row(1), row(2, format="multipart")])).lines
    assert [answer["pixel_url"] is None for answer in answers] == [True, False]
    tokens = [open_token(from_mail(answer["envid"]), TokenType.MESSAGE, keys) for answer in answers]
    assert [token.is_html for token in tokens] == [False, True]


async def test_a_broadcast_never_described_gets_its_id(api: Api) -> None:
    await api.sends([row()])
    assert (await api.call("GET", "/v1/broadcasts/spring")).json["id"] == "spring"


@pytest.mark.row("B02", "S29", "S38")
async def test_each_row_gets_its_answer_in_order(api: Api) -> None:
    rows = [row(1), b"nonsense", row(1), row(2, address="info@example.jp"), row(3, address="a b"), row(4, colour=1),
            b'{"broadcast":"spring"}', row(5, broadcast="a b"), b'{"broadcast":"spring","address":"\xff@x"}',
            row(6, address="x" * 3000), row(7)]  # fmt: skip
    answers = (await api.sends(rows)).lines
    assert [answer["row"] for answer in answers] == list(range(len(rows)))
    what = [next(name for name in ("return_path", "excluded", "error") if name in answer) for answer in answers]
    assert what == ["return_path", "error", "excluded", "excluded", "excluded", *["error"] * 5, "return_path"]
    assert [answers[place]["excluded"] for place in (2, 3, 4)] == ["duplicate", "role", "syntax"]
    numbers = (await api.call("GET", "/v1/broadcasts/spring/report")).json["numbers"]
    assert numbers["listed"] == 5
    assert numbers["targeted"] == 2
    assert numbers["excluded"] == {"duplicate": 1, "role": 1, "syntax": 1}


async def test_blank_lines_are_no_rows_however_many(api: Api) -> None:
    watch = Stopwatch()
    answers = (await api.sends([b"\n" * 2_000_000, row(1), b" \t", b"\r", row(2), b"\n" * 2_000_000])).lines
    assert watch.seconds() < 5
    assert [answer["row"] for answer in answers] == [0, 1]
    assert await listed(api) == 2


async def test_rows_of_all_sorts_in_one_batch_are_answered_each_by_its_own(api: Api, keys: KeyRing) -> None:
    await api.call("PUT", "/v1/broadcasts/plain", json={"format": "text"})
    rows = [
        row(1), row(2, broadcast="plain"), row(3, test=True), row(4, format="text"), row(2, broadcast="plain"),
        row(5, broadcast="plain", format="html"), row(1, format="text"), row(1, test=True), row(1, broadcast="plain"),
    ]  # fmt: skip
    answers = (await api.sends(rows)).lines
    assert [answer["row"] for answer in answers] == list(range(len(rows)))
    assert [place for place, answer in enumerate(answers) if answer.get("excluded") == "duplicate"] == [4, 6]
    for said, answer in zip(rows, answers, strict=True):
        if "excluded" in answer:
            continue
        token = open_token(from_mail(answer["envid"]), TokenType.MESSAGE, keys)
        assert token.broadcast == keys.broadcast_number(1, said["broadcast"])
        assert token.recipient == keys.recipient_number(1, said["address"]) == int(answer["recipient"], 16)
        assert token.is_test == said.get("test", False)
        assert token.is_html == (answer["pixel_url"] is not None)
        assert token.is_html == (said.get("format", "text" if said["broadcast"] == "plain" else "html") == "html")
    assert (await api.sends(rows)).lines == answers


async def test_of_rows_of_several_sorts_the_suppressed_ones_are_excluded(api: Api) -> None:
    from tests.console.test_broadcasts import failed

    for answer in (await api.sends([row(4), row(7)])).lines:
        await api.services.writer.submit([failed(api, "spring", answer["recipient"])])
    rows = [row(number, broadcast="summer", format=("text", "html")[number % 2]) for number in range(10)]
    answers = (await api.sends(rows)).lines
    assert [place for place, answer in enumerate(answers) if answer.get("excluded") == "bounce"] == [4, 7]
    assert ["return_path" in answer for answer in answers].count(True) == 8


@pytest.mark.parametrize("key", ["", "order-17"])
async def test_the_same_request_twice_lists_nobody_twice(api: Api, key: str) -> None:
    rows = [row(number) for number in range(25)]
    headers = {"Idempotency_Key": key} if key else {}
    first = await api.sends(rows, **headers)
    second = await api.sends(rows, **headers)
    assert first.lines == second.lines
    assert await listed(api) == 25


async def test_another_request_for_the_same_people_counts_them_as_duplicates(api: Api) -> None:
    """Negative control of the test above."""
    rows = [row(number) for number in range(5)]
    await api.sends(rows, Idempotency_Key="one")
    again = await api.sends(rows, Idempotency_Key="two")
    assert await listed(api) == 10
    assert {answer["excluded"] for answer in again.lines} == {"duplicate"}
    assert (await api.sends(rows, Idempotency_Key="two")).lines == again.lines
    assert await listed(api) == 10


async def test_of_requests_at_the_same_time_one_lists_each_person(api: Api) -> None:
    """Whoever lists somebody second is told so, however close the two were."""
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    orders = [rng.sample(range(60), 60) for _ in range(4)]
    requests = [api.sends([row(n) for n in order], Idempotency_Key=str(at)) for at, order in enumerate(orders)]
    answers = [answer.lines for answer in await asyncio.gather(*requests)]
    mailed = [n for order, lines in zip(orders, answers, strict=True) for n, a in zip(order, lines, strict=True)
              if "return_path" in a]  # fmt: skip
    assert sorted(mailed) == list(range(60))
    others = [answer for lines in answers for answer in lines if "return_path" not in answer]
    assert {answer["excluded"] for answer in others} == {"duplicate"}
    assert await listed(api) == 240


async def test_what_was_excluded_stays_so_when_the_request_is_sent_again(api: Api) -> None:
    """Also when nobody would be excluded any more: the mail was not sent then either."""
    from tests.console.test_broadcasts import failed

    answer = (await api.sends([row()])).lines[0]
    await api.services.writer.submit([failed(api, "spring", answer["recipient"])])
    first = await api.sends([row(1, broadcast="summer"), row(2, broadcast="summer")])
    assert first.lines[0]["excluded"] == "bounce"
    released = await api.call("DELETE", f"/v1/suppressions/{answer['recipient']}/bounce?reason=asked")
    assert released.status == 204, released.text
    assert "return_path" in (await api.sends([row(1, broadcast="autumn")])).lines[0]
    assert (await api.sends([row(1, broadcast="summer"), row(2, broadcast="summer")])).lines == first.lines


@pytest.mark.row("B22")
async def test_suppressed_people_are_excluded_with_the_exact_words(api: Api) -> None:
    from tests.console.test_broadcasts import failed

    answer = (await api.sends([row()])).lines[0]
    await api.services.writer.submit([failed(api, "spring", answer["recipient"])])
    again = (await api.sends([row(broadcast="summer")])).lines[0]
    assert again == {"row": 0, "excluded": "bounce", "detail": "Blacklist: Bounce (worker:address in bounce list)"}


async def test_a_request_sent_again_is_answered_alike_whoever_was_suppressed_meanwhile(api: Api) -> None:
    from tests.console.test_broadcasts import failed

    rows = [row(1), row(2), row(3, address="info@example.jp")]
    first = await api.sends(rows, Idempotency_Key="one")
    await api.services.writer.submit([failed(api, "spring", first.lines[0]["recipient"])])
    assert (await api.sends(rows, Idempotency_Key="one")).lines == first.lines
    counts = api.services.reader.counts(1, api.services.keys().broadcast_number(1, "spring"))
    assert (counts["listed"], counts["state.undelivered"], counts.get("excluded.bounce", 0)) == (3, 1, 0)


async def test_nothing_is_answered_before_it_is_durable(env: Environment, keys: KeyRing) -> None:
    async with running_api(env, keys) as api:
        writer = api.services.writer
        real, release = writer.submit, asyncio.Event()

        def late(facts: Any) -> asyncio.Future[Any]:
            async def wait() -> Any:
                await release.wait()
                return await real(facts)

            return asyncio.ensure_future(wait())

        writer.submit = late  # type: ignore[method-assign]
        asking = asyncio.ensure_future(api.sends([row()]))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done
        release.set()
        assert "return_path" in (await asking).lines[0]


async def test_a_store_that_fails_is_told_and_promises_nothing(api: Api) -> None:
    def fail(_facts: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreBusyError("stalled"))
        return future

    api.services.writer.submit = fail  # type: ignore[method-assign]
    answer = await api.sends([row()])
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert (await api.call("PUT", "/v1/broadcasts/spring", json={})).status == 503
    del api.services.writer.submit
    assert await listed(api) == 0


async def test_bodies_are_limited_in_size_type_and_time(api: Api) -> None:
    assert (await api.call("POST", "/v1/sends", json={})).status == 415
    assert (await api.call("POST", "/v1/preflight", data=b"{}", Content_Type="text/plain")).status == 415
    big = {"addresses": ["x" * 900] * 30}
    assert (await api.call("POST", "/v1/preflight", json=big)).status == 413
    assert (await api.sends([b"x" * 5_000])).lines[0]["error"]
    assert (await api.call("POST", "/v1/sends", data=b"x" * 2_100, Content_Type=NDJSON)).status in (200, 413)

    async def stalled() -> Any:
        yield b'{"addr'
        await asyncio.sleep(5)

    answer = await api.call("POST", "/v1/preflight", data=stalled(), Content_Type="application/json")
    assert answer.status == 408
    assert (await api.call("POST", "/v1/sends", data=stalled(), Content_Type=NDJSON)).status == 408


async def test_rows_before_a_cut_are_listed_and_answered(api: Api) -> None:
    async def cut() -> Any:
        yield b"".join(b'{"broadcast":"spring","address":"u%d@example.jp"}\n' % n for n in range(10))
        await asyncio.sleep(5)

    answer = await api.call("POST", "/v1/sends", data=cut(), Content_Type=NDJSON)
    assert [("return_path" in line) for line in answer.lines] == [True] * 10 + [False]
    assert await listed(api) == 10


async def test_any_split_of_the_body_gives_the_same_rows(api: Api) -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    body = b"\n".join(b'{"broadcast":"spring","address":"u%d@example.jp"}' % number for number in range(35))
    for _ in range(5):
        cuts = sorted(rng.sample(range(len(body)), 8))

        async def pieces(cuts: list[int] = cuts) -> Any:
            for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
                yield body[start:end]
                await asyncio.sleep(0.001)

        answer = await api.call("POST", "/v1/sends", data=pieces(), Content_Type=NDJSON)
        assert [line["row"] for line in answer.lines] == list(range(35))
    assert await listed(api) == 35


async def test_answers_are_streamed_while_rows_still_come(api: Api) -> None:
    go_on = asyncio.Event()

    async def rows() -> Any:
        yield b"".join(b'{"broadcast":"spring","address":"u%d@example.jp"}\n' % n for n in range(40))
        await go_on.wait()
        yield b'{"broadcast":"spring","address":"last@example.jp"}\n'

    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": NDJSON}
    async with api.session.post(f"{api.origin}/v1/sends", data=rows(), headers=headers) as response:
        first = await asyncio.wait_for(response.content.readline(), 5)
        assert b'"row":0' in first
        go_on.set()
        rest = await response.read()
    assert rest.count(b"\n") == 40


async def test_random_bodies_are_never_a_fault_of_ours(api: Api) -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    pieces = [b"{", b"}", b'"', b"broadcast", b"address", b":", b",", b"a@b.jp", b"\\u0000", b"\xff", b"[", b"1e999",
              b"\n", b"null", b"true", b"\r", b" "]  # fmt: skip
    for _ in range(60):
        body = b"".join(rng.choice(pieces) for _ in range(rng.randrange(60)))
        assert (await api.call("POST", "/v1/sends", data=body, Content_Type=NDJSON)).status == 200
        for path in ("/v1/preflight", "/v1/rewrite"):
            answer = await api.call("POST", path, data=body, Content_Type="application/json")
            assert answer.status in (200, 400, 422)
    for path in ("/v1/broadcasts/%ff", "/v1/broadcasts/a/recipients/zz", "/v1/%2e%2e/x", "/v1/suppressions?after=%ff"):
        assert (await api.call("GET", path)).status in (400, 404)


@pytest.mark.row("B07")
async def test_a_mail_is_rewritten_with_links_that_verify(api: Api) -> None:
    body = {
        "broadcast": "spring",
        "address": "u1@example.jp",
        "html": '<p><a href="https://example.jp/a">見る</a> {{Unsubscribe}}</p>',
        "text": "https://example.jp/a and https://example.jp/b",
    }
    answer = (await api.call("POST", "/v1/rewrite", json=body)).json
    assert "https://t.example.jp/c/" in answer["html"]
    assert "https://t.example.jp/o/" in answer["html"]
    assert [link["target"] for link in answer["links"]] == ["https://example.jp/a", "https://example.jp/b"]
    assert [link["number"] for link in answer["links"]] == [1, 2]
    assert "https://example.jp/" not in answer["text"]
    bare = {"broadcast": "spring", "address": "u1@example.jp", "html": "<p>x</p>"}
    assert (await api.call("POST", "/v1/rewrite", json=bare)).json["warnings"][0]["kind"] == "no_unsubscribe"
    strict = {**bare, "options": {"require_unsubscribe": True}}
    assert (await api.call("POST", "/v1/rewrite", json=strict)).status == 422
    assert (await api.call("POST", "/v1/rewrite", json={**bare, "address": "x"})).status == 422
    trap = {**bare, "options": {"honeypot": "javascript:x"}}
    assert (await api.call("POST", "/v1/rewrite", json=trap)).status == 422
    assert (await api.call("POST", "/v1/rewrite", json={"broadcast": "a", "address": "a@b.jp"})).status == 422


async def test_a_client_that_leaves_harms_nobody(api: Api) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": NDJSON}

    async def endless() -> Any:
        for number in range(100_000):
            yield b'{"broadcast":"spring","address":"u%d@example.jp"}\n' % number

    with pytest.raises((asyncio.TimeoutError, aiohttp.ClientError)):
        async with asyncio.timeout(0.3):
            async with api.session.post(f"{api.origin}/v1/sends", data=endless(), headers=headers) as response:
                await response.read()
    assert (await api.call("GET", "/healthz")).status == 200


async def test_a_client_that_reads_only_afterwards_gets_every_answer(env: Environment, keys: KeyRing) -> None:
    """Its 12,000 answers are more than all buffers between hold."""
    count = 12_000
    body = b"".join(b'{"broadcast":"spring","address":"u%d@example.jp"}\n' % n for n in range(count))
    async with running_api(env, keys, limits=ConsoleLimits(batch_rows=500)) as api:
        host, _, port = api.origin.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=65_536)
        head = (
            f"POST /v1/sends HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN}\r\nContent-Type: {NDJSON}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode())
        async with asyncio.timeout(60):
            for start in range(0, len(body), 65_536):
                writer.write(body[start : start + 65_536])
                await writer.drain()  # nothing is read meanwhile
            answers = await reader.read(-1)
        assert answers.count(b'"return_path"') == count
        writer.close()
        assert await listed(api) == count
