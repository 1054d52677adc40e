"""What ``yamabiko serve`` does: look at everything that can be looked at beforehand, then supervise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from config.settings import Settings
from yamabiko import exits, logs
from yamabiko.first_start import prepare_home
from yamabiko.forgetting import forget_wished
from yamabiko.good_rules import check_rules
from yamabiko.listening import ListenError
from yamabiko.operator_error import OperatorError, friendly
from yamabiko.run_files import AlreadyRunningError, Lock
from yamabiko.spares import Spares
from yamabiko.supervisor import Supervisor
from yamabiko.token_file import ADMIN_FILE_NAME


def serve(settings: Settings, spares: Spares, reload_settings: Callable[[], Settings]) -> int:
    """Serve until told to stop; returns the exit code.

    Arguments: ``spares`` may hold some that were begun already; ``reload_settings`` reads the settings anew at SIGHUP.
    Raises OperatorError for what the operator can mend.
    """
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
        supervisor = Supervisor(settings, spares, reload_settings)
        return asyncio.run(supervisor.run(lambda: check_rules(settings)))
    except ListenError as error:
        raise OperatorError(str(error), exits.UNAVAILABLE) from error
    finally:
        lock.release()


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
