"""The few header fields the mail server itself looks at, and the identity of a mail. Pure.

Not a mail parser: the classifier reads mails. This must give the same answer for a mail whatever way it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

#: octets of a header that are looked at (S19)
MAX_HEADER = 256 * 1024
MAX_FIELDS = 1_000

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)\Z", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
# mbox files put ">" before a line that starts with "From ", some once, some each time.
_MBOX_QUOTED = re.compile(rb"^>+(?=From )", re.MULTILINE)
_FROM_LINE = re.compile(rb"\A(?:>*From [^\n]*\n)+")


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields of a mail in their order: names in lower case, values unfolded."""

    fields: tuple[tuple[str, str], ...]

    def first(self, name: str) -> str | None:
        """Return the first value of ``name`` (lower case), or None."""
        return next((value for key, value in self.fields if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every value of ``name`` (lower case)."""
        return [value for key, value in self.fields if key == name]


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return header and body of a mail, without a leading mbox ``From `` line; the body may be empty."""
    start = _FROM_LINE.match(content)
    at = start.end() if start else 0
    if content[at : at + 1] == b"\n" or content[at : at + 2] == b"\r\n":
        return b"", content[at:].lstrip(b"\r\n")
    # Two searches at C speed; a pattern would take its time over a large mail without an empty line.
    ends = [(content.find(mark, at), len(mark)) for mark in (b"\n\n", b"\n\r\n")]
    end, length = min((found for found in ends if found[0] >= 0), default=(-1, 0))
    return (content[at:], b"") if end < 0 else (content[at:end], content[end + length :])


def parse_headers(header: bytes) -> Headers:
    """Read the fields of ``header``; malformed lines are skipped, octets that are no UTF-8 become surrogates."""
    fields: list[tuple[str, str]] = []
    for line in _FOLD.sub(b"", header[:MAX_HEADER]).split(b"\n")[:MAX_FIELDS]:
        match = _FIELD.match(line)
        if match is not None:
            value = match[2].strip().decode("utf-8", "surrogateescape")
            fields.append((match[1].decode("ascii").lower(), value))
    return Headers(tuple(fields))


def count_hops(content: bytes) -> int:
    """Return how many Received lines the header has (RFC 5321 6.3)."""
    return len(_RECEIVED.findall(content[:MAX_HEADER].partition(b"\r\n\r\n")[0]))


def origin_of(headers: Headers, body: bytes) -> bytes:
    """Return the 16 octets that identify a mail, however and however often it comes (D15).

    They cover its own Message-ID and Date and its body. Lines that each hop adds (Received, Return-Path,
    Delivered-To ...) do not matter, nor do line ends, mbox quoting or empty lines at the end.
    """
    text = body.replace(b"\r\n", b"\n")
    if b">From " in text:
        text = _MBOX_QUOTED.sub(b"", text)
    digest = blake2b(digest_size=16, person=b"yamabiko-origin")
    for name in ("message-id", "date", "subject", "from"):
        value = " ".join((headers.first(name) or "").split())
        digest.update(value.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(text.rstrip(b"\n"))
    return digest.digest()
