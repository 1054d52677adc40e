"""The SQLite application as a peer of the tracker, in a process of its own."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.comparison import Sample
from bench.errors import BenchError
from bench.processes import clock_of, server
from bench.visits import Visits
from bench.web_load import PeerRun
from yamabiko.demo.ports import free_port


class SqliteRun:
    """Visits the application, and checks each time that its database has exactly what was answered."""

    def __init__(self, run: PeerRun, database: Path) -> None:
        """``run`` visits, ``database`` is the application's file."""
        self._run, self._database = run, database

    def __call__(self, seconds: float) -> Sample:
        """Run once."""
        before = self._rows()
        sample = self._run(seconds)
        if (stored := self._rows() - before) != sample.events:
            raise BenchError(f"{sample.events} answers but {stored} rows in SQLite")
        return sample

    def _rows(self) -> int:
        with closing(sqlite3.connect(self._database)) as database:
            rows: int = database.execute("SELECT count(*) FROM hits").fetchone()[0]
            return rows


@contextmanager
def running_sqlite(load: Path, visits: Visits, folder: Path) -> Iterator[SqliteRun]:
    """Run the application with its database in ``folder``."""
    port, database = free_port(), folder / "hits.sqlite"
    command = [sys.executable, "-m", "bench.sqlite_app", str(port), str(database)]
    with server(command, port, folder / "sqlite_app.log") as process:
        yield SqliteRun(PeerRun(load, port, {"server": clock_of(process.pid)}, visits), database)
