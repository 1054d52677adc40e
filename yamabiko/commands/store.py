"""``yamabiko store``: look after the data."""

from __future__ import annotations

import json
from pathlib import Path

import click

from yamabiko import exits
from yamabiko.commands.store_erase import erase_command
from yamabiko.open_store import exclusively, open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings


@click.group("store")
def store_group() -> None:
    """Look after the data: verify, scrub, back up, restore, compact, rebuild, erase.

    stat, verify, scrub and backup may be used while the server runs; restore, compact, rebuild and erase may not.
    A backup holds no secrets: back up HOME/secrets apart from it.
    """


@store_group.command("stat")
@click.pass_context
def stat_command(context: click.Context) -> None:
    """Print sizes and numbers of records as JSON."""
    from store.maintenance import stat

    with friendly(), open_store(load_settings(context), read_only=True) as env:
        click.echo(json.dumps(stat(env), indent=2))


@store_group.command("verify", short_help="Check every checksum, fold all facts anew and compare.")
@click.pass_context
def verify_command(context: click.Context) -> None:
    """Check every checksum, fold all facts anew and compare. Exit code 65 when something is wrong.

    Works on a copy of one moment, so it needs as much free space as the data has.
    """
    import tempfile

    from store.maintenance import CHECKED, snapshot
    from store.verify import verify

    settings = load_settings(context)
    with (
        friendly(),
        open_store(settings, read_only=True) as env,
        tempfile.TemporaryDirectory(prefix=CHECKED, dir=settings.home) as folder,
    ):
        copy = snapshot(env, Path(folder) / "data")
        try:
            found = verify(copy)
        finally:
            copy.close()
    for first in found.corrupt:
        click.echo(f"spoilt: the chunk of facts that begins with number {first}")
    for difference in found.differences:
        click.echo(f"differs: {difference.database} {difference.key}")
        click.echo(f"  stored: {difference.stored}\n  folded: {difference.folded}")
    if not found.is_sound:
        remedy = "Restore a backup." if found.corrupt else "`yamabiko store rebuild` folds all facts anew."
        raise OperatorError(f"The store is not sound. {remedy}", exits.DATA)
    click.echo(f"{found.facts:,} facts: sound.")


@store_group.command("scrub", short_help="Read every row once, in search of damage.")
@click.pass_context
def scrub_command(context: click.Context) -> None:
    """Look through all data for damage, row by row, and print what was found as JSON. Exit code 65 when there is any.

    A running server does so by itself every store.scrub_hours. verify finds more, but needs much longer and a copy.
    """
    from store.scrub import scrub

    with friendly(), open_store(load_settings(context), read_only=True) as env:
        found = scrub(env, lambda _rows: None)
    first = [damage._asdict() for damage in found.first]
    click.echo(json.dumps({"rows": found.rows, "damaged": found.damaged, "first": first}, indent=2))
    if found.damaged:
        raise OperatorError("The store is damaged. `yamabiko store verify` says how to mend it.", exits.DATA)


@store_group.command("backup", short_help="Copy the data of one moment into a new directory.")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_context
def backup_command(context: click.Context, target: Path) -> None:
    """Write a copy of one moment, with a manifest, into the new directory TARGET."""
    from store.maintenance import backup

    with friendly(), open_store(load_settings(context), read_only=True) as env:
        click.echo(json.dumps(backup(env, target), indent=2))


@store_group.command("restore", short_help="Put a backup back as the data.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_context
def restore_command(context: click.Context, source: Path) -> None:
    """Put the backup in SOURCE back as the data, after checking that it is whole."""
    from store.maintenance import restore

    settings = load_settings(context)
    with friendly(), exclusively(settings):
        click.echo(json.dumps(restore(source, settings.data), indent=2))


@store_group.command("compact")
@click.pass_context
def compact_command(context: click.Context) -> None:
    """Write the data anew without the room that became free."""
    from store.maintenance import compact

    settings = load_settings(context)
    with friendly(), exclusively(settings):
        before, after = compact(settings.data)
    click.echo(f"{before:,} octets before, {after:,} after.")


@store_group.command("rebuild", short_help="Fold all facts anew into a fresh store.")
@click.pass_context
def rebuild_command(context: click.Context) -> None:
    """Fold all facts anew into a fresh store; the old one stays until the new one is whole."""
    from store.maintenance import rebuild

    settings = load_settings(context)
    with friendly(), exclusively(settings):
        click.echo(f"{rebuild(settings.data):,} facts folded anew.")


store_group.add_command(erase_command)
