"""One worker as the supervisor sees it: started, listened to, started again, killed when it falls silent."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import time

from yamabiko.beat import Beat, BeatReader
from yamabiko.post import Post
from yamabiko.run_files import WorkerStatus
from yamabiko.spares import Spares

#: A worker that lived for so long was in order: its next start does not wait.
_HEALTHY_AFTER_S = 5.0
_LONGEST_PAUSE_S = 10.0
#: How long a worker may take from its start to its first beat.
_START_PATIENCE_S = 30.0
_log = logging.getLogger(__name__)


class Child:
    """Keeps one post filled."""

    def __init__(self, post: Post, spares: Spares) -> None:
        """``spares`` gives it the processes."""
        self.post = post
        self._spares = spares
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = BeatReader()
        self._beat = Beat()
        #: the kernel has closed its end of the pipe: the process is gone
        self._ended = asyncio.Event()
        self._last_beat = self._started = time.monotonic()
        self._quick_deaths = 0
        self.restarts = 0
        self.last_exit: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it runs and said so."""
        return self._process is not None and self._beat.ready

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def status(self) -> WorkerStatus:
        """Return how it is."""
        silent = round(time.monotonic() - self._last_beat, 1)
        return WorkerStatus(self.post.name, self.pid, self.is_ready, silent, self.restarts, self._beat.problems)

    async def run_once(self) -> int:
        """Start the worker and wait for its end; returns its exit code, negative for a signal."""
        self._reader, self._beat = BeatReader(), Beat()
        self._ended.clear()
        self._last_beat = self._started = time.monotonic()
        started = self._spares.take(self.post)
        self._process, read_end = started.process, started.beats
        loop = asyncio.get_running_loop()
        loop.add_reader(read_end, self._on_beat, read_end)
        try:
            await self._ended.wait()
        finally:
            loop.remove_reader(read_end)
            self._process = None
            self._beat = Beat()
        await asyncio.to_thread(started.bury)
        self.last_exit = started.process.returncode
        return self.last_exit

    def pause_s(self) -> float:
        """Return how long to wait before the next start: nothing, unless it keeps dying young."""
        if time.monotonic() - self._started >= _HEALTHY_AFTER_S:
            self._quick_deaths = 0
        pause = min(0.1 * 2.0**self._quick_deaths, _LONGEST_PAUSE_S) if self._quick_deaths else 0.0
        self._quick_deaths += 1
        return pause

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        process = self._process
        if process is not None:
            process.send_signal(number)  # does nothing when it has ended

    def dismiss(self) -> None:
        """Tell it to finish and go."""
        self.send(signal.SIGTERM)

    def kill_if_stuck(self, after_s: float) -> None:
        """Kill it when it was silent for ``after_s``: it may hold the store's write lock (D8).

        One that has not said anything yet is starting, which takes a busy machine longer.
        """
        silent = time.monotonic() - self._last_beat
        patience_s = after_s if self._beat.ready else max(after_s, _START_PATIENCE_S)
        if self._process is not None and silent > patience_s:
            _log.error("worker stuck, killing it", extra={"name_of_worker": self.post.name, "silent_s": silent})
            self._last_beat = time.monotonic()
            self.send(signal.SIGKILL)

    def _on_beat(self, read_end: int) -> None:
        try:
            chunk = os.read(read_end, 65_536)
        except BlockingIOError:
            return
        if not chunk:
            asyncio.get_running_loop().remove_reader(read_end)
            self._ended.set()
            return
        self._last_beat = time.monotonic()
        self._beat = self._reader.feed(chunk) or self._beat
