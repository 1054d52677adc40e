"""The supervisor: starts workers, starts again what dies, drains on SIGTERM, reloads on SIGHUP.

It takes no connection and opens no store, so that little can go wrong in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from config.settings import Settings, SettingsError, to_values
from yamabiko import exits, logs, notify, run_files
from yamabiko.child import Child
from yamabiko.listening import raise_descriptor_limit, reserve
from yamabiko.post import Post
from yamabiko.run_files import Status
from yamabiko.spares import Spares

_KINDS = ("smtp", "tracker", "console")
#: First store slot of each kind; a UniqueClock has eight (model.fact).
_FIRST_SLOT = {"smtp": 0, "tracker": 3, "console": 7}
#: At the start one kind begins after the other, since they would only take turns at the processors: recipients wait for
#: the tracker, mail servers try again.
_ORDER = ("tracker", "smtp", "console")
#: How long a kind leaves the processors to each of those before it.
_HEAD_START_S = 1.0
#: How a worker ends that would end so again.
_HOPELESS = (exits.CONFIG, exits.DATA)
_TICK_S = 0.5
_START_TICK_S = 0.05
_PATIENCE_S = 5.0
_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps the workers of one home running."""

    def __init__(self, settings: Settings, spares: Spares, reload_settings: Callable[[], Settings]) -> None:
        """``spares`` may hold some already; ``reload_settings`` reads the settings anew at SIGHUP."""
        self._settings = settings
        self._spares = spares
        self._reload_settings = reload_settings
        self._keepers: dict[str, socket.socket] = {}
        self._children: list[Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._exit_code = exits.OK
        self._state = "starting"
        self._problem = ""

    async def run(self, check: Callable[[], None]) -> int:
        """Serve until told to stop; returns the exit code.

        ``check`` is called before anything is served, and may refuse by raising. Raises what it raises, and
        ListenError or OSError when it cannot start.
        """
        run = self._settings.run
        run_files.note_start(run)
        limit = raise_descriptor_limit()
        run_files.write_json(run / run_files.SETTINGS, to_values(self._settings))
        _empty_metrics(run)
        try:
            self._spares.open()
            await asyncio.to_thread(check)
            self._reserve_ports()
            await self._serve(limit)
        finally:
            for kind in _KINDS:
                (run / f"{kind}.json").unlink(missing_ok=True)
            (run / run_files.STATUS).unlink(missing_ok=True)
        _log.info("supervisor stopped", extra={"exit_code": self._exit_code})
        return self._exit_code

    async def _serve(self, limit: int) -> None:
        for kind, count in self._counts().items():
            host, port = self._keepers[kind].getsockname()[:2]
            for number in range(count):
                post = Post(kind, number, _FIRST_SLOT[kind] + number, host, port)
                self._children.append(Child(post, self._spares))
        self._handle_signals()
        _log.info("supervisor started", extra={"home": str(self._settings.home), "descriptor_limit": limit})
        self._tasks = [asyncio.create_task(self._keep(child), name=child.post.name) for child in self._children]
        await self._watch()
        await self._drain()

    def _counts(self) -> dict[str, int]:
        processes = self._settings.processes
        return {"smtp": processes.smtp_workers, "tracker": processes.tracker_workers, "console": 1}

    def _reserve_ports(self) -> None:
        run = self._settings.run
        # A status left behind: the supervisor before us was killed, and its workers may need a moment to go.
        patience_s = _PATIENCE_S if (run / run_files.STATUS).exists() else 0.0
        for kind in _KINDS:
            section = getattr(self._settings, kind)
            keeper = self._keepers[kind] = reserve(kind, section.host, section.port, patience_s=patience_s)
            host, port = keeper.getsockname()[:2]
            try:
                run_files.write_json(run / f"{kind}.json", {"host": host, "port": port})
            except OSError as error:  # a full disk: whoever looks for it finds it in the log
                _log.warning("port not noted down", extra={"service": kind, "problem": error.strerror})

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, exits.OK)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop(self, code: int) -> None:
        if self._stopping.is_set():
            if code == exits.OK:  # asked twice: a person who does not want to wait
                for child in self._children:
                    child.send(signal.SIGKILL)
            return
        self._exit_code = code
        self._state = "draining"
        self._stopping.set()
        notify.tell("STOPPING=1")
        for child in self._children:
            child.dismiss()

    def _reload(self) -> None:
        try:
            fresh = self._reload_settings()
            run_files.write_json(self._settings.run / run_files.SETTINGS, to_values(fresh))
            logs.set_up("supervisor", fresh.logging.level, Path(fresh.logging.file) if fresh.logging.file else None)
        except (SettingsError, OSError) as error:
            self._problem = str(error)
            _log.error("settings refused, the old ones stay", extra={"problem": self._problem})
        else:
            self._settings, self._problem = fresh, ""
            _log.info("settings read again")
        for child in self._children:
            if child.is_ready:  # one that is starting reads everything anyway
                child.send(signal.SIGHUP)

    async def _keep(self, child: Child) -> None:
        """Fill a post until the end."""
        await self._wait_for_turn(child)
        while not self._stopping.is_set():
            code = await self._run(child)
            if self._stopping.is_set():
                return
            if code in _HOPELESS and self._state == "starting":
                self._stop(code)  # the worker said why; starting it again would say it again
                return
            child.restarts += 1
            pause = child.pause_s()
            _log.error(
                "worker died, starting another",
                extra={"name_of_worker": child.post.name, "exit_code": code, "pause_s": pause},
            )
            try:
                await asyncio.wait_for(self._stopping.wait(), pause or 0.001)
            except TimeoutError:
                continue

    async def _run(self, child: Child) -> int:
        try:
            return await child.run_once()
        except OSError as error:  # no memory, process or file to be had for now: as if it had died at once
            _log.error("no worker can be started", extra={"problem": error.strerror})
            return exits.TEMPORARY

    async def _wait_for_turn(self, child: Child) -> None:
        before = _ORDER[: _ORDER.index(child.post.kind)]
        first = [other for other in self._children if other.post.kind in before]
        deadline = time.monotonic() + _HEAD_START_S * len(before)
        while not all(other.is_ready for other in first) and time.monotonic() < deadline:
            try:
                await asyncio.wait_for(self._stopping.wait(), _START_TICK_S)
            except TimeoutError:
                continue
            return

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            if self._state == "starting" and all(child.is_ready for child in self._children):
                self._state = "running"
                ports = {kind: keeper.getsockname()[1] for kind, keeper in self._keepers.items()}
                _log.info("ready", extra=ports)
                notify.tell("READY=1")
            for child in self._children:
                child.kill_if_stuck(self._settings.processes.stuck_after_s)
            self._write_status()
            if self._state == "running" and all(child.is_ready for child in self._children):
                self._refill_spares()
            interval = _START_TICK_S if self._state == "starting" else _TICK_S
            try:
                await asyncio.wait_for(self._stopping.wait(), interval)
            except TimeoutError:
                continue

    def _refill_spares(self) -> None:
        if self._settings.processes.spares:
            try:
                self._spares.refill(_KINDS)
            except OSError as error:
                _log.warning("spare cannot be started", extra={"problem": error.strerror})

    async def _drain(self) -> None:
        self._write_status()
        # Workers give up by themselves at drain_s; the rest of the time is for those that cannot.
        _, late = await asyncio.wait(self._tasks, timeout=self._settings.processes.drain_s + 3)
        if late:
            _log.error("workers did not stop in time, killing them", extra={"count": len(late)})
            for child in self._children:
                child.send(signal.SIGKILL)
            await asyncio.wait(self._tasks, timeout=5)

    def _write_status(self) -> None:
        workers = tuple(child.status() for child in self._children)
        status = Status(os.getpid(), time.time(), self._state, workers, self._problem, len(self._spares))
        try:
            run_files.write_json(self._settings.run / run_files.STATUS, status)
        except OSError as error:  # a full disk: workers go on, /healthz sees an old status
            _log.warning("status cannot be written", extra={"problem": error.strerror})


def _empty_metrics(run: Path) -> None:
    """Leave an empty directory for what workers count."""
    metrics = run / run_files.METRICS
    metrics.mkdir(mode=0o700, exist_ok=True)  # kept where it is there, for a full disk
    for path in metrics.iterdir():
        path.unlink(missing_ok=True)
