"""What a worker's memory is: its own, and the pages of the store's file it happens to have mapped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

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
