"""Mails from files: mbox, Maildir, single .eml files, folders of them, or standard input.

One mail is in memory at a time. Nothing is changed or deleted (T01).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: as mta.limits has it for mail over SMTP
MAX_MAIL = 32 * 1024 * 1024
_CHUNK = 64 * 1024

# "From " and more at a line's start, after an empty line: where the next mail of an mbox begins (RFC 4155 A).
_FROM_LINE = b"From "
# What the empty line that an mbox puts after each mail has at most.
_BLANK = len(b"\r\n")
# The mboxrd way of quoting: one ">" more than the mail had.
_QUOTED = re.compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class RawMail:
    """One mail as found: where (file, and number in an mbox), its octets, and how many there are.

    One larger than asked for has no content: half a mail may say something else than the whole.
    """

    source: str
    content: bytes
    size: int

    @property
    def is_too_large(self) -> bool:
        """Whether its octets were left where they are."""
        return self.size > len(self.content)


def iterate_mails(path: Path | str, *, most: int = MAX_MAIL) -> Iterator[RawMail]:
    """Yield the mails at ``path``: ``-`` is standard input; a folder is a Maildir or holds .eml and mbox files.

    Of a mail of more than ``most`` octets only its size is told. Raises OSError when ``path`` cannot be read.
    """
    if str(path) == "-":
        yield from read_stream(sys.stdin.buffer, "-", most=most)
        return
    path = Path(path)
    if path.is_dir():
        for file in sorted(_files_of(path)):
            yield from iterate_mails(file, most=most)
        return
    # One file, one mail; such a file may start with an mbox's From line all the same.
    is_single = path.suffix.lower() == ".eml" or path.parent.name in ("new", "cur")
    with path.open("rb") as stream:
        yield from read_stream(stream, str(path), is_single=is_single, most=most)


def read_stream(stream: BinaryIO, source: str, *, is_single: bool = False, most: int = MAX_MAIL) -> Iterator[RawMail]:
    """Yield the mails of an open file: an mbox if it starts with ``From ``, otherwise or if ``is_single`` one mail.

    ``most`` as in ``iterate_mails``.
    """
    first = stream.readline(_CHUNK)
    if first.startswith(_FROM_LINE):
        if not is_single:
            yield from _read_mbox(stream, source, most)
            return
        first = b""
    content = first + stream.read(max(0, most - len(first)) + 1)
    if len(content) > most:
        yield RawMail(source, b"", len(content) + _pass_over(stream))
    elif content.strip():
        yield RawMail(source, content, len(content))


def _pass_over(stream: BinaryIO) -> int:
    """Read to the end; returns how many octets that were."""
    return sum(map(len, iter(lambda: stream.read(_CHUNK), b"")))


def _files_of(folder: Path) -> Iterator[Path]:
    if (folder / "cur").is_dir() or (folder / "new").is_dir():
        for part in ("new", "cur"):
            yield from (file for file in (folder / part).glob("*") if file.is_file())
        return
    for file in folder.rglob("*"):
        if file.is_file() and (
            file.suffix.lower() in (".eml", ".mbox", ".mbx", ".txt") or file.parent.name in ("new", "cur")
        ):
            yield file


def _read_mbox(stream: BinaryIO, source: str, most: int) -> Iterator[RawMail]:
    """Yield the mails after a first ``From `` line that was read already."""
    content = bytearray()
    # ``blank`` is how long the last line is if it is an empty one.
    number, size, blank = 1, 0, 0
    at_line_start = True
    while line := stream.readline(_CHUNK):
        if blank and line.startswith(_FROM_LINE):
            if size > blank:
                yield _mail_of(f"{source}#{number}", content, size - blank, most)
            number, size, blank = number + 1, 0, 0
            content.clear()
            continue
        if at_line_start and _QUOTED.match(line):
            line = line[1:]
        size += len(line)
        if size <= most + _BLANK:
            content += line
        blank = len(line) if at_line_start and line in (b"\n", b"\r\n") else 0
        at_line_start = line.endswith(b"\n")
    if size > blank:
        yield _mail_of(f"{source}#{number}", content, size - blank, most)


def _mail_of(source: str, content: bytearray, size: int, most: int) -> RawMail:
    """Return a mail whose octets are the first ``size`` of ``content``, which has more, or fewer of one too large."""
    return RawMail(source, bytes(content[:size]) if size <= most else b"", size)
