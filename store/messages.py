"""Messages of failure without what makes each one different, so that equal ones can be counted (K20, P03)."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

_MAX_CHARS = 200
_REPLACED = (
    (re.compile(r"[^\s<>\"'()\[\],;:]+@[^\s<>\"'()\[\],;:]+"), "<address>"),
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "<ip>"),
    (re.compile(r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}"), "<ip>"),
    # Names of queue entries and sessions: long, with digits among letters.
    (re.compile(r"\b(?=[\w.\-]*\d)(?=[\w.\-]*[A-Za-z])[\w\-]{8,}(?:\.[\w\-]+)*\b"), "<id>"),
    (re.compile(r"\b\d{5,}\b"), "<number>"),
    (re.compile(r"\s+"), " "),
)


@lru_cache(maxsize=4_096)
def normalise_message(text: str) -> str:
    """Return at most 200 characters of ``text`` with addresses, hosts' numbers and identifiers replaced."""
    text = text[: 2 * _MAX_CHARS]
    for pattern, word in _REPLACED:
        text = pattern.sub(word, text)
    return text.strip()[:_MAX_CHARS]


def message_number(text: str) -> int:
    """Return the number that equal messages share; 0 for none."""
    if not text:
        return 0
    return int.from_bytes(blake2b(normalise_message(text).encode("utf-8", "replace"), digest_size=8).digest(), "big")
