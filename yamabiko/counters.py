"""What each worker counts, in a file of its own that the console adds up for /metrics.

Written whole and renamed, never mapped into memory: on a full disk a write is an error that can be passed over, while a
page of a mapped file that cannot be had kills the process (D5).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from store.writer import Writer
from yamabiko import run_files

_log = logging.getLogger(__name__)


class Counts(msgspec.Struct, frozen=True):
    """What one worker counted since the server started, its processes before this one included."""

    #: durable commits, and facts made durable
    commits: int = 0
    facts: int = 0
    #: age of the oldest facts not yet committed
    waiting_s: float = 0.0
    #: events by name
    events: dict[str, int] = {}


class WorkerCounters:
    """Counts for one worker in memory, and writes the sums down twice a second: the hot path never touches a file.

    Fits what mta and tracker expect of a place to count in.
    """

    def __init__(self, run: Path, worker: str, writer: Writer) -> None:
        """``run`` is HOME/run; ``worker`` names the process; ``writer`` is its own."""
        self._file = _file_of(run, worker)
        self._writer = writer
        before = _read(self._file) or Counts()
        self._before = (before.commits, before.facts)
        self._events = Counter(before.events)
        self._written = before
        self._is_failing = False

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to ``name``."""
        self._events[name] += amount

    add = count

    def flush(self) -> None:
        """Write down what changed. A file that cannot be written is told of once; the counts go on in memory."""
        writer, (commits, facts) = self._writer, self._before
        now = Counts(
            commits + writer.commits,
            facts + writer.facts_committed,
            writer.waiting_s,
            {str(name): count for name, count in self._events.items()},
        )
        if now == self._written:
            return
        try:
            run_files.write_json(self._file, now)
        except OSError as error:
            if not self._is_failing:
                _log.warning("counts cannot be written", extra={"problem": error.strerror})
            self._is_failing = True
        else:
            self._written, self._is_failing = now, False


def read_counts(run: Path) -> Iterator[tuple[str, Counts]]:
    """Yield the name of each worker that counted something, and its counts."""
    for file in sorted((run / run_files.METRICS).glob("[!.]*.json")):
        counts = _read(file)
        if counts is not None:
            yield file.stem, counts


def _file_of(run: Path, worker: str) -> Path:
    return run / run_files.METRICS / f"{worker}.json"


def _read(file: Path) -> Counts | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Counts)
    except (OSError, msgspec.MsgspecError):
        return None
