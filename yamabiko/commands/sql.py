"""``yamabiko sql``: any question about the data, asked in SQL of DuckDB (K26, K27)."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yamabiko import exits
from yamabiko.json_line import json_line
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from store.environment import Environment

#: View -> type of export whose columns it has.
VIEWS = {
    "broadcasts": "report",
    "deliveries": "deliveries",
    "events": "events",
    "links": "links",
    "suppressions": "suppressions",
}
_MISSING = (
    "`yamabiko sql` needs DuckDB and pyarrow. Install them with `pip install 'yamabiko[analytics]'`; "
    "`yamabiko export` writes csv and ndjson without."
)


@click.command("sql")
@click.argument("query")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="json: one object a line.",
)  # fmt: skip
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.pass_context
def sql_command(context: click.Context, query: str, form: str, tenant: int) -> None:
    """Answer QUERY over the views broadcasts, deliveries, events, links and suppressions.

    \b
    yamabiko sql "SELECT domain, count(*) FROM deliveries WHERE state = 'undelivered' GROUP BY 1 ORDER BY 2 DESC"

    Only views that the query names are made, anew each time, as Parquet files in a temporary directory. Times are in
    UTC. docs/exports.md lists the columns.
    """  # noqa: D301 - click takes \b as a real backspace
    try:
        import duckdb
        import pyarrow  # noqa: F401 - looked for here, before any work is done
    except ImportError as error:
        raise OperatorError(_MISSING, exits.UNAVAILABLE) from error
    if not query.strip():
        raise OperatorError("The query is empty.", exits.USAGE)
    settings = load_settings(context)
    with tempfile.TemporaryDirectory(prefix="yamabiko-sql-") as directory, duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        with friendly(), open_store(settings, read_only=True) as env:
            for view in _named(query):
                path = _write(env, tenant, view, Path(directory))
                connection.execute(f"CREATE VIEW {view} AS FROM read_parquet('{path}')")
        try:
            connection.execute(query)
            names = [column[0] for column in connection.description or ()]
            if form == "table":
                _show_table(names, connection.fetchall())
                return
            show = _show_json if form == "json" else _csv_shower(names)
            while rows := connection.fetchmany(10_000):
                show(names, rows)
        except duckdb.CatalogException as error:
            raise OperatorError(f"DuckDB: {error}\nThe views are {', '.join(VIEWS)}.", exits.DATA) from error
        except duckdb.Error as error:
            raise OperatorError(f"DuckDB: {error}", exits.DATA) from error


def _named(query: str) -> list[str]:
    """Return the views whose names are in a query, be it in a text: one too many only takes time."""
    words = set(re.findall(r"[a-z_]+", query.lower()))
    return [view for view in VIEWS if view in words]


def _write(env: Environment, tenant: int, view: str, directory: Path) -> str:
    from console.schema_exports import ExportFormat, ExportIn, ExportJob, ExportScope, ExportType
    from yamabiko.exporter.job import ExportError
    from yamabiko.exporter.run import run_export, without_collection
    from yamabiko.exporter.whole_file import whole_file

    request = ExportIn(ExportType(VIEWS[view]), format=ExportFormat.PARQUET, scope=ExportScope.ALL)
    path = directory / f"{view}.parquet"
    try:
        with whole_file(path) as out, without_collection():
            run_export(env, ExportJob(request, tenant, None, time.time_ns() // 1_000), out)
    except ExportError as error:
        raise OperatorError(str(error), exits.DATA) from error
    return str(path).replace("'", "''")


def _show_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if sum(_width(name, [row[place] for row in rows]) + 1 for place, name in enumerate(names)) > console.width:
        _show_one_below_the_other(console, names, rows)
        return
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        is_number = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_drawn(value)) for value in row))
    console.print(table)


def _width(name: str, values: Sequence[Any]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (name, *map(_drawn, values))))


def _show_one_below_the_other(console: Console, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a line for each column of each row: more columns than the terminal has room for."""
    longest = max(map(len, names))
    for number, row in enumerate(rows, 1):
        console.print(f"row {number}", style="bold")
        for name, value in zip(names, row, strict=True):
            console.print(f"  {name:<{longest}}  {_drawn(value)}", markup=False, soft_wrap=True)
    if not rows:
        console.print("no rows")


def _drawn(value: Any) -> str:
    return "-" if value is None else str(value)


def _show_json(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:

    for row in rows:
        click.echo(json_line(dict(zip(names, row, strict=True))))


def _csv_shower(names: Sequence[str]) -> Callable[[Sequence[str], Sequence[Sequence[Any]]], None]:
    """Write the headings; return what writes rows."""
    import csv
    import sys

    from yamabiko.exporter.csv_file import neutral

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)

    def show(_names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            writer.writerow(["" if v is None else neutral(v) if isinstance(v, str) else v for v in row])

    return show
