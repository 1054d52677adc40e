"""All that goes out, put together: what the console's handlers and its worker use."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from console.outgoing.alarms import Alarms
from console.outgoing.alert import Alerts
from console.outgoing.commands import Commands
from console.outgoing.courier import Courier, Gate, Means
from console.outgoing.dispatcher import Dispatcher
from console.outgoing.documents import Documents
from console.outgoing.endpoints import Endpoints
from console.outgoing.event import Event, EventType
from console.outgoing.event_log import BroadcastNames, EventLog
from console.outgoing.guard import Guard
from console.outgoing.notices import Notices
from console.outgoing.public_address import Network
from console.outgoing.sender import Outcome, Sender
from console.outgoing.watcher import Watcher
from store.feed import Feed
from store.reader import Reader
from store.suppression_desk import SuppressionDesk


class Outgoing:
    """One per process. ``start`` begins to deliver; without it everything else works and nothing is sent."""

    def __init__(
        self,
        *,
        feed: Feed,
        reader: Reader,
        desk: SuppressionDesk,
        documents: Documents,
        stamp: Callable[[], int],
        opted_in: Sequence[Network] = (),
        requests_at_once: int = 16,
        version: str = "0",
        sender: Sender | None = None,
        now_s: Callable[[], float] = time.time,
        observe: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``opted_in`` are private networks webhooks may go to; ``stamp`` gives unique times in microseconds.

        ``observe`` hears ``delivered`` or ``failed`` of every request.
        ``sender`` and ``now_s`` are for tests.
        """
        self.now_s = now_s
        self.names = BroadcastNames(reader)
        self.log = EventLog(feed, self.names)
        self.commands = Commands(documents, now_s, stamp)
        self.notices = Notices(documents, feed, reader)
        self.sender = sender or Sender(Guard(opted_in), version=version, connections=requests_at_once)
        means = Means(
            log=self.log,
            documents=documents,
            sender=self.sender,
            now_s=now_s,
            chance=random.Random(),  # noqa: S311 - jitter, no secret
            gate=Gate(requests_at_once),
            on_delivered=self._on_delivered,
            observe=observe,
        )
        self.dispatcher = Dispatcher(means)
        self.endpoints = Endpoints(documents, self.dispatcher, now_s)
        self.alerts = Alerts(documents, stamp)
        self.watcher = Watcher(documents, feed, self.names, self.commands, self.alerts, now_s, self.takes_commands)
        self.alarms = Alarms(
            documents, desk, reader, self.names, self.commands, self.alerts, now_s, self.takes_commands
        )  # fmt: skip
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to deliver."""
        await self.dispatcher.start()
        watching = self.watcher.run(self.dispatcher.pulse)
        self._watching = [asyncio.create_task(watching), asyncio.create_task(self._look_for_alarms())]

    async def stop(self) -> None:
        """End within a moment: what is under way is sent again after the next start."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self.dispatcher.stop()

    async def _look_for_alarms(self) -> None:
        await self.dispatcher.is_loaded.wait()  # before, nobody seems to take commands
        await self.alarms.run(self.dispatcher.pulse)

    async def test(self, courier: Courier) -> Outcome:
        """Send an endpoint an event that never happened; returns what became of it."""
        now = datetime.fromtimestamp(self.now_s(), UTC)
        event = Event(f"test-{secrets.token_hex(8)}", 0, "test", now, None, None, True, {})
        return await courier.test(event)

    def problem(self) -> str:
        """Return what an operator should look at; empty when all endpoints deliver."""
        disabled = failing = 0
        for courier in self.dispatcher.everyone():
            disabled += bool(courier.state.disabled_why)
            failing += courier.state.failing_since is not None and not courier.state.disabled_why
        if not disabled and not failing:
            return ""
        return f"{disabled} webhooks are disabled, {failing} fail just now; see GET /v1/webhooks"

    def takes_commands(self, tenant: int) -> bool:
        """Whether any endpoint in force is told of commands."""
        return any(
            EventType.COMMAND in courier.endpoint.types and not courier.state.disabled_why
            for courier in self.dispatcher.couriers(tenant)
        )

    async def _on_delivered(self, tenant: int, endpoint: str, event: Event) -> None:
        if event.type == EventType.COMMAND:
            await self.commands.note_sent(tenant, event.detail["id"], endpoint)
