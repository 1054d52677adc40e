"""Splits raw mail into headers and parts, by bytes, within fixed limits (S19).

It keeps what is broken as it is and never fails: a mail whose parts cannot be told apart is one text part.
Nothing is decoded before somebody asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from classifier.charsets import decode, decode_transfer
from classifier.headers import MAX_HEADER_BLOCK, Headers
from classifier.html import html_to_text

# S19: each limit bounds the work before any form looks at the mail.
MAX_RAW = 8 * 1024 * 1024
MAX_DEPTH = 20
_SHORT = 256 * 1024
MAX_PARTS = 200
MAX_TEXT = 1024 * 1024
#: Characters of a notification that are read for its words.
MAX_OPENING = 16 * 1024
#: Encodings that hide what words a text has.
_ENCODED = frozenset({"base64", "quoted-printable"})
_BINARY_HEAD = 1_024
#: How much of a body may show its boundary.
_MENDED = 4_096

#: What most mails are, so that nothing is searched for it.
_KNOWN_TYPES = frozenset({"text/plain", "text/html", "multipart/report", "multipart/mixed", "multipart/alternative"})
_MEDIA_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_BOUNDARY = re.compile(r"boundary(?:\*0?\*?)?\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))", re.IGNORECASE)
_CHARSET = re.compile(r"charset\*?\s*=\s*\"?(?:us-ascii'\w*')?([\w.:+-]+)", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([\w.+-]+)", re.IGNORECASE)
# It begins with what ``re`` skips to.
_BARE_DELIMITER = re.compile(rb"\n--(\S[^\n\"]{0,80})\n(?i:Content-(?:Type|Description|Disposition)):")
_MBOX = re.compile(rb"(?:>?From [^\n]*(?:\n|\Z))+")
# A parameter on a line of its own that lost the white space before it (RFC 5322 2.2.3).
_LOST_FOLD = re.compile(rb";[ \t]*\n(?=(?:boundary|charset|report-type|name|format|differences)=)", re.IGNORECASE)
# A field at the very start of a block: what nearly every block begins with.
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
#: Heads of parts are much the same in all mails; so many of so many octets at most are remembered.
_MAX_HEADS, _MAX_HEAD = 512, 512


class _Head(NamedTuple):
    """The head of a part."""

    headers: Headers
    type: str
    content_type: str
    has_fields: bool


class Part:
    """One part of a message. A ``message/rfc822`` part is a leaf: its body is the message it holds.

    It is a place in the mail: attachments of megabytes are not copied for each level of parts around them.
    """

    __slots__ = ("_end", "_lowered", "_mail", "_source", "_start", "_text", "content_type", "depth", "headers", "type")

    def __init__(self, head: _Head, mail: bytes, start: int, end: int, depth: int = 0) -> None:
        """Take the head, and the octets of ``mail`` from ``start`` to ``end`` as the body."""
        self.headers = head.headers
        #: media type, lower case, e.g. ``text/plain``
        self.type = head.type
        #: raw Content-Type value, for its parameters
        self.content_type = head.content_type
        self.depth = depth
        self._mail, self._start, self._end = mail, start, end
        self._text: str | None = None
        self._source: str | None = None
        self._lowered: bytes | None = None

    @property
    def body(self) -> bytes:
        """The octets after the header, line ends LF, still encoded."""
        return self._mail[self._start : self._end]

    def _head_of_body(self, size: int) -> bytes:
        return self._mail[self._start : min(self._end, self._start + size)]

    @property
    def encoding(self) -> str:
        """The transfer encoding in lower case; "" when none is named."""
        return self.headers.raw("content-transfer-encoding").lower()

    @property
    def charset(self) -> str | None:
        """The charset parameter as written, None when there is none."""
        return _charset_in(self.content_type) if self.content_type else None

    @property
    def payload(self) -> bytes:
        """The body with its transfer encoding undone; at most 1 MiB of it."""
        # base64 needs 4 octets for 3, and line ends.
        return decode_transfer(self._head_of_body(MAX_TEXT * 3 // 2), self.encoding)[:MAX_TEXT]

    @property
    def header_block(self) -> bytes:
        """The header block of the message that it holds."""
        if self.encoding in _ENCODED:
            block = self.payload[:MAX_HEADER_BLOCK].lstrip(b"\n")
            return block.partition(b"\n\n")[0]
        start, end = self._start, min(self._end, self._start + MAX_HEADER_BLOCK)
        while start < end and self._mail.startswith(b"\n", start):
            start += 1
        empty = self._mail.find(b"\n\n", start, end)
        return self._mail[start : empty + 1 if empty >= 0 else end]

    @property
    def is_binary(self) -> bool:
        """Whether the body begins as no text does, with a NUL among its first octets."""
        return b"\0" in decode_transfer(self._head_of_body(_BINARY_HEAD), self.encoding)

    @property
    def text(self) -> str:
        """The body as text, HTML reduced to what a reader sees."""
        if self._text is None:
            self._text = html_to_text(self.source) if self.type == "text/html" else self._decode()
        return self._text

    @property
    def source(self) -> str:
        """The body as text, HTML as it is written."""
        if self._source is None:
            self._source = self._decode()
        return self._source

    @property
    def opening(self) -> str:
        """The first 16 Ki characters of the text."""
        return self.text[:MAX_OPENING]

    def _decode(self) -> str:
        text = decode(self.payload, self.charset)
        if "\xa0" in text:
            # Programs that make a text of HTML leave its blanks in it.
            text = text.replace("\xa0", " ")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def lacks(self, needle: bytes) -> bool:
        """Whether the text surely holds no ``needle`` (ASCII, lower case); False says nothing. It decodes nothing."""
        if self._may_hide_words:
            return False
        if self._lowered is None:
            self._lowered = self._head_of_body(MAX_TEXT).lower()
        return needle not in self._lowered

    def begins_without(self, sign: bytes, head: int) -> bool:
        """Whether the first ``head`` octets surely have no ``sign``, which is no letter; False says nothing."""
        return not self._may_hide_words and sign not in self._head_of_body(head)

    @property
    def _may_hide_words(self) -> bool:
        return self.encoding in _ENCODED or "utf-16" in self.content_type.lower()


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
    end, start = _split_head(raw, 0, len(raw))
    headers = _headers_of(raw[:end])
    content_type = headers.raw("content-type")
    parts: list[Part] = []
    root = Part(_Head(headers, _type_in(content_type), content_type, True), raw, start, len(raw))
    _mend(root, raw, start)
    _collect(root, raw, start, len(raw), parts)
    if root.type.startswith("multipart/") and not any([part.type.startswith("text/") for part in parts]):
        _add_preamble(root, raw, start, parts)
    return Message(headers, root.type, _report_type_in(root.content_type), parts)


def _add_preamble(root: Part, mail: bytes, start: int, parts: list[Part]) -> None:
    """Put what stands above the first delimiter before ``parts``, which have no text: some give their notice there."""
    match = _BOUNDARY.search(root.content_type)
    mark = b"--" + (match.group(1) or match.group(2) or "").encode("latin-1", "replace") if match else b""
    if len(mark) < 3 or mail.startswith(mark, start):
        return
    end = mail.find(b"\n" + mark, start, start + MAX_OPENING)
    if end > start and b"@" in mail[start:end]:
        parts.insert(0, Part(_read_head(b""), mail, start, end + 1))


def _with_bare_line_ends(raw: bytes) -> bytes:
    if len(raw) > _SHORT:
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # The same in two thirds of the time: of octets, splitlines knows no other line ends.
    lines = raw.splitlines()
    if raw.endswith((b"\n", b"\r")):
        lines.append(b"")
    return b"\n".join(lines)


def _split_head(mail: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the header block that begins at ``start`` ends, and where the body begins."""
    if start < end and mail.startswith(b"\n", start):
        return start, start + 1
    empty = mail.find(b"\n\n", start, end)
    return (empty + 1, empty + 2) if empty >= 0 else (end, end)


def _type_in(content_type: str) -> str:
    known = content_type.partition(";")[0]
    if known in _KNOWN_TYPES:
        return known
    match = _MEDIA_TYPE.match(content_type)
    # RFC 2045 5.2: without a Content-Type it is text/plain.
    return match.group(1).lower() if match else "text/plain"


def _report_type_in(content_type: str) -> str:
    match = _REPORT_TYPE.search(content_type) if "=" in content_type and "eport-" in content_type.lower() else None
    return match.group(1).lower() if match else ""


def _headers_of(block: bytes) -> Headers:
    headers = Headers(block)
    # What follows it is on a line that is no continuation.
    return Headers(_LOST_FOLD.sub(b"; ", block)) if headers.raw("content-type").endswith(";") else headers


def _read_head(block: bytes) -> _Head:
    headers = _headers_of(block)
    content_type = headers.raw("content-type")
    has_fields = _FIRST_FIELD.match(block) is not None or bool(headers)
    return _Head(headers, _type_in(content_type), content_type, has_fields)


_read_short_head = lru_cache(maxsize=_MAX_HEADS)(_read_head)


@lru_cache(maxsize=_MAX_HEADS)
def _charset_in(content_type: str) -> str | None:
    match = _CHARSET.search(content_type)
    return match.group(1) if match else None


def _mend(root: Part, mail: bytes, start: int) -> None:
    """Give a root that lost its boundary parameter the one its body uses; a preamble must say it is MIME."""
    if mail.find(b"\n--", start, start + _MENDED) < 0 and not mail.startswith(b"--", start):
        return
    if root.type.startswith("multipart/") and _BOUNDARY.search(root.content_type):
        return
    body = mail[start : start + _MENDED]
    match = _BARE_DELIMITER.search(b"\n" + body)
    # The line end put in front shifts all places by one, the delimiter's own makes up for it.
    if match and (match.start() == 0 or b"MIME" in body[: match.start()]) and match.start() < 600:
        root.type = "multipart/mixed"
        root.content_type = f'multipart/mixed; boundary="{match.group(1).decode("latin-1")}"'


def _collect(part: Part, mail: bytes, start: int, end: int, parts: list[Part]) -> None:
    """Append the leaves below ``part``, whose body is ``mail[start:end]``; a multipart without boundary is a text."""
    if not part.type.startswith("multipart/"):
        parts.append(part)
        return
    match = _BOUNDARY.search(part.content_type)
    chunks = _split_body(mail, start, end, match.group(1) or match.group(2) or "") if match else []
    if not chunks or part.depth >= MAX_DEPTH:
        part.type = "text/plain"
        parts.append(part)
        return
    depth = part.depth + 1
    for first, last in chunks:
        if len(parts) >= MAX_PARTS:
            return
        head_end, body = _split_head(mail, first, last)
        block = mail[first:head_end]
        head = _read_short_head(block) if len(block) <= _MAX_HEAD else _read_head(block)
        if not head.has_fields:
            chunk = mail[first:last]
            if (body >= last and chunk.strip()) or not chunk.startswith(b"\n"):
                # A part without an empty line after its (missing) header.
                body = first
        leaf = Part(head, mail, body, last, depth)
        if head.type.startswith("multipart/"):
            _collect(leaf, mail, body, last, parts)
        else:
            parts.append(leaf)


def _split_body(mail: bytes, start: int, end: int, boundary: str) -> list[tuple[int, int]]:
    """Cut the multipart body ``mail[start:end]`` at its delimiter lines (RFC 2046 5.1.1); returns where parts stand.

    The preamble and the epilogue are dropped.
    """
    mark = b"--" + boundary.encode("latin-1", "replace")
    if len(mark) < 3:
        return []
    line_mark = b"\n" + mark
    chunks: list[tuple[int, int]] = []
    at = start if mail.startswith(mark, start, end) else mail.find(line_mark, start, end)
    if at > start:
        at += 1
    while at >= 0 and len(chunks) < MAX_PARTS:
        line_end = mail.find(b"\n", at + len(mark), end)
        if mail.startswith(b"--", at + len(mark), end) or line_end < 0:
            break
        following = mail.find(line_mark, line_end, end)
        chunks.append((line_end + 1, following if following >= 0 else end))
        at = following + 1 if following >= 0 else -1
    return chunks
