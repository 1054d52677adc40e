"""Errors the operator can mend: one line of text and an exit code, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from config.settings import Settings, load
from yamabiko import exits
from yamabiko.private_files import SecretsError


class OperatorError(click.ClickException):
    """What went wrong and what to do, with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        """``code`` is one of yamabiko.exits."""
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click calls it a class variable, and reads it here


def load_settings(context: click.Context) -> Settings:
    """Return the settings the command line asks for. Raises SettingsError."""
    config: str | None = context.find_root().obj
    return load(Path(config) if config else None)


@contextmanager
def friendly() -> Iterator[None]:
    """Turn the errors of secrets and store into OperatorErrors."""
    from store.errors import (
        BackupError,
        StoreCorruptError,
        StoreError,
        StoreFileError,
        StorePathError,
        StoreVersionError,
    )

    try:
        yield
    except SecretsError as error:
        raise OperatorError(str(error), exits.CONFIG) from error
    except (BackupError, StoreCorruptError, StoreFileError) as error:
        raise OperatorError(str(error), exits.DATA) from error
    except (StorePathError, StoreVersionError) as error:
        raise OperatorError(str(error), exits.CONFIG) from error
    except StoreError as error:
        raise OperatorError(str(error), exits.TEMPORARY) from error
