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
        self._first = _waited()
        self._last = dict(self._first)

    def seconds(self) -> float:
        """Return the seconds since the start without those spent waiting for a processor that others had.

        Taken off is the longest wait of this process, or of a line of descent below it, as a server and its worker,
        who wait one after the other. The waits of other processes may be at the same time.
        """
        self._last |= _waited()  # a process that ended keeps its last figure
        lines: dict[int, int] = {}
        for pid, (parent, waited) in self._last.items():
            lines[pid] = waited - self._first.get(pid, (0, 0))[1] + lines.get(parent, 0) * (parent != os.getpid())
        return max(0.0, time.monotonic() - self._began - max(lines.values(), default=0) / 1e9)


def _waited() -> dict[int, tuple[int, int]]:
    """Return by process, of this one and all below, its parent and the nanoseconds it ever waited for a processor."""
    found: dict[int, tuple[int, int]] = {}
    family = [(os.getpid(), 0)]
    for pid, parent in family:  # grows meanwhile; parents come before their children
        task = Path(f"/proc/{pid}/task/{pid}")
        try:
            found[pid] = parent, int((task / "schedstat").read_text().split()[1])
            family += ((int(child), pid) for child in (task / "children").read_text().split())
        except OSError:  # it ended, or this kernel does not say
            continue
    return found
