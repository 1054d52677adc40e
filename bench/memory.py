"""What a worker's memory is: its own, and the pages of the store's file it happens to have mapped."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_LOOK_EVERY_S = 0.5
_STORE_FILE = "data.mdb"
_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident megabytes (10**6). ``store`` are pages of the page cache: the kernel takes them back as it likes."""

    own: float
    store: float


def memory_of(pid: int) -> Memory:
    """Return the resident memory of a process, shared libraries included. Raises OSError when it is gone."""
    own = store = 0
    is_store = False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if _MAPPING.match(line):
            is_store = line.endswith(_STORE_FILE)
        elif line.startswith("Rss:"):
            size = int(line.split()[1]) * 1_024
            own, store = (own, store + size) if is_store else (own + size, store)
    return Memory(own / 1e6, store / 1e6)


class PeakMemory:
    """Looks at some processes all the time of a ``with`` block, and keeps the most any of them had."""

    def __init__(self, *pids: int) -> None:
        """Of a process that ends meanwhile what was seen before counts."""
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: megabytes (10**6), as in Memory
        self.own = self.store = 0.0
        self.looks = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            for pid in self._pids:
                with suppress(OSError):
                    found = memory_of(pid)
                    self.own, self.store = max(self.own, found.own), max(self.store, found.store)
            self.looks += 1
            self._over.wait(_LOOK_EVERY_S)
