"""Mails that were read wait a moment for those about to end, so that the store takes them together.

What a commit costs is for the most part the same for one mail and for twenty, and a thread that folds while the loop
reads on costs both of them more (docs/performance.md). A mail waits only while other messages are under way, and not
for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Gathering:
    """The mails of one server that were read and not handed to its store yet."""

    def __init__(self, wait_s: float) -> None:
        """``wait_s``: longest wait of a mail, in seconds."""
        self._wait_s = wait_s
        #: messages begun (MAIL) that have not come to their end
        self._under_way = 0
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def begin_message(self) -> None:
        """Note that a message is under way."""
        self._under_way += 1

    def end_message(self) -> None:
        """Note that a message has come to its end, or never will."""
        self._under_way -= 1

    def add(self, hand_in: Callable[[], None]) -> None:
        """Have ``hand_in`` called, which must not raise: at once if no message is under way, else with others."""
        self._waiting.append(hand_in)
        if not self._under_way:
            self._hand_in_all()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._hand_in_all)

    def _hand_in_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for hand_in in waiting:
            hand_in()
