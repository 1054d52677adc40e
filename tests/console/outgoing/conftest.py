"""Fixtures of the outgoing tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from model.keyring import KeyRing
from store.environment import Environment
from tests.console.api import Api, running_api
from tests.console.outgoing.world import Receiver, World, receiver


@pytest_asyncio.fixture
async def world(env: Environment) -> AsyncIterator[World]:
    """A store with a courier's means."""
    made = World(env)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with receiver() as made:
        yield made


@pytest_asyncio.fixture
async def api(env: Environment, keys: KeyRing) -> AsyncIterator[Api]:
    """The API, allowed to send webhooks to loopback."""
    async with running_api(env, keys, opted_in=("127.0.0.0/8",)) as running:
        yield running
