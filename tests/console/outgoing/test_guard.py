"""No webhook reaches inwards (T15): hostile targets, names that change their mind, redirects, proxies, long replies."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.test_utils import TestServer

from console.outgoing import sender as sender_module
from console.outgoing.guard import Guard, GuardError, PinnedResolver, resolve_by_system
from console.outgoing.public_address import is_reachable, parse
from console.outgoing.sender import REPLY_BYTES, Outcome, Sender
from tests.console.outgoing.world import LOOPBACK, Receiver, receiver

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
PUBLIC = "93.184.215.14"

#: Hosts, and what a resolver says of them; an empty list: the system's resolver is asked.
HOSTILE: dict[str, list[str]] = {
    # plain private, loopback, link-local
    "127.0.0.1": [], "127.255.255.254": [], "10.0.0.1": [], "172.16.0.1": [], "172.31.255.255": [],
    "192.168.1.1": [], "169.254.169.254": [], "0.0.0.0": [], "100.100.100.200": [], "100.64.0.1": [],
    # special purpose
    "192.0.0.170": [], "192.0.2.1": [], "198.18.0.1": [], "198.51.100.1": [], "203.0.113.1": [],
    "192.88.99.1": [], "224.0.0.1": [], "239.255.255.250": [], "240.0.0.1": [], "255.255.255.255": [],
    # IPv6
    "[::1]": [], "[::]": [], "[fe80::1]": [], "[fc00::1]": [], "[fd00:ec2::254]": [], "[fec0::1]": [],
    "[ff02::1]": [], "[2001:db8::1]": [], "[3fff::1]": [], "[100::1]": [], "[5f00::1]": [], "[4000::1]": [],
    # IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP
    "[::ffff:127.0.0.1]": [], "[::ffff:7f00:1]": [], "[::ffff:169.254.169.254]": [], "[::127.0.0.1]": [],
    "[::ffff:0:127.0.0.1]": [], "[64:ff9b::7f00:1]": [], "[64:ff9b::a9fe:a9fe]": [], "[64:ff9b:1::7f00:1]": [],
    "[2002:7f00:1::]": [], "[2002:a9fe:a9fe::1]": [], "[2001:0:4136:e378:8000:63bf:80ff:fffe]": [],
    "[2600::5efe:7f00:1]": [], "[2600::200:5efe:a00:1]": [],
    # other ways to write an address
    "127.1": [], "2130706433": [], "0x7f000001": [], "0x7f.1": [], "0177.0.0.1": [], "127.0.0.01": [],
    "0": [], "localhost": [], "LOCALHOST": [],
    # names
    "inward.example": ["127.0.0.1"], "metadata.example": ["169.254.169.254"], "six.example": ["::1"],
    "mapped.example": ["::ffff:10.0.0.1"], "scope.example": ["fe80::1%lo"], "nat64.example": ["64:ff9b::c0a8:101"],
    "both.example": [PUBLIC, "127.0.0.1"], "both6.example": [PUBLIC, "::1"],
    "last.example": [PUBLIC] * 20 + ["10.0.0.1"],
    "many.example": [f"93.184.215.{n}" for n in range(40)], "none.example": [], "odd.example": ["not an address"],
}  # fmt: skip
#: URLs that are wrong by their form.
MALFORMED = (
    "https://127.0.0.1%2f@example.com/", "https://user:password@example.com/", "https://example.com@127.0.0.1/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:25/_HELO", "https://", "https:///x",
    "//example.com",
    "https://example.com\\@127.0.0.1/", "https://example.com/\r\nHost: x", "https://①②⑦.⓪.⓪.①/", "https://[::1%25lo]/",
    "https://example.com./", "https://example.com/#x", "https://" + "a" * 3_000, "https://example.com:99999/",
    "data:,x",
    "javascript:alert(1)", "https://exa mple.com/",
)  # fmt: skip


class Watch:
    """Sees every connection this process tries, and lets those to loopback on ``allowed`` ports through only."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.is_on = False
        self.allowed: set[int] = set()
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.is_on or event != "socket.connect":
            return
        address = arguments[1]
        if not isinstance(address, tuple) or address[1] in self.allowed:
            return
        self.tried.append(str(address[0]))
        raise ConnectionRefusedError("the test lets nothing out")


_WATCH = Watch()  # an audit hook cannot be taken off again


@contextmanager
def watching(*allowed: int) -> Iterator[list[str]]:
    _WATCH.tried, _WATCH.allowed, _WATCH.is_on = [], set(allowed), True
    try:
        yield _WATCH.tried
    finally:
        _WATCH.is_on = False


async def fake_resolve(host: str, port: int) -> list[str]:
    known = HOSTILE.get(host, [])
    if known:
        return known
    if host.endswith(".example"):
        raise OSError("no such host")
    return await resolve_by_system(host, port)


@asynccontextmanager
async def sending(guard: Guard, **fields: object) -> AsyncIterator[Sender]:
    made = Sender(guard, **{"timeout_s": 2.0, **fields})  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


def non_global(tried: list[str]) -> list[str]:
    return [one for one in tried if not is_reachable(ip_address(one.partition("%")[0]))]


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_hostile_targets_get_no_connection(scheme: str) -> None:
    assert len(HOSTILE) >= 60
    async with sending(Guard((), fake_resolve)) as sender:
        with watching() as tried:
            for host in HOSTILE:
                outcome = await sender.post(f"{scheme}://{host}/hook", {}, b"{}")
                assert outcome.status is None and outcome.problem.startswith("not sent"), (host, outcome)
                assert "127.0.0.1" not in outcome.problem
    assert tried == []


async def test_without_the_guard_they_would() -> None:
    """Negative control: everything opted in, the same targets are connected to, and the watch sees it."""
    async with sending(Guard(EVERYWHERE, fake_resolve)) as sender:
        with watching() as tried:
            for host in HOSTILE:
                await sender.post(f"http://{host}/hook", {}, b"{}")
    assert len(set(non_global(tried))) > 30
    assert "127.0.0.1" in tried and "169.254.169.254" in tried and "::1" in tried


@pytest.mark.parametrize("url", MALFORMED)
async def test_malformed_urls_are_refused(url: str) -> None:
    with watching() as tried, pytest.raises(GuardError):
        await Guard(EVERYWHERE, fake_resolve).check(url)
    assert tried == []


@pytest.mark.parametrize("inward", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
async def test_a_name_that_flips_gets_public_connections_only(inward: str) -> None:
    """DNS rebinding: every other answer leads inwards, also between check and connection."""
    asked: list[str] = []

    async def flip(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) % 2 else [inward]

    async with sending(Guard((), flip)) as sender:
        with watching() as tried:
            outcomes = [await sender.post("https://flip.example/hook", {}, b"{}") for _ in range(40)]
    assert len(asked) == 40  # once a delivery: nobody resolves behind the check
    assert set(tried) == {PUBLIC}
    assert [o.problem for o in outcomes[:2]] == ["cannot connect", outcomes[1].problem]
    assert outcomes[1].problem.startswith("not sent")


async def test_a_connector_that_resolves_by_itself_would_be_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control of the flip: checked first and resolved anew to connect, the wrong answer is connected to."""
    answers = iter([PUBLIC, "127.0.0.1"] * 20)

    async def flip(host: str, port: int) -> list[str]:
        return [next(answers)]

    async def resolve_anew(_self: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        (one,) = await flip(host, port)
        return [ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=6, flags=0)]

    guard = Guard((), flip)
    monkeypatch.setattr(PinnedResolver, "resolve", resolve_anew)
    async with sending(guard) as sender:
        # The second line of defence alone still holds ...
        with watching() as tried:
            await sender.post("https://flip.example/hook", {}, b"{}")
        assert tried == []
        # ... and without it too, nothing does.
        monkeypatch.setattr(Guard, "check_address", lambda *_, **__: None)
        with watching() as tried:
            await sender.post("https://flip.example/hook", {}, b"{}")
        assert tried == ["127.0.0.1"]


async def test_public_addresses_pass() -> None:
    for text in (PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"):
        address = parse(text)
        assert address is not None and is_reachable(address), text
    target = await Guard((), fake_resolve).check(f"https://{PUBLIC}:8443/hook?x=1")
    assert (target.addresses, target.port, str(target.url)) == ((PUBLIC,), 8443, f"https://{PUBLIC}:8443/hook?x=1")


async def test_opting_in_opens_that_network_and_no_other() -> None:
    guard = Guard((ip_network("10.1.0.0/16"), ip_network("fd12::/16")), fake_resolve)
    for good in ("http://10.1.2.3/", "https://10.1.2.3/", "http://[fd12::1]/", "https://[::ffff:10.1.0.1]/"):
        await guard.check(good)
    for bad in ("http://10.2.0.1/", "https://[fd13::1]/", "http://127.0.0.1/", f"http://{PUBLIC}/"):
        with pytest.raises(GuardError):
            await guard.check(bad)


async def test_redirects_are_not_followed(hook: Receiver) -> None:
    async with receiver() as other, sending(Guard(LOOPBACK)) as sender:
        for status in (301, 302, 303, 307, 308):
            reply = web.Response(status=status, headers={"Location": other.url})
            hook.answer = lambda _, reply=reply: reply  # type: ignore[misc]
            outcome = await sender.post(hook.url, SIGNED, b'{"type":"x","data":{"seq":1}}')
            assert (outcome.status, outcome.is_delivered) == (status, False)
    assert other.tried == []
    assert len(hook.tried) == 5


SIGNED = {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
MESSAGE = b'{"type":"x","data":{"seq":1}}'


async def test_proxies_of_the_environment_are_ignored(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as proxy, sending(Guard(LOOPBACK)) as sender:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        outcome = await sender.post(hook.url, SIGNED, MESSAGE)
    assert outcome.is_delivered and len(hook.tried) == 1 and proxy.tried == []


async def test_a_reply_is_read_to_64_kib_and_never_shown() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"secret words " * 1_000)
            sent += 13_000

    async with served(endless) as url, sending(Guard(LOOPBACK)) as sender:
        outcome = await sender.post(url, SIGNED, MESSAGE)
        assert outcome == Outcome(200, "", outcome.took_s, 0.0)
        await asyncio.sleep(0.1)
    # What filled the sockets' buffers was sent too; no more than that.
    assert sent < REPLY_BYTES + 8 * 2**20


async def test_a_receiver_may_take_ten_seconds_and_no_more() -> None:
    assert sender_module.TIMEOUT_S == 10.0

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response

    async with served(slow) as url, sending(Guard(LOOPBACK), timeout_s=0.3) as sender:
        began = time.monotonic()
        outcome = await sender.post(url, SIGNED, MESSAGE)
    assert outcome.problem == "no whole reply within 0.3 s"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2 secret words\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"secret words" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\nsecret words", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsecret words",
        b"HTTP/1.1 200 OK\r\nContent-Length: secret words\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28",
    ],
)  # fmt: skip
async def test_what_is_no_http_is_told_in_our_own_words(reply: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with sending(Guard(LOOPBACK)) as sender:
        outcome = await sender.post(f"http://127.0.0.1:{port}/", SIGNED, MESSAGE)
    server.close()
    assert not outcome.is_delivered
    assert "secret" not in outcome.problem and "SSH" not in outcome.problem


async def test_tls_is_checked_for_the_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    """The name goes into SNI, Host and the check of the certificate; the address is the one that was checked."""
    trust, server_context, names = certificates(tmp_path, "hooks.example")
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request.host)
        return web.Response()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with served(handle, ssl=server_context) as url, sending(Guard(LOOPBACK, resolve), trust=trust) as sender:
        port = url.split(":")[2].split("/")[0]
        good = await sender.post(f"https://hooks.example:{port}/hook", SIGNED, MESSAGE)
        wrong = await sender.post(f"https://other.example:{port}/hook", SIGNED, MESSAGE)
    assert good.is_delivered, good
    assert (seen, names) == ([f"hooks.example:{port}"], ["hooks.example", "other.example"])
    assert wrong.problem == "the certificate of the host is not trusted"
    # And without our own trust the certificate of nobody is refused.
    async with served(handle, ssl=server_context) as url, sending(Guard(LOOPBACK, resolve)) as sender:
        port = url.split(":")[2].split("/")[0]
        unknown = await sender.post(f"https://hooks.example:{port}/hook", SIGNED, MESSAGE)
    assert unknown.problem == "the certificate of the host is not trusted"


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext, list[str]]:
    """Return who trusts, who serves, and the names asked for by SNI."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True,
    )  # fmt: skip
    names: list[str] = []
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    serving.sni_callback = lambda _socket, asked, _context: names.append(str(asked))
    return ssl.create_default_context(cafile=str(certificate)), serving, names


@asynccontextmanager
async def served(handler, ssl: ssl.SSLContext | None = None) -> AsyncIterator[str]:  # type: ignore[no-untyped-def]
    app = web.Application()
    app.router.add_post("/hook", handler)
    server = TestServer(app, scheme="https" if ssl else "http")
    await server.start_server(ssl=ssl)
    try:
        yield f"{'https' if ssl else 'http'}://127.0.0.1:{server.port}/hook"
    finally:
        await server.close()


def test_the_watch_sees_a_connection() -> None:
    """Negative control of the instrument."""
    with watching() as tried, socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", 9))
    assert tried == ["127.0.0.1"]
