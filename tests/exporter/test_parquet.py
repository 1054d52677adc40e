"""Parquet as other tools read it: one schema a table, the same values as NDJSON (K26)."""

from __future__ import annotations

import builtins
import io
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as parquet
import pytest

from console.export_rules import NEED_BROADCAST
from console.schema_exports import ExportFormat, ExportIn, ExportJob, ExportType
from store.environment import Environment
from store.writer import write_now
from tests.store.world import DAY, T0_US, described, random_facts
from yamabiko.exporter.job import ExportError
from yamabiko.exporter.parquet_file import schema_of
from yamabiko.exporter.run import run_export
from yamabiko.exporter.tables import TABLES

SEED = 20261126


@pytest.fixture
def world(env: Environment) -> Environment:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    write_now(env, [described(number, name=f"例 {number}", format="html") for number in (1, 2, 3)])
    write_now(env, random_facts(rng, 2_000, recipients=200))
    return env


def make(env: Environment, kind: ExportType, form: ExportFormat) -> bytes:
    number = 1 if kind in NEED_BROADCAST else None
    out = io.BytesIO()
    run_export(env, ExportJob(ExportIn(kind, format=form), 1, number, T0_US + 40 * DAY), out)
    return out.getvalue()


@pytest.mark.row("K26")
@pytest.mark.parametrize("kind", list(ExportType))
def test_duckdb_reads_what_ndjson_says(world: Environment, tmp_path: Path, kind: ExportType) -> None:
    path = tmp_path / f"{kind}.parquet"
    path.write_bytes(make(world, kind, ExportFormat.PARQUET))
    lines = [json.loads(line) for line in make(world, kind, ExportFormat.NDJSON).splitlines()]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.execute(f"SELECT * FROM '{path}'")
        names = [column[0] for column in relation.description]
        rows = relation.fetchall()
    assert names == TABLES[kind].names
    assert len(rows) == len(lines) > 0
    for row, line in zip(rows, lines, strict=True):
        assert {name: plain(value) for name, value in zip(names, row, strict=True)} == line


def plain(value: Any) -> Any:
    """A value of DuckDB as NDJSON writes it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if hasattr(value, "strftime") else value


@pytest.mark.row("K26")
@pytest.mark.parametrize("kind", sorted(set(ExportType) - NEED_BROADCAST))
def test_an_empty_table_has_the_same_schema(env: Environment, kind: ExportType) -> None:
    found = parquet.read_schema(io.BytesIO(make(env, kind, ExportFormat.PARQUET)))
    assert found.equals(schema_of(TABLES[kind]))
    assert parquet.read_table(io.BytesIO(make(env, kind, ExportFormat.PARQUET))).num_rows == 0


def test_sums_over_deliveries_are_the_report(world: Environment, tmp_path: Path) -> None:
    """Two ways to one number: counting rows in DuckDB, and the counts kept as facts came."""
    for kind in (ExportType.DELIVERIES, ExportType.REPORT):
        (tmp_path / f"{kind}.parquet").write_bytes(make(world, kind, ExportFormat.PARQUET))
    with duckdb.connect() as connection:
        counted = connection.execute(f"""
            SELECT broadcast_id, count(*) FILTER (state = 'undelivered'),
                   count(*) FILTER (state = 'undelivered' AND hard),
                   coalesce(sum(clicks) FILTER (state = 'reached'), 0), count(*) FILTER (unsubscribed),
                   count(*) FILTER (complained)
            FROM '{tmp_path}/deliveries.parquet' GROUP BY 1 ORDER BY 1""").fetchall()
        kept = connection.execute(f"""
            SELECT broadcast_id, undelivered, hard, clicks, unsubs, complaints
            FROM '{tmp_path}/report.parquet' ORDER BY 1""").fetchall()
    assert len(kept) == 3 and counted == kept


def test_without_pyarrow_it_says_what_to_install(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExportError, match=r"yamabiko\[analytics\]"):
        make(env, ExportType.REPORT, ExportFormat.PARQUET)
