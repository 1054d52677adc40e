"""Splits raw mail into headers and parts, by bytes, within fixed limits (S19).

It keeps what is broken as it is and never fails: a mail whose parts cannot be told apart is one text part.
Nothing is decoded before somebody asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from classifier.charsets import decode, decode_transfer
from classifier.headers import Headers
from classifier.html import html_to_text

# S19: each limit bounds the work before any form looks at the mail.
MAX_RAW = 8 * 1024 * 1024
MAX_DEPTH = 20
_SHORT = 64 * 1024
MAX_PARTS = 200
MAX_TEXT = 1024 * 1024
#: Characters of a notification that are read for its words.
MAX_OPENING = 16 * 1024
#: Encodings that hide what words a text has.
_ENCODED = frozenset({"base64", "quoted-printable"})
_BINARY_HEAD = 1_024
#: How much of a body may show its boundary.
_MENDED = 4_096

_MEDIA_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_BOUNDARY = re.compile(r"boundary(?:\*0?\*?)?\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))", re.IGNORECASE)
_CHARSET = re.compile(r"charset\*?\s*=\s*\"?(?:us-ascii'\w*')?([\w.:+-]+)", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w.+-]+)", re.IGNORECASE)
# It begins with what ``re`` skips to.
_BARE_DELIMITER = re.compile(rb"\n--(\S[^\n\"]{0,80})\n(?i:Content-(?:Type|Description|Disposition)):")
_MBOX = re.compile(rb"(?:>?From [^\n]*(?:\n|\Z))+")
# A field at the very start of a block: what nearly every block begins with.
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
#: Heads of parts are much the same in all mails; so many of so many octets at most are remembered.
_MAX_HEADS, _MAX_HEAD = 512, 512


@dataclass(slots=True)
class Part:
    """One part of a message. A ``message/rfc822`` part is a leaf: its body is the message it holds."""

    headers: Headers
    #: media type, lower case, e.g. ``text/plain``
    type: str
    #: raw Content-Type value, for its parameters
    content_type: str
    #: octets after the header, line ends LF, still encoded
    body: bytes
    depth: int = 0
    _text: str | None = field(default=None, repr=False)

    @property
    def charset(self) -> str | None:
        """The charset parameter as written, None when there is none."""
        match = _CHARSET.search(self.content_type) if self.content_type else None
        return match.group(1) if match else None

    @property
    def payload(self) -> bytes:
        """The body with its transfer encoding undone; at most 1 MiB of it."""
        encoding = self.headers.raw("content-transfer-encoding").lower()
        # base64 needs 4 octets for 3, and line ends.
        return decode_transfer(self.body[: MAX_TEXT * 3 // 2], encoding)[:MAX_TEXT]

    @property
    def is_binary(self) -> bool:
        """Whether the body begins as no text does, with a NUL among its first octets."""
        encoding = self.headers.raw("content-transfer-encoding").lower()
        return b"\0" in decode_transfer(self.body[:_BINARY_HEAD], encoding)

    @property
    def text(self) -> str:
        """The body as text, HTML reduced to what a reader sees."""
        if self._text is None:
            text = self._decode()
            self._text = html_to_text(text) if self.type == "text/html" else text
        return self._text

    @property
    def opening(self) -> str:
        """The first 16 Ki characters of the text."""
        return self.text[:MAX_OPENING]

    def _decode(self) -> str:
        text = decode(self.payload, self.charset)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def lacks(self, *needles: bytes, head: int = MAX_TEXT) -> bool:
        """Whether the text surely holds none of ``needles`` (ASCII, lower case); False says nothing.

        It looks at the first ``head`` octets and decodes nothing.
        """
        if self.headers.raw("content-transfer-encoding").lower() in _ENCODED or "utf-16" in self.content_type.lower():
            return False
        octets = self.body[:head].lower()
        return not any(needle in octets for needle in needles)


@dataclass(slots=True)
class Message:
    """A message split into its leaf parts, in order."""

    headers: Headers
    type: str
    #: report-type parameter of a multipart/report (RFC 6522), lower case
    report_type: str
    parts: list[Part]

    def find(self, *types: str) -> list[Part]:
        """Return the parts of the given media types, in order."""
        return [part for part in self.parts if part.type in types]

    def first(self, *types: str) -> Part | None:
        """Return the first part of the given media types, None when there is none."""
        for part in self.parts:
            if part.type in types:
                return part
        return None


def parse_message(raw: bytes) -> Message:
    """Split ``raw``, a whole message in any line-end convention. Never fails; what is over a limit is left out."""
    raw = raw[:MAX_RAW]
    if b"\r" in raw:
        raw = _with_bare_line_ends(raw)
    raw = raw.lstrip(b"\n")
    # An mbox separator is no header.
    separator = _MBOX.match(raw) if raw.startswith((b"From ", b">From ")) else None
    if separator:
        raw = raw[separator.end() :]
    block, body = _split_head(raw)
    headers = Headers(block)
    content_type = headers.raw("content-type")
    parts: list[Part] = []
    root = Part(headers, _type_in(content_type), content_type, body)
    _mend(root)
    _collect(root, parts)
    return Message(headers, root.type, _report_type_in(root.content_type), parts)


def _with_bare_line_ends(raw: bytes) -> bytes:
    if len(raw) > _SHORT:
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # The same in two thirds of the time: of octets, splitlines knows no other line ends.
    lines = raw.splitlines()
    if raw.endswith((b"\n", b"\r")):
        lines.append(b"")
    return b"\n".join(lines)


def _split_head(raw: bytes) -> tuple[bytes, bytes]:
    """Return header block and body."""
    if raw.startswith(b"\n"):
        return b"", raw[1:]
    end = raw.find(b"\n\n")
    if end < 0:
        return raw, b""
    return raw[: end + 1], raw[end + 2 :]


def _type_in(content_type: str) -> str:
    match = _MEDIA_TYPE.match(content_type)
    # RFC 2045 5.2: without a Content-Type it is text/plain.
    return match.group(1).lower() if match else "text/plain"


def _report_type_in(content_type: str) -> str:
    match = _REPORT_TYPE.search(content_type) if "=" in content_type else None
    return match.group(1).lower() if match else ""


class _Head(NamedTuple):
    """The head of a part."""

    headers: Headers
    type: str
    content_type: str
    has_fields: bool


def _read_head(block: bytes) -> _Head:
    headers = Headers(block)
    content_type = headers.raw("content-type")
    has_fields = _FIRST_FIELD.match(block) is not None or bool(headers)
    return _Head(headers, _type_in(content_type), content_type, has_fields)


_read_short_head = lru_cache(maxsize=_MAX_HEADS)(_read_head)


def _mend(root: Part) -> None:
    """Give a root that lost its boundary parameter the one its body uses; a preamble must say it is MIME."""
    body = root.body
    if body.find(b"\n--", 0, _MENDED) < 0 and not body.startswith(b"--"):
        return
    if root.type.startswith("multipart/") and _BOUNDARY.search(root.content_type):
        return
    match = _BARE_DELIMITER.search(b"\n" + body[:_MENDED])
    # The line end put in front shifts all places by one, the delimiter's own makes up for it.
    if match and (match.start() == 0 or b"MIME" in body[: match.start()]) and match.start() < 600:
        root.type = "multipart/mixed"
        root.content_type = f'multipart/mixed; boundary="{match.group(1).decode("latin-1")}"'


def _collect(part: Part, parts: list[Part]) -> None:
    """Append the leaves below ``part``; a multipart without its boundary is a text."""
    if not part.type.startswith("multipart/"):
        parts.append(part)
        return
    match = _BOUNDARY.search(part.content_type)
    chunks = _split_body(part.body, match.group(1) or match.group(2) or "") if match else []
    if not chunks or part.depth >= MAX_DEPTH:
        part.type = "text/plain"
        parts.append(part)
        return
    for chunk in chunks:
        if len(parts) >= MAX_PARTS:
            return
        block, body = _split_head(chunk)
        head = _read_short_head(block) if len(block) <= _MAX_HEAD else _read_head(block)
        if not head.has_fields and ((not body and chunk.strip()) or not chunk.startswith(b"\n")):
            # A part without an empty line after its (missing) header.
            body = chunk
        _collect(Part(head.headers, head.type, head.content_type, body, part.depth + 1), parts)


def _split_body(body: bytes, boundary: str) -> list[bytes]:
    """Cut a multipart body at its delimiter lines (RFC 2046 5.1.1); the preamble and the epilogue are dropped."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    if len(mark) < 3:
        return []
    chunks: list[bytes] = []
    at = 0 if body.startswith(mark) else body.find(b"\n" + mark)
    if at > 0:
        at += 1
    while at >= 0 and len(chunks) < MAX_PARTS:
        line_end = body.find(b"\n", at + len(mark))
        if body.startswith(b"--", at + len(mark)) or line_end < 0:
            break
        following = body.find(b"\n" + mark, line_end)
        chunks.append(body[line_end + 1 : following if following >= 0 else len(body)])
        at = following + 1 if following >= 0 else -1
    return chunks
