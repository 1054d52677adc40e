"""``python -m bench NAME``: run comparisons and print their rows."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from bench.comparison import Comparison, Options
from bench.errors import BenchError
from bench.machine import describe_machine
from bench.registry import ENTRIES

_ALL = "all"
_EPILOG = "\b\n" + "\n".join(f"{name:<10}{entry.about}" for name, entry in ENTRIES.items()) + f"\n{_ALL:<10}all of them"


@click.command(epilog=_EPILOG)
@click.argument("name", type=click.Choice([*ENTRIES, _ALL]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a row on standard output, nothing else.")
@click.option("--seconds", type=click.FloatRange(1), default=5.0, show_default=True, help="Length of a run.")
@click.option("--runs", type=click.IntRange(1, 100), default=5, show_default=True, help="Runs of each contender.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=0.0,
    help="Seconds each run may wait for others to leave the machine.",
)
def main(name: str, seconds: float, runs: int, patience: float, *, as_json: bool) -> None:
    """Compare Yamabiko with its peers on this machine, in turns. Exit code 1 when a comparison is void."""
    machine = describe_machine()
    options = Options(seconds, runs, patience)
    rows: list[Comparison] = []
    try:
        for chosen in ENTRIES if name == _ALL else [name]:
            print(f"{chosen}: {ENTRIES[chosen].about}", file=sys.stderr, flush=True)
            fresh = ENTRIES[chosen].run(options)
            rows += fresh
            if as_json:
                for row in fresh:
                    print(json.dumps(row.as_json(), ensure_ascii=False), flush=True)
    except BenchError as error:
        raise click.ClickException(f"{chosen} is void: {error}") from error
    if not as_json:
        _show(Console(), rows, machine, options)


def _show(out: Console, rows: list[Comparison], machine: list[str], options: Options) -> None:
    table = Table(
        "row", "ours", "peer", "ratio", "unit", title=f"medians of {options.runs} runs of {options.seconds:g} s"
    )
    for column in table.columns[1:4]:
        column.justify = "right"
    for row in rows:
        figures = ("-" if rate is None else f"{rate:,.0f}" for rate in (row.ours, row.peer))
        table.add_row(row.name, *figures, "-" if row.ratio is None else f"{row.ratio:.2f}", row.unit)
    out.print(table)
    for row in rows:
        out.print(f"{row.name}: {row.note}", highlight=False, soft_wrap=True)
    for line in machine:
        out.print(line, style="dim", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
