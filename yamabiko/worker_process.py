"""One worker process: ``python -m yamabiko.worker_process smtp|tracker|console …``, started by yamabiko.spares only.

It imports, waits until its settings are there, prepares if nobody needs it yet, and fills its post (yamabiko.worker).
"""

from __future__ import annotations

import argparse
import gc
import os
import select
import signal
import sys
from importlib import import_module
from pathlib import Path

from store.lifeline import end_with
from yamabiko import exits


def main(argv: list[str]) -> int:
    """Run one worker; returns its exit code."""
    arguments = _parse(argv)
    if not end_with(arguments.supervisor, signal.SIGTERM):
        return exits.TEMPORARY
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(arguments.beat_fd, False)
    os.environ.update(_environment(arguments.kind))
    # Looking for garbage among what is imported and loaded takes a tenth of the time, and there is next to none. The
    # worker begins with it when it is ready.
    gc.disable()
    from yamabiko import worker

    kind = import_module(f"yamabiko.workers.{arguments.kind}")
    # The two lines that yamabiko.spares writes; without them it is a spare that was not needed.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as orders:
        if not orders.readline():
            return exits.OK
        if not select.select([orders], (), (), 0)[0]:
            kind.prepare(worker.read_settings(arguments.run))
        line = orders.readline()
    return worker.fill(line, arguments.run, arguments.beat_fd) if line else exits.OK


def _environment(kind: str) -> dict[str, str]:
    """Return what libraries read from the environment when they are imported."""
    # aiohttp reads all certificates of the machine at once, a fifth of what the tracker imports; it needs none, since
    # it asks nobody for anything.
    return {"SSL_CERT_FILE": os.devnull} if kind == "tracker" else {}


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="yamabiko.worker_process")
    parser.add_argument("kind", choices=("smtp", "tracker", "console"))
    parser.add_argument("--run", type=Path, required=True)
    for name in ("--beat-fd", "--supervisor"):
        parser.add_argument(name, type=int, required=True)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
