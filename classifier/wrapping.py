"""Undoes the wrapping of sentences, so that a phrase is found across the end of a line. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

# A line ends in the midst of a sentence, and the next begins with a word. One with a sign that addresses, fields and
# file names have begins something of its own.
_WRAPPED = re.compile(r"\n(?<=[\w,)\"'»”]\n)(?=([^\W\d_])[^\s@:=/|_]{0,30}(?:[ \n]|\Z))")
#: How long a line is before it is wrapped.
_LONG = 50


@lru_cache(maxsize=4)
def unwrapped(text: str) -> str:
    """Return ``text`` with the lines of a sentence joined; lines that begin with an address stay as they are."""
    if " \n" in text:
        text = text.replace(" \n", "\n")
    pieces: list[str] = []
    done = 0
    for match in _WRAPPED.finditer(text):
        end = match.start()
        if not match[1].islower():
            line = text[text.rfind("\n", 0, end) + 1 : end]
            if len(line) < _LONG or "@" in line:
                # Whether a title or a sentence begins there, nobody can tell.
                continue
        pieces.append(text[done:end])
        done = end + 1
    pieces.append(text[done:])
    return " ".join(pieces)
