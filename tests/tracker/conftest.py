from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
import uvloop

from model.keyring import KeyRing
from model.mint import Mint
from tests.tracker.edge import Edge
from tracker.settings import TrackerSettings

MakeEdge = Callable[..., Awaitable[Edge]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What the server runs on; the fast path, which leans on how a loop behaves, on asyncio's own as well."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name == "test_fast_path.py":
        loops["asyncio"] = asyncio.new_event_loop
    return loops


@pytest_asyncio.fixture
async def make_edge(keys: KeyRing, mint: Mint) -> AsyncIterator[MakeEdge]:
    """Start trackers with given settings; all are stopped at the end."""
    edges: list[Edge] = []

    async def make(*, is_fast: bool = True, **values: object) -> Edge:
        edge = Edge(keys, mint, TrackerSettings(**values), is_fast=is_fast)  # type: ignore[arg-type]
        await edge.start()
        edges.append(edge)
        return edge

    yield make
    for edge in edges:
        await edge.stop()


@pytest_asyncio.fixture
async def edge(make_edge: MakeEdge) -> Edge:
    """A tracker with default settings, but for the cap on forged tokens."""
    return await make_edge(forged_per_minute=1_000_000)
