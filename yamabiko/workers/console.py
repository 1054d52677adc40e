"""The console worker: the HTTP API, /healthz and /metrics of all processes."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import prometheus_client as prometheus
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from config.settings import Settings
from console.app import build_app
from console.export_rules import is_restricted
from console.export_tasks import ExportTasks
from console.lookup.ask import ask_suppressions
from console.lookup.server import LookupServer
from console.outgoing.documents import StoreDocuments
from console.outgoing.outgoing import Outgoing
from console.queue_board import QueueBoard
from console.services import ConsoleLimits, HealthCheck, Services
from model.fact import UniqueClock
from model.mint import Hosts
from store.breakdown import Breakdown
from store.bulk import sources_at_ends
from store.erasure import wished_erasures
from store.errors import StoreError
from store.feed import Feed
from store.guard import is_disk_low
from store.people import People
from store.reader import Reader
from store.status_log import StatusLog
from store.suppression_desk import SuppressionDesk
from store.windows import Windows
from yamabiko import __version__, run_files
from yamabiko.counters import WorkerCounters, read_counts
from yamabiko.exporter.launcher import ChildLauncher
from yamabiko.later_rules import LaterRules
from yamabiko.scrub_watch import ScrubWatch
from yamabiko.service import StartError, WorkerContext
from yamabiko.token_desk import FileTokenDesk

#: The supervisor writes its status twice a second; older than this, it hangs.
_STATUS_OLD_S = 5.0
#: Share of the map in use from which on an operator should know (D6).
_MAP_ALARM = 0.7
_KEEPALIVE_S = 15.0
#: Files of exports are looked at so often (E48).
_SWEEP_S = 600.0
_GIB = 1024**3
_BACKLOG = 1_024
#: What workers count by name, by kind.
_EVENTS = {
    "smtp": "what the mail server did, by name (docs/smtp.md)",
    "tracker": "what the tracker did, by name (docs/tracking.md)",
}
_log = logging.getLogger("yamabiko.console")
prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
_MAX_LINE = 8_190
#: Only attempts that senders report need the rules, and to read them takes longer than all else at a start.
_RULES_AFTER_S = 1.0
#: Rules a spare has read while it waited, by directory.
_prepared: dict[Path, LaterRules] = {}


class ConsoleService:
    """See yamabiko.service.Service."""

    def __init__(self, context: WorkerContext) -> None:
        """Build the application."""
        self._context = context
        settings = context.settings
        self._store = WorkerCounters(settings.run, context.name, context.writer)
        self._registry = registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "yamabiko_api_requests", "API requests", ["route", "status"], registry=registry
        )
        self._seconds = prometheus.Histogram("yamabiko_api_seconds", "time to answer", ["route"], registry=registry)
        self._rules = _prepared.get(settings.rules_directory) or LaterRules(settings.rules_directory)
        self._lookups = prometheus.Counter("yamabiko_lookups", "answers to Postfix", ["result"], registry=registry)
        self._webhooks = prometheus.Counter("yamabiko_webhooks", "requests to webhooks", ["result"], registry=registry)
        self._lookup: LookupServer | None = None
        reader, clock = Reader(context.env), UniqueClock(context.slot)
        self._outgoing = _outgoing(context, reader, clock, lambda result: self._webhooks.labels(result).inc())
        self._exports = _export_tasks(context, reader, clock)
        self._swept_s = 0.0
        self._scrub = ScrubWatch(settings)
        registry.register(_Gauges(context, self._scrub))
        self._services = Services(
            people=People(context.env),
            status_log=StatusLog(context.env),
            windows=Windows(context.env),
            breakdown=Breakdown(context.env),
            reader=reader,
            suppression=SuppressionDesk(context.env),
            writer=context.writer,
            hosts=Hosts(settings.smtp.return_path_domain, tracking_origin(settings)),
            clock=clock,
            keys=lambda: context.keys.value,
            identify=lambda token: context.tokens.value.identify(token, time.time()),
            tokens=FileTokenDesk(settings.secrets),
            queues=QueueBoard(),
            health=self._health,
            metrics=self._scrape,
            observe=self._observe,
            allowed_hosts=frozenset(map(str.lower, settings.console.allowed_hosts)) | {settings.console.host.lower()},
            role_addresses=frozenset(settings.console.role_addresses),
            classifier=lambda: self._rules.classifier,
            zone=ZoneInfo(settings.console.zone),
            outgoing=self._outgoing,
            exports=self._exports,
            restricted_at_ends=self._is_restricted_at_ends,
            note_erasure=self._keep_mark,
            limits=_limits(settings),
            node=settings.node,
            version=__version__,
        )
        self._runner = _runner(self._services, settings)

    def _is_restricted_at_ends(self, tenant: int, number: int) -> bool:
        return any(map(is_restricted, sources_at_ends(self._context.env, tenant, number)))

    def _keep_mark(self) -> None:
        """Leave word for the next start whether somebody is to be forgotten (yamabiko.forgetting)."""
        mark = self._context.settings.run / run_files.ERASURES
        try:
            if wished_erasures(self._context.env):
                mark.touch(mode=0o600)
            else:
                mark.unlink(missing_ok=True)
        except (StoreError, OSError) as error:
            _log.warning("whether somebody is to be forgotten is not noted", extra={"problem": str(error)})

    async def start(self) -> None:
        """Listen."""
        self._keep_mark()
        await self._exports.recover()
        await self._runner.setup()
        family = socket.AF_INET6 if ":" in self._context.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind((self._context.host, self._context.port))
        await web.SockSite(self._runner, listener, backlog=_BACKLOG).start()
        await self._start_lookup()
        await self._outgoing.start()
        loop = asyncio.get_running_loop()
        loop.call_later(_RULES_AFTER_S, loop.run_in_executor, None, self._rules.warm)

    async def _start_lookup(self) -> None:
        lookup = self._context.settings.lookup
        if not lookup.port:
            return
        services = self._services
        ask = ask_suppressions(services.reader, services.keys, lookup.tenant, services.now_us)
        self._lookup = LookupServer(ask, observe=lambda result: self._lookups.labels(result).inc())
        try:
            await self._lookup.start(lookup.host, lookup.port)
        except OSError as error:
            raise StartError(f"lookup.port: {lookup.host}:{lookup.port} cannot be used: {error.strerror}.") from error

    async def stop(self, grace_s: float) -> None:
        """Drain."""
        if self._lookup is not None:
            await self._lookup.stop()
        await self._outgoing.stop()
        await self._exports.stop()
        await self._scrub.stop()
        await asyncio.wait_for(self._runner.cleanup(), grace_s)
        self._store.flush()

    def reload(self, settings: Settings) -> None:
        """Nothing of the console's can change while it runs."""

    def tick(self) -> None:
        """Hand over the counts, follow the rule files; now and then look through the store and remove old exports."""
        self._store.flush()
        self._rules.refresh()
        self._scrub.tick()
        if time.monotonic() - self._swept_s > _SWEEP_S:
            self._swept_s = time.monotonic()
            self._exports.sweep()

    def problems(self) -> dict[str, str]:
        """Return nothing: what every worker has is checked by the worker."""
        return {}

    def _observe(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def _health(self) -> list[HealthCheck]:
        settings = self._context.settings
        low = is_disk_low(settings.data, min_free_bytes=settings.store.min_free_bytes)
        status = run_files.read_status(settings.run)
        info = self._context.env.info()
        is_filling = info["used"] > info["map_size"] * _MAP_ALARM
        checks = [
            HealthCheck("store", self._context.writer.problem),
            HealthCheck("disk", "free disk space is low; mail is answered 452" if low else ""),
        ]
        words = "most of store.map_size_gib is in use; it grows by itself, the disk does not" if is_filling else ""
        checks.append(HealthCheck("map", words, is_fatal=False))
        checks.append(HealthCheck("webhooks", self._outgoing.problem(), is_fatal=False))
        checks.append(HealthCheck("scrub", self._scrub.problem(), is_fatal=False))
        if status is None or time.time() - status.at > _STATUS_OLD_S:
            return [*checks, HealthCheck("supervisor", "it does not write its status")]
        checks.append(HealthCheck("supervisor", "" if status.state != "draining" else "it is being stopped"))
        checks.append(HealthCheck("settings", status.problem, is_fatal=False))
        found: dict[str, str] = {"rules": "", "keys": "", "tokens": "", "certificate": ""}
        for worker in status.workers:
            stuck = worker.silent_s > settings.processes.stuck_after_s / 2
            problem = (
                "" if worker.ready and not stuck else "it is being started" if not worker.ready else "it is silent"
            )
            checks.append(HealthCheck(worker.name, problem))
            for name, words in worker.problems.items():
                if name not in ("disk", "store"):
                    found[name] = words
                elif name == "store":
                    checks.append(HealthCheck(f"{worker.name}.store", words))
        # The former rules and secrets stay in force: worth an alarm, no reason to take the server away.
        checks.extend(HealthCheck(name, words, is_fatal=False) for name, words in found.items())
        return checks

    def _scrape(self) -> tuple[str, bytes]:
        return prometheus.CONTENT_TYPE_LATEST, prometheus.generate_latest(self._registry)


class _Gauges(prometheus.registry.Collector):
    """What is looked up when somebody asks."""

    def __init__(self, context: WorkerContext, scrub: ScrubWatch) -> None:
        self._context = context
        self._scrub = scrub

    def collect(self) -> Iterable[Metric]:
        """Return store and worker gauges."""
        for name, value in self._context.env.info().items():
            yield GaugeMetricFamily(f"yamabiko_store_{name}", f"store: {name.replace('_', ' ')}", value)
        last = self._scrub.last
        yield GaugeMetricFamily("yamabiko_scrub_ended", "when the store was last looked through", last.ended_at)
        yield GaugeMetricFamily("yamabiko_scrub_damaged", "damaged rows found then", last.damaged)
        status = run_files.read_status(self._context.settings.run)
        ready = GaugeMetricFamily("yamabiko_worker_ready", "whether the worker runs", labels=["worker"])
        restarts = CounterMetricFamily("yamabiko_worker_restarts", "times it was started again", labels=["worker"])
        problems = GaugeMetricFamily(
            "yamabiko_problem", "1 while a check of a worker fails", labels=["worker", "check"]
        )
        for worker in status.workers if status else ():
            ready.add_metric([worker.name], float(worker.ready))
            restarts.add_metric([worker.name], worker.restarts)
            for check in worker.problems:
                problems.add_metric([worker.name, check], 1.0)
        yield from (ready, restarts, problems)
        yield from _counted(self._context.settings.run)


def _counted(run: Path) -> Iterable[Metric]:
    """Return what all workers counted."""
    commits = CounterMetricFamily("yamabiko_store_commits", "durable commits", labels=["worker"])
    facts = CounterMetricFamily("yamabiko_store_facts", "facts made durable", labels=["worker"])
    waiting = GaugeMetricFamily(
        "yamabiko_store_waiting_seconds", "age of the oldest uncommitted facts", labels=["worker"]
    )
    events = {kind: Counter[str]() for kind in _EVENTS}
    for worker, counts in read_counts(run):
        commits.add_metric([worker], counts.commits)
        facts.add_metric([worker], counts.facts)
        waiting.add_metric([worker], counts.waiting_s)
        events.get(worker.partition("-")[0], Counter()).update(counts.events)
    yield from (commits, facts, waiting)
    for kind, text in _EVENTS.items():
        family = CounterMetricFamily(f"yamabiko_{kind}", text, labels=["what"])
        for name, count in sorted(events[kind].items()):
            family.add_metric([name], count)
        yield family


def _outgoing(context: WorkerContext, reader: Reader, clock: UniqueClock, observe: Callable[[str], None]) -> Outgoing:
    def stamp() -> int:
        return clock.stamp(time.time_ns() // 1_000)

    settings, feed = context.settings, Feed(context.env)
    return Outgoing(
        feed=feed,
        reader=reader,
        desk=SuppressionDesk(context.env),
        documents=StoreDocuments(reader, context.writer, stamp, settings.node),
        stamp=stamp,
        opted_in=[ip_network(network) for network in settings.webhooks.private_networks],
        requests_at_once=settings.webhooks.requests_at_once,
        version=__version__,
        observe=observe,
    )


def prepare(settings: Settings) -> None:
    """Read the rules beforehand."""
    rules = _prepared[settings.rules_directory] = LaterRules(settings.rules_directory)
    rules.warm()


def make(context: WorkerContext) -> ConsoleService:
    """Return the service."""
    return ConsoleService(context)


def _limits(settings: Settings) -> ConsoleLimits:
    limits = settings.limits
    return ConsoleLimits(
        body_bytes=limits.api_body_bytes,
        sends_bytes=limits.sends_body_bytes,
        row_bytes=limits.sends_row_bytes,
        batch_rows=limits.sends_batch_rows,
    )


class _OwnErrorsOnly(logging.Filter):
    """Drops what aiohttp logs of malformed requests: a traceback with the octets sent, tokens among them (T8, T19)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` is to be logged."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _runner(services: Services, settings: Settings) -> web.AppRunner:
    logger = logging.getLogger("yamabiko.console.http")
    logger.addFilter(_OwnErrorsOnly())
    return web.AppRunner(
        build_app(services),
        logger=logger,
        access_log=None,
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=max(float(settings.processes.drain_s) - 1.0, 0.5),
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
        handler_cancellation=True,
    )


def _export_tasks(context: WorkerContext, reader: Reader, clock: UniqueClock) -> ExportTasks:
    settings = context.settings

    def now_us() -> int:
        return time.time_ns() // 1_000

    launcher = ChildLauncher(
        settings.data, settings.store.map_size_gib * _GIB, settings.logging.level, settings.logging.file
    )
    return ExportTasks(
        reader, context.writer, launcher, settings.exports,
        stamp=lambda: clock.stamp(now_us()), now_us=now_us, node=settings.node,
    )  # fmt: skip


def tracking_origin(settings: Settings) -> str:
    """Return the origin links begin with: as set, else the tracker's own address."""
    if settings.tracker.tracking_origin:
        return settings.tracker.tracking_origin
    host = f"[{settings.tracker.host}]" if ":" in settings.tracker.host else settings.tracker.host
    port = settings.tracker.port or run_files.read_port(settings.run / "tracker.json")
    return f"http://{host}:{port}"
