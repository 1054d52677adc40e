"""Who the client is when a proxy says so, and who may say it (S29); and sockets for both families."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from mta import replies
from mta.limits import Limits
from mta.metrics import Counts
from mta.proxy_header import ProxyHeaderError, parse_proxy_header
from mta.server import MtaServer, MtaSettings
from tests.mta.harness import DOMAIN, KEYS, FakeReader, FakeStore, Peer, minted, seeded

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def binary(source: str, *, command: int = 0x21, extensions: bytes = b"") -> bytes:
    """Return a version 2 header, put together from its specification."""
    address = ip_address(source).packed
    body = address + address + b"\x9c\x40\x00\x19" + extensions
    family = 0x11 if len(address) == 4 else 0x21
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


HEADERS = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 25\r\n", "2001:db8::9"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (binary("203.0.113.9"), "203.0.113.9"),
    (binary("2001:db8::9"), "2001:db8::9"),
    (binary("203.0.113.9", extensions=b"\x04\x00\x03abc"), "203.0.113.9"),
    (binary("203.0.113.9", command=0x20), None),
    (SIGNATURE + b"\x21\x00\x00\x00", None),
]
MALFORMED = [
    b"EHLO x\r\n", b"PROXY\r\n", b"PROXY TCP4 203.0.113.9 192.0.2.1 40000\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 65536\r\n", b"PROXY TCP4 2001:db8::9 2001:db8::1 1 25\r\n",
    b"PROXY TCP6 203.0.113.9 192.0.2.1 1 25\r\n", b"PROXY TCP4 999.0.113.9 192.0.2.1 1 25\r\n",
    b"PROXY  TCP4 203.0.113.9 192.0.2.1 1 25\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 25\n" + b"x" * 107, b"PROXY UNKNOWN " + b"x" * 107, b"PROXY UNKNOWN\0\r\n",
    SIGNATURE + b"\x11\x11\x00\x0c" + b"x" * 12, SIGNATURE + b"\x22\x11\x00\x0c" + b"x" * 12,
    SIGNATURE + b"\x21\x12\x00\x0c" + b"x" * 12, SIGNATURE + b"\x21\x31\x00\x0c" + b"x" * 12,
    SIGNATURE + b"\x21\x11\x00\x0b" + b"x" * 11, SIGNATURE + b"\x21\x21\x00\x0c" + b"x" * 12,
    SIGNATURE + b"\x21\x11\xff\xff", b"\r\n\r\n\0\r\nQUIT\r", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00",
]  # fmt: skip


@pytest.mark.row("S29")
@pytest.mark.parametrize(("header", "peer"), HEADERS)
def test_headers_are_read_however_they_are_cut(header: bytes, peer: str | None) -> None:
    for tail in (b"", b"EHLO x\r\n"):
        for at in range(len(header)):
            assert parse_proxy_header(header[:at]) is None
        assert parse_proxy_header(header + tail) == (peer, len(header))


@pytest.mark.parametrize("data", MALFORMED)
def test_malformed_headers_are_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse_proxy_header(data)


def test_random_octets_raise_nothing_else() -> None:
    generator = seeded()
    atoms = [
        *(header for header, _ in HEADERS),
        SIGNATURE,
        b"PROXY ",
        b"TCP4 ",
        b"1.2.3.4 ",
        b"::",
        b"\r\n",
        b"\xff",
        b"9",
    ]
    for _ in range(20_000):
        data = b"".join(generator.choice(atoms)[: generator.randrange(1, 60)] for _ in range(generator.randrange(6)))
        try:
            header = parse_proxy_header(data)
        except ProxyHeaderError:
            continue
        assert header is None or header.peer is None or ip_address(header.peer)
        assert header is not None or len(data) < 2_048


@asynccontextmanager
async def behind_proxies(
    *networks: str, host: str = "127.0.0.1", limits: Limits | None = None
) -> AsyncIterator[tuple[MtaServer, Counts]]:
    """Run a server with a usual port and one for proxies."""
    counts, store, reader = Counts(), FakeStore(), FakeReader()
    settings = MtaSettings(
        hostname="mx.example.jp", return_path_domains=(DOMAIN,), addresses=((host, 0),),
        proxied_addresses=((host, 0),), proxy_networks=networks, limits=limits or Limits(),
    )  # fmt: skip
    server = MtaServer(settings, keys=lambda: KEYS, classifier=lambda: reader, submit=store.submit, metrics=counts)
    await server.start()
    try:
        yield server, counts
    finally:
        await server.stop()


@pytest.mark.row("S29")
@pytest.mark.parametrize(("header", "peer"), HEADERS)
async def test_a_listed_proxy_names_the_client(header: bytes, peer: str | None) -> None:
    async with behind_proxies("127.0.0.0/8") as (server, counts):
        for cut in (0, 1, len(header) - 1):
            proxied = await Peer.connect(server.ports[1])
            proxied.send(header[:cut])
            await asyncio.sleep(0.005)
            proxied.send(header[cut:])
            assert (await proxied.line()).startswith("220 ")
            (connection,) = server._listener.connections
            assert connection.peer == (peer or "127.0.0.1")
            assert await proxied.deliver(minted().return_path) == str(replies.STORED)
            assert await proxied.say("QUIT") == str(replies.BYE)
            await proxied.close()
            while server._listener.connections:
                await asyncio.sleep(0.001)
        assert counts.values["proxies_refused"] == 0


@pytest.mark.row("S29")
async def test_nobody_else_names_a_client() -> None:
    """From a network that is not listed, or on the usual port, the header is worth nothing."""
    async with behind_proxies("192.0.2.0/24", "2001:db8::/32") as (server, counts):
        unlisted = await Peer.connect(server.ports[1])
        unlisted.send(HEADERS[0][0] + b"EHLO x\r\n")
        assert await unlisted.rest() == []
        assert counts.values["proxies_refused"] == 1
        assert counts.values["connections"] == 0
        usual = await Peer.connect(server.ports[0])
        assert (await usual.line()).startswith("220 ")
        (connection,) = server._listener.connections
        usual.send(HEADERS[0][0])
        assert await usual.line() == str(replies.UNKNOWN_COMMAND)
        assert connection.peer == "127.0.0.1"
        await usual.close()


async def test_limits_are_the_clients_own() -> None:
    async with behind_proxies("127.0.0.0/8", limits=Limits(connections_per_peer=2)) as (server, _):
        peers, greetings = [], []
        for client in ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2"):
            peers.append(await Peer.connect(server.ports[1]))
            peers[-1].send(binary(client))
            greetings.append((await peers[-1].line())[:3])
        assert greetings == ["220", "220", "421", "220"]
        for peer in peers:
            await peer.close()


async def test_what_the_client_sent_ahead_is_an_early_talker() -> None:
    async with behind_proxies("127.0.0.0/8") as (server, counts):
        peer = await Peer.connect(server.ports[1])
        peer.send(HEADERS[0][0] + b"EHLO x\r\n")
        assert await peer.rest() == [str(replies.EARLY_TALKER)]
        assert counts.values["early_talkers"] == 1


async def test_a_proxy_without_a_header_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mta.listener._PROXY_HEADER_S", 0.05)
    async with behind_proxies("127.0.0.0/8") as (server, counts):
        silent, malformed = await Peer.connect(server.ports[1]), await Peer.connect(server.ports[1])
        malformed.send(b"EHLO x\r\n")
        assert await malformed.rest() == []
        silent.send(b"PROXY TCP4")
        assert await silent.rest() == []
        assert counts.values["proxies_refused"] == 2


async def test_one_socket_takes_both_families() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with behind_proxies("127.0.0.0/8", host="::") as (server, _):
        for host in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(host, server.ports[0])
            assert (await reader.readline()).startswith(b"220 ")
            (connection,) = server._listener.connections
            assert connection.peer == host
            writer.close()
            while server._listener.connections:
                await asyncio.sleep(0.001)
        # Negative control: the loop's own way leaves IPv4 out.
        loop = asyncio.get_running_loop()
        only = await loop.create_server(asyncio.Protocol, "::", 0)
        with pytest.raises(OSError, match="refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", only.sockets[0].getsockname()[1])
        only.close()
