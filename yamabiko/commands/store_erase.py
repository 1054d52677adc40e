"""``yamabiko store erase``: forget people, and what was kept long enough."""

from __future__ import annotations

import click

from yamabiko import exits
from yamabiko.open_store import exclusively
from yamabiko.operator_error import OperatorError, friendly, load_settings


@click.command("erase", short_help="Forget people, and what is over its retention.")
@click.option("--address", "addresses", multiple=True, help="Somebody to forget; may be given several times.")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.pass_context
def erase_command(context: click.Context, addresses: tuple[str, ...], tenant: int) -> None:
    """Forget the people given, those wished for by POST /v1/erasures, and what is over its retention.

    Addresses, names, machines' addresses, words and raw mails of theirs are taken out of every fact, and the data is
    written anew, so that no free page keeps anything. Figures stay, and so does suppression: it knows people by a keyed
    number only. Files of exports made before, in HOME/exports, go too. The server must not be running; it takes as much
    free space as the data has.

    Backups made before still hold what they held: make a new one and destroy the old.
    """
    from model.address import Address
    from model.errors import AddressError
    from yamabiko import key_file
    from yamabiko.forgetting import forget
    from yamabiko.key_file import KeyFile

    settings = load_settings(context)
    with friendly(), exclusively(settings):
        keys = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring()
        try:
            people = [(tenant, keys.recipient_number(tenant, Address.parse(text).folded)) for text in addresses]
        except AddressError as error:
            raise OperatorError(f"--address: {error}.", exits.USAGE) from error
        report, exports = forget(settings.data, settings.exports, people, "command line")
    click.echo(f"{report.people} people forgotten; {report.changed:,} of {report.facts:,} facts written anew without.")
    if exports:
        click.echo(f"{exports} files of exports that may have had them were removed.")
    if report.changed:
        click.echo("Backups made before hold them still: make a new one and destroy the old.")
