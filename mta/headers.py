"""The few header fields the mail server itself looks at, and the identity of a mail. Pure.

Not a mail parser: the classifier reads mails. This must give the same answer for a mail whatever way it came.
"""

from __future__ import annotations

import re
from hashlib import blake2b

#: octets of a header that are looked at (S19)
MAX_HEADER = 256 * 1024
MAX_FIELDS = 1_000

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)\Z", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
#: what every mail is asked for: the fields of its identity, and whether it is automatic
_USUAL = (b"message-id", b"date", b"subject", b"from", b"auto-submitted")
# Begins with a literal, so that a search skips from line to line; a field's name may be folded off its colon.
_USUAL_FIELD = re.compile(
    rb"\n(" + b"|".join(_USUAL) + rb")(?:[ \t]|\r?\n(?=[ \t]))*:([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE,
)
_RECEIVED = re.compile(rb"\nreceived[ \t]*:", re.IGNORECASE)
# mbox files put ">" before a line that starts with "From ", some once, some each time.
_MBOX_QUOTED = re.compile(rb"^>+(?=From )", re.MULTILINE)
_FROM_LINE = re.compile(rb"\A(?:>*From [^\n]*\n)+")


class Headers:
    """Header fields of a mail in their order, looked up in the octets when asked for.

    Names are in lower case, values unfolded; malformed lines are skipped, octets that are no UTF-8 become
    surrogates. Only the first MAX_FIELDS lines of the first MAX_HEADER octets count.
    """

    __slots__ = ("_fields", "_raw", "_usual")

    def __init__(self, raw: bytes) -> None:
        """``raw``: the header with its line ends, LF or CRLF."""
        self._raw = raw[:MAX_HEADER]
        self._fields: tuple[tuple[str, str], ...] | None = None
        #: as they stand there, folds included
        self._usual: dict[bytes, bytes] | None = None

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Every field, as (name, value)."""
        if self._fields is None:
            lines = _FOLD.sub(b"", self._raw).split(b"\n")[:MAX_FIELDS]
            matches = [match for line in lines if (match := _FIELD.match(line))]
            self._fields = tuple([(match[1].decode("ascii").lower(), _value(match[2])) for match in matches])
        return self._fields

    @property
    def identity(self) -> bytes:
        """The values that say which mail this is, each ended by a NUL; however folded or spaced, the same."""
        usual = self._find_usual()
        said = b"\0".join([usual.get(name, b"") for name in _USUAL[:4]])
        words = " ".join(said.decode("utf-8", "surrogateescape").split()) + "\0"
        return words.replace(" \0", "\0").replace("\0 ", "\0").encode("utf-8", "surrogateescape")

    def first(self, name: str) -> str | None:
        """Return the first value of ``name`` (lower case), or None."""
        key = name.encode("ascii")
        if key in _USUAL:
            value = self._find_usual().get(key)
            return None if value is None else _value(_FOLD.sub(b"", value))
        return next((value for key, value in self.fields if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every value of ``name`` (lower case)."""
        return [value for key, value in self.fields if key == name]

    def _find_usual(self) -> dict[bytes, bytes]:
        if self._usual is None:
            self._usual = {}
            # Which lines count in a long header can only be told by counting them.
            for name, value in reversed(_USUAL_FIELD.findall(b"\n" + self._without_surplus())):
                self._usual[name.lower()] = value
        return self._usual

    def _without_surplus(self) -> bytes:
        raw = self._raw
        if raw.count(b"\n") < MAX_FIELDS:
            return raw
        return b"\n".join(_FOLD.sub(b"", raw).split(b"\n")[:MAX_FIELDS])


def _value(raw: bytes) -> str:
    return raw.strip().decode("utf-8", "surrogateescape")


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return header and body of a mail, without a leading mbox ``From `` line; the body may be empty."""
    start = _FROM_LINE.match(content)
    at = start.end() if start else 0
    if content[at : at + 1] == b"\n" or content[at : at + 2] == b"\r\n":
        return b"", content[at:].lstrip(b"\r\n")
    # Two searches at C speed; a pattern would take its time over a large mail without an empty line.
    end, length = content.find(b"\n\r\n", at), 3
    bare = content.find(b"\n\n", at, end + 1) if end >= 0 else content.find(b"\n\n", at)
    if bare >= 0:
        end, length = bare, 2
    return (content[at:], b"") if end < 0 else (content[at:end], content[end + length :])


def parse_headers(header: bytes) -> Headers:
    """Return the fields of ``header``."""
    return Headers(header)


def count_hops(content: bytes) -> int:
    """Return how many Received lines the header has (RFC 5321 6.3); ``content`` has CRLF line ends."""
    end = content.find(b"\r\n\r\n", 0, MAX_HEADER)
    return len(_RECEIVED.findall(b"\n" + content[: MAX_HEADER if end < 0 else end]))


def origin_of(headers: Headers, body: bytes, *, has_no_bare_cr: bool = False) -> bytes:
    """Return the 16 octets that identify a mail, however and however often it comes (D15).

    They cover its own Message-ID and Date and its body. Lines that each hop adds (Received, Return-Path,
    Delivered-To ...) do not matter, nor do line ends, mbox quoting or empty lines at the end.
    ``has_no_bare_cr``: every CR in the body is known to be followed by LF; the answer is the same, sooner.
    """
    # Without a bare CR, deleting every CR is the same and twice as fast.
    text = body.translate(None, b"\r") if has_no_bare_cr else body.replace(b"\r\n", b"\n")
    if b">From " in text:
        text = _MBOX_QUOTED.sub(b"", text)
    digest = blake2b(headers.identity, digest_size=16, person=b"yamabiko-origin")
    digest.update(text.rstrip(b"\n"))
    return digest.digest()
