"""What running processes leave in HOME/run: the lock, the ports, the status, the settings in force."""

from __future__ import annotations

import fcntl
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

LOCK = "serve.lock"
STATUS = "status.json"
SETTINGS = "settings.json"
METRICS = "metrics"
#: there while somebody waits to be forgotten (yamabiko.forgetting)
ERASURES = "erasures"
#: what stands for the rules that were found good last (yamabiko.good_rules)
GOOD_RULES = "good-rules"
#: there from a start that followed no clean end until the store was looked through (yamabiko.scrub_watch)
UNCLEAN = "unclean"
#: what the last look through the store found
SCRUB = "scrub.json"
_log = logging.getLogger(__name__)


class AlreadyRunningError(Exception):
    """Another ``serve`` works in the same home."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """How one worker is."""

    name: str
    pid: int | None
    ready: bool
    #: seconds since its last heartbeat
    silent_s: float
    restarts: int
    problems: dict[str, str]


class Status(msgspec.Struct, frozen=True):
    """How the supervisor and its workers are; written about once a second."""

    pid: int
    #: seconds since 1970-01-01 UTC
    at: float
    #: ``starting``, ``running`` or ``draining``
    state: str
    workers: tuple[WorkerStatus, ...]
    #: what was wrong at the last reload; empty when nothing
    problem: str = ""
    #: processes that wait to step in
    spares: int = 0


@dataclass(slots=True)
class Lock:
    """Held while serving; the kernel frees it when the process ends, however it ends."""

    descriptor: int

    @classmethod
    def take(cls, run: Path) -> Lock:
        """Take the lock of directory ``run``. Raises AlreadyRunningError naming who has it."""
        descriptor = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise AlreadyRunningError(
                f"A server is already running in {run.parent} (process {holder or 'unknown'}). "
                "Stop it first, or give this one its own --home."
            ) from error
        _write_pid(descriptor)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self.descriptor)


def _write_pid(descriptor: int) -> None:
    pid = b"%d\n" % os.getpid()
    try:
        # Over what is there before it is cut: a full disk has no other room (D5).
        os.pwrite(descriptor, pid, 0)
        os.ftruncate(descriptor, len(pid))
    except OSError:
        return  # the lock holds all the same; only its holder is not named


def is_running(run: Path) -> bool:
    """Return whether a server holds the lock of directory ``run``."""
    try:
        descriptor = os.open(run / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def note_start(run: Path) -> None:
    """Note that the server starts: a status left behind tells that it came to no clean end before (D11)."""
    if (run / STATUS).exists():
        try:
            (run / UNCLEAN).touch(mode=0o600)
        except OSError as error:  # a full disk: the data is looked through when its time comes
            _log.warning("that there was no clean end is not noted", extra={"problem": error.strerror})


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` at once by ``value`` as JSON, mode 0600.

    Raises OSError, but not where ``path`` says the same already: a server starts anew on a full disk (D5).
    """
    temporary, content = path.with_name(f".{path.name}.new"), msgspec.json.encode(value) + b"\n"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        if not _says(path, content):
            raise


def _says(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def read_status(run: Path) -> Status | None:
    """Return what the supervisor last wrote; None when it wrote nothing readable."""
    try:
        return msgspec.json.decode((run / STATUS).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None


class _Address(msgspec.Struct, frozen=True):
    host: str
    port: int


def read_port(file: Path) -> int:
    """Return the port written down in ``file``. Raises OSError when there is none, ValueError when it is spoilt."""
    return msgspec.json.decode(file.read_bytes(), type=_Address).port
