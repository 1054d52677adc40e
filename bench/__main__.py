"""``python -m bench NAME``: run comparisons and print their rows."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.comparison import Comparison, Options
from bench.errors import BenchError
from bench.machine import describe_machine
from bench.registry import ENTRIES
from yamabiko.demo.server import ServerError

_ALL = "all"
_EPILOG = "\b\n" + "\n".join(f"{name:<10}{entry.about}" for name, entry in ENTRIES.items()) + f"\n{_ALL:<10}all of them"
#: Facts of the large store: as the mission asks, and when it is one of many things to do.
_FACTS, _FACTS_IN_ALL = 50_000_000, 5_000_000


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
@click.option(
    "--facts",
    type=click.IntRange(1_000),
    help=f"Size of the large store of growth and recovery.  [default: {_FACTS:,}; with all {_FACTS_IN_ALL:,}]",
)
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory in which growth keeps its stores, and finds them again; recovery uses the large one.",
)
@click.option(
    "--recipients", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="How many reports lists."
)
def main(
    name: str,
    seconds: float,
    runs: int,
    patience: float,
    facts: int | None,
    store: Path | None,
    recipients: int,
    *,
    as_json: bool,
) -> None:
    """Compare Yamabiko with its peers on this machine, in turns. Exit code 1 when a comparison is void."""
    machine = describe_machine()
    options = Options(
        seconds, runs, patience, facts or (_FACTS_IN_ALL if name == _ALL else _FACTS), recipients, store
    )  # fmt: skip
    rows: list[Comparison] = []
    void: list[str] = []
    with ExitStack() as stack:
        if name == _ALL and store is None:
            kept = stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-store-"))
            options = replace(options, store=Path(kept))
        for chosen in ENTRIES if name == _ALL else [name]:
            print(f"{chosen}: {ENTRIES[chosen].about}", file=sys.stderr, flush=True)
            try:
                fresh = ENTRIES[chosen].run(options)
            except (BenchError, ServerError, OSError) as error:
                # Of an OSError click would say nothing where it is a broken pipe.
                void.append(f"{chosen} is void: {error}")
                continue
            rows += fresh
            if as_json:
                for row in fresh:
                    print(json.dumps(row.as_json(), ensure_ascii=False), flush=True)
    if as_json:
        print("\n".join(machine), file=sys.stderr)
    else:
        _show(Console(), rows, machine, options)
    if void:
        raise click.ClickException("\n".join(void))


def _show(out: Console, rows: list[Comparison], machine: list[str], options: Options) -> None:
    table = Table(
        "row", "ours", "peer", "ratio", "unit", title=f"medians of {options.runs} runs of {options.seconds:g} s"
    )
    for column in table.columns[1:4]:
        column.justify = "right"
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, _figure(row.ours), _figure(row.peer), ratio, row.unit)
    out.print(table)
    for row in rows:
        out.print(f"{row.name}: {row.note}", highlight=False, soft_wrap=True)
    for line in machine:
        out.print(line, style="dim", highlight=False, soft_wrap=True)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
