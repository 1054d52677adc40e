"""Time that does not depend on who else uses the machine: what waited for a processor meanwhile is taken off."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Stopwatch:
    """Measures a moment's work of this process and of those it started, on Linux; elsewhere time as it passes."""

    def __init__(self) -> None:
        """Start it."""
        self._began = time.monotonic()
        self._first = self._last = _waited_ns()

    def seconds(self) -> float:
        """Return the seconds since the start without those spent waiting for a processor that others had.

        What one process waited is taken off, the longest: the waits of several may be at the same time.
        """
        self._last = {**self._last, **_waited_ns()}  # a process that ended keeps its last figure
        waited = max((waited - self._first.get(pid, 0) for pid, waited in self._last.items()), default=0)
        return max(0.0, time.monotonic() - self._began - waited / 1e9)


def _waited_ns() -> dict[int, int]:
    """Return by process how long it waited in the queue of a processor since it began; of this one and all below."""
    found: dict[int, int] = {}
    family = [os.getpid()]
    for pid in family:
        task = Path(f"/proc/{pid}/task/{pid}")
        try:
            found[pid] = int((task / "schedstat").read_text().split()[1])
            family += map(int, (task / "children").read_text().split())
        except OSError:  # it ended, or this kernel does not say
            continue
    return found
