"""A file that running processes follow: read again when it changes, kept as it was when the change is no good."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from yamabiko.private_files import SecretsError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class LiveFile(Generic[_T]):
    """The value a secret file had when it was last in order. Call ``refresh`` often; it is one stat."""

    def __init__(self, path: Path, read: Callable[[Path], _T]) -> None:
        """Read ``path`` with ``read``. Raises SecretsError when that does."""
        self._path = path
        self._read = read
        self._signature = _signature(path)
        self.value = read(path)
        #: why the file as it is now is not in force; empty when it is
        self.problem = ""

    def refresh(self) -> bool:
        """Read the file again if it changed; returns whether ``value`` is a new one."""
        signature = _signature(self._path)
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            self.value = self._read(self._path)
        except SecretsError as error:
            self.problem = str(error)
            _log.error("secret file refused", extra={"file": self._path.name, "problem": self.problem})
            return False
        self.problem = ""
        _log.info("secret file read again", extra={"file": self._path.name})
        return True


def _signature(path: Path) -> tuple[int, ...] | None:
    """Return what changes when the file does; a rename over it always changes the inode."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_ctime_ns)
