"""An export's memory does not grow with its rows (D7)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.fact import DeliveryKey, FactType
from store import keys
from store.environment import Environment
from store.record import Entry, Record
from store.roster import RosterRow, RosterWriter
from tests.store.world import T0_US

FEW, MANY = 10_000, 200_000
#: What 190,000 rows more may take; the rows themselves are more than three times that.
ALLOWED_KB = 24 * 1024

SCRIPT = """
import json, sys
from pathlib import Path
import msgspec
from console.schema_exports import ExportIn, ExportJob
from store.environment import Environment
from yamabiko.exporter import csv_file
from yamabiko.exporter.run import run_export, without_collection

peak = 0

def look(rows, share):
    global peak
    status = Path("/proc/self/status").read_text()
    peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))

kept = []
if sys.argv[4] == "keep":
    write = csv_file.CsvFile.write
    csv_file.CsvFile.write = lambda self, rows: (kept.extend(map(list, rows)), write(self, rows))[1]
request = msgspec.convert({"type": "recipients", "broadcast": "x", "format": sys.argv[3]}, ExportIn)
with open("/dev/null", "wb") as out, without_collection():
    job = ExportJob(request, 1, int(sys.argv[2]), 1_775_101_600_000_000)
    done = run_export(Environment(Path(sys.argv[1]), read_only=True), job, out, look)
print(json.dumps([done.rows, peak]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rosters, written without facts: only how they are read matters here."""
    path = tmp_path_factory.mktemp("memory") / "data"
    env = Environment(path, map_size=2**30)
    for number, count in ((1, FEW), (2, MANY)):
        broadcast = keys.broadcast_key(1, number)
        with env.write() as txn:
            from store.fold import Fold  # the description, so that there is such a broadcast
            from tests.store.world import described

            fold = Fold(env, txn)
            fold.apply([described(number)])
            fold.finish()
            for start in range(0, count, 20_480):
                roster = RosterWriter(env, txn)
                for recipient in range(start, min(start + 20_480, count)):
                    row = RosterRow(
                        recipient.to_bytes(8, "big"), 1, T0_US + recipient, True, f"r{recipient}@example.jp",
                        f"姓{recipient}", f"名{recipient}", f"会社{recipient}",
                    )  # fmt: skip
                    roster.add(broadcast, row)
                    place = DeliveryKey(1, number, recipient).pack()
                    entry = Entry(FactType.PLANNED, T0_US + recipient, recipient.to_bytes(8, "big"), (), 1)
                    assert txn.put(place, Record(True, [entry]).pack(place), db=env.db(keys.DELIVERIES), append=True)
                for key, value in roster.finish():
                    assert txn.put(key, value, db=env.db(keys.ROSTER))
    env.close()
    return path


def peak_kb(store: Path, number: int, form: str, *, keeps: bool = False) -> tuple[int, int]:
    """Rows written by a process of its own, and the most memory of its own it had."""
    command = [sys.executable, "-c", SCRIPT, str(store), str(number), form, "keep" if keeps else "flow"]
    rows, peak = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=110).stdout)
    return rows, peak


@pytest.mark.row("D7")
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_memory_is_flat(store: Path, form: str) -> None:
    few, low = peak_kb(store, 1, form)
    many, high = peak_kb(store, 2, form)
    print(f"{form}: {few:,} rows {low // 1024} MB, {many:,} rows {high // 1024} MB")
    assert (few, many) == (FEW, MANY)
    # A group of a Parquet file is kept until it is full: 65,536 rows, whatever number follows.
    assert high - low < (ALLOWED_KB if form != "parquet" else 5 * ALLOWED_KB)


def test_an_export_that_keeps_its_rows_would_be_found(store: Path) -> None:
    """Negative control."""
    _, low = peak_kb(store, 1, "csv", keeps=True)
    _, high = peak_kb(store, 2, "csv", keeps=True)
    print(f"keeping: {low // 1024} MB, {high // 1024} MB")
    assert high - low > 2 * ALLOWED_KB
