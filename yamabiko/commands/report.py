"""``yamabiko report``: the numbers of a broadcast on the terminal."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from yamabiko import exits, key_file
from yamabiko.key_file import KeyFile
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from store.report import Report

_RATES_DIGITS = 2


@click.command("report")
@click.argument("broadcast")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.option("--lang", type=click.Choice(["ja", "en"]), default="en", show_default=True)
@click.option("--test", "is_test", is_flag=True, help="The test sends, which count nowhere else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def report_command(
    context: click.Context, broadcast: str, tenant: int, lang: str, *, is_test: bool, as_json: bool
) -> None:
    """Show the numbers of BROADCAST (its id) as they are now. A hyphen means: cannot be known."""
    from store.reader import Reader
    from store.report import build_report

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        number = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring().broadcast_number(tenant, broadcast)
        reader = Reader(env)
        found = reader.broadcast(tenant, number)
        if found is None:
            raise OperatorError(f"Tenant {tenant} has no broadcast {broadcast!r}.", exits.DATA)
        report = build_report(
            reader.counts(tenant, number, is_test=is_test),
            found,
            last_attempt_us=reader.last_attempt_us(tenant),
            now_us=time.time_ns() // 1_000,
        )
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _show(report, lang)


def _show(report: Report, language: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from console.labels import labels

    words = labels(language)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in asdict(report).items():
        if isinstance(value, bool):
            continue
        if not isinstance(value, dict):
            table.add_row(words[name], "-" if value is None else f"{value:,}")
            continue
        for part, amount in value.items():
            if amount:
                shown = f"{amount:.{_RATES_DIGITS}%}" if isinstance(amount, float) else f"{amount:,}"
                table.add_row(f"  {words[name]}: {words.get(part, part)}", shown)
    Console(highlight=False).print(table)
