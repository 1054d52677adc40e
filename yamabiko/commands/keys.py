"""``yamabiko keys``: the keys that sign return paths and links."""

from __future__ import annotations

import json

import click

from config.settings import Settings
from model.mint import Hosts, Mint
from yamabiko import key_file, private_files
from yamabiko.key_file import KeyFile
from yamabiko.operator_error import friendly, load_settings


@click.group("keys")
def keys_group() -> None:
    """Signing keys: list, rotate, revoke, export; the address for feedback loops.

    Running servers notice a change within two seconds. Rotating breaks nothing: what old keys signed stays
    valid. Revoking voids everything a key signed: return paths, links and unsubscribe addresses.
    """


@keys_group.command("list", short_help="Show which keys there are, never the keys themselves.")
@click.pass_context
def list_command(context: click.Context) -> None:
    """Show the keys' numbers and what they may do; never the keys."""
    with friendly():
        file = KeyFile.load(load_settings(context).secrets / key_file.FILE_NAME)
    for record in file.records:
        click.echo(f"{record.kid:>3}  {record.status.value:<8}  {record.made_at}")


@keys_group.command("rotate", short_help="Make a new key that signs from now on.")
@click.pass_context
def rotate_command(context: click.Context) -> None:
    """Make a new key that signs from now on; the former one goes on verifying."""
    file = _change(load_settings(context), None)
    click.echo(f"Key {file.current.kid} signs from now on. Back up the secrets.")


@keys_group.command("revoke")
@click.argument("kid", type=click.IntRange(0, 255))
@click.confirmation_option(prompt="Everything this key signed becomes void. Go on?")
@click.pass_context
def revoke_command(context: click.Context, kid: int) -> None:
    """Refuse everything key KID signed, from now on."""
    _change(load_settings(context), kid)
    click.echo(f"Key {kid} is revoked.")


@keys_group.command("export", short_help="Print keys for one tenant's sender.")
@click.option("--tenant", type=click.IntRange(0, 65_535), required=True, help="Whose sender will hold them.")
@click.pass_context
def export_command(context: click.Context, tenant: int) -> None:
    """Print, as JSON, what a sender needs to make return paths and links by itself.

    The keys are derived for one tenant: they sign for no other. Whoever has them can sign for that tenant.
    """
    with friendly():
        file = KeyFile.load(load_settings(context).secrets / key_file.FILE_NAME)
    click.echo(json.dumps(file.ring().for_tenant(tenant).export()))


@keys_group.command("feedback-address", short_help="Print the address for mailbox providers' feedback loops.")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True, help="Whose complaints come.")
@click.pass_context
def feedback_address_command(context: click.Context, tenant: int) -> None:
    """Print the address to register at mailbox providers' feedback loops.

    Reports of spam (ARF) that come to it suppress; those that come elsewhere are shown as unmatched and never
    counted, since anybody can write one. It stays good until the key that signs it is revoked.
    """
    settings = load_settings(context)
    with friendly():
        file = KeyFile.load(settings.secrets / key_file.FILE_NAME)
    # No URL is part of it.
    hosts = Hosts(settings.smtp.return_path_domain, tracking_origin="")
    click.echo(Mint(file.ring(), hosts).feedback_address(tenant))


def _change(settings: Settings, kid: int | None) -> KeyFile:
    """Rotate, or revoke ``kid``; returns the new file."""
    path = settings.secrets / key_file.FILE_NAME
    with friendly(), private_files.locked(settings.secrets):
        file = KeyFile.load(path)
        file = file.rotated() if kid is None else file.revoked(kid)
        file.save(path)
    return file
