"""Fixtures of the API tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from model.keyring import KeyRing
from store.environment import Environment
from tests.console.api import Api, running_api


@pytest_asyncio.fixture
async def api(env: Environment, keys: KeyRing) -> AsyncIterator[Api]:
    """The API with an administrator of tenant 1; the store is verified afterwards."""
    async with running_api(env, keys) as running:
        yield running
