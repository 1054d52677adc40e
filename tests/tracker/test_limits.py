"""Slow, large and many: T9, T8."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import pytest

from tests.tracker.conftest import MakeEdge
from tests.tracker.edge import Client, Edge, path_of
from tests.tracker.wire import get
from tracker.metrics import Count
from tracker.redact import redact_path


async def closed_after(port: int, raw: bytes, limit_s: float) -> tuple[float, bytes]:
    """Send ``raw``, then nothing; return how long the connection stayed open and what came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()
    writer.write(raw)
    try:
        answer = await asyncio.wait_for(reader.read(), limit_s)
    except TimeoutError:
        answer = b"still open"
    writer.close()
    return time.perf_counter() - started, answer


@pytest.mark.row("T9")
@pytest.mark.parametrize(
    "raw", [b"", b"GET /o/x", b"GET / HTTP/1.1\r\nHost: t\r\nX: "], ids=["silent", "line", "header"]
)
async def test_stalled_requests_are_cut_off(make_edge: MakeEdge, raw: bytes) -> None:
    edge = await make_edge(keepalive_s=0.5)
    took, answer = await closed_after(edge.port, raw, 4)
    print(f"closed after {took:.2f} s")
    assert took < 3 and b"still open" not in answer


@pytest.mark.row("T9")
async def test_a_stalled_body_is_cut_off(make_edge: MakeEdge) -> None:
    edge = await make_edge(body_wait_s=0.3)
    path = path_of(edge.mail().unsubscribe_url)
    raw = f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nList-Unsub".encode()
    took, answer = await closed_after(edge.port, raw, 5)
    assert took < 4 and answer.startswith(b"HTTP/1.1 408"), answer
    assert not edge.store.facts


@pytest.mark.row("T9")
async def test_a_body_that_cannot_matter_is_not_waited_for(make_edge: MakeEdge) -> None:
    edge = await make_edge(body_wait_s=30)
    raw = b"POST /u/forged HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(raw)
    answer = await asyncio.wait_for(reader.read(12), 2)
    writer.close()
    assert answer == b"HTTP/1.1 404"


@pytest.mark.row("T9")
async def test_large_requests_are_refused(edge: Edge) -> None:
    url = edge.mail().unsubscribe_url
    assert (await edge.post(url, b"x=" + b"a" * 70_000)).status == 413
    assert (await edge.post(url, b"List-Unsubscribe=One-Click&x=" + b"a" * 60_000)).status == 200
    assert (await edge.get("/" + "a" * 9_000)).status == 400
    assert (await edge.get("/", X="a" * 9_000)).status == 400
    assert (await edge.ask("GET", "/", {f"X-{i}": "a" for i in range(100)})).status == 400
    assert (await edge.ask("GET", "/robots.txt", {f"X-{i}": "a" for i in range(50)})).status == 200


@pytest.mark.row("T9")
async def test_a_longest_target_still_fits(edge: Edge) -> None:
    target = "https://x.jp/" + "a" * 4_083
    assert (await edge.get(edge.mail().click_url(target, link=1, links=1))).header("Location") == target


@pytest.mark.row("T9")
async def test_many_forged_tokens_are_429_and_good_ones_are_not(make_edge: MakeEdge) -> None:
    edge = await make_edge(forged_per_minute=20)
    statuses = [(await edge.get(f"/u/{'A' * 40}")).status for _ in range(50)]
    assert statuses == [404] * 20 + [429] * 30
    reply = await edge.get(f"/c/{'A' * 40}/1.1/eA")
    assert (reply.status, reply.header("Retry-After")) == (429, "60")
    assert (await edge.get("/o/forged.gif")).status == 200
    assert (await edge.get(edge.mail().pixel_url)).status == 200
    assert (await edge.get(edge.mail().unsubscribe_url)).status == 200
    assert (await edge.post(edge.mail().unsubscribe_url, b"List-Unsubscribe=One-Click")).status == 200
    assert edge.tally[Count.LIMITED] == 31 and len(edge.store.facts) == 2


@pytest.mark.row("T9")
async def test_a_crowd_of_slow_clients_does_not_stop_the_others(make_edge: MakeEdge) -> None:
    edge = await make_edge()
    slow = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(300)]
    for number, (_, writer) in enumerate(slow):
        writer.write((b"GET /o/", b"POST /u/x HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\na", b"")[number % 3])
    took = []
    for _ in range(100):
        started = time.perf_counter()
        assert (await edge.get(edge.mail().pixel_url)).status == 200
        took.append(time.perf_counter() - started)
    for _, writer in slow:
        writer.close()
    p99 = sorted(took)[98]
    print(f"p99 {p99 * 1e3:.1f} ms beside 300 slow clients")
    assert p99 < 0.5


@pytest.mark.row("T9")
async def test_a_slow_reader_holds_up_nobody_and_little_memory(edge: Edge) -> None:
    """It sends on and on and reads nothing: its answers fill its socket, then it is not read from."""
    one = get(path_of(edge.mail().pixel_url), "X-Pad: " + "a" * 1_700)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.connect(("127.0.0.1", edge.port))
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    sent, backlog = 0, b""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.7 and sent < 60_000_000:
        backlog = backlog or one * 20
        try:
            count = sock.send(backlog)
            sent, backlog = sent + count, backlog[count:]
            quiet_since = time.monotonic()
        except BlockingIOError:
            await asyncio.sleep(0.01)
    assert sent < 60_000_000, "the server reads without end"
    started = time.perf_counter()
    assert (await edge.get(edge.mail().pixel_url)).status == 200
    assert time.perf_counter() - started < 0.5
    taken = edge.store.hits
    received = 0
    deadline = time.monotonic() + 60
    while received < sent // len(one) and time.monotonic() < deadline:  # once it reads, all is answered
        try:
            received += len((await asyncio.wait_for(loop.sock_recv(sock, 2**20), 2)).split(b"HTTP/1.1 200")) - 1
        except TimeoutError:
            break
    sock.close()
    print(f"{sent} octets taken in, {taken} hits before it read, {received} answers after")
    assert len(edge.store.facts) >= sent // len(one) and taken < sent // len(one)


@pytest.mark.row("T8")
async def test_logs_hold_no_address_and_no_whole_token(make_edge: MakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    edge = await make_edge(logs_requests=True, forged_per_minute=10_000)
    edge.store.error = RuntimeError("boom")
    tokens, urls = [], []
    for number in range(250):
        mail = edge.mail(f"person{number}@example.jp")
        urls += [mail.pixel_url, mail.click_url("https://x.jp/?mail=a@b.jp", link=1, links=1), mail.unsubscribe_url]
        tokens.append(path_of(mail.pixel_url)[3:43])
    odd = ["/?mail=a@b.jp", "/taro@example.jp", "/o/taro@example.jp", "/u/%0aX@y", "/c/a@b/c@d/e@f", "/healthz?x=a@b"]
    for url in urls + odd:
        await edge.get(url, X_Mail="a@b.jp", Referer="https://x.jp/?a@b.jp")
    client = Client(edge.port)
    await client.send(b"GET /o/a@b HTTP/1.1\r\nHost: t\r\nX: a@b\x01\r\n\r\n")
    assert "@" not in "".join(urls).replace("https://x.jp/?mail=a@b.jp", "")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("tracker")]
    access = [line for line in ours if line.startswith("GET ")]
    assert len(access) >= 750 + 6
    text = caplog.text
    assert "@" not in "\n".join(ours) and "a@b" not in text
    assert not [token for token in tokens if token[:9] in "\n".join(ours)]


def test_redacting() -> None:
    for path, shown in {
        "/o/ABCDEFGHIJ.gif": "/o/ABCDEFGH~", "/c/ABCDEFGHIJ/1.2/secret": "/c/ABCDEFGH~", "/u/AB": "/u/AB~",
        "/u/a@b\n": "/u/ab~", "/x/y": "/-", "": "/-", "/healthz": "/healthz", "//o/x": "/-", "/o/あいう": "/o/~",
        "http://x/o/y": "/-", "/u/%40%0a?x": "/u/400a~",
    }.items():  # fmt: skip
        assert redact_path(path) == shown
