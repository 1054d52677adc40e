"""A store, couriers whose clock is ours, and receivers of webhooks that misbehave on demand."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from console.outgoing.courier import Courier, Gate, Means
from console.outgoing.documents import StoreDocuments
from console.outgoing.endpoint import Endpoint, Secret, State
from console.outgoing.event import Event
from console.outgoing.event_log import BroadcastNames, EventLog
from console.outgoing.guard import Guard
from console.outgoing.sender import Sender
from console.outgoing.signature import new_secret, verify
from model.fact import Fact, UniqueClock
from store.environment import Environment
from store.feed import Feed
from store.reader import Reader
from store.writer import Writer, write_now

LOOPBACK = (ip_network("127.0.0.0/8"),)
T0_S = 1_775_001_600.0


@dataclass
class Clock:
    """Time that passes when told to."""

    now: float = T0_S

    def __call__(self) -> float:
        return self.now


@dataclass
class Got:
    """One request as it came."""

    id: str
    type: str
    data: dict[str, Any]
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes webhooks on loopback; ``answer`` decides on the reply, None hangs up."""

    got: list[Got] = field(default_factory=list)
    tried: list[Got] = field(default_factory=list)
    answer: Callable[[Got], web.StreamResponse | None] = lambda _: web.Response(status=204)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message = msgspec.json.decode(body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        got = Got(headers["webhook-id"], message["type"], message["data"], headers, body)
        self.tried.append(got)
        reply = self.answer(got)
        if reply is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if reply.status < 300:
            self.got.append(got)
        return reply

    @property
    def seqs(self) -> list[int]:
        return [got.data["seq"] for got in self.got]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook", made.handle)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/hook"))
    try:
        yield made
    finally:
        await server.close()


class World:
    """One store and one endpoint's courier."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.clock = Clock()
        self.writer = Writer(env)
        self.writer.start()
        self.feed = Feed(env)
        unique = UniqueClock(7)
        self.documents = StoreDocuments(Reader(env), self.writer, lambda: unique.stamp(time.time_ns() // 1_000))
        self.sender = Sender(Guard(LOOPBACK))
        self.delivered: list[Event] = []
        self.log = EventLog(self.feed, BroadcastNames(Reader(env)))
        self.means = Means(
            log=self.log,
            documents=self.documents,
            sender=self.sender,
            now_s=self.clock,
            chance=random.Random(1),
            gate=Gate(4),
            on_delivered=self._on_delivered,
        )
        self.secret = new_secret()

    async def _on_delivered(self, _tenant: int, _endpoint: str, event: Event) -> None:
        self.delivered.append(event)

    def add(self, *facts: Fact) -> None:
        write_now(self.env, facts)

    def endpoint(self, url: str, **fields: Any) -> Endpoint:
        values: dict[str, Any] = {
            "id": "0123456789abcdef", "types": (), "secrets": (Secret(self.secret),), "made_at": T0_S, **fields
        }  # fmt: skip
        return Endpoint(url=url, **values)

    def courier(self, url: str, *, state: State | None = None, **fields: Any) -> Courier:
        return Courier(1, self.endpoint(url, **fields), state or State(0), self.means)

    async def go(self, courier: Courier, *, until_s: float = 0.0, at_most: int = 100_000) -> None:
        """Let a courier do all it can, and time pass up to ``until_s`` seconds from now."""
        end = self.clock.now + until_s
        for _ in range(at_most):
            pause = await courier.step()
            if pause == 0.0:
                continue
            if pause is None or self.clock.now + pause > end:
                self.clock.now = max(self.clock.now, end)
                return
            self.clock.now += pause
        raise AssertionError("it never comes to rest")

    def check_signatures(self, got: list[Got]) -> None:
        for one in got:
            assert verify([self.secret], one.headers, one.body, self.at(one)) == one.id

    def at(self, one: Got) -> float:
        return float(one.headers["webhook-timestamp"])

    async def close(self) -> None:
        await self.sender.close()
        self.writer.stop()
