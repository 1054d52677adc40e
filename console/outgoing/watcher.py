"""Follows the log for all watches: counts, raises alerts, asks for pauses (P07)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.outgoing.alert import ACTOR, Alert, AlertOf, Alerts
from console.outgoing.commands import Commands
from console.outgoing.dispatcher import Pulse, every
from console.outgoing.documents import HOUSE, Documents
from console.outgoing.event_log import Names
from console.outgoing.watch import WATCH_KIND, WATCHED_KIND, Matcher, Watch
from model.fact import Fact, FactType
from store.errors import StoreError
from store.feed import Feed

_log = logging.getLogger("yamabiko.outgoing")
_TYPES = frozenset({FactType.FAILED, FactType.DEFERRED})
#: Facts looked at again after a start, so that a restart forgets no count.
_LOOK_BACK = 100_000
_MAX_COUNTED = 10_000


class Watcher:
    """One per process. All methods raise StoreError."""

    def __init__(
        self, documents: Documents, feed: Feed, names: Names, commands: Commands, alerts: Alerts,
        now_s: Callable[[], float], takes_commands: Callable[[int], bool],
    ) -> None:  # fmt: skip
        """``takes_commands`` says whether anybody would hear a tenant's command."""
        self._documents = documents
        self._feed = feed
        self._names = names
        self._commands = commands
        self._alerts = alerts
        self._now_s = now_s
        self._takes_commands = takes_commands
        self._matchers: dict[int, dict[str, Matcher]] = {}
        #: times of what was counted, by (watch, place)
        self._counted: dict[tuple[str, int], deque[float]] = {}
        self._quiet_until: dict[tuple[str, int], float] = {}
        self._reached = 0

    # Watches

    async def make(self, tenant: int, said: dict[str, Any], actor: str) -> Watch:
        """Keep a watch; it counts from now on. Raises ValueError when its pattern is none."""
        matcher = Matcher(Watch(id=secrets.token_hex(8), **said))
        await self.note_tenant(tenant)
        await self._documents.put(tenant, WATCH_KIND, matcher.watch.id, msgspec.json.encode(matcher.watch), actor)
        self._matchers.setdefault(tenant, {})[matcher.watch.id] = matcher
        return matcher.watch

    async def remove(self, tenant: int, identity: str, actor: str) -> bool:
        """Forget a watch; False when there is none."""
        if self._documents.get(tenant, WATCH_KIND, identity) is None:
            return False
        await self._documents.put(tenant, WATCH_KIND, identity, None, actor)
        self._matchers.get(tenant, {}).pop(identity, None)
        return True

    def watches(self, tenant: int) -> list[Watch]:
        """Return a tenant's watches."""
        rows = every(self._documents, tenant, WATCH_KIND)
        return [msgspec.json.decode(body, type=Watch) for _, body in rows]

    async def note_tenant(self, tenant: int) -> None:
        """Remember that the tenant has something to watch."""
        if self._documents.get(HOUSE, WATCHED_KIND, f"{tenant}") is None:
            await self._documents.put(HOUSE, WATCHED_KIND, f"{tenant}", b"{}")

    # Watching

    async def run(self, pulse: Pulse) -> None:
        """Watch until cancelled or the pulse ends."""
        is_loaded = False
        while not pulse.is_over:
            try:
                if not is_loaded:
                    await self.load()
                    is_loaded = True
                while await self.step():
                    await asyncio.sleep(0)
            except StoreError as error:
                _log.error("watches wait for the store", exc_info=error)
                await asyncio.sleep(5.0)
            except Exception as error:  # noqa: BLE001 - the boundary of this task
                _log.error("watching failed", exc_info=error)
                await asyncio.sleep(60.0)
            await pulse.wait(60.0)

    async def load(self) -> None:
        """Take up what was kept: watches, who is to be quiet, what was counted lately."""
        head = self._feed.head()
        for name, _ in await asyncio.to_thread(every, self._documents, HOUSE, WATCHED_KIND):
            tenant = int(name)
            for watch in self.watches(tenant):
                self._matchers.setdefault(tenant, {})[watch.id] = Matcher(watch)
            for _, alert in self._alerts.page(tenant, "", 500):
                self._take_quiet(tenant, alert)
        if self._matchers:
            found = await asyncio.to_thread(
                self._feed.facts, None, max(head - _LOOK_BACK, 0), _LOOK_BACK, types=_TYPES, look_at=_LOOK_BACK
            )
            for _, fact in found.rows:
                self._count(fact)
        self._reached = head

    async def step(self) -> bool:
        """Look at what is new; returns whether there is more."""
        if not any(self._matchers.values()):
            self._reached = self._feed.head()
            return False
        found = await asyncio.to_thread(self._feed.facts, None, self._reached, 5_000, types=_TYPES)
        is_more = found.reached > self._reached
        for _, fact in found.rows:
            for matcher, place in self._count(fact):
                await self._raise(fact.key.tenant, matcher.watch, place)
        self._reached = found.reached
        return is_more

    def _count(self, fact: Fact) -> list[tuple[Matcher, int]]:
        """Count a fact; returns the watches it brings to their threshold."""
        now, full = self._now_s(), []
        for matcher in self._matchers.get(fact.key.tenant, {}).values():
            watch, at = matcher.watch, fact.at_us / 1e6
            if at <= now - watch.window_s or not matcher.fits(fact):
                continue
            place = matcher.place(fact)
            if len(self._counted) > _MAX_COUNTED:
                self._counted.clear()  # more mailings at once than anybody has; counting begins anew
            times = self._counted.setdefault((watch.id, place), deque(maxlen=watch.threshold))
            times.append(at)
            is_full = len(times) == watch.threshold and times[0] > now - watch.window_s
            if is_full and self._quiet_until.get((watch.id, place), 0.0) <= now:
                full.append((matcher, place))
        return full

    async def _raise(self, tenant: int, watch: Watch, place: int) -> None:
        now = self._now_s()
        broadcast = self._names.broadcast(tenant, place)
        command = None
        if watch.command is not None and self._takes_commands(tenant):
            reason = f"{watch.name}: {watch.threshold} in {watch.window_s} s"
            said = {"command": watch.command, "broadcast": broadcast, "reason": reason, "for_s": watch.for_s}
            command = (await self._commands.ask(tenant, said, f"{ACTOR}:{watch.name}")).id
        alert = Alert(
            AlertOf.THRESHOLD, datetime.fromtimestamp(now, UTC), watch.id, watch.name, broadcast,
            number=f"{place:012x}" if place else None, count=watch.threshold, window_s=watch.window_s, command=command,
        )  # fmt: skip
        await self._alerts.keep(tenant, alert)
        self._quiet_until[watch.id, place] = now + watch.quiet_s
        self._counted.pop((watch.id, place), None)

    def _take_quiet(self, tenant: int, alert: Alert) -> None:
        matcher = self._matchers.get(tenant, {}).get(alert.watch or "")
        if matcher is None:
            return
        place = int(alert.number, 16) if alert.number else 0
        until = alert.at.timestamp() + matcher.watch.quiet_s
        key = (matcher.watch.id, place)
        self._quiet_until[key] = max(until, self._quiet_until.get(key, 0.0))
