"""Sockets: listens, counts who comes in, turns away who is too many, and stops in order (S13, S32).

On ports of proxies, only listed proxies are heard, and each must say first who its client is (S29).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import cast

from mta import replies
from mta.connection import Connection
from mta.limits import ConnectionCounter
from mta.metrics import Metrics
from mta.peer import peer_of
from mta.proxy_header import ProxyHeaderError, parse_proxy_header

log = logging.getLogger(__name__)

_BACKLOG = 4_096
#: how long a proxy may take for its header
_PROXY_HEADER_S = 5.0

Addresses = list[tuple[str, int]]


class _Doorway(asyncio.Protocol):
    """Stands at a new connection until its peer is known; then a session takes over, or 421 is said.

    A refused client costs this small object and no session (S13).
    """

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.welcome(cast(asyncio.Transport, transport), peer_of(transport))


class _ProxyDoorway(asyncio.Protocol):
    """The same where a proxy says who the client is, before anything else."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._listener.is_proxy(peer_of(transport)):
            self._deadline = asyncio.get_running_loop().call_later(_PROXY_HEADER_S, self._refuse, "no header in time")
        else:
            self._refuse("not a listed proxy")

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._data += data
        try:
            header = parse_proxy_header(self._data)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if header is not None:
            transport, self._transport = self._transport, None
            self.connection_lost(None)
            self._listener.welcome(transport, header.peer or peer_of(transport), self._data[header.size :])

    def connection_lost(self, error: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _refuse(self, why: str) -> None:
        if self._transport is not None:
            # Without a word: whoever is no listed proxy learns nothing here.
            self._listener.count_refused_proxy(peer_of(self._transport), why)
            self._transport.abort()


class Listener:
    """Listens on ports and holds the connections that came by them."""

    def __init__(
        self,
        counter: ConnectionCounter,
        metrics: Metrics,
        make_connection: Callable[[], Connection],
        proxy_networks: Iterable[str] = (),
    ) -> None:
        """``make_connection`` returns a new, unconnected Connection; ``proxy_networks`` are where proxies are.

        Raises ValueError when a network is malformed.
        """
        self._counter = counter
        self._metrics = metrics
        self._make_connection = make_connection
        self._proxy_networks = tuple(ip_network(text) for text in proxy_networks)
        self._servers: list[asyncio.Server] = []
        self._peers: dict[Connection, str] = {}
        self._is_open = False

    @property
    def connections(self) -> list[Connection]:
        """The connections of now."""
        return list(self._peers)

    @property
    def ports(self) -> list[int]:
        """The ports listened on, in the order of the addresses given, those of proxies last."""
        return [server.sockets[0].getsockname()[1] for server in self._servers if server.sockets]

    async def start(self, addresses: Addresses, *, shares_port: bool, proxied: Addresses | None = None) -> None:
        """Listen on each (host, port); port 0 takes any. ``shares_port`` sets SO_REUSEPORT for sibling processes.

        ``::`` takes IPv4 as well. Connections to ``proxied`` addresses must begin with a PROXY header.
        Raises OSError when an address cannot be had; then nothing is listened on.
        """
        self._is_open = True
        try:
            for address in addresses:
                await self._listen(address, lambda: _Doorway(self), shares_port=shares_port)
            for address in proxied or []:
                await self._listen(address, lambda: _ProxyDoorway(self), shares_port=shares_port)
        except OSError:
            self._stop_listening()
            raise

    async def _listen(
        self, address: tuple[str, int], factory: Callable[[], asyncio.Protocol], *, shares_port: bool
    ) -> None:
        loop, (host, port) = asyncio.get_running_loop(), address
        if host == "::":
            # Event loops keep IPv4 off such a socket; an operator who writes :: means everybody.
            sock = socket.create_server(
                (host, port), family=socket.AF_INET6, backlog=_BACKLOG, reuse_port=shares_port, dualstack_ipv6=True
            )
            server = await loop.create_server(factory, sock=sock, backlog=_BACKLOG)
        else:
            server = await loop.create_server(factory, host, port, backlog=_BACKLOG, reuse_port=shares_port or None)
        self._servers.append(server)

    def is_proxy(self, peer: str) -> bool:
        """Whether ``peer`` may say who its client is."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxy_networks)

    def count_refused_proxy(self, peer: str, why: str) -> None:
        """Note that a connection to a proxies' port was cut."""
        self._metrics.count("proxies_refused")
        log.warning("not a proxy", extra={"peer": peer, "why": why})

    def welcome(self, transport: asyncio.Transport, peer: str, early: bytes = b"") -> None:
        """Take a new connection of ``peer``, or turn it away. ``early``: what the client has sent already."""
        was_stressed = self._counter.is_stressed
        if not self._is_open or not self._counter.enter(peer):
            self._metrics.count("connections_refused")
            transport.write((replies.OVERLOAD if self._is_open else replies.SHUTDOWN).wire)
            transport.close()
            return
        self._metrics.count("connections")
        if self._counter.is_stressed and not was_stressed:
            self._metrics.count("stress_on")
            log.warning("stress", extra={"connections": self._counter.count})
        connection = self._make_connection()
        connection.peer = peer
        self._peers[connection] = peer
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if early:
            connection.data_received(early)

    def leave(self, connection: asyncio.BaseProtocol) -> None:
        """Forget a connection that is gone."""
        peer = self._peers.pop(cast(Connection, connection), None)
        if peer is not None:
            self._counter.leave(peer)

    async def stop(self, drain_s: float) -> None:
        """Stop listening, tell idle clients, and wait at most ``drain_s`` seconds for messages under way."""
        self._stop_listening()
        for connection in self.connections:
            connection.drain()
        loop = asyncio.get_running_loop()
        end = loop.time() + drain_s
        while self._peers and loop.time() < end:
            await asyncio.sleep(0.02)
        for connection in self.connections:
            connection.abort()
        await asyncio.sleep(0)

    def _stop_listening(self) -> None:
        self._is_open = False
        for server in self._servers:
            server.close()
        self._servers.clear()
