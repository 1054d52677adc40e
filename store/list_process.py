"""A process that stores long lists of recipients for another: folding them is all Python, and takes a core of its own.

``ListProcess`` is the end of whoever has lists to store, a Writer's thread; ``main`` is the process's own. They speak
over a socket pair: groups of facts one way, pickled; the other way an empty message for each step, word that a group
is taken in, and at last what became of it. The next group is handed over then, and read while the one before is
committed, which is waiting for the disk. The process is begun when there is a list to store and ends by itself when
there was none for a while; whatever happens to it, the Writer stores the same facts itself, and those that it had
stored after all count once.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from store.environment import Environment
from store.errors import StoreError, StoreFailedError
from store.fold import Receipt
from store.group import Facts, commit_group
from store.lifeline import end_with

_log = logging.getLogger("yamabiko.store")

#: Without a list for so long the process ends.
IDLE_S = 60.0
#: A step that takes longer is none any more: the process was stopped, or its disk stalls.
_STUCK_S = 10.0
#: It is not begun again sooner: one that cannot run must not be begun for every list.
_AGAIN_S = 10.0
#: So long it may take to end by itself when nobody has lists any more.
_END_S = 5.0
#: Octets of a message's length.
_LENGTH = 8

#: Messages of the process that are no answer: a step is done, and a group is taken in but not written yet.
_STEP = b""
_TAKEN_IN = b"taken in"

# The end of the one that has lists to store


class ListProcess:
    """The process, begun when needed. Used by one thread only."""

    def __init__(self, env: Environment, *, idle_s: float = IDLE_S) -> None:
        """``env`` is the store it writes to as well; without a list for ``idle_s`` seconds it ends."""
        self._env = env
        self._idle_s = idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._line: _Line | None = None
        self._is_ready = False
        #: where the groups went that are not finished, the oldest first
        self._handed: deque[_Line] = deque()
        #: what became of the oldest group, if it is known but was not asked for yet
        self._answer = b""
        self._begun_s = -_AGAIN_S
        #: how many groups it has stored
        self.groups = 0

    @property
    def pid(self) -> int | None:
        """The process's number; None while there is none."""
        return self._process.pid if self._process is not None else None

    def begin(self, group: Sequence[Facts]) -> bool:
        """Hand over a group behind those that are not finished yet; False where the caller has to commit it."""
        line = self._ready()
        if line is None:
            return False
        try:
            line.send(pickle.dumps(group, pickle.HIGHEST_PROTOCOL))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller does it itself
            self._give_up(error)
            return False
        self._handed.append(line)
        return True

    def wait_taken_in(self, moved: Callable[[], None]) -> None:
        """Wait until the oldest group is taken in: it is time to hand over the next.

        ``moved`` is called for each step done.
        """
        try:
            while self._has_oldest and not self._answer:
                message = self._handed[0].receive()
                moved()
                if message == _TAKEN_IN:
                    return
                self._answer = message
        except (EOFError, OSError) as error:
            self._give_up(error)

    def finish(self, moved: Callable[[], None]) -> list[Receipt] | None:
        """Wait for the oldest group; returns a receipt for each submission, or None where the caller has to commit it.

        ``moved`` is called for each step done. Raises what ``commit_group`` raises, but for StoreFailedError.
        """
        while self._has_oldest and not self._answer:
            self.wait_taken_in(moved)
        answer, self._answer = self._answer, b""
        self._handed.popleft()
        if not answer:
            return None
        try:
            result: list[Receipt] | StoreError = pickle.loads(answer)  # noqa: S301 - what our own process sends
        except Exception as error:  # noqa: BLE001 - it may even be of another version: the caller does it itself
            self._give_up(error)
            return None
        if isinstance(result, StoreError):
            raise result
        self.groups += 1
        return result

    def stop(self) -> None:
        """End the process, which has nothing under way."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        self._kill()

    @property
    def _has_oldest(self) -> bool:
        """Whether the process has the oldest group: another may have been begun since."""
        return self._handed[0] is self._line

    def _ready(self) -> _Line | None:
        """Return the line to the process if it can take a group; begins one that is not there."""
        if self._process is not None and self._process.poll() is not None:
            self._kill()
        if self._line is None:
            self._begin()
            return None
        if not self._is_ready and self._line.has_come():
            # The one message it sends unasked. If it has ended instead, the first group meets that.
            with suppress(EOFError, OSError):
                self._line.receive()
            self._is_ready = True
        return self._line if self._is_ready else None

    def _begin(self) -> None:
        now = time.monotonic()
        if now - self._begun_s < _AGAIN_S:
            return
        self._begun_s = now
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = (theirs.fileno(), os.getpid(), self._idle_s, self._env.info()["map_size"], self._env.path)
            command = [sys.executable, "-m", __name__, *map(str, arguments)]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                ours.close()
                _log.warning("the process that stores lists cannot be begun", extra={"error": str(error)})
                return
        ours.settimeout(_STUCK_S)
        self._line = _Line(ours)

    def _give_up(self, error: Exception) -> None:
        _log.warning("the process that stores lists failed", extra={"pid": self.pid, "error": repr(error)})
        self._kill()

    def _kill(self) -> None:
        """Make sure that there is none; its transaction, if any, is none then either."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._line = None
        self._is_ready = False
        self._answer = b""


class _Line:
    """One end of the socket pair: messages of any length, each behind its length."""

    def __init__(self, end: socket.socket) -> None:
        """Takes over the socket, whose timeout holds for each step of sending and receiving."""
        self._end = end
        self._stream = end.makefile("rb")

    def send(self, message: bytes) -> None:
        """Send a message. Raises OSError."""
        self._end.sendall(len(message).to_bytes(_LENGTH, "big"))
        self._end.sendall(message)

    def receive(self) -> bytes:
        """Return the next message. Raises EOFError when there is none to come, OSError."""
        length = self._stream.read(_LENGTH)
        message = self._stream.read(int.from_bytes(length, "big"))
        if len(length) < _LENGTH or len(message) < int.from_bytes(length, "big"):
            raise EOFError("the other end is gone")
        return message

    def has_come(self) -> bool:
        """Whether a message, or the end of all, has come. No message may be half read."""
        return bool(select.select([self._end], (), (), 0)[0])

    def close(self) -> None:
        """Close this end."""
        self._stream.close()
        self._end.close()


# The process's own end


def main(arguments: Sequence[str]) -> None:
    """Commit what comes over the socket, until nothing does: ``FD PARENT IDLE_S MAP_SIZE PATH``."""
    fd, parent, idle_s, map_size, path = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Stopped while it holds the lock on the store it would not notice that the other end is gone.
    if not end_with(int(parent), signal.SIGKILL):
        return
    env = Environment(Path(path), map_size=int(map_size))
    line = _Line(socket.socket(fileno=int(fd)))
    # As in a worker.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    line.send(_STEP)
    groups: queue.SimpleQueue[Sequence[Facts] | None] = queue.SimpleQueue()
    folding = threading.Lock()
    threading.Thread(target=_read, args=(line, groups, folding), name="groups", daemon=True).start()
    with suppress(queue.Empty, BrokenPipeError, ConnectionResetError):
        while (group := groups.get(timeout=float(idle_s))) is not None:
            line.send(pickle.dumps(_result_of(env, group, line, folding)))
    env.close()


def _read(line: _Line, groups: queue.SimpleQueue[Sequence[Facts] | None], folding: threading.Lock) -> None:
    """Read groups while nothing is folded, mostly while the one before is committed; None when no more will come.

    What cannot be read ends the process as well: the other end then stores it itself.
    """
    try:
        with suppress(EOFError, ConnectionResetError):
            while True:
                message = line.receive()
                with folding:
                    groups.put_nowait(cast(Sequence[Facts], pickle.loads(message)))  # noqa: S301 - what began us sends
    finally:
        groups.put_nowait(None)


def _result_of(
    env: Environment, group: Sequence[Facts], line: _Line, folding: threading.Lock
) -> list[Receipt] | StoreError:
    try:
        return commit_group(
            env, group, moved=lambda: line.send(_STEP), taken_in=lambda: line.send(_TAKEN_IN), folding=folding
        )
    except StoreFailedError:
        raise  # only an end of this process helps, and the other end then does it itself
    except StoreError as error:
        return error


if __name__ == "__main__":
    main(sys.argv[1:])
