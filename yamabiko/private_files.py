"""Files nobody else may read: made 0600 in a 0700 directory, refused when group or world can read them (T19)."""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretsError(Exception):
    """A secret file cannot be used. The text names file and remedy."""


def make_directory(directory: Path) -> None:
    """Make ``directory`` 0700 when it is missing. Raises SecretsError when others can look into it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SecretsError(f"{directory} cannot be made: {error.strerror}.") from error
    _refuse_shared(directory, "700")


def read(path: Path) -> bytes:
    """Return the content of ``path``. Raises SecretsError when it is missing, shared or unreadable."""
    try:
        with path.open("rb") as file:
            _refuse_shared(path, "600", file.fileno())
            return file.read()
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}.") from error


def write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` at once and durably, mode 0600.

    Raises SecretsError when it cannot, or when ``path`` is another user's, who could not read what comes in its place.
    """
    refuse_other_user(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SecretsError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other commands from changing the files of ``directory`` while the block runs.

    What a killed one had begun to write is removed before.
    Raises SecretsError when it is missing or somebody else's.
    """
    if not directory.is_dir():
        raise SecretsError(f"{directory} is not there. Is --home right? `yamabiko serve` makes it.")
    try:
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SecretsError(f"{directory} cannot be locked: {error.strerror}. Is it yours?") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for begun in directory.glob(".*.new"):
            begun.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def refuse_other_user(path: Path) -> None:
    """Raise SecretsError when ``path`` is there and another user's.

    Root may do everything, and leaves files behind that whoever runs the server cannot open.
    """
    try:
        owner = path.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        user = _name_of(owner)
        raise SecretsError(f"{path} is {user}'s, who could not read it any more. Run this as {user}: sudo -u {user} …")


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"  # as sudo takes it


def _refuse_shared(path: Path, mode: str, descriptor: int | None = None) -> None:
    found = os.stat(path if descriptor is None else descriptor).st_mode
    if found & _OTHERS:
        raise SecretsError(
            f"{path} may be read or entered by others (mode {stat.S_IMODE(found):o}). "
            f"If nobody did, run: chmod {mode} {path}. If somebody may have, rotate and revoke the keys as well."
        )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
