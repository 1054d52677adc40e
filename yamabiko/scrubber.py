"""Looks through the whole store for damage (D11): ``python -m yamabiko.scrubber``, started by the console only.

A process of its own, since reading what is damaged may kill who reads it. It rests most of the time, and ends when the
console does: news that nobody reads any more stop it.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from store.environment import Environment
from store.errors import StoreError
from store.scrub import Damage, scrub
from yamabiko import exits, logs
from yamabiko.errand import take_order, tell

#: Whatever else the machine does goes first.
_NICENESS = 19
_TELL_EVERY_S = 1.0
_log = logging.getLogger("yamabiko.scrubber")


class Order(msgspec.Struct, frozen=True):
    """What to look through, and at which part of one processor."""

    data: str
    map_size: int
    share: float
    log_level: str = "info"
    log_file: str = ""


class News(msgspec.Struct, frozen=True):
    """How far it is. ``is_done`` is said once, at the end; ``first`` are the first of ``damaged`` rows."""

    rows: int = 0
    is_done: bool = False
    damaged: int = 0
    first: tuple[Damage, ...] = ()


@dataclass(slots=True)
class _Pace:
    """Rests after work, so that a share of one processor is used, and tells how far it is."""

    share: float
    news: IO[bytes]
    used_s: float = 0.0
    told_s: float = 0.0

    def rest(self, rows: int) -> None:
        """Make up for the processor time since the last rest."""
        used_s = time.process_time()
        time.sleep((used_s - self.used_s) * (1 / self.share - 1))
        self.used_s = used_s
        if time.monotonic() - self.told_s > _TELL_EVERY_S:
            self.told_s = time.monotonic()
            tell(self.news, News(rows))


def main() -> int:
    """Look through one store; returns the exit code."""
    order = take_order(Order, _NICENESS)
    if order is None:
        return exits.OK
    logs.set_up("scrub", order.log_level, Path(order.log_file) if order.log_file else None)
    news = sys.stdout.buffer
    try:
        env = Environment(Path(order.data), map_size=order.map_size, read_only=True)
        try:
            found = scrub(env, _Pace(order.share, news, time.process_time()).rest)
        finally:
            env.close()
        tell(news, News(found.rows, True, found.damaged, tuple(found.first)))
    except BrokenPipeError:
        return exits.TEMPORARY
    except (StoreError, OSError) as error:
        _log.error("the store cannot be looked through", exc_info=error)
        return exits.TEMPORARY
    return exits.OK


if __name__ == "__main__":
    sys.exit(main())
