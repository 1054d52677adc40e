"""The API over a real socket with a real store, and every answer checked against the route table."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp.test_utils import TestServer

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from console.app import build_app
from console.export_rules import is_restricted
from console.export_tasks import ExportTasks
from console.identity import ROLES, Identity, Role, Scope
from console.openapi import answers_of
from console.outgoing.documents import StoreDocuments
from console.outgoing.outgoing import Outgoing
from console.queue_board import QueueBoard
from console.route import NDJSON, Route
from console.services import ConsoleLimits, HealthCheck, Services
from console.table import ROUTES
from console.token_desk import TokenRow
from model.fact import UniqueClock
from model.keyring import KeyRing
from model.mint import Hosts
from store.breakdown import Breakdown
from store.bulk import sources_at_ends
from store.environment import Environment
from store.feed import Feed
from store.people import People
from store.reader import Reader
from store.status_log import StatusLog
from store.suppression_desk import SuppressionDesk
from store.windows import Windows
from store.writer import Writer
from yamabiko.exporter.launcher import ChildLauncher

ADMIN = "ymb_admin"
ROLES_FOR_INFO = frozenset({"info", "admin", "postmaster"})


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.text.splitlines()]


@dataclass
class Api:
    """A client that knows the routes and believes nothing."""

    session: aiohttp.ClientSession
    origin: str
    services: Services
    tokens: dict[str, Identity]
    health: list[HealthCheck]
    observed: list[tuple[str, int]] = field(default_factory=list)

    async def call(
        self, method: str, path: str, *, token: str | None = ADMIN, json: Any = None, data: Any = None, **headers: str
    ) -> Answer:
        """Ask, and check that the answer is one the OpenAPI document promises."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        async with self.session.request(
            method, self.origin + path, json=json, data=data, headers=sent, allow_redirects=False
        ) as response:
            answer = Answer(response.status, dict(response.headers), await response.text())
        check(method, path.partition("?")[0], answer)
        return answer

    async def sends(self, rows: list[Any], **headers: str) -> Answer:
        """POST /v1/sends."""
        data = b"".join((row if isinstance(row, bytes) else msgspec.json.encode(row)) + b"\n" for row in rows)
        return await self.call("POST", "/v1/sends", data=data, **{"Content-Type": NDJSON, **headers})


def route_of(method: str, path: str) -> Route | None:
    """Return the route that answers."""
    for route in ROUTES:
        pattern = re.sub(r"\{\w+\}", "[^/]+", route.path)
        if route.method == method and re.fullmatch(pattern, path):
            return route
    return None


def check(method: str, path: str, answer: Answer) -> None:
    """Assert that status, media type and body are among the answers the route documents."""
    route = route_of(method, path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if route is None:
        assert answer.status in (404, 405, 421), (method, path, answer.status)
        return
    promised = {promise.status: promise for promise in answers_of(route)}
    assert answer.status in promised, f"{method} {path}: {answer.status} is not documented: {answer.text[:200]}"
    promise = promised[answer.status]
    if promise.body is None:
        return
    assert answer.headers["Content-Type"].split(";")[0] == promise.media_type
    kinds = promise.body if isinstance(promise.body, tuple) else (promise.body,)
    for line in answer.text.splitlines() if promise.media_type == NDJSON else [answer.text]:
        assert any(_fits(line, kind) for kind in kinds), (line, kinds)


def _fits(text: str, kind: Any) -> bool:
    try:
        value = msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        return False
    # Nothing beside what is documented.
    return not isinstance(value, msgspec.Struct) or set(json.loads(text)) <= set(value.__struct_fields__)


class MemoryTokenDesk:
    """Keeps tokens for one test."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, TokenRow]] = []

    def list(self, tenant: int) -> Sequence[TokenRow]:
        return [row for owner, row in self.rows if owner == tenant]

    def create(self, tenant: int, name: str, scopes: tuple[Scope, ...], lifetime_s: int | None) -> tuple[TokenRow, str]:
        row = TokenRow(f"{len(self.rows):08x}", name, scopes, 1, lifetime_s)
        self.rows.append((tenant, row))
        return row, f"ymb_{name}"

    def revoke(self, tenant: int, token_id: str) -> bool:
        left = [(owner, row) for owner, row in self.rows if owner != tenant or row.id != token_id]
        found, self.rows = len(left) < len(self.rows), left
        return found


@cache
def _classifier() -> Classifier:
    return Classifier(load_rules(Path(__file__).parents[2] / "config/rules"))


def _exports(env: Environment, values: dict[str, Any]) -> ExportTasks:
    """Exports made by real processes, beside the store."""
    now_us = values.get("now_us", lambda: time.time_ns() // 1_000)
    clock: UniqueClock = values["clock"]
    return ExportTasks(
        values["reader"], values["writer"], ChildLauncher(env.path, 256 * 2**20), env.path.parent / "exports",
        stamp=lambda: clock.stamp(now_us()), now_us=now_us,
    )  # fmt: skip


@asynccontextmanager
async def running_api(
    env: Environment, keys: KeyRing, *, opted_in: tuple[str, ...] = (), **changes: Any
) -> AsyncIterator[Api]:
    """Serve the API; webhooks may go to the networks ``opted_in`` too."""
    writer = Writer(env)
    writer.start()
    tokens = {ADMIN: Identity("admin", 1, frozenset(ROLES[Role.ADMIN]))}
    health = [HealthCheck("store", "")]
    observed: list[tuple[str, int]] = []
    clock, feed, reader = UniqueClock(7), Feed(env), Reader(env)

    def stamp() -> int:
        return clock.stamp(time.time_ns() // 1_000)

    outgoing = Outgoing(
        feed=feed,
        reader=reader,
        desk=SuppressionDesk(env),
        documents=StoreDocuments(reader, writer, stamp),
        stamp=stamp,
        opted_in=[ip_network(network) for network in opted_in],
    )
    values: dict[str, Any] = {
        "people": People(env),
        "status_log": StatusLog(env),
        "windows": Windows(env),
        "breakdown": Breakdown(env),
        "suppression": SuppressionDesk(env),
        "classifier": _classifier,
        "reader": reader,
        "writer": writer,
        "hosts": Hosts("bounce.example.jp", "https://t.example.jp"),
        "clock": clock,
        "keys": lambda: keys,
        "identify": tokens.get,
        "tokens": MemoryTokenDesk(),
        "queues": QueueBoard(),
        "health": lambda: health,
        "metrics": lambda: ("text/plain; version=1.0.0", b"up 1\n"),
        "observe": lambda route, status, _seconds: observed.append((route, status)),
        "allowed_hosts": frozenset({"127.0.0.1"}),
        "role_addresses": ROLES_FOR_INFO,
        "outgoing": outgoing,
        "restricted_at_ends": lambda tenant, number: any(map(is_restricted, sources_at_ends(env, tenant, number))),
        "limits": ConsoleLimits(body_s=1.0, stream_idle_s=1.0, batch_rows=10, row_bytes=2_000, body_bytes=20_000),
        **changes,
    }
    values.setdefault("exports", _exports(env, values))
    services = Services(**values)
    server = TestServer(build_app(services))
    await server.start_server()
    await services.outgoing.start()
    await services.outgoing.dispatcher.is_loaded.wait()
    try:
        async with aiohttp.ClientSession() as session:
            yield Api(session, str(server.make_url("")).rstrip("/"), services, tokens, health, observed)
    finally:
        await services.outgoing.stop()
        await services.exports.stop()
        await server.close()
        writer.stop()
