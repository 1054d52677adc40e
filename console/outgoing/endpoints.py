"""Endpoints are made, shown, given new secrets, removed."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from msgspec.structs import replace

from console.outgoing.courier import Courier
from console.outgoing.dispatcher import Dispatcher, every
from console.outgoing.documents import HOUSE, Documents
from console.outgoing.endpoint import (
    DEAD_KIND,
    ENDPOINT_KIND,
    STATE_KIND,
    TENANT_KIND,
    Endpoint,
    Secret,
    State,
    Trial,
    dead_name,
    decode_trial,
    encode,
)
from console.outgoing.signature import new_secret

MAX_ENDPOINTS = 50
#: How long the secret before the newest stays in force.
OLD_SECRET_S = 24 * 3_600.0


class TooManyError(Exception):
    """A tenant has as many endpoints as it may."""


class Endpoints:
    """The endpoints of all tenants. Every change is durable when it returns; all raise StoreError."""

    def __init__(self, documents: Documents, dispatcher: Dispatcher, now_s: Callable[[], float]) -> None:
        """``dispatcher`` begins and ends to deliver as endpoints come and go."""
        self._documents = documents
        self._dispatcher = dispatcher
        self._now_s = now_s

    async def make(self, tenant: int, said: Endpoint, *, cursor: int, actor: str) -> Courier:
        """Keep a new endpoint that gets events after ``cursor``. Raises TooManyError.

        ``said`` has what the tenant wants; id, secret and time are given here.
        """
        if len(self._dispatcher.couriers(tenant)) >= MAX_ENDPOINTS:
            raise TooManyError
        endpoint = replace(
            said, id=secrets.token_hex(8), secrets=(Secret(new_secret()),), made_at=self._now_s()
        )  # fmt: skip
        state = State(cursor)
        await self._documents.put(HOUSE, TENANT_KIND, f"{tenant}", b"{}", actor)
        await self._documents.put(tenant, ENDPOINT_KIND, endpoint.id, encode(endpoint), actor)
        await self._documents.put(tenant, STATE_KIND, endpoint.id, encode(state), actor)
        return self._dispatcher.add(tenant, endpoint, state)

    async def remove(self, courier: Courier, actor: str) -> None:
        """Forget an endpoint, its cursor and its dead letters."""
        tenant, identity = courier.tenant, courier.endpoint.id
        await self._dispatcher.remove(tenant, identity)
        await self._documents.put(tenant, STATE_KIND, identity, None, actor)
        await self._documents.put(tenant, ENDPOINT_KIND, identity, None, actor)
        for name, _ in every(self._documents, tenant, DEAD_KIND, prefix=f"{identity}."):
            await self._documents.put(tenant, DEAD_KIND, name, None, actor)

    async def renew_secret(self, courier: Courier, actor: str) -> tuple[str, float]:
        """Give a new secret; the one before signs too for a day. Returns the new one and when the old one ends."""
        until = self._now_s() + OLD_SECRET_S
        newest = replace(courier.endpoint.secrets[0], until=until)
        fresh = Secret(new_secret())
        endpoint = replace(courier.endpoint, secrets=(fresh, newest))
        await self._documents.put(courier.tenant, ENDPOINT_KIND, endpoint.id, encode(endpoint), actor)
        courier.endpoint = endpoint
        return fresh.value, until

    async def enable(self, courier: Courier) -> None:
        """Go on delivering."""
        await courier.enable()
        self._dispatcher.wake(courier.tenant, courier.endpoint.id)

    async def replay(self, courier: Courier, from_seq: int) -> None:
        """Deliver again from a fact on; dead letters from there on are no longer dead."""
        await courier.rewind(from_seq)
        for trial in self.dead(courier, after=from_seq - 1, limit=10_000):
            name = dead_name(courier.endpoint.id, trial.seq)
            await self._documents.put(courier.tenant, DEAD_KIND, name, None)
        self._dispatcher.wake(courier.tenant, courier.endpoint.id)

    async def replay_dead(self, courier: Courier) -> None:
        """Try the oldest hundred dead letters again, beside the others."""
        await courier.retry(self.dead(courier, after=-1, limit=100))
        self._dispatcher.wake(courier.tenant, courier.endpoint.id)

    def dead(self, courier: Courier, *, after: int, limit: int) -> list[Trial]:
        """Return dead letters with numbers above ``after``, oldest first."""
        identity = courier.endpoint.id
        start = dead_name(identity, after) if after >= 0 else f"{identity}."
        rows = self._documents.list(courier.tenant, DEAD_KIND, after=start, limit=limit)
        return [decode_trial(body) for name, body in rows if name.startswith(f"{identity}.")]
