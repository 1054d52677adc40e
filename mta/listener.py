"""Sockets: listens, counts who comes in, turns away who is too many, and stops in order (S13, S32)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from mta import replies
from mta.connection import Connection, peer_of
from mta.limits import ConnectionCounter
from mta.metrics import Metrics

log = logging.getLogger(__name__)

_BACKLOG = 4_096


class _Doorway(asyncio.Protocol):
    """Stands at a new connection until its peer is known; then a session takes over, or 421 is said.

    A refused client costs this small object and no session (S13).
    """

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener.welcome(cast(asyncio.Transport, transport))


class Listener:
    """Listens on one port and holds the connections that came by it."""

    def __init__(self, counter: ConnectionCounter, metrics: Metrics, make_connection: Callable[[], Connection]) -> None:
        """``make_connection`` returns a new, unconnected Connection."""
        self._counter = counter
        self._metrics = metrics
        self._make_connection = make_connection
        self._servers: list[asyncio.Server] = []
        self._peers: dict[Connection, str] = {}
        self._is_open = False

    @property
    def connections(self) -> list[Connection]:
        """The connections of now."""
        return list(self._peers)

    @property
    def ports(self) -> list[int]:
        """The ports listened on, in the order of the addresses given."""
        return [server.sockets[0].getsockname()[1] for server in self._servers if server.sockets]

    async def start(self, addresses: list[tuple[str, int]], *, shares_port: bool) -> None:
        """Listen on each (host, port); port 0 takes any. ``shares_port`` sets SO_REUSEPORT for sibling processes.

        Raises OSError when an address cannot be had; then nothing is listened on.
        """
        loop = asyncio.get_running_loop()
        self._is_open = True
        try:
            for host, port in addresses:
                server = await loop.create_server(
                    lambda: _Doorway(self), host, port, backlog=_BACKLOG, reuse_port=shares_port or None
                )
                self._servers.append(server)
        except OSError:
            self._stop_listening()
            raise

    def welcome(self, transport: asyncio.Transport) -> None:
        """Take a new connection, or turn it away."""
        peer = peer_of(transport)
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
        self._peers[connection] = peer
        transport.set_protocol(connection)
        connection.connection_made(transport)

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
