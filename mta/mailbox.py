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

#: a longer mail is cut here, and says so
MAX_MAIL = 32 * 1024 * 1024
_CHUNK = 64 * 1024

# "From " and more at a line's start, after an empty line: where the next mail of an mbox begins (RFC 4155 A).
_FROM_LINE = b"From "
# The mboxrd way of quoting: one ">" more than the mail had.
_QUOTED = re.compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class RawMail:
    """One mail as found: where (file, and number in an mbox), its octets, and whether they were cut."""

    source: str
    content: bytes
    is_cut: bool = False


def iterate_mails(path: Path | str) -> Iterator[RawMail]:
    """Yield the mails at ``path``: ``-`` is standard input; a folder is a Maildir or holds .eml and mbox files.

    Raises OSError when it cannot be read.
    """
    if str(path) == "-":
        yield from read_stream(sys.stdin.buffer, "-")
        return
    path = Path(path)
    if path.is_dir():
        for file in sorted(_files_of(path)):
            yield from iterate_mails(file)
        return
    # One file, one mail; such a file may start with an mbox's From line all the same.
    is_single = path.suffix.lower() == ".eml" or path.parent.name in ("new", "cur")
    with path.open("rb") as stream:
        yield from read_stream(stream, str(path), is_single=is_single)


def read_stream(stream: BinaryIO, source: str, *, is_single: bool = False) -> Iterator[RawMail]:
    """Yield the mails of an open file: an mbox if it starts with ``From ``, otherwise or if ``is_single`` one mail."""
    first = stream.readline(_CHUNK)
    if first.startswith(_FROM_LINE):
        if not is_single:
            yield from _read_mbox(stream, source)
            return
        first = b""
    content = first + stream.read(MAX_MAIL - len(first))
    if content.strip():
        yield RawMail(source, content, is_cut=bool(stream.read(1)))


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


def _read_mbox(stream: BinaryIO, source: str) -> Iterator[RawMail]:
    """Yield the mails after a first ``From `` line that was read already."""
    lines: list[bytes] = []
    number, size, is_cut = 1, 0, False
    after_empty = at_line_start = True
    while line := stream.readline(_CHUNK):
        if at_line_start and after_empty and line.startswith(_FROM_LINE):
            if size:
                yield RawMail(f"{source}#{number}", _without_last_blank(lines), is_cut)
            number, lines, size, is_cut = number + 1, [], 0, False
            after_empty = False
            continue
        if at_line_start and _QUOTED.match(line):
            line = line[1:]
        if size + len(line) > MAX_MAIL:
            is_cut = True
        else:
            lines.append(line)
            size += len(line)
        after_empty = at_line_start and line in (b"\n", b"\r\n")
        at_line_start = line.endswith(b"\n")
    if size:
        yield RawMail(f"{source}#{number}", _without_last_blank(lines), is_cut)


def _without_last_blank(lines: list[bytes]) -> bytes:
    """Join a mail's lines, without the empty line an mbox puts after each."""
    if len(lines) > 1 and lines[-1] in (b"\n", b"\r\n"):
        lines = lines[:-1]
    return b"".join(lines)
