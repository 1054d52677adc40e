from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from model.keyring import KeyRing
from model.mint import Mint
from tests.tracker.edge import Edge
from tracker.settings import TrackerSettings

MakeEdge = Callable[..., Awaitable[Edge]]


@pytest_asyncio.fixture
async def make_edge(keys: KeyRing, mint: Mint) -> AsyncIterator[MakeEdge]:
    """Start trackers with given settings; all are stopped at the end."""
    edges: list[Edge] = []

    async def make(**values: object) -> Edge:
        edge = Edge(keys, mint, TrackerSettings(**values))  # type: ignore[arg-type]
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
