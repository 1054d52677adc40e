"""``yamabiko webhooks``: how they stand, read from the store, so also while the server is down."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from yamabiko.json_line import json_line
from yamabiko.open_store import open_store
from yamabiko.operator_error import friendly, load_settings


@click.group("webhooks")
def webhooks_group() -> None:
    """How webhooks stand. Making and mending them is the API's, see docs/webhooks.md."""


@webhooks_group.command("list", short_help="Print every webhook of every tenant.")
@click.pass_context
def list_command(context: click.Context) -> None:
    """Print every webhook of every tenant, one JSON object a line; without their secrets."""
    from console.outgoing.dispatcher import load
    from console.outgoing.documents import ReadDocuments
    from store.feed import Feed
    from store.reader import Reader

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        head = Feed(env).head()
        for tenant, endpoint, state in load(ReadDocuments(Reader(env))):
            row = {
                "tenant": tenant,
                "id": endpoint.id,
                "url": endpoint.url,
                "events": list(endpoint.types),
                "broadcast": endpoint.broadcast_id,
                "description": endpoint.description,
                "standing": state.standing,
                "cursor": state.cursor,
                "behind": max(head - state.cursor, 0),
                "waiting": len(state.parked),
                "failing_since": _time(state.failing_since),
                "disabled_why": state.disabled_why,
                "last_status": state.last_status,
                "last_problem": state.last_problem,
            }
            click.echo(json_line(row))


def _time(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat()
