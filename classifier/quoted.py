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
_DECORATION = r"[ \t>*=_|#.~-]*+"
# How a line begins, in lower case, in which one of ORIGINAL_FOLLOWS may stand: an automaton would build states for
# every text it has not seen, of which most lines begin otherwise.
_MAY_FOLLOW = re.compile(
    rf"\n{_DECORATION}(?:the |original|full |message|below |here |following |this |included |attached |unsent|returned"
    r"|undelivered|your |header |mail |text |forwarded |start |begin|urspr|mensaje|messaggio|исходное|元|オリジナル"
    r"|以下|下記|原)"
)
# The same of _HEADER_START.
_MAY_BE_HEADER = re.compile(
    r"\n(?:received:|return-path:|dkim-signature:|x-|arc-seal:|message-id:|mime-version:|authentication-results:)"
)
_HEADER_LINE = re.compile(r"^(?:[\w-]{2,40}:|[ \t]+\S)")


def cut_original(text: str) -> tuple[str, str]:
    """Return what the notification itself says, and the quoted original ("" when there is none)."""
    lowered = text.lower()
    phrase = _find_at_lines(ORIGINAL_FOLLOWS, _MAY_FOLLOW, text, lowered)
    # A phrase in the very first line is a title above the notification, not its end.
    while phrase and not text[: phrase[0]].strip():
        phrase = _find_at_lines(ORIGINAL_FOLLOWS, _MAY_FOLLOW, text, lowered, phrase[1])
    end = phrase[0] if phrase else len(text)
    header = _find_at_lines(_HEADER_START, _MAY_BE_HEADER, text[:end], lowered[:end])
    if header:
        end = _top_of_header(text, header[0])
        return text[:end], text[end:]
    if phrase is None:
        return text, ""
    line_end = text.find("\n", phrase[1])
    return text[:end], text[line_end + 1 :] if line_end >= 0 else ""


def _find_at_lines(
    phrases: Phrases, start_of: re.Pattern[str], text: str, lowered: str, at: int = 0
) -> tuple[int, int] | None:
    """Return what ``phrases.find`` would, looking only into the lines that begin as ``start_of`` says.

    Arguments: ``lowered`` is ``text`` in lower case; a phrase stands within one line.
    """
    if len(lowered) != len(text):
        # A few letters become two in lower case: places would differ.
        return phrases.find(text, at)
    # A match begins with the line end before the line; in front of the first line there is none.
    match = start_of.match("\n" + lowered[: text.find("\n") + 1 or len(text)]) if at == 0 else None
    begin = 0 if match else -1
    while True:
        if begin < 0:
            match = start_of.search(lowered, max(0, at - 1))
            if match is None:
                return None
            begin = match.start() + 1
        end = text.find("\n", begin)
        found = phrases.find(text[begin : end if end >= 0 else len(text)])
        if found:
            return begin + found[0], begin + found[1]
        if end < 0:
            return None
        at, begin = end + 1, -1


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
