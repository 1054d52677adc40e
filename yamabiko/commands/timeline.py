"""``yamabiko timeline``: everything that happened to one recipient of a broadcast."""

from __future__ import annotations

import click

from model.address import Address
from model.errors import AddressError
from model.fact import DeliveryKey
from yamabiko import exits, key_file
from yamabiko.json_line import json_line
from yamabiko.key_file import KeyFile
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings


@click.command("timeline")
@click.argument("broadcast")
@click.argument("address")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.option("--test", "is_test", is_flag=True, help="The test send.")
@click.pass_context
def timeline_command(context: click.Context, broadcast: str, address: str, tenant: int, *, is_test: bool) -> None:
    """Show what happened to ADDRESS in BROADCAST (its id), oldest first."""
    from console.reports import event_of
    from store.reader import Reader

    settings = load_settings(context)
    try:
        folded = Address.parse(address).folded
    except AddressError as error:
        raise OperatorError(f"{address}: {error}.", exits.DATA) from error
    with friendly(), open_store(settings, read_only=True) as env:
        keys = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring()
        number = keys.broadcast_number(tenant, broadcast)
        key = DeliveryKey(tenant, number, keys.recipient_number(tenant, folded))
        facts = Reader(env).timeline(key, is_test=is_test)
    if not facts:
        raise OperatorError(f"Nothing is known of {address} in broadcast {broadcast!r}.", exits.DATA)
    for event in map(event_of, facts):
        # What servers said comes from outside: shown as JSON, which no terminal obeys.
        said = json_line(event.detail)
        click.echo(f"{event.at.isoformat(timespec='seconds')}  {event.type:<14} {said if said != '{}' else ''}")
    click.echo(f"recipient {key.recipient:016x}", err=True)
