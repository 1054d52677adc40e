"""``yamabiko serve``: check everything that can be checked beforehand, then supervise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from config.settings import Settings
from yamabiko import exits, logs
from yamabiko.first_start import prepare_home
from yamabiko.forgetting import forget_wished
from yamabiko.good_rules import check_rules
from yamabiko.listening import ListenError
from yamabiko.operator_error import OperatorError, friendly, load_settings
from yamabiko.run_files import AlreadyRunningError, Lock
from yamabiko.token_file import ADMIN_FILE_NAME


@click.command("serve")
@click.pass_context
def serve_command(context: click.Context) -> None:
    """Run the server until SIGTERM: mail, tracker and console, each in processes of their own.

    The first start makes HOME with signing keys and an administrator's API token. Log lines go to standard
    error as JSON. What listens where is in HOME/run/{smtp,tracker,console}.json; /healthz and /metrics are on
    the console's port.

    \b
    SIGTERM, SIGINT   drain: finish what was begun, then exit 0; a second one ends at once
    SIGHUP            read settings, rules, secrets and certificates again
    """  # noqa: D301 - click takes \b as a real backspace
    settings = load_settings(context)
    with friendly():
        made = prepare_home(settings)
    try:
        lock = Lock.take(settings.run)
    except AlreadyRunningError as error:
        raise OperatorError(str(error), exits.UNAVAILABLE) from error
    try:
        _greet(settings, made)
        _set_up_logs(settings)
        forget_wished(settings, lock)
        code = asyncio.run(_supervise(settings, context))
    except ListenError as error:
        raise OperatorError(str(error), exits.UNAVAILABLE) from error
    finally:
        lock.release()
    context.exit(code)


async def _supervise(settings: Settings, context: click.Context) -> int:
    from yamabiko.supervisor import Supervisor

    return await Supervisor(settings, lambda: load_settings(context)).run(lambda: check_rules(settings))


def _set_up_logs(settings: Settings) -> None:
    path = Path(settings.logging.file) if settings.logging.file else None
    try:
        logs.set_up("supervisor", settings.logging.level, path)
    except OSError as error:
        raise OperatorError(f"logging.file: {path}: {error.strerror}.", exits.CANNOT_CREATE) from error


def _greet(settings: Settings, made: list[Path]) -> None:
    for path in made:
        if path.name == ADMIN_FILE_NAME:
            click.echo(f"The administrator's API token is in {path}. Keep it, then delete the file.", err=True)
        else:
            click.echo(f"Made {path}. Back up {settings.secrets}, apart from the data.", err=True)
