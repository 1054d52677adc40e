"""The unsubscribe page and endpoint (T5, E44, E45, K31, N20, N21, A26)."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import time
from html.parser import HTMLParser

import pytest

from model.detail import (
    Agent,
    Complained,
    Unsubscribed,
    UnsubscribeReason,
    UnsubscribeVia,
)
from model.fact import FactType
from model.token import from_url, to_url
from tests.tracker.conftest import MakeEdge
from tests.tracker.edge import Edge, path_of
from tracker.metrics import Count

ONE_CLICK = b"List-Unsubscribe=One-Click"
SCANNERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))", "Mimecast-URL-Scanner/1.0", "Proofpoint URL Defense",
    "Mozilla/5.0 (Windows NT 6.1) SafeLinks", "python-requests/2.31", "curl/8.4.0", "Go-http-client/1.1", "",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Slackbot-LinkExpanding 1.0",
    "Mozilla/5.0 (compatible; Trend Micro WRS)",
]  # fmt: skip


def multipart(fields: dict[str, str], boundary: str = "----b123") -> tuple[bytes, str]:
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{parts}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@pytest.mark.row("W20")
@pytest.mark.row("T5")
async def test_reading_never_unsubscribes(edge: Edge) -> None:
    url = edge.mail().unsubscribe_url
    queries = ("", "?List-Unsubscribe=One-Click", "?action=unsubscribe&scope=all&reason=4")
    for agent in SCANNERS:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
            for query in queries:
                body = ONE_CLICK if method in ("PUT", "PATCH", "DELETE") else None
                reply = await edge.ask(method, url + query, {"User-Agent": agent}, body)
                assert reply.status == (200 if method in ("GET", "HEAD") else 404)
    for number in range(1_000):
        await edge.ask(("GET", "HEAD")[number % 2], url, {"User-Agent": SCANNERS[number % 12]})
    assert not edge.store.facts


@pytest.mark.row("B03", "W20")
@pytest.mark.row("T5")
@pytest.mark.parametrize("form", ["urlencoded", "multipart", "quoted", "extra", "case", "no type", "text", "charset"])
async def test_one_click(edge: Edge, form: str) -> None:
    url = edge.mail().unsubscribe_url
    body, kind = {
        "urlencoded": (ONE_CLICK, "application/x-www-form-urlencoded"),
        "multipart": multipart({"List-Unsubscribe": "One-Click"}),
        "quoted": (multipart({"List-Unsubscribe": "One-Click"}, "a b")[0], 'multipart/form-data; boundary="a b"'),
        "extra": multipart({"x": "y", "List-Unsubscribe": "One-Click"}),
        "case": (b"List-Unsubscribe=one-click", "application/x-www-form-urlencoded"),
        "no type": (ONE_CLICK, ""),
        "text": (ONE_CLICK + b"\r\n", "text/plain"),
        "charset": (ONE_CLICK, "application/x-www-form-urlencoded; charset=UTF-8"),
    }[form]
    started = time.perf_counter()
    reply = await edge.ask("POST", url, {"Content-Type": kind} if kind else {}, body)
    assert reply.status == 200 and time.perf_counter() - started < 0.2
    assert reply.header("Set-Cookie") is None and reply.header("Location") is None
    assert (await edge.ask("POST", url, {"Content-Type": kind} if kind else {}, body)).status == 200
    assert {fact.detail for fact in edge.store.facts} == {Unsubscribed(UnsubscribeVia.ONE_CLICK)}
    assert {fact.key for fact in edge.store.facts} == {edge.mail().key}


async def test_a_token_never_expires(edge: Edge) -> None:
    mail = edge.mint.mail(tenant=7, broadcast_id="old", address="taro@example.jp", day=1)
    assert (await edge.post(mail.unsubscribe_url, ONE_CLICK)).status == 200


@pytest.mark.row("T5")
@pytest.mark.parametrize(
    "body",
    [b"", b"List-Unsubscribe=Two-Click", b"action=delete", b"action=unsubscribe&reason=5",
     b"action=unsubscribe&reason=x",
     b"action=unsubscribe&scope=world", b"\xff\xfe\x00", b"&".join([b"a=b"] * 100), b"reason=1", b"Unsubscribe"],
)  # fmt: skip
async def test_a_post_that_says_nothing_changes_nothing(edge: Edge, body: bytes) -> None:
    reply = await edge.post(edge.mail().unsubscribe_url, body)
    assert reply.status == 400 and b"<form" in reply.body
    reply = await edge.post(edge.mail().unsubscribe_url, body, "multipart/form-data")
    assert reply.status == 400
    reply = await edge.post(edge.mail().unsubscribe_url, body, "multipart/form-data; boundary=x")
    assert reply.status == 400 and not edge.store.facts


@pytest.mark.row("E45")
@pytest.mark.parametrize("reason", list(UnsubscribeReason))
@pytest.mark.parametrize("scope", ["list", "all"])
async def test_the_form(edge: Edge, reason: UnsubscribeReason, scope: str) -> None:
    body = f"lang=ja&scope={scope}&reason={reason.value}&action=unsubscribe".encode()
    reply = await edge.post(edge.mail().unsubscribe_url, body)
    assert reply.status == 200 and "配信を停止しました" in reply.body.decode()
    assert edge.store.of(FactType.UNSUBSCRIBED)[0].detail == Unsubscribed(UnsubscribeVia.PAGE, reason, scope == "all")
    complaints = edge.store.of(FactType.COMPLAINED)
    expected = {UnsubscribeReason.SPAM: "abuse", UnsubscribeReason.FRAUD: "fraud"}.get(reason)
    assert [c.detail.feedback_type for c in complaints] == ([expected] if expected else [])
    if expected:
        detail = complaints[0].detail
        assert isinstance(detail, Complained) and detail.via_form and len(detail.origin) == 16
        assert "ご報告" in reply.body.decode()
        await edge.post(edge.mail().unsubscribe_url, body)
        assert len({c.id for c in edge.store.of(FactType.COMPLAINED)}) == 1  # pressed twice, one complaint


@pytest.mark.row("K31")
async def test_resubscribing(edge: Edge) -> None:
    url = edge.mail().unsubscribe_url
    reply = await edge.post(url, b"action=unsubscribe&scope=all&lang=en")
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', reply.body.decode()))
    assert fields == {"lang": "en", "scope": "all"} and b'name="action" value="resubscribe"' in reply.body
    reply = await edge.post(url, b"action=resubscribe&lang=en&scope=all")
    assert reply.status == 200 and b"You are subscribed again" in reply.body
    assert edge.store.of(FactType.RESUBSCRIBED)[0].detail == Unsubscribed(UnsubscribeVia.PAGE, everything=True)
    assert edge.tally[Count.RESUBSCRIBES] == 1


@pytest.mark.row("T2")
async def test_forged_unsubscribes_change_nothing(edge: Edge) -> None:
    seed = 20_261_123
    print("seed", seed)
    number = random.Random(seed)
    good = from_url(path_of(edge.mail().unsubscribe_url).split("/")[2])
    for count in range(1_200):
        if count % 3:
            raw = bytearray(good)
            for _ in range(number.randrange(1, 4)):
                raw[number.randrange(30)] = number.randrange(256)
            if bytes(raw) == good:
                continue
            token = to_url(bytes(raw))
        else:
            token = to_url(number.randbytes(30))
        body = ONE_CLICK if count % 2 else b"action=unsubscribe&scope=all"
        assert (await edge.post(f"/u/{token}", body)).status == 404
    assert not edge.store.facts and edge.tally[Count.FORGED] >= 1_199
    assert (await edge.post(edge.mail().unsubscribe_url, ONE_CLICK)).status == 200  # the control
    assert len(edge.store.facts) == 1


async def test_scanners_that_read_pages_are_nobody(edge: Edge) -> None:
    """Only opens and clicks carry a verdict; the page is not evidence of anything."""
    await edge.get(edge.mail().unsubscribe_url)
    assert not edge.store.facts and Agent.MACHINE.is_machine


# The page itself


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.mark.parametrize(
    ("accept", "query", "language"),
    [
        ("", "", "ja"), ("en-US,en;q=0.9", "", "en"), ("en;q=0.5, ja;q=0.8", "", "ja"), ("ja", "?lang=en", "en"),
        ("en", "?lang=ja", "ja"), ("fr, de;q=0.9", "", "ja"), ("fr, en;q=0.1", "", "en"), ("*", "", "ja"),
        ("en;q=0", "", "ja"), ("en;q=nan, ja;q=x", "", "ja"), ("EN", "?lang=%3Cscript%3E", "en"),
        ("," * 5_000, "", "ja"),
        ("en;q=2", "", "ja"),
    ],
)  # fmt: skip
async def test_languages(edge: Edge, accept: str, query: str, language: str) -> None:
    reply = await edge.get(edge.mail().unsubscribe_url + query, Accept_Language=accept)
    assert _Page(reply.body.decode()).all("html") == [{"lang": language}]


@pytest.mark.row("E45")
@pytest.mark.row("E45")
async def test_the_japanese_words_are_those_of_the_seed_document(edge: Edge) -> None:
    page = (await edge.get(edge.mail().unsubscribe_url)).body.decode()
    words = [
        "このようなメールを受け取りたくない。",
        "これは自分が購読したものではない。",
        "これはスパムである。",
        "これは詐欺メールであり、報告したい。",
    ]
    places = [page.index(word) for word in words]
    assert places == sorted(places)


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_the_page_needs_nothing_from_anywhere(edge: Edge, language: str) -> None:
    url = path_of(edge.mail().unsubscribe_url)
    reply = await edge.get(f"{url}?lang={language}")
    html = reply.body.decode()
    page = _Page(html)
    assert html.startswith("<!DOCTYPE html>")
    for tag, attrs in page.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "base"), tag
        assert not [name for name in attrs if name.startswith("on") or name == "style"], attrs
        for name in ("src", "href", "action"):
            value = attrs.get(name)
            assert value is None or value == url or value.startswith("?lang="), value
    assert "http://" not in html and "https://" not in html and "@import" not in html and "url(" not in html
    # The policy lets in this very style sheet and nothing else.
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in (reply.header("Content-Security-Policy") or "")
    # What screen readers and keyboards need.
    assert len(page.all("h1")) == 1 and len(page.all("legend")) == len(page.all("fieldset")) == 2
    assert len(page.all("label")) == len([a for a in page.all("input") if a["type"] == "radio"]) == 7
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert {"name": "robots", "content": "noindex, nofollow"} in page.all("meta")
    assert page.all("form") == [{"method": "post", "action": url}]


async def test_the_senders_name_is_shown_and_escaped(make_edge: MakeEdge) -> None:
    for name in ("<script>alert(1)</script>", "{{ 7*7 }}", "{words} {0}", '"><img src=x>'):
        edge = await make_edge(sender_names={7: name})
        html = (await edge.get(edge.mail().unsubscribe_url)).body.decode()
        assert "<script" not in html and "<img" not in html
        assert name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;") in html


@pytest.mark.row("T8")
async def test_no_address_is_shown_or_asked_for(edge: Edge) -> None:
    reply = await edge.get(edge.mail("hanako@example.jp").unsubscribe_url)
    assert b"hanako" not in reply.body and b"@example" not in reply.body
