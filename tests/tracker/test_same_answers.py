"""The fast path against the server without it: the same octets in, the same answers and facts out.

Random and hostile requests, whole, in pieces and pipelined. Where they may differ is said in its own test.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
import pytest_asyncio

from tests.tracker.conftest import MakeEdge
from tests.tracker.edge import BROWSER, Edge, path_of
from tests.tracker.wire import LAST, converse, get, split_answers
from tracker.metrics import Count

SEED = int(os.environ.get("SEED", "20261126"))
#: Conversations held at the same time.
AT_ONCE = 500
Case = Sequence[bytes]
Pair = tuple[Edge, Edge]


@pytest_asyncio.fixture
async def pair(make_edge: MakeEdge) -> AsyncIterator[Pair]:
    """The same tracker twice: with the fast path, and without."""

    async def make(*, is_fast: bool) -> Edge:
        return await make_edge(
            is_fast=is_fast,
            keepalive_s=3.0,
            pixel_wait_s=20.0,
            click_wait_s=20.0,
            body_wait_s=0.3,
            forged_per_minute=1_000_000,
            hosts=frozenset({"t.example.jp"}),
            trusted_proxies=(ip_network("127.0.0.0/8"),),
        )

    yield await make(is_fast=True), await make(is_fast=False)


def said(edge: Edge) -> Counter[object]:
    """All that a tracker stored and counted, apart from times."""
    facts = ((fact.type, fact.key, fact.detail, fact.node, fact.is_test, fact.is_html) for fact in edge.store.facts)
    return Counter(facts) + Counter({str(name): count for name, count in edge.tally.counts.items()})


@dataclass
class Comparison:
    """What came of holding the same conversations with both."""

    conversations: int = 0
    answers: int = 0
    differ: list[Case] = field(default_factory=list)


async def compare(pair: Pair, cases: Sequence[Case], pause_s: float, *, waits: bool = False) -> Comparison:
    """Hold each conversation with both servers.

    What differs is tried again, since time-outs of a busy machine may cut one short; only what differs thrice counts.
    """
    result = Comparison(len(cases))
    for start in range(0, len(cases), AT_ONCE):
        some = list(cases[start : start + AT_ONCE])
        for _ in range(3):
            answers, some = await _hold(pair, some, pause_s, waits=waits)
            result.answers += answers
            if not some:
                break
        result.differ += some
    return result


async def _hold(pair: Pair, cases: list[Case], pause_s: float, *, waits: bool) -> tuple[int, list[Case]]:
    """Return how many answers there were, and the cases that differ; all, if what was stored does."""
    heard, stored = [], []
    for edge in pair:
        before = said(edge)
        heard.append(await asyncio.gather(*(converse(edge.port, case, pause_s=pause_s, waits=waits) for case in cases)))
        stored.append(said(edge) - before)
    answers, differ = 0, []
    for case, fast, slow in zip(cases, *heard, strict=True):
        answers += len(re.findall(rb"HTTP/\d\.\d \d{3} ", slow))
        if fast != slow:
            at = len(os.path.commonprefix((fast, slow)))
            print(f"{case}\n  fast {fast[at:][:200]!r}\n  slow {slow[at:][:200]!r}\n  after {at} same octets")
            differ.append(case)
    if stored[0] != stored[1]:
        print(f"stored: only fast {stored[0] - stored[1]}, only slow {stored[1] - stored[0]}")
        return answers, cases
    return answers, differ


class Requests:
    """Makes requests of all kinds, from one seed."""

    def __init__(self, edge: Edge, seed: int) -> None:
        self.rng = random.Random(seed)
        self.edge = edge
        print("seed", seed)

    def mail_path(self, kind: str) -> str:
        number = self.rng.randrange(1_000)
        mail = self.edge.mail(f"user{number}@example.jp", is_test=number % 9 == 0, is_html=number % 7 != 0)
        if kind == "pixel":
            return path_of(mail.pixel_url)
        if kind == "unsubscribe":
            return path_of(mail.unsubscribe_url)
        target = self.rng.choice(
            ("https://example.jp/", "https://例え.jp/道?a=b#c", f"http://x.jp:8080/{number}?q=%20")
        )
        return path_of(mail.click_url(target, link=number % 5 + 1, links=5, honeypot=number % 11 == 0))

    def lines(self) -> list[str]:
        """Headers beside the usual ones."""
        choices = (
            "Connection: keep-alive", "Cookie: a=b", "Accept-Language: ja", "Range: bytes=0-1", "If-None-Match: x",
            "Sec-Purpose: prefetch", "X-Moz: prefetch", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: x, 192.0.2.1",
            "Accept-Encoding: gzip", "Purpose: preview", "X-Empty:", "X-Blanks:   a b  ", "X-Odd: \xe9\xff",
        )  # fmt: skip
        return self.rng.sample(choices, self.rng.choice((0, 0, 0, 1, 2)))

    def hot(self) -> bytes:
        raw = get(self.mail_path(self.rng.choice(("pixel", "click"))), *self.lines())
        agent = self.rng.choice((BROWSER, BROWSER, "curl/8", "Mozilla/5.0", "x ggpht.com GoogleImageProxy", "", "\xe9"))
        return raw.replace(BROWSER.encode(), agent.encode("latin-1"))

    def sound(self) -> bytes:
        """A request that aiohttp takes, plain or not."""
        rng = self.rng
        path = self.mail_path(rng.choice(("pixel", "click")))
        kinds: list[Callable[[], bytes]] = [
            lambda: get(path).replace(b"GET", b"HEAD", 1),
            lambda: get("http://t.example.jp" + path),
            lambda: get(path.replace(rng.choice(path[3:]), "%41")),
            lambda: get(path + rng.choice(("?", "?a=b", "#x", "?/o/", "/", "//"))),
            lambda: get(path, host=rng.choice(("evil.jp", "T.EXAMPLE.JP:80", "t.example.jp.", ""))),
            lambda: get(path[: rng.randrange(3, len(path))]),
            lambda: get(path[:3] + rng.choice("AZaz-_09") + path[4:]),
            lambda: get(path.replace("/o/", "/c/")) if path[1] == "o" else get(path.replace("/c/", "/o/")),
            lambda: get(rng.choice(("/", "/robots.txt", "/favicon.ico", "/o/x.gif", "/healthz", "/u/x"))),
            lambda: get(path, "Content-Length: 0"),
            lambda: get(path, "Content-Length: 3") + b"abc",
            lambda: get(path, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
            lambda: get(path, "X-Long: " + "a" * rng.choice((1_500, 2_500, 7_000))),
            lambda: get(path, *(f"X-{number}: {number}" for number in range(rng.choice((20, 50))))),
            lambda: get(self.mail_path("unsubscribe")),
            lambda: self.post(b"List-Unsubscribe=One-Click"),
            lambda: self.post(b"action=unsubscribe&x=\r\n\r\n"),
            lambda: b"\r\n" + get(path),
        ]
        return rng.choice(kinds)()

    def post(self, body: bytes) -> bytes:
        path = self.mail_path("unsubscribe")
        return f"POST {path} HTTP/1.1\r\nHost: t.example.jp\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def hostile(self) -> bytes:
        """A hot request with something wrong in it, which may happen to do no harm."""
        rng, raw = self.rng, self.hot()
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(len(raw)) if rng.random() < 0.6 else rng.randrange(min(len(raw), 70))
            octet = bytes((rng.choice((*b"\r\n\t \x00:/%?#.=+-_AZ\x7f\x80\xff", rng.randrange(256))),))
            raw = rng.choice(
                (
                    raw[:at] + octet + raw[at:],
                    raw[:at] + octet + raw[at + 1 :],
                    raw[:at] + raw[at + 1 :],
                    raw.replace(b"HTTP/1.1", rng.choice((b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.10", b""))),
                    raw.replace(b"\r\n", rng.choice((b"\n", b"\r", b"\r\r\n", b"\r\n ", b"\n\n")), rng.randrange(1, 5)),
                    raw.replace(b"GET ", rng.choice((b"get ", b"GET  ", b" GET ", b"GET\t", b"PUT ", b"G E T "))),
                    raw.replace(b"\r\n\r\n", rng.choice(_ODD_LINES) + b"\r\n\r\n"),
                    raw.replace(b"Host:", rng.choice((b"Host :", b"host:", b"Hos:", b" Host:", b"Host: a\r\nHost:"))),
                )
            )
        return raw

    def cut(self, raw: bytes) -> list[bytes]:
        """Cut ``raw`` into pieces at random."""
        places = sorted(self.rng.sample(range(1, len(raw)), min(len(raw) - 1, self.rng.choice((0, 0, 1, 2, 5)))))
        return [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]


_ODD_LINES = (
    b"\r\nContent-Length: 5", b"\r\nContent-Length: x", b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: x",
    b"\r\nExpect: 100-continue", b"\r\nExpect: x", b"\r\nUpgrade: websocket\r\nConnection: Upgrade",
    b"\r\nConnection: close", b"\r\nConnection: x", b"\r\nConnection: keep-alive, close", b"\r\nX: " + b"a" * 9_000,
    b"\r\nContent-Encoding: gzip", b"\r\nSec-WebSocket-Key1: a", b"\r\nX", b"\r\n: x", b"\r\nX: a\x00b",
    b"\r\n\tfolded",
    b"\r\nuser-agent: curl/8", b"\r\nX-Forwarded-For: 203.0.113.5\r\nX-Forwarded-For: 203.0.113.6",
)  # fmt: skip


async def check(pair: Pair, cases: Sequence[Case], pause_s: float, *, least_hits: float, waits: bool = False) -> None:
    """Hold the conversations; nothing may differ, and enough must have taken the fast path to mean something."""
    result = await compare(pair, cases, pause_s, waits=waits)
    fast, slow = pair
    facts, hits = len(slow.store.facts), fast.store.hits
    print(f"{result.conversations} conversations, {result.answers} answers, {facts} facts, {hits} on the fast path")
    assert not result.differ, f"{len(result.differ)} differ, the first: {result.differ[0]!r}"
    assert slow.store.hits == 0 and hits >= least_hits * len(cases) and fast.tally[Count.ERRORS] == 0


async def test_sound_requests_in_any_order_and_in_any_pieces(pair: Pair) -> None:
    make = Requests(pair[0], SEED)
    cases = []
    for _ in range(1_000):
        units = [make.hot() if make.rng.random() < 0.6 else make.sound() for _ in range(make.rng.randrange(1, 7))]
        cases.append([*make.cut(b"".join(units)), LAST] if make.rng.random() < 0.7 else [*units, LAST])
    await check(pair, cases, 0.003, least_hits=0.5)


async def test_hostile_requests(pair: Pair) -> None:
    make = Requests(pair[0], SEED + 1)
    cases = []
    for _ in range(2_000):
        # An answer is waited for after the first.
        cases.append([make.hot(), *make.cut(make.hostile()), LAST])
    await check(pair, cases, 0.004, least_hits=0.9, waits=True)


async def test_every_place_to_split(pair: Pair) -> None:
    make = Requests(pair[0], SEED + 2)
    pixel, click = make.mail_path("pixel"), make.mail_path("click")
    cases = []
    for raw in (get(pixel) + get(click), get("/robots.txt") + get(click), make.post(b"x=1") + get(pixel)):
        cases += [[raw[:at], raw[at:], LAST] for at in range(1, len(raw))]
    await check(pair, cases, 0.004, least_hits=0.3)


async def test_octet_by_octet(pair: Pair) -> None:
    make = Requests(pair[0], SEED + 3)
    raw = [make.hot() + make.sound() + make.hot() for _ in range(12)]
    await check(pair, [[*(one[at : at + 1] for at in range(len(one))), LAST] for one in raw], 0.0, least_hits=0)


async def test_what_comes_before_a_bad_request_in_one_piece(pair: Pair) -> None:
    """The one difference: aiohttp forgets the sound requests that came in one piece with a malformed one."""
    fast, slow = pair
    raw = get(path_of(fast.mail().pixel_url)) + b"nonsense\r\n\r\n"
    answers = await converse(fast.port, [raw])
    assert [answer.status for answer in split_answers(answers)] == [200, 400]
    assert answers.endswith(await converse(slow.port, [raw]))
    assert len(fast.store.facts) == 1 and not slow.store.facts


Spoil = Callable[[Edge, pytest.MonkeyPatch], None]


def _wrong_type(_: Edge, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tracker.hot.requests._TEST", 0)


def _blind_to_hosts(edge: Edge, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(edge.hot._heads, "_knows_host", lambda _: True)


def _blind_to_pieces(_: Edge, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tracker.hot.protocol.HotHandler._is_free_again", lambda _: True)


@pytest.mark.parametrize("spoil", [_wrong_type, _blind_to_hosts, _blind_to_pieces])
async def test_the_control_finds_a_spoiled_fast_path(pair: Pair, spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(pair[0], monkeypatch)
    make = Requests(pair[0], SEED)
    cases = [[*make.cut(make.hot() + make.sound() + make.hot()), LAST] for _ in range(200)]
    assert (await compare(pair, cases, 0.003)).differ
