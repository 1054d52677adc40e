"""What a child of the classify comparison does: reads each mail of a folder once, and prints what that cost.

Time is CPU time: one process reads one mail after the other and waits for nothing, and a shared machine's clock
measures the neighbours.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.processes import Meter

Read = Callable[[bytes], object]


def load_mails(folder: Path, seed: int) -> list[bytes]:
    """Return the mails of ``folder`` in an order that ``seed`` fixes."""
    mails = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    random.Random(seed).shuffle(mails)
    return mails


def spend(read: Read, mails: list[bytes]) -> list[float]:
    """Return the CPU seconds of reading each mail once, in order."""
    durations: list[float] = []
    last = time.process_time()
    for raw in mails:
        read(raw)
        now = time.process_time()
        durations.append(now - last)
        last = now
    return durations


def report(read: Read, mails: list[bytes], more: Callable[[], dict[str, float]] = dict) -> None:
    """Print one JSON object about one pass over ``mails``; ``more`` is measured after it and adds its figures."""
    meter = Meter([os.getpid()])
    durations = spend(read, mails)
    cpu, foreign_cores = meter.read(load_cpu_s=0.0)
    result: dict[str, float] = {"mails": len(durations), "seconds": sum(durations)}
    if durations:
        result["p50_us"] = median(durations) * 1e6
        result["p99_ms"] = sorted(durations)[len(durations) * 99 // 100] * 1_000
    print(json.dumps({**result, "cpu_s": cpu["server"], "foreign_cores": foreign_cores, **more()}))
