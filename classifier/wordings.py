"""Finds what many systems word differently, searching only for those wordings whose words are in a text. Pure.

One pattern of all wordings would be tried at every character. Each alone begins with a literal or a class of
characters, which ``re`` skips to; what must not stand before it is looked at behind that.
"""

from __future__ import annotations

import re


class Wordings:
    """Patterns, each with the words of which one stands in all it matches."""

    __slots__ = ("_rows",)

    def __init__(self, *rows: tuple[str | tuple[str, ...], str], flags: int = 0) -> None:
        """Take ``rows`` of a word, or several of which one must be there, and a pattern."""
        self._rows = [
            ((words,) if isinstance(words, str) else words, re.compile(pattern, flags)) for words, pattern in rows
        ]

    def first_in(self, text: str) -> re.Match[str] | None:
        """Return the match that begins first in ``text``, of the first row that has one there; None without any."""
        first: re.Match[str] | None = None
        for pattern in self._spoken_for(text):
            match = pattern.search(text)
            if match is not None and (first is None or match.start() < first.start()):
                first = match
        return first

    def blanked_in(self, text: str) -> str:
        """Return ``text`` with a blank in place of all matches, row by row."""
        for pattern in self._spoken_for(text):
            text = pattern.sub(_blank, text)
        return text

    def _spoken_for(self, text: str) -> list[re.Pattern[str]]:
        found: list[re.Pattern[str]] = []
        for words, pattern in self._rows:
            for word in words:
                if word in text:
                    found.append(pattern)
                    break
        return found


def _blank(_: re.Match[str]) -> str:
    # ``re`` would read a template anew each time.
    return " "
