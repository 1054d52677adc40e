"""Answers that hold for a second: what is asked for every mail, and seldom changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

#: Seconds an answer holds.
HOLDS_S = 1.0
_Question = TypeVar("_Question", bound=Hashable)
_Answer = TypeVar("_Answer")


class HeldAnswer(Generic[_Question, _Answer]):
    """Asks the same question at most once a second."""

    def __init__(self, ask: Callable[[_Question], _Answer]) -> None:
        """``ask`` knows the answer as it is now. There are to be few questions: each is kept."""
        self._ask = ask
        #: by question: when it was asked, and the answer
        self._known: dict[_Question, tuple[float, _Answer]] = {}

    def __call__(self, question: _Question) -> _Answer:
        """Return the answer, as it is now or was less than a second ago. Raises what ``ask`` raises."""
        now = time.monotonic()
        known = self._known.get(question)
        if known is None or now - known[0] >= HOLDS_S:
            known = self._known[question] = (now, self._ask(question))
        return known[1]
