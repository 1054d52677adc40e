"""``yamabiko token``: who may use the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click

from console.identity import ROLES, Role, Scope
from yamabiko import exits, private_files, token_file
from yamabiko.operator_error import OperatorError, friendly, load_settings
from yamabiko.token_file import TokenFile

_DAY_S = 86_400
#: As long as POST /v1/tokens takes them; a control character would garble ``token list``.
_MAX_NAME = 100


@click.group("token")
def token_group() -> None:
    """API tokens: create, list, revoke. Running servers notice a change within two seconds.

    \b
    Roles:  viewer    sees broadcasts and reports
            sender    also describes broadcasts, lists recipients, asks before sending
            operator  also sees recipients and what happened to them, and acknowledges errors
            admin     also lifts suppressions and sees the audit
            system_admin  also gives rights to others by making tokens over the API
    """  # noqa: D301 - click takes \b as a real backspace


@token_group.command("create")
@click.option("--name", required=True, help="Whose it is; shown in logs and kept with what it does.")
@click.option("--tenant", type=click.IntRange(1, 65_535), default=1, show_default=True)
@click.option("--role", type=click.Choice([role.value for role in Role]), help="A set of scopes.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]), help="One scope."
)
@click.option("--days", type=click.IntRange(1, 3_650), help="Expires after so many days; never unless given.")
@click.pass_context
def create_command(
    context: click.Context, name: str, tenant: int, role: str | None, scopes: tuple[str, ...], days: int | None
) -> None:
    """Make a token and print it. It is shown this once: only its digest is kept."""
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
        raise OperatorError(f"--name: 1 to {_MAX_NAME} printable characters, please.", exits.USAGE)
    granted = {*(ROLES[Role(role)] if role else ()), *map(Scope, scopes)}
    if not granted:
        raise OperatorError("Give --role or --scope: a token without scopes may do nothing.", exits.USAGE)
    settings = load_settings(context)
    path = settings.secrets / token_file.FILE_NAME
    with friendly(), private_files.locked(settings.secrets):
        file, token = TokenFile.load(path).with_new(
            name=name, tenant=tenant, scopes=tuple(sorted(granted)), lifetime_s=days * _DAY_S if days else None
        )
        file.save(path)
    click.echo(token)


@token_group.command("list", short_help="Show which tokens there are, never the tokens themselves.")
@click.pass_context
def list_command(context: click.Context) -> None:
    """Show ids, names, tenants, expiry and scopes; never the tokens."""
    with friendly():
        file = TokenFile.load(load_settings(context).secrets / token_file.FILE_NAME)
    for record in file.records:
        until = "never expires"
        if record.expires_at is not None:
            at = datetime.fromtimestamp(record.expires_at, UTC).isoformat(timespec="minutes")
            until = f"{'expired' if record.expires_at <= time.time() else 'until'} {at}"
        scopes = " ".join(record.scopes)
        click.echo(f"{record.id}  tenant {record.tenant:<5}  {until:<32}  {record.name}  [{scopes}]")


@token_group.command("revoke", short_help="Refuse tokens from now on.")
@click.argument("name_or_id")
@click.pass_context
def revoke_command(context: click.Context, name_or_id: str) -> None:
    """Refuse the tokens of that name, or the one of that id, from now on."""
    settings = load_settings(context)
    path = settings.secrets / token_file.FILE_NAME
    with friendly(), private_files.locked(settings.secrets):
        file, gone = TokenFile.load(path).without(name_or_id)
        file.save(path)
    click.echo(f"Revoked {', '.join(record.id for record in gone)}.")
