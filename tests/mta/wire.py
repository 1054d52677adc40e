"""A connection without a socket: what comes is cut, delayed, paused and lost exactly as a test says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from model.fact import Fact
from mta.connection import Connection
from mta.limits import Limits
from mta.metrics import Counts
from mta.server import MtaServer, MtaSettings
from tests.mta.harness import DOMAIN, KEYS, FakeReader


class Wire(asyncio.Transport):
    """The server's end. ``stalls``: odds that a written piece fills the buffer until a later turn of the loop."""

    def __init__(self, generator: random.Random, stalls: float = 0.0) -> None:
        super().__init__()
        self.generator = generator
        self.stalls = stalls
        self.sent = b""
        self.writes = 0
        self.is_paused = False
        self.has_eof = False
        self.is_lost = False
        self.protocol: Connection | None = None
        self._is_closing = False
        self._is_stuck = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.7", 40_000) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert data
        assert not self._is_closing
        assert not self.has_eof
        self.sent += bytes(data)
        self.writes += 1
        if not self._is_stuck and self.generator.random() < self.stalls:
            assert self.protocol is not None
            self._is_stuck = True
            self.protocol.pause_writing()
            asyncio.get_running_loop().call_soon(self._drain, self.generator.randrange(4))

    def _drain(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._drain, turns - 1)
        elif not self.is_lost and self.protocol is not None:
            self._is_stuck = False
            self.protocol.resume_writing()

    def is_closing(self) -> bool:
        return self._is_closing

    def write_eof(self) -> None:
        self.has_eof = True

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        self.close()

    def lose(self) -> None:
        """End the connection, as when the peer resets it."""
        self._is_closing = True
        if not self.is_lost and self.protocol is not None:
            self.is_lost = True
            self.protocol.connection_lost(None)

    def pause_reading(self) -> None:
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused
        self.is_paused = False

    def is_reading(self) -> bool:
        return not self.is_paused


@dataclass
class Store:
    """Keeps facts after some turns of the loop; fails for a mail that holds the word ``BROKEN``."""

    generator: random.Random
    slowest: int = 0
    facts: dict[bytes, Fact] = field(default_factory=dict)

    def submit(self, facts: Sequence[Fact]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def later(turns: int) -> None:
            if turns:
                loop.call_soon(later, turns - 1)
                return
            self.facts.update((fact.id, fact) for fact in facts)
            if not future.done():
                future.set_result(None)

        later(self.generator.randrange(self.slowest + 1))
        return future


@dataclass
class Bench:
    """A server that listens nowhere, and what it has done."""

    server: MtaServer
    store: Store
    counts: Counts
    generator: random.Random
    troubles: list[dict[str, Any]] = field(default_factory=list)

    async def connect(self, *, stalls: float = 0.0) -> Wire:
        """Return the wire of a new session that has said its greeting."""
        wire = Wire(self.generator, stalls)
        connection = self.server._make_connection()
        wire.protocol = connection
        connection.connection_made(wire)
        while not wire.sent:
            await asyncio.sleep(0)
        return wire


def read_or_break(raw: bytes) -> None:
    if b"BROKEN" in raw:
        raise ValueError("a mail that breaks its reader")


@asynccontextmanager
async def server_without_sockets(generator: random.Random, limits: Limits, *, slowest: int = 0) -> AsyncIterator[Bench]:
    """Yield a server; afterwards nothing may be held, and the loop may have seen no trouble."""
    store, counts, reader = Store(generator, slowest), Counts(), FakeReader()
    reader.act = read_or_break
    settings = MtaSettings(hostname="mx.example.jp", return_path_domains=(DOMAIN,), addresses=(), limits=limits)
    server = MtaServer(
        settings, keys=lambda: KEYS, classifier=lambda: reader, submit=store.submit, metrics=counts,
        clock=lambda: 1_800_000_000_000_000,
    )  # fmt: skip
    bench = Bench(server, store, counts, generator)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: bench.troubles.append(context))
    yield bench
    await server.stop()
    assert bench.troubles == []
    assert server.budget.used == 0
