"""``yamabiko suppressions``: who is not mailed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from yamabiko.open_store import open_store
from yamabiko.operator_error import friendly, load_settings

if TYPE_CHECKING:
    from store.reader import Reader, SuppressionRow

_PAGE = 500


@click.group("suppressions")
def suppressions_group() -> None:
    """Who is not mailed, and why. Lifting one: DELETE /v1/suppressions/{recipient}/{kind}, see docs/api.md."""


@suppressions_group.command("list")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.option("--kind", type=click.Choice(["bounce", "complaint", "block", "unsubscribe", "soft"]))
@click.pass_context
def list_command(context: click.Context, tenant: int, kind: str | None) -> None:
    """Print what holds now, one JSON object a line."""
    from console.suppressions import shown
    from store.reader import Reader

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        for row in _rows(Reader(env), tenant):
            entry = shown(row)
            if kind is None or entry.kind == kind:
                fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
                click.echo(json.dumps(fields, default=lambda at: at.isoformat(), ensure_ascii=True))


def _rows(reader: Reader, tenant: int) -> Iterator[SuppressionRow]:
    now_us, after = time.time_ns() // 1_000, None
    while True:
        page = reader.suppressions(tenant, after=after, limit=_PAGE, now_us=now_us)
        yield from page.rows
        after = page.after
        if after is None:
            return
