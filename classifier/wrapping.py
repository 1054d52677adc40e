"""Undoes the wrapping of sentences, so that a phrase is found across the end of a line. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

# A word with a sign that addresses, fields and file names have begins something of its own.
_GOES_ON = r"[^\s@:=/|_]{0,30}(?:[ \n]|\Z)"
# A line goes on where it ends in the midst of a sentence and the next begins with a small letter ...
_WRAPPED = re.compile(rf"(?<=[\w,)\"'»”])[ \t]{{0,4}}\n(?=[a-zà-öø-ÿ]{_GOES_ON})")
# ... or with any letter, where the line is as long as lines become before they are wrapped.
_WRAPPED_LONG = re.compile(rf"^([^\n@|]{{49,100}}[\w,)\"'»”])[ \t]{{0,4}}\n(?=[^\W\d_]{_GOES_ON})", re.MULTILINE)
_LONG = 50


@lru_cache(maxsize=4)
def unwrapped(text: str) -> str:
    """Return ``text`` with the lines of a sentence joined; lines that begin with an address stay as they are."""
    text = _WRAPPED.sub(" ", text)
    return _WRAPPED_LONG.sub(r"\1 ", text) if len(text) > _LONG else text
