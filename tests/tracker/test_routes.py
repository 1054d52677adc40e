"""Each route's answer and the fact it states."""

from __future__ import annotations

import asyncio

import pytest

from model.detail import Agent, Engaged
from model.fact import DeliveryKey, FactType
from model.keyring import Key, KeyRing, KeyStatus
from tests.tracker.conftest import MakeEdge
from tests.tracker.edge import BROWSER, Edge, path_of
from tracker.answer import PIXEL
from tracker.metrics import Count
from tracker.settings import IpPolicy

TARGET = "https://example.jp/sale?id=1&x=%E6%97%A5"


def key_of(edge: Edge, address: str = "taro@example.jp") -> DeliveryKey:
    return edge.mail(address).key


async def test_a_pixel_is_answered_after_its_fact_is_stored(edge: Edge) -> None:
    reply = await edge.get(edge.mail().pixel_url)
    assert (reply.status, reply.body, len(reply.body)) == (200, PIXEL, 43)
    (fact,) = edge.store.facts
    assert (fact.type, fact.key, fact.is_test, fact.is_html) == (FactType.OPENED, key_of(edge), False, True)
    assert fact.detail == Engaged(Agent.PERSON, 0, 0, "127.0.0.0", BROWSER, None)


@pytest.mark.row("K38")
async def test_a_click_redirects_to_the_signed_target(edge: Edge) -> None:
    url = edge.mail().click_url(TARGET, link=2, links=5)
    reply = await edge.get(url)
    assert (reply.status, reply.header("Location"), reply.body) == (302, TARGET, b"")
    (fact,) = edge.store.facts
    assert fact.type is FactType.CLICKED
    assert fact.detail == Engaged(Agent.PERSON, 2, 5, "127.0.0.1", BROWSER, TARGET)


async def test_flags_of_the_token_reach_the_fact(edge: Edge) -> None:
    await edge.get(edge.mail(is_test=True).pixel_url)
    await edge.get(edge.mail(is_html=False).pixel_url)
    await edge.get(edge.mail().click_url(TARGET, link=6, links=5, honeypot=True))
    assert [(f.is_test, f.is_html) for f in edge.store.facts] == [(True, True), (False, False), (False, True)]
    assert edge.store.facts[2].detail.agent is Agent.HONEYPOT


async def test_head_is_a_machines(edge: Edge) -> None:
    pixel = await edge.ask("HEAD", edge.mail().pixel_url)
    click = await edge.ask("HEAD", edge.mail().click_url(TARGET, link=1, links=1))
    assert (pixel.status, pixel.header("Content-Length"), click.status) == (200, "43", 302)
    assert [fact.detail.agent for fact in edge.store.facts] == [Agent.MACHINE, Agent.MACHINE]


async def test_a_proxys_address_is_not_kept(edge: Edge) -> None:
    await edge.get(edge.mail().pixel_url, User_Agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)")
    detail = edge.store.facts[0].detail
    assert (detail.agent, detail.ip) == (Agent.PROXY, None)


@pytest.mark.row("N10")
async def test_neither_address_nor_user_agent_need_be_kept(make_edge: MakeEdge) -> None:
    edge = await make_edge(open_ip=IpPolicy.DROP, click_ip=IpPolicy.TRUNCATE, keeps_user_agent=False)
    await edge.get(edge.mail().pixel_url, User_Agent="curl/8.0")
    await edge.get(edge.mail().click_url(TARGET, link=1, links=1))
    assert [(f.detail.agent, f.detail.ip, f.detail.user_agent) for f in edge.store.facts] == [
        (Agent.MACHINE, None, None), (Agent.PERSON, "127.0.0.0", None),
    ]  # fmt: skip


async def test_times_of_facts_are_distinct(make_edge: MakeEdge) -> None:
    edge = await make_edge(slot=3, node=9)
    for _ in range(50):
        await edge.get(edge.mail().pixel_url)
    assert len({fact.id for fact in edge.store.facts}) == 50
    assert {fact.at_us & 7 for fact in edge.store.facts} == {3} and {f.node for f in edge.store.facts} == {9}


async def test_user_agents_are_cleaned(edge: Edge) -> None:
    await edge.get(edge.mail().pixel_url, User_Agent="Mozilla/5.0 \u3042\x85\u202e" + "x" * 400)
    text = edge.store.facts[0].detail.user_agent
    assert text is not None and len(text) <= 256 and text.isprintable()


@pytest.mark.parametrize(
    "path", ["/o/x.gif", "/o/.gif", "/o/" + "A" * 40 + ".gif", "/o/%00.gif", "/o/" + "%C3%A9" * 40 + ".gif"]
)
async def test_an_unknown_pixel_is_a_pixel_all_the_same(edge: Edge, path: str) -> None:
    reply = await edge.get(path)
    assert (reply.status, reply.body) == (200, PIXEL)
    assert not edge.store.facts and edge.tally[Count.FORGED] == 1


async def test_everything_else_is_the_same_404(edge: Edge) -> None:
    mail = edge.mail()
    click = path_of(mail.click_url(TARGET, link=1, links=1))
    replies = [
        await edge.ask(method, path)
        for method, path in [
            ("GET", "/"), ("GET", "/x"), ("GET", "/o/"), ("GET", "/o/x.png"), ("GET", "/c/a/b"), ("GET", "/c/a/1.1/eA"),
            ("GET", click[:-1]), ("GET", click + "/x"), ("GET", click.replace("/1.1/", "/1.2/")), ("GET", "/u/x"),
            ("GET", path_of(mail.unsubscribe_url)[:-1]), ("POST", click), ("POST", "/x"), ("PUT", click),
            ("DELETE", path_of(mail.unsubscribe_url)), ("OPTIONS", "/o/x.gif"), ("OPTIONS", "*"), ("GET", "//o/x.gif"),
            ("GET", "/../../etc/passwd"), ("GET", "/%2e%2e/"), ("GET", "/static/app.js"), ("PATCH", "/"),
            ("GET", path_of(mail.pixel_url).replace("/o/", "/u/")), ("GET", "/u/" + "A" * 40),
        ]
    ]  # fmt: skip
    assert {reply.status for reply in replies} == {404}
    assert len({(reply.body, tuple(h for h in reply.headers if h[0] != "Date")) for reply in replies}) == 1
    assert not edge.store.facts


async def test_small_routes(edge: Edge) -> None:
    assert (await edge.get("/healthz")).body == b"ok\n"
    assert (await edge.get("/robots.txt")).body == b"User-agent: *\nDisallow: /\n"
    assert (await edge.get("/favicon.ico")).status == 204


async def test_encoded_and_absolute_forms_are_understood(edge: Edge) -> None:
    path = path_of(edge.mail().pixel_url)
    encoded = "".join(f"%{ord(char):02X}" if char in "-_." else char for char in path)
    for form in (encoded, "http://t.example.jp" + path, path + "?utm=1", path + "?x=%ff&" + "a" * 500):
        assert (await edge.get(form)).status == 200
    assert len(edge.store.of(FactType.OPENED)) == 4


@pytest.mark.row("T11")
async def test_only_our_hosts_are_answered(make_edge: MakeEdge) -> None:
    edge = await make_edge(hosts=frozenset({"t.example.jp"}))
    path = path_of(edge.mail().pixel_url)
    for host, status in {
        "t.example.jp": 200, "T.Example.JP:443": 200, "t.example.jp.": 200, "evil.jp": 404, "t.example.jp.evil.jp": 404,
        "": 404, "127.0.0.1": 404,
    }.items():  # fmt: skip
        assert (await edge.get(path, Host=host)).status == status, host
    assert (await edge.get("/healthz", Host="10.0.0.1")).status == 200


async def test_keys_may_change_while_running(edge: Edge) -> None:
    pixel, click = edge.mail().pixel_url, edge.mail().click_url(TARGET, link=1, links=1)
    secret = b"\x02" * 32
    edge.keys = KeyRing({2: Key(2, secret, KeyStatus.OLD), 4: Key(4, b"4" * 32, KeyStatus.CURRENT)}, b"\x10" * 32)
    assert (await edge.get(click)).status == 302
    edge.keys = KeyRing({2: Key(2, secret, KeyStatus.REVOKED), 4: Key(4, b"4" * 32, KeyStatus.CURRENT)}, b"\x10" * 32)
    assert (await edge.get(click)).status == 404
    assert (await edge.get(pixel)).body == PIXEL
    assert len(edge.store.facts) == 1


@pytest.mark.row("T7")
async def test_headers_of_six_routes(edge: Edge) -> None:
    """The whole header block, so that a new or a lost header shows."""
    mail = edge.mail()
    common = {
        "Cache-Control": "no-store, private, max-age=0",
        "X-Robots-Tag": "noindex, nofollow",
        "Server": "yamabiko",
    }
    text = {
        **common, "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
    }  # fmt: skip
    page = {**text, "Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY", "Vary": "Accept-Language"}
    snapshot = {
        ("GET", mail.pixel_url): {**common, "Content-Type": "image/gif", "X-Content-Type-Options": "nosniff"},
        ("GET", mail.click_url(TARGET, link=1, links=1)): {
            **common, "Referrer-Policy": "no-referrer", "Location": TARGET,
        },
        ("GET", mail.unsubscribe_url): page,
        ("POST", mail.unsubscribe_url): text,
        ("GET", "/healthz"): text,
        ("GET", "/nothing"): page,
    }  # fmt: skip
    for (method, url), expected in snapshot.items():
        body = b"List-Unsubscribe=One-Click" if method == "POST" else None
        reply = await edge.ask(method, url, {}, body)
        headers = {name: value for name, value in reply.headers if name not in ("Date", "Content-Length")}
        policy = headers.get("Content-Security-Policy", "")
        if expected is page:
            assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy
            headers["Content-Security-Policy"] = text["Content-Security-Policy"]
        assert headers == expected, (method, url)
        assert len(reply.headers) == len(headers) + 2  # no header twice


async def test_a_visitor_who_leaves_is_still_recorded(edge: Edge) -> None:
    edge.store.delay_s = 0.1
    raw = f"GET {path_of(edge.mail().pixel_url)} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(raw)
    await asyncio.sleep(0.03)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    assert len(edge.store.facts) == 1
