"""Open redirects, forged tokens, header injection, request smuggling (T1, T2, T3, T12)."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import re
import statistics
import time

import pytest

from model.errors import TokenError
from model.fact import FactType
from model.mint import bound_to, check_target
from model.token import Token, TokenType, from_url, open_token, sign, to_url
from tests.tracker.edge import Client, Edge, path_of
from tracker.answer import location_of
from tracker.metrics import Count

SIGNED = "https://example.jp/signed?a=1"
SEED = 20_261_123

PIECES = [
    "//evil.com", "/\\evil.com", "\\\\evil.com", "https://evil.com", "http:evil.com", "https:///evil.com",
    "///evil.com",
    "javascript:alert(1)", "data:text/html,x", "vbscript:x", "https://example.jp@evil.com", "https://evil.com#@example.jp",
    "https://evil.com\\@example.jp", "https://еxample.jp", "https://example.jp。evil.com", "%0d%0aLocation:%20https://evil.com",
    "%00https://evil.com", "https://evil.com%00.example.jp", "%2f%2fevil.com", "%5c%5cevil.com", "..//evil.com",
    "https://[::1]/", "https://evil.com:80:80/", "ftp://evil.com", "file:///etc/passwd", "https://", "https://%65vil.com",
    "\tjavascript:1", "https%3a%2f%2fevil.com", "%E2%80%AEmoc.live", ";//evil.com", "?//evil.com", "@evil.com",
    ".evil.com",
    "\r\nLocation: https://evil.com", "%250d%250a", "%c0%af%c0%afevil.com", "<script>", "'\"><svg/onload=x>", "%ff%fe",
]  # fmt: skip


def encoded(target: str) -> str:
    return base64.urlsafe_b64encode(target.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def as_path(text: str) -> str:
    """What a client can put on a request line at all: no spaces, control characters or raw non-ASCII."""
    return "".join(c if "!" <= c <= "~" else "".join(f"%{b:02X}" for b in c.encode("utf-8")) for c in text)


@pytest.mark.row("T1")
async def test_no_redirect_but_to_the_signed_target(edge: Edge) -> None:
    print("seed", SEED)
    number = random.Random(SEED)
    click = path_of(edge.mail().click_url(SIGNED, link=1, links=3))
    _, _, token, place, target = click.split("/")
    asked = redirected = 0
    for _ in range(2_000):
        hostile = "".join(number.sample(PIECES, number.choice((1, 1, 2))))
        text = as_path(hostile)
        forms = (
            f"/c/{text}/{place}/{target}",
            f"/c/{token}/{text}/{target}",
            f"/c/{token}/{place}/{text}",
            f"/c/{token}/{place}/{encoded(hostile)}",
            f"/c/{token}/{place}/{target}{text}",
            f"{click}?url={text}&dest={text}&next={text}",
            f"/{text}",
        )
        for path in forms:
            reply = await edge.ask("GET", path)
            asked += 1
            location = reply.header("Location")
            assert reply.status in (302, 404, 400), path
            assert (reply.status == 302) == (location is not None)
            if location is not None:
                redirected += 1
                assert location == SIGNED, path
    print(f"{asked} requests, {redirected} redirects, all to the signed target")
    assert redirected > 1_000  # the control: with its own target a click still goes through


@pytest.mark.row("T1")
async def test_even_a_signed_target_is_checked_again(edge: Edge) -> None:
    """Whoever holds a key could sign anything; we do not redirect to it all the same."""
    key = edge.mail().key
    refused = 0
    targets = [
        "javascript:alert(1)", "//evil.com", "/\\evil.com", "https://u@evil.com", "ftp://x.jp", "https://",
        "https://x.jp/\r\nX: y", "https://x.jp/\x00", "https://x.jp/ a", "data:text/html,x", "https:\\\\x.jp",
    ]  # fmt: skip
    for target in targets:
        token = to_url(sign(Token(TokenType.CLICK, *key, 20_500), edge.keys, bound=bound_to("1.1", target)))
        reply = await edge.get(f"/c/{token}/1.1/{encoded(target)}")
        refused += reply.status == 404
        assert reply.header("Location") is None
    assert refused == len(targets)


@pytest.mark.row("T2")
async def test_token_types_never_stand_in_for_one_another(edge: Edge) -> None:
    """Six types in six places: what is opened off the diagonal is nothing."""
    key = edge.mail().key
    accepted = set()
    for made in TokenType:
        raw = sign(Token(made, *key, 20_500), edge.keys)
        for asked in TokenType:
            try:
                open_token(from_url(to_url(raw)), asked, edge.keys)
                accepted.add((made, asked))
            except TokenError:
                pass
    assert accepted == {(kind, kind) for kind in TokenType}
    # And over HTTP, in the three places a token has.
    for made in TokenType:
        token = to_url(sign(Token(made, *key, 20_500), edge.keys))
        await edge.get(f"/o/{token}.gif")
        await edge.get(f"/c/{token}/1.1/{encoded(SIGNED)}")
        status = (await edge.post(f"/u/{token}", b"List-Unsubscribe=One-Click")).status
        assert status == (200 if made is TokenType.UNSUBSCRIBE else 404)
    kinds = [fact.type for fact in edge.store.facts]
    assert kinds == [FactType.OPENED, FactType.UNSUBSCRIBED]


@pytest.mark.row("T2")
async def test_no_bit_of_a_token_or_target_can_be_changed(edge: Edge) -> None:
    mail = edge.mail()
    checked = 0
    for url, method in ((mail.pixel_url, "GET"), (mail.unsubscribe_url, "POST")):
        kind = "o" if method == "GET" else "u"
        token = from_url(path_of(url).split("/")[2].removesuffix(".gif"))
        for bit in range(len(token) * 8):
            altered = bytearray(token)
            altered[bit // 8] ^= 1 << bit % 8
            suffix = ".gif" if kind == "o" else ""
            body = None if method == "GET" else b"List-Unsubscribe=One-Click"
            await edge.ask(method, f"/{kind}/{to_url(bytes(altered))}{suffix}", {}, body)
            checked += 1
    click = path_of(mail.click_url(SIGNED, link=1, links=3))
    _, _, token_text, place, target = click.split("/")
    for at, part in ((2, token_text), (3, place), (4, target)):
        for position in range(len(part)):
            for bit in range(7):
                char = chr(ord(part[position]) ^ 1 << bit)
                segments = ["", "c", token_text, place, target]
                segments[at] = part[:position] + char + part[position + 1 :]
                path = as_path("/".join(segments)).replace("?", "%3F").replace("#", "%23")
                assert (await edge.get(path)).status == 404, path
                checked += 1
    print(f"{checked} altered URLs, {len(edge.store.facts)} accepted")
    assert not edge.store.facts


@pytest.mark.row("T2")
async def test_bad_tokens_take_the_same_time_whatever_is_bad(edge: Edge) -> None:
    good = from_url(path_of(edge.mail().unsubscribe_url).split("/")[2])
    kinds = {
        "bad MAC": good[:-1] + bytes((good[-1] ^ 1,)),
        "first MAC octet": good[:20] + bytes((good[20] ^ 1,)) + good[21:],
        "unknown key": b"\xee" + good[1:],
        "wrong type": sign(Token(TokenType.OPEN, *edge.mail().key, 20_500), edge.keys),
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(500):
        for name, raw in kinds.items():
            path = f"/u/{to_url(raw)}"
            started = time.perf_counter()
            reply = await edge.get(path)
            took[name].append(time.perf_counter() - started)
            assert reply.status == 404
    medians = {name: statistics.median(times) * 1e6 for name, times in took.items()}
    print({name: f"{median:.0f} us" for name, median in medians.items()})
    assert max(medians.values()) < 1.25 * min(medians.values()), medians


@pytest.mark.row("T3")
async def test_no_header_can_be_injected(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    print("seed", SEED)
    number = random.Random(SEED)
    known = {"location", "cache-control", "x-robots-tag", "server", "referrer-policy", "content-length", "date"}
    unsafe = [
        *"あé漢\u0085\u2028\u2029\u00a0\u200b\ufeff\u202e嘊嘍ĊčȊ",
        "%0d%0aX-A:%20b",
        "%0a",
        "%00",
        "\u010a\u010d",
        "𝕏",
    ]
    sent = 0
    for _ in range(500):
        target = "https://example.jp/" + "".join(number.choices(unsafe, k=number.randrange(1, 12)))
        check_target(target)
        reply = await edge.get(edge.mail().click_url(target, link=1, links=1))
        assert reply.status == 302
        names = [name.lower() for name, _ in reply.headers]
        assert set(names) == known and len(names) == len(known)
        location = reply.header("Location")
        assert location == location_of(target) and location.isascii() and location.isprintable()
        sent += 1
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    print(f"{sent} payloads")


def test_locations_are_ascii_and_keep_what_is() -> None:
    for target, location in {
        "https://x.jp/a%20b?c=%zz#d": "https://x.jp/a%20b?c=%zz#d",
        "https://例え.jp/道?駅#出": "https://xn--r8jz45g.jp/%E9%81%93?%E9%A7%85#%E5%87%BA",
        "https://例え.jp:8443/": "https://xn--r8jz45g.jp:8443/",
        "https://例え。jp/": "https://xn--r8jz45g.jp/",
        "https://faß.de/": "https://fa%C3%9F.de/",
        "https://" + "あ" * 70 + ".jp/": "https://" + "%E3%81%82" * 70 + ".jp/",
    }.items():
        assert location_of(target) == location


SMUGGLED = b"GET /u/smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
HEAD = b"POST /u/x HTTP/1.1\r\nHost: t.example.jp\r\n"
SMUGGLING = {
    "CL and TE": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE and CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two different CL": HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "CL list": HEAD + b"Content-Length: 0, 5\r\n\r\nhello",
    "CL with plus": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "CL negative": HEAD + b"Content-Length: -1\r\n\r\n",
    "CL hex": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "CL with blank": HEAD + b"Content-Length: 1 0\r\n\r\nhello",
    "CL underscore": HEAD + b"Content-Length: 1_0\r\n\r\nhello",
    "CL huge": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "CL empty": HEAD + b"Content-Length: \r\n\r\n",
    "blank before colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "TE with blank before colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE identity chunked twice": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE unknown": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE in HTTP/1.0": b"POST /u/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "chunk size negative": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "chunk size with 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size overflow": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "chunk ended by LF": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "bare LF lines": b"POST /u/x HTTP/1.1\nHost: t\nContent-Length: 0\n\n",
    "folded header": HEAD + b"X: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "two hosts": b"GET /u/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "NUL in header": HEAD + b"X: a\x00b\r\n\r\n",
    "CR in header": HEAD + b"X: a\rContent-Length: 5\r\n\r\n",
    "blank line of blanks": b"GET /u/x HTTP/1.1\r\nHost: t\r\n \r\nContent-Length: 5\r\n\r\n",
    "version 9": b"GET /u/x HTTP/9.9\r\nHost: t\r\n\r\n",
}


@pytest.mark.row("T12")
@pytest.mark.parametrize("name", SMUGGLING)
async def test_smuggling_is_refused(edge: Edge, name: str) -> None:
    """400, or a closed connection; never an answer to the second request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(SMUGGLING[name] + SMUGGLED)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(100_000), 10)
    writer.close()
    statuses = re.findall(rb"HTTP/1\.[01] (\d+)", answer)
    assert statuses in ([], [b"400"]), (name, answer[:300])
    assert edge.tally[Count.PAGES] == 0


async def test_the_control_without_smuggling_has_two_answers(edge: Edge) -> None:
    client = Client(edge.port)
    reply = await client.send(HEAD + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED)
    assert reply.status == 404
    assert (await client.send(b"")).status == 404
    await client.close()
