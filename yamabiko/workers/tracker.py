"""The tracker worker: pixels, links and unsubscribe pages."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from urllib.parse import urlsplit

from config.settings import Settings
from tracker.app import TRACKER, build_app
from tracker.server import TrackerServer
from tracker.settings import IpPolicy, TrackerSettings
from yamabiko.counters import WorkerCounters
from yamabiko.service import WorkerContext

#: Pages are made when those who waited for the server to come back have had their pixels.
_WARM_AFTER_S = 1.0


class TrackerService:
    """See yamabiko.service.Service."""

    def __init__(self, context: WorkerContext) -> None:
        """Build the application."""
        self._context = context
        self._events = WorkerCounters(context.settings.run, context.name, context.writer)
        settings = _settings(context)
        self._app = build_app(
            settings,
            keys=lambda: context.keys.value,
            submit=context.writer.submit,
            clock=lambda: time.time_ns() // 1_000,
            metrics=self._events,
            make_way=context.writer.make_way,
        )
        self._server = TrackerServer(self._app, settings)

    async def start(self) -> None:
        """Listen."""
        await self._server.start(self._context.host, self._context.port)
        loop = asyncio.get_running_loop()
        loop.call_later(_WARM_AFTER_S, loop.run_in_executor, None, self._app[TRACKER].front.warm)

    async def stop(self, grace_s: float) -> None:
        """Drain."""
        await asyncio.wait_for(self._server.stop(), grace_s)
        self._events.flush()

    def reload(self, settings: Settings) -> None:
        """Nothing of the tracker's can change while it runs."""

    def tick(self) -> None:
        """Hand over the counts."""
        self._events.flush()

    def problems(self) -> dict[str, str]:
        """Return nothing: what every worker has is checked by the worker."""
        return {}


def prepare(settings: Settings) -> None:
    """Do beforehand what takes long: here, nothing beside the imports."""


def make(context: WorkerContext) -> TrackerService:
    """Return the service."""
    return TrackerService(context)


def _settings(context: WorkerContext) -> TrackerSettings:
    settings = context.settings
    policy = IpPolicy(settings.privacy.ip)
    origin = urlsplit(settings.tracker.tracking_origin)
    # Without an origin of its own the server is being tried out: any name may lead to it.
    hosts = frozenset({origin.hostname.lower()}) if origin.hostname else frozenset[str]()
    return TrackerSettings(
        node=settings.node,
        slot=context.slot,
        hosts=hosts,
        trusted_proxies=tuple(ipaddress.ip_network(network) for network in settings.tracker.trusted_proxies),
        open_ip=policy,
        click_ip=policy,
        drain_s=max(float(settings.processes.drain_s) - 1.0, 0.5),
    )
