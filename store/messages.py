"""Messages of failure without what makes each one different, so that equal ones can be counted (K20, P03)."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

_MAX_CHARS = 200
# Each pattern begins with a class of characters, so that a search skips to the next place where it may match, or is
# searched only where a character stands that it needs: every failure comes through here.
_RUN = r"[^\s<>\"'()\[\],;:]"
_ADDRESS = re.compile(rf"(?<!{_RUN}){_RUN}+@{_RUN}+")
_URL = re.compile(r"https?://\S+")
_IPV4 = re.compile(r"\d(?<=\b\d)\d{0,2}(?:\.\d{1,3}){3}\b")
_IPV6 = re.compile(r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}")
#: Names of queue entries and sessions: long, with digits among letters.
_NAME = re.compile(r"\b(?=[\w\-]{8})(?=[\w.\-]*\d)(?=[\w.\-]*[A-Za-z])[\w\-]{8,}(?:\.[\w\-]+)*\b")
_NUMBER = re.compile(r"\d(?<=\b\d)\d{4,}\b")
_DIGIT = re.compile(r"\d")


@lru_cache(maxsize=4_096)
def normalise_message(text: str) -> str:
    """Return at most 200 characters of ``text`` with addresses, hosts' numbers and identifiers replaced."""
    text = text[: 2 * _MAX_CHARS]
    if "@" in text:
        text = _ADDRESS.sub("<address>", text)
    if "://" in text:
        text = _URL.sub("<url>", text)
    has_digits = _DIGIT.search(text) is not None
    if has_digits and text.count(".") > 2:
        text = _IPV4.sub("<ip>", text)
    if text.count(":") > 2:
        text = _IPV6.sub("<ip>", text)
    if has_digits:
        text = _NUMBER.sub("<number>", _NAME.sub("<id>", text))
    return " ".join(text.split())[:_MAX_CHARS]


def message_number(text: str) -> int:
    """Return the number that equal messages share; 0 for none."""
    return _number_of(normalise_message(text)) if text else 0


@lru_cache(maxsize=4_096)
def _number_of(message: str) -> int:
    return int.from_bytes(blake2b(message.encode("utf-8", "replace"), digest_size=8).digest(), "big")
