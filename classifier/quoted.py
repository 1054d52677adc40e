"""Finds where a notification ends and the quoted original begins, so that no rule ever sees the original (A25)."""

from __future__ import annotations

import re

from classifier.phrases import ORIGINAL_FOLLOWS, Phrases

# Fields that only a mail's own header has at the start of a line.
_HEADER_START = Phrases(
    r"Received: ?(?:from|by|\(|with)|Return-Path: ?<|DKIM-Signature:|X-Mailer:|X-Originating-IP:|ARC-Seal:",
    r"Message-ID: ?<|MIME-Version: ?1|X-Received:|Authentication-Results:|X-Google-DKIM",
    prefix="^",
)
_HEADER_LINE = re.compile(r"^(?:[\w-]{2,40}:|[ \t]+\S)")


def cut_original(text: str) -> tuple[str, str]:
    """Return what the notification itself says, and the quoted original ("" when there is none)."""
    phrase = ORIGINAL_FOLLOWS.find(text)
    # A phrase in the very first line is a title above the notification, not its end.
    while phrase and not text[: phrase[0]].strip():
        phrase = ORIGINAL_FOLLOWS.find(text, phrase[1])
    end = phrase[0] if phrase else len(text)
    above = text[:end]
    header = _HEADER_START.find(above) if _HEADER_START.are_in(above) else None
    if header:
        end = _top_of_header(text, header[0])
        return text[:end], text[end:]
    if phrase is None:
        return text, ""
    line_end = text.find("\n", phrase[1])
    return text[:end], text[line_end + 1 :] if line_end >= 0 else ""


def _top_of_header(text: str, at: int) -> int:
    """Walk up from ``at`` over the lines that belong to the same header block."""
    while at > 0:
        start = text.rfind("\n", 0, at - 1) + 1
        line = text[start : at - 1]
        if not _HEADER_LINE.match(line) or "@" in line and not _HEADER_LINE.match(line.lstrip()):
            break
        at = start
    return at


def head_of(original: str) -> bytes:
    """Return the header block at the start of a quoted original, indentation removed."""
    text = original.lstrip("\n -=_*")[:32_768]
    lines = text.split("\n")
    first = next((index for index, line in enumerate(lines) if re.match(r"[ \t>]*[\w-]{2,40}:", line)), -1)
    if first < 0:
        return b""
    indent = len(lines[first]) - len(lines[first].lstrip(" \t>"))
    block: list[str] = []
    for line in lines[first : first + 300]:
        if not line.strip():
            break
        block.append(line[indent:] if not line[:indent].strip(" \t>") else line)
    return "\n".join(filter(None, block)).encode("utf-8", "replace")
