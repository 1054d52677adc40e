"""Exporting a large broadcast: the people of it as CSV, asked for over the API and made by its own process."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.api import Api
from bench.comparison import Comparison, Options, Sample, compare
from bench.errors import BenchError
from bench.mailings import address_of
from bench.memory import memory_of
from bench.ours import BROADCAST, Ours
from bench.processes import Meter, children_of, clock_of_tree, wait_for_quiet

#: One recipient of so many failed.
_FAILED = 20
_LOOK_EVERY_S = 0.1
#: Memory counts from here on: before, the process is still being filled.
_BEGUN = 0.1
_TIMEOUT_S = 600.0
_MAKER = b"yamabiko.exporter"
_REPLY = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"


def measure_export(api: Api, ours: Ours, options: Options, listed: int) -> Comparison:
    """Return the row of the CSV of all ``listed`` recipients, a twentieth of whom failed."""
    failed = _let_some_fail(api, listed)
    samples: list[Sample] = []
    growth = 0.0
    for _ in range(options.runs):
        wait_for_quiet(options.patience_s)
        sample, grown = _export(api, ours, listed)
        samples.append(sample)
        growth = max(growth, grown)
        print(f"export: {sample.rate:,.0f} rows/s, memory grew by {grown:.1f} MB", file=sys.stderr, flush=True)
    remark = (
        f"{listed:,} recipients, {failed:,} of them failed with words of their own; from the start of the process that "
        f"makes the file to its last row on disk; the process's own memory grew by {growth:.1f} MB at most after the "
        f"first tenth"
    )
    return compare("export_rows", "rows/s", samples, [], remark)


def _let_some_fail(api: Api, listed: int) -> int:
    """Report failures as a sending system does; returns how many."""
    numbers = range(0, listed, _FAILED)
    body = b"".join(_attempt(number) for number in numbers)
    posted = api.post_rows("/v1/attempts", body, "bench-failures")
    if posted.refused or posted.lines != len(numbers):
        raise BenchError(f"{len(numbers)} attempts reported, {posted.lines} answered, {posted.refused} refused")
    return len(numbers)


def _attempt(number: int) -> bytes:
    address = address_of(number)
    row = {
        "broadcast": BROADCAST, "address": address, "outcome": "failed", "reply": _REPLY.format(address),
        "id": f"f{number}",
    }  # fmt: skip
    return json.dumps(row).encode() + b"\n"


def _export(api: Api, ours: Ours, listed: int) -> tuple[Sample, float]:
    """Make one export; returns how fast, and by how many megabytes its process grew."""
    (console,) = ours.workers("console")
    # The maker ends with the export: its time is counted by its parent.
    meter = Meter({"console and maker": clock_of_tree(console)})
    task, _ = api.ask("POST", "/v1/exports", {"type": "recipients", "broadcast": BROADCAST})
    place, deadline = f"/v1/exports/{task['id']}", time.monotonic() + _TIMEOUT_S
    sizes: list[float] = []
    while task["state"] == "running":
        if time.monotonic() > deadline:
            raise BenchError(f"an export is not made within {_TIMEOUT_S:.0f} s")
        time.sleep(_LOOK_EVERY_S)
        task, _ = api.ask("GET", place)
        size = _memory_of_maker(console)
        if size is not None and task["progress"] >= _BEGUN:
            sizes.append(size)
    if task["state"] != "succeeded" or task["rows"] != listed:
        raise BenchError(f"{listed} recipients listed, but: {task}")
    _check(ours.server.home / "exports", listed)
    api.ask("DELETE", place)
    took = _at(task["ended_at"]) - _at(task["started_at"])
    # From the first look on, not from the least: at its end the process gives its memory back piece by piece.
    return Sample(listed, took, None, *meter.read(0.0)), max(sizes) - sizes[0] if sizes else 0.0


def _memory_of_maker(console: int) -> float | None:
    """Return the megabytes of the process that makes the export, without the pages of the store; None without one."""
    for child in children_of(console):
        try:
            if _MAKER in Path(f"/proc/{child}/cmdline").read_bytes():
                return memory_of(child).own
        except OSError:
            continue
    return None


def _check(folder: Path, listed: int) -> None:
    """Raise BenchError unless the file has a line for everybody."""
    (file,) = folder.glob("*.csv")
    with file.open("rb") as lines:
        found = sum(1 for _ in lines) - 1
    if found != listed:
        raise BenchError(f"{listed} recipients listed, but {found} lines in {file.name}")


def _at(said: Any) -> float:
    return datetime.fromisoformat(said).timestamp()
