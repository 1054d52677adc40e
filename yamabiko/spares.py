"""Worker processes started beforehand: all imported, waiting for a post, so that a death costs a moment only (D2).

A worker is started without a post; it gets one as a line of JSON on its standard input, and ends when that is
closed instead. One spare of each kind waits while the server runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

#: Seconds between two starts of a spare of one kind: one that cannot start must not keep a core busy.
_REFILL_EVERY_S = 5.0


class Post(msgspec.Struct, frozen=True):
    """A place to fill: what kind of worker, its number in the store (0-7), where it listens."""

    kind: str
    number: int
    slot: int
    host: str
    port: int

    @property
    def name(self) -> str:
        """How logs and metrics call it, e.g. ``smtp-0``."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True)
class Started:
    """A worker process and the end of the pipe its heartbeat comes from."""

    process: asyncio.subprocess.Process
    beats: int


class Spares:
    """Starts workers, some of them beforehand."""

    def __init__(self, run: Path, environment: Mapping[str, str]) -> None:
        """``run`` is HOME/run, where a worker finds its settings; ``environment`` is given to it."""
        self._run = run
        self._environment = dict(environment)
        self._waiting: dict[str, Started] = {}
        self._last_start: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many spares wait."""
        return sum(spare.process.returncode is None for spare in self._waiting.values())

    async def take(self, post: Post) -> Started:
        """Return a worker that fills ``post``: the spare, or one started now. Raises OSError when it cannot be."""
        started = self._waiting.pop(post.kind, None)
        if started is None or started.process.returncode is not None:
            if started is not None:
                os.close(started.beats)
            started = await self._start(post.kind)
        else:
            self._last_start.pop(post.kind, None)  # it could start, so that another may be started at once
        stdin = started.process.stdin
        if stdin is not None:
            stdin.write(msgspec.json.encode(post) + b"\n")
        return started

    async def refill(self, kinds: tuple[str, ...]) -> None:
        """Start the spares that are missing. Raises OSError when they cannot be."""
        for kind in kinds:
            spare = self._waiting.get(kind)
            if spare is not None and spare.process.returncode is None:
                continue
            if time.monotonic() - self._last_start.get(kind, 0.0) < _REFILL_EVERY_S:
                continue
            if spare is not None:
                os.close(spare.beats)
            self._last_start[kind] = time.monotonic()
            self._waiting[kind] = await self._start(kind)

    async def dismiss(self) -> None:
        """End the spares, and wait for their end."""
        for spare in self._waiting.values():
            if spare.process.returncode is None:
                spare.process.send_signal(signal.SIGKILL)  # they have begun nothing
            os.close(spare.beats)
            await spare.process.wait()
        self._waiting.clear()

    async def _start(self, kind: str) -> Started:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "yamabiko.worker",
                kind,
                f"--run={self._run}",
                f"--beat-fd={write_end}",
                f"--supervisor={os.getpid()}",
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(write_end,),
                env=self._environment,
                start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone, which drains
            )
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        return Started(process, read_end)
