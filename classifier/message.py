"""Splits raw mail into headers and parts, by bytes, within fixed limits (S19).

It keeps what is broken as it is and never fails: a mail whose parts cannot be told apart is one text part.
Nothing is decoded before somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from classifier.charsets import decode, decode_transfer, decode_words
from classifier.html import html_to_text

# S19: each limit bounds the work before any form looks at the mail.
MAX_RAW = 8 * 1024 * 1024
MAX_HEADER_BLOCK = 256 * 1024
MAX_HEADER_LINES = 1_000
MAX_HEADER_LINE = 64 * 1024
MAX_DEPTH = 20
MAX_PARTS = 200
MAX_TEXT = 1024 * 1024
_BINARY_HEAD = 1_024

# RFC 5322 2.2: field-name is printable ASCII without colon; 4.5 lets white space stand before the colon.
_FIELD_NAME = re.compile(rb"^[!-9;-~]+[ \t]*:", re.MULTILINE)
_BLANKS = (b" ", b"\t")
_COLON = re.compile(rb"[ \t]*:")
_MEDIA_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_BOUNDARY = re.compile(r"boundary(?:\*0?\*?)?\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))", re.IGNORECASE)
_CHARSET = re.compile(r"charset\*?\s*=\s*\"?(?:us-ascii'\w*')?([\w.:+-]+)", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w.+-]+)", re.IGNORECASE)
_BARE_DELIMITER = re.compile(
    rb"^--(\S[^\n\"]{0,80})\nContent-(?:Type|Description|Disposition):", re.MULTILINE | re.IGNORECASE
)
_MBOX = re.compile(rb"(?:>?From [^\n]*(?:\n|\Z))+")
_FOLD = re.compile(r"\n[ \t]+")


class Headers:
    """The header fields of a message or part, each looked for when it is asked for; names in lower case."""

    __slots__ = ("_block", "_lowered", "_raw")

    def __init__(self, block: bytes) -> None:
        """Take ``block``, the octets before the empty line, cut to the limits of S19."""
        self._block = block = b"\n" + _cut_block(block)
        self._lowered = block.lower()
        self._raw: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return self._find(name, 0) >= 0

    def __bool__(self) -> bool:
        return _FIELD_NAME.search(self._block) is not None

    def raw(self, name: str) -> str:
        """Return the first value of ``name`` (lower case) unfolded, encoded-words untouched; "" when absent."""
        value = self._raw.get(name)
        if value is None:
            start = self._find(name, 0)
            value = self._raw[name] = self._value(start) if start >= 0 else ""
        return value

    def get(self, name: str) -> str:
        """Return the first value of ``name`` (lower case), decoded (RFC 2047); "" when absent."""
        return decode_words(self.raw(name))

    def all(self, name: str) -> list[str]:
        """Return all values of ``name`` (lower case), at most 50, unfolded."""
        values: list[str] = []
        start = self._find(name, 0)
        while start >= 0 and len(values) < 50:
            values.append(self._value(start))
            start = self._find(name, start)
        return values

    def _find(self, name: str, at: int) -> int:
        """Return where the value of the first field ``name`` at or after ``at`` begins; -1 when there is none."""
        lowered = self._lowered
        key = b"\n" + name.encode()
        while (at := lowered.find(key, at)) >= 0:
            at += len(key)
            if lowered[at : at + 1] == b":":
                return at + 1
            colon = _COLON.match(lowered, at)
            if colon:
                return colon.end()
        return -1

    def _value(self, start: int) -> str:
        """Return the value that begins at ``start`` with its continuation lines (RFC 5322 2.2.3), unfolded."""
        block = self._block
        end = block.find(b"\n", start)
        while end >= 0 and block[end + 1 : end + 2] in _BLANKS:
            end = block.find(b"\n", end + 1)
        value = block[start : end if end >= 0 else len(block)].lstrip(b" \t")
        text = decode(value[:MAX_HEADER_LINE])
        return _FOLD.sub(" ", text).strip() if "\n" in text else text.strip()


def _cut_block(block: bytes) -> bytes:
    block = block[:MAX_HEADER_BLOCK]
    # A field takes three octets at least: counting lines is for long blocks.
    if len(block) > 3 * MAX_HEADER_LINES and (len(block) > MAX_HEADER_LINE or block.count(b"\n") > MAX_HEADER_LINES):
        lines = block.split(b"\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]
        block = b"\n".join(line[:MAX_HEADER_LINE] for line in lines)
    return block


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
            text = decode(self.payload, self.charset)
            if "\r" in text:
                text = text.replace("\r\n", "\n").replace("\r", "\n")
            self._text = html_to_text(text) if self.type == "text/html" else text
        return self._text


@dataclass(slots=True)
class Message:
    """A message split into its leaf parts, in order."""

    headers: Headers
    type: str
    #: report-type parameter of a multipart/report (RFC 6522), lower case
    report_type: str
    parts: list[Part]

    def find(self, *types: str) -> Iterator[Part]:
        """Yield the parts of the given media types, in order."""
        return (part for part in self.parts if part.type in types)


def parse_message(raw: bytes) -> Message:
    """Split ``raw``, a whole message in any line-end convention. Never fails; what is over a limit is left out."""
    raw = raw[:MAX_RAW]
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    raw = raw.lstrip(b"\n")
    # An mbox separator is no header.
    separator = _MBOX.match(raw) if raw.startswith((b"From ", b">From ")) else None
    if separator:
        raw = raw[separator.end() :]
    headers, body = _split_head(raw)
    parts: list[Part] = []
    root = _make_part(headers, body, 0)
    _mend(root)
    _collect(root, parts)
    match = _REPORT_TYPE.search(root.content_type)
    return Message(headers, root.type, match.group(1).lower() if match else "", parts)


def _split_head(raw: bytes) -> tuple[Headers, bytes]:
    if raw.startswith(b"\n"):
        return Headers(b""), raw[1:]
    end = raw.find(b"\n\n")
    if end < 0:
        return Headers(raw), b""
    return Headers(raw[: end + 1]), raw[end + 2 :]


def _make_part(headers: Headers, body: bytes, depth: int) -> Part:
    content_type = headers.raw("content-type")
    match = _MEDIA_TYPE.match(content_type)
    # RFC 2045 5.2: without a Content-Type it is text/plain.
    return Part(headers, match.group(1).lower() if match else "text/plain", content_type, body, depth)


def _mend(root: Part) -> None:
    """Give a root that lost its boundary parameter the one its body uses; a preamble must say it is MIME."""
    if root.type.startswith("multipart/") and _BOUNDARY.search(root.content_type):
        return
    head = root.body[:4_096]
    match = _BARE_DELIMITER.search(head) if b"\ncontent-" in head.lower() else None
    if match and (match.start() == 0 or b"MIME" in root.body[: match.start()]) and match.start() < 600:
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
        headers, body = _split_head(chunk)
        if not headers and not body and chunk.strip():
            # A part without an empty line after its (missing) header.
            body = chunk
        elif not headers and not chunk.startswith(b"\n"):
            body = chunk
        _collect(_make_part(headers, body, part.depth + 1), parts)


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
