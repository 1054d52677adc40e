"""The store for a command: opened for the time of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings
from store.environment import Environment, wait_until_closed
from yamabiko import exits, run_files
from yamabiko.key_file import FILE_NAME
from yamabiko.operator_error import OperatorError
from yamabiko.private_files import refuse_other_user

_GIB = 1024**3


@contextmanager
def open_store(settings: Settings, *, read_only: bool = False) -> Iterator[Environment]:
    """Open the store of ``settings``. Raises StoreError and its kin, OperatorError where no server ever ran."""
    if read_only and not settings.data.is_dir():
        raise OperatorError(
            f"there is no store in {settings.data}. Is --home right? `yamabiko serve` makes a store.", exits.CONFIG
        )
    env = Environment(settings.data, map_size=settings.store.map_size_gib * _GIB, read_only=read_only)
    try:
        yield env
    finally:
        env.close()


@contextmanager
def exclusively(settings: Settings) -> Iterator[None]:
    """Keep servers out while the block runs; what killed commands of this kind left is removed before.

    Raises OperatorError when one is running, StoreError when another process has the data open, SecretsError when the
    data is another user's.
    """
    from store.maintenance import remove_left_over

    # Whoever has the keys runs the server, and is to have the data that takes the place of the old.
    refuse_other_user(settings.secrets / FILE_NAME)
    settings.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = run_files.Lock.take(settings.run)
    except run_files.AlreadyRunningError as error:
        raise OperatorError(
            f"A server is running in {settings.home}; stop it first. Nothing was changed.", exits.UNAVAILABLE
        ) from error
    try:
        # Workers of a server that was killed, an export, another command: they end soon, or are to be ended.
        wait_until_closed(settings.data)
        remove_left_over(settings.data)
        yield
    finally:
        lock.release()
