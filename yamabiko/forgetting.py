"""Before the server serves: forget whom it was asked to forget (N14), in a process of its own.

The data is written anew for that, so nobody may have it open: of what a server does by itself only its start is such a
moment. A mark in HOME/run says that there is something to do, so that a start without it loses no time; the console
keeps the mark. Whatever goes wrong here the server starts: the wish stays, and the log says why.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from yamabiko import exits, logs, notify, run_files

if TYPE_CHECKING:
    from store.erasure import ErasureReport

_MIB = 2**20
_TICK_S = 10.0
#: What a service manager is told at each tick: it takes so much longer (sd_notify).
_LONGER = "EXTEND_TIMEOUT_USEC=60000000"
_log = logging.getLogger("yamabiko.forgetting")


def forget_wished(settings: Settings, lock: run_files.Lock) -> None:
    """Carry out the wishes of erasure there are, if the data is small enough for that; returns when it is done.

    ``lock`` is the server's: it stays held for as long as the data is being written, whatever becomes of this process.
    """
    mark = settings.run / run_files.ERASURES
    if not mark.exists():
        return
    size = _size_of(settings.data)
    if size > settings.privacy.erase_at_start_mib * _MIB:
        _log.warning(
            "people wait to be forgotten: run `yamabiko store erase`, or raise privacy.erase_at_start_mib",
            extra={"data_mib": size // _MIB},
        )
        return
    _log.info("forgetting people before serving", extra={"data_mib": size // _MIB})
    code = _run_child(settings, lock)
    if code == exits.OK:
        mark.unlink(missing_ok=True)
    else:
        _log.error("people were not forgotten; serving all the same, the wish stays", extra={"exit_code": code})


def _size_of(data: Path) -> int:
    try:
        return (data / "data.mdb").stat().st_size
    except OSError:
        return 0


def _run_child(settings: Settings, lock: run_files.Lock) -> int:
    order = [str(settings.data), str(settings.exports), settings.logging.level, settings.logging.file]
    with _ended_by_signals():
        child = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "yamabiko.forgetting", *order], pass_fds=[lock.descriptor], stdin=subprocess.DEVNULL
        )
        try:
            while True:
                try:
                    return child.wait(_TICK_S)
                except subprocess.TimeoutExpired:
                    notify.tell(_LONGER)
        finally:
            # Told to stop meanwhile: nothing is lost, the former data stays until the new one is whole.
            child.kill()
            child.wait()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGINT end this process in order, as they do while it serves."""

    def end(_number: int, _frame: object) -> None:
        raise SystemExit(exits.OK)

    former = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def forget(data: Path, exports: Path, people: Iterable[tuple[int, int]], actor: str) -> tuple[ErasureReport, int]:
    """Forget ``people`` (tenant, recipient) and those wished for; returns what was done, and how many exports went.

    Exports go first, so that somebody who is said to be forgotten is in none. Raises StoreError, OSError; nothing is
    lost then, and it may be done again.
    """
    from console.export_erasure import remove_exports
    from store.environment import Environment
    from store.erasure import erase, wished_erasures

    now_us, wanted = time.time_ns() // 1_000, set(people)
    env = Environment(data)
    try:
        tenants = {tenant for tenant, _ in wanted.union(wished_erasures(env))}
        removed = remove_exports(env, exports, tenants, now_us=now_us, actor=actor)
    finally:
        env.close()
    return erase(data, wanted, now_us=now_us, actor=actor), removed


def main() -> int:
    """Forget, in a process of its own; returns the exit code."""
    from store.environment import wait_until_closed
    from store.errors import StoreError
    from store.maintenance import remove_left_over

    data, exports, level, file = sys.argv[1:]
    logs.set_up("forgetting", level, Path(file) if file else None)
    try:
        wait_until_closed(Path(data))
        remove_left_over(Path(data))
        report, removed = forget(Path(data), Path(exports), [], "start of the server")
    except (StoreError, OSError) as error:
        _log.error("erasure failed", exc_info=error)
        return exits.UNAVAILABLE
    done = {"people": report.people, "facts": report.facts, "changed": report.changed, "exports_removed": removed}
    _log.info("people forgotten", extra=done)
    return exits.OK


if __name__ == "__main__":
    sys.exit(main())
