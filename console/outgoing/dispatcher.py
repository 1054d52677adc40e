"""Runs the couriers of all endpoints, one task each, and wakes them when the log grows."""

from __future__ import annotations

import asyncio
import logging

from console.outgoing.courier import Courier, Means
from console.outgoing.documents import HOUSE, KeptDocuments
from console.outgoing.endpoint import (
    ENDPOINT_KIND,
    STATE_KIND,
    TENANT_KIND,
    Endpoint,
    State,
    decode_endpoint,
    decode_state,
)
from store.errors import StoreError

_log = logging.getLogger("yamabiko.outgoing")
#: How often the log is looked at for something new; a look is one read of one key.
_PULSE_S = 0.25
_AFTER_STORE_ERROR_S = 5.0
_AFTER_FAULT_S = 60.0


class Pulse:
    """Tells when the log has grown."""

    def __init__(self, means: Means) -> None:
        """``means.log`` is watched."""
        self._log = means.log
        self._head = 0
        self._news = asyncio.Event()
        self.is_over = False

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_PULSE_S)

    def look(self) -> None:
        """Look now."""
        try:
            head = self._log.head()
        except StoreError as error:
            _log.error("the log cannot be read", exc_info=error)
            return
        if head != self._head:
            self._head = head
            self._ring()

    async def wait(self, within_s: float | None) -> bool:
        """Wait until the log grows; False when it does not within ``within_s`` or the server stops."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return not self.is_over

    def end(self) -> None:
        """Let nobody wait any more."""
        self.is_over = True
        self._ring()

    def _ring(self) -> None:
        news, self._news = self._news, asyncio.Event()
        if self.is_over:
            self._news.set()
        news.set()


class Dispatcher:
    """All endpoints of all tenants. Make and use on one event loop."""

    def __init__(self, means: Means) -> None:
        """Nothing runs before ``start``."""
        self._means = means
        self._couriers: dict[tuple[int, str], Courier] = {}
        self._tasks: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._bells: dict[tuple[int, str], asyncio.Event] = {}
        self._own_tasks: list[asyncio.Task[None]] = []
        self.pulse = Pulse(means)
        self.is_loaded = asyncio.Event()

    async def start(self) -> None:
        """Begin to deliver. Endpoints are loaded meanwhile."""
        self._own_tasks = [asyncio.create_task(self.pulse.run()), asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """End what is under way (it will be sent again), keep the cursors."""
        self.pulse.end()
        tasks = [*self._own_tasks, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for courier in self._couriers.values():
            try:
                await courier.keep()
            except StoreError as error:
                _log.warning("a cursor was not kept, some events come again", extra={"problem": str(error)})
        await self._means.sender.close()

    def courier(self, tenant: int, endpoint: str) -> Courier | None:
        """Return the courier of an endpoint."""
        return self._couriers.get((tenant, endpoint))

    def couriers(self, tenant: int) -> list[Courier]:
        """Return a tenant's couriers in the order their endpoints were made."""
        found = [courier for (owner, _), courier in self._couriers.items() if owner == tenant]
        return sorted(found, key=lambda courier: (courier.endpoint.made_at, courier.endpoint.id))

    def everyone(self) -> list[Courier]:
        """Return the couriers of all tenants."""
        return list(self._couriers.values())

    def add(self, tenant: int, endpoint: Endpoint, state: State) -> Courier:
        """Begin to deliver to an endpoint."""
        key = (tenant, endpoint.id)
        courier = self._couriers[key] = Courier(tenant, endpoint, state, self._means)
        self._bells[key] = asyncio.Event()
        self._tasks[key] = asyncio.create_task(self._keep_going(courier, self._bells[key]))
        return courier

    async def remove(self, tenant: int, endpoint: str) -> None:
        """Deliver to it no more."""
        key = (tenant, endpoint)
        self._couriers.pop(key, None)
        self._bells.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def wake(self, tenant: int, endpoint: str) -> None:
        """Let an endpoint's courier look at its state again."""
        bell = self._bells.get((tenant, endpoint))
        if bell is not None:
            bell.set()

    async def _run(self) -> None:
        while not self.is_loaded.is_set():
            try:
                for tenant, endpoint, state in await asyncio.to_thread(load, self._means.documents):
                    if (tenant, endpoint.id) not in self._couriers:
                        self.add(tenant, endpoint, state)
                self.is_loaded.set()
            except StoreError as error:
                _log.error("endpoints cannot be loaded", exc_info=error)
                await asyncio.sleep(_AFTER_STORE_ERROR_S)
        while await self.pulse.wait(None):
            for bell in self._bells.values():
                bell.set()

    async def _keep_going(self, courier: Courier, bell: asyncio.Event) -> None:
        while True:
            bell.clear()
            try:
                pause = await courier.step()
            except StoreError as error:
                _log.error("delivery waits for the store", exc_info=error)
                pause = _AFTER_STORE_ERROR_S
            except Exception as error:  # noqa: BLE001 - the boundary of this task: one endpoint stops no other
                _log.error("delivery failed", exc_info=error, extra={"webhook": courier.endpoint.id})
                pause = _AFTER_FAULT_S
            if pause == 0.0:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(pause):
                    await bell.wait()
            except TimeoutError:
                continue


def load(documents: KeptDocuments) -> list[tuple[int, Endpoint, State]]:
    """Return every endpoint as it was kept: (tenant, endpoint, state). Raises StoreError."""
    found: list[tuple[int, Endpoint, State]] = []
    for name, _ in every(documents, HOUSE, TENANT_KIND):
        tenant = int(name)
        for identity, body in every(documents, tenant, ENDPOINT_KIND):
            state = documents.get(tenant, STATE_KIND, identity)
            if state is not None:  # made last, so without it the endpoint was never promised to anybody
                found.append((tenant, decode_endpoint(body), decode_state(state)))
    return found


def every(documents: KeptDocuments, tenant: int, kind: str, *, prefix: str = "") -> list[tuple[str, bytes]]:
    """Return all documents of a kind whose names begin with ``prefix``. Raises StoreError."""
    found: list[tuple[str, bytes]] = []
    after = prefix
    while rows := documents.list(tenant, kind, after=after, limit=500):
        fitting = [row for row in rows if row[0].startswith(prefix)]
        found += fitting
        after = rows[-1][0]
        if len(fitting) < len(rows):
            break
    return found
