"""``python -m bench.classify_ours FOLDER SECONDS``: read the mails of a folder until the time is over.

Prints one JSON object: ``mails`` read, ``seconds``, ``p99_ms`` of one mail, ``cpu_s`` and ``foreign_cores``, as
``bench.processes.Meter`` reads them. Files are in memory and every mail was read once before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from bench.processes import Meter
from classifier.classify import Classifier
from classifier.rulefile import load_rules
from yamabiko.commands.classify import DEFAULT_RULES


def main(folder: Path, seconds: float) -> None:
    """Measure and print."""
    classifier = Classifier(load_rules(DEFAULT_RULES))
    mails = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    for raw in mails:
        classifier.read(raw)
    durations: list[float] = []
    meter = Meter([os.getpid()])
    started = last = time.perf_counter()
    # Whole rounds only: mails differ a hundredfold in size.
    while mails and last - started < seconds:
        for raw in mails:
            classifier.read(raw)
            now = time.perf_counter()
            durations.append(now - last)
            last = now
    cpu, foreign_cores = meter.read(load_cpu_s=0.0)
    durations.sort()
    p99_ms = durations[len(durations) * 99 // 100] * 1_000 if durations else 0.0
    result = {"mails": len(durations), "seconds": last - started, "p99_ms": p99_ms, "cpu_s": cpu["server"]}
    print(json.dumps({**result, "foreign_cores": foreign_cores}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
