"""Worker processes started beforehand: all imported, waiting for a post, so that a death costs a moment only (D2).

A worker is started without a post. On its standard input it is told two things, a line each: that its settings are in
place, and its post. It ends when that is closed instead. One spare of each kind waits while the server runs; at a start
a tracker imports while all is looked at, so this module itself must be quick to import.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from yamabiko.post import Post

#: Seconds between two starts of a spare of one kind: one that cannot start must not keep a core busy.
_REFILL_EVERY_S = 5.0
_SETTINGS_ARE_THERE = b"\n"


@dataclass(frozen=True, slots=True)
class Started:
    """A worker process and the end of the pipe its heartbeat comes from."""

    process: subprocess.Popen[bytes]
    beats: int

    def tell(self, line: bytes) -> None:
        """Write ``line`` to it; one that has died is for whoever waits for its end."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line)
        except BrokenPipeError:
            return

    def bury(self) -> None:
        """Wait for the process, which has ended or is ending, and close what led to it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        os.close(self.beats)
        self.process.wait()


class Spares:
    """Starts workers, some of them beforehand. After the block those that still wait are ended."""

    def __init__(self, run: Path) -> None:
        """``run`` is HOME/run, where a worker finds its settings; nothing of it need be there yet."""
        self._run = run
        self._is_open = False
        self._waiting: dict[str, Started] = {}
        self._last_start: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for spare in self._waiting.values():
            spare.process.kill()  # they have begun nothing
            spare.bury()
        self._waiting.clear()

    def __len__(self) -> int:
        """Return how many spares wait."""
        return sum(spare.process.poll() is None for spare in self._waiting.values())

    def open(self) -> None:
        """Say that the settings are in HOME/run: who was started before may read them."""
        self._is_open = True
        for spare in self._waiting.values():
            spare.tell(_SETTINGS_ARE_THERE)

    def take(self, post: Post) -> Started:
        """Return a worker that fills ``post``: the spare, or one started now. Raises OSError when it cannot be."""
        started = self._waiting.pop(post.kind, None)
        if started is not None and started.process.poll() is None:
            self._last_start.pop(post.kind, None)  # it could start, so that another may be started at once
        else:
            if started is not None:
                started.bury()
            started = self._start(post.kind)
        started.tell(post.line())
        return started

    def refill(self, kinds: tuple[str, ...]) -> None:
        """Start the spares that are missing. Raises OSError when they cannot be."""
        for kind in kinds:
            spare = self._waiting.get(kind)
            if spare is not None and spare.process.poll() is None:
                continue
            if time.monotonic() - self._last_start.get(kind, -_REFILL_EVERY_S) < _REFILL_EVERY_S:
                continue
            if spare is not None:
                self._waiting.pop(kind).bury()
            self._last_start[kind] = time.monotonic()
            self._waiting[kind] = self._start(kind)

    def _start(self, kind: str) -> Started:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            process = subprocess.Popen(  # noqa: S603 - ourselves
                [
                    sys.executable,
                    "-m",
                    "yamabiko.worker_process",
                    kind,
                    f"--run={self._run}",
                    f"--beat-fd={write_end}",
                    f"--supervisor={os.getpid()}",
                ],
                bufsize=0,
                stdin=subprocess.PIPE,
                pass_fds=(write_end,),
                start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone, which drains
            )
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        started = Started(process, read_end)
        if self._is_open:
            started.tell(_SETTINGS_ARE_THERE)
        return started
