"""``yamabiko unmatched``: mails that came back without proof of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from yamabiko.json_line import json_line
from yamabiko.open_store import open_store
from yamabiko.operator_error import friendly, load_settings

if TYPE_CHECKING:
    from model.fact import Fact
    from store.reader import Reader

_PAGE = 200


@click.command("unmatched")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.pass_context
def unmatched_command(context: click.Context, tenant: int) -> None:
    """Print mails that came back without proof of ours, one JSON object a line: unverified, never counted."""
    from console.unmatched import unmatched_of
    from store.reader import Reader

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        for fact in _facts(Reader(env), tenant):
            shown = unmatched_of(fact)
            fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
            click.echo(json_line(fields, lambda at: at.isoformat()))


def _facts(reader: Reader, tenant: int) -> Iterator[Fact]:
    after = None
    while True:
        page = reader.unmatched(tenant, after=after, limit=_PAGE)
        yield from page.rows
        after = page.after
        if after is None:
            return
