"""Finds where a notification ends and the quoted original begins, so that no rule ever sees the original (A25)."""

from __future__ import annotations

import re

from classifier.banners import may_have_banner, without_banners
from classifier.phrase_search import Phrases
from classifier.phrases import ORIGINAL_FOLLOWS

# Fields that only a mail's own header has at the start of a line.
_HEADER_START = Phrases(
    r"Received: ?(?:from|by|\(|with)|Return-Path: ?<|DKIM-Signature:|X-Mailer:|X-Originating-IP:|ARC-Seal:",
    r"Message-ID: ?<|MIME-Version: ?1|X-Received:|Authentication-Results:|X-Google-DKIM",
    prefix="^",
)
_DECORATION = r"[ \t>*=_|#.~-]*+"
# How a line begins, in lower case, in which one of ORIGINAL_FOLLOWS may stand: most lines begin otherwise.
_MAY_FOLLOW = re.compile(
    # One branch for each first letter, which ``re`` passes over without a try.
    rf"\n{_DECORATION}(?:original (?:m|e-?m|text)|(?:included|attached) is (?:a|the) "
    r"|t(?:he (?:(?:original |full )?message|header|beginning|text|first \d|following is)|his is (?:a|the) "
    r"|ext (?:f|is))"
    r"|f(?:ull message|ollowing (?:this line )?is (?:a|the) |orwarded message)|start of "
    r"|m(?:essage(?:'s)? (?:header|text|follows|is attached|d')|ail (?:follows|is attached)|ensaje|essaggio)"
    r"|b(?:elow (?:this line )?is (?:a|the) |egin(?:ning of)? )|he(?:re (?:this line )?is (?:a|the) |ader of the)"
    r"|u(?:n(?:sent|delivered) (?:m|text)|rspr)|returned (?:m|text|original m)"
    r"|your (?:(?:original|returned|undelivered) )?(?:m|text)|исходное|元|オリジナル|以下|下記|原)"
)
# The same of _HEADER_START.
_MAY_BE_HEADER = re.compile(
    r"\n(?:received:|return-path:|dkim-signature:|x-|arc-seal:|message-id:|mime-version:|authentication-results:)"
)
# A recipient with what is said of it, as no original begins.
_REPORTED = re.compile(
    r"^[ \t]*(?:<[^\s<>@]{1,64}@[^\s<>@]{1,255}>:|[^\s<>@]{1,64}@[^\s<>@]{1,255}[ \t]+[^\n]{0,400}?[45]\d\d[ -])",
    re.MULTILINE,
)
# No mail should wait for their automata.
for _phrases in (ORIGINAL_FOLLOWS, _HEADER_START):
    _phrases.are_in_the_long_way("")
_MAX_BETWEEN = 4_096
# The header of the original, each line behind a mark of quoting.
_QUOTED_HEAD = re.compile(
    r"\n(?:[>|][ \t]*){1,3}(?:from|to|subject|date|sent|received|return-path|message-id|reply-to"
    r"|von|an|betreff|de|objet|差出人|宛先|件名)[ \t]*[:：]",
    re.IGNORECASE,
)
_DRAWN = frozenset("-=*|_#>~")
_QUOTED_FIELD = re.compile(r"[ \t>]*[\w-]{2,40}:")
_HEADER_LINE = re.compile(r"^(?:[\w-]{2,40}:|[ \t]+\S)")


def cut_original(text: str) -> tuple[str, str]:
    """Return what the notification itself says, and the quoted original ("" when there is none).

    What gateways add to any mail goes too: they are no words of whoever wrote it.
    """
    lowered = in_lower_case(text)
    notice, original = _cut(text, lowered)
    # What is left is the begin of the text.
    return (without_banners(notice) if may_have_banner(lowered[: len(notice)]) else notice), original


def _cut(text: str, lowered: str) -> tuple[str, str]:
    phrase = _find_line(ORIGINAL_FOLLOWS, _MAY_FOLLOW, text, lowered)
    # A phrase in the very first line is a title above the notification, not its end.
    while phrase and not text[: phrase[0]].strip():
        phrase = _find_line(ORIGINAL_FOLLOWS, _MAY_FOLLOW, text, lowered, phrase[1])
    end = phrase[0] if phrase else len(text)
    # A line drawn above the original is its end for sure.
    is_drawn = phrase is not None and text[phrase[0]] in _DRAWN
    if phrase and not is_drawn and (top := _top_behind_report(text, lowered, phrase[1])):
        return text[:top], text[top:]
    is_marked = "\n>" in lowered or "\n|" in lowered
    quoted = _QUOTED_HEAD.search(text, 0, end) if is_marked else None
    if quoted is not None and "@" in text[: quoted.start()]:
        return text[: quoted.start() + 1], text[quoted.start() + 1 :]
    header = _find_line(_HEADER_START, _MAY_BE_HEADER, text[:end], lowered[:end])
    if header:
        end = _top_of_header(text, header[0])
        return text[:end], text[end:]
    return (text[:end], text[phrase[1] + 1 :]) if phrase else (text, "")


def _top_behind_report(text: str, lowered: str, at: int) -> int:
    """Return where the original's header begins if the report itself stands between ``at`` and there, else 0.

    "The original is attached" may be said in the first lines.
    """
    header = _find_line(_HEADER_START, _MAY_BE_HEADER, text, lowered, at)
    top = _top_of_header(text, header[0]) if header is not None else len(text)
    between = text[at:top][:_MAX_BETWEEN]
    return top if "@" in between and _REPORTED.search(between) else 0


def in_lower_case(text: str) -> str:
    """Return ``text`` in lower case, character for character: what is found in it has the same place in ``text``."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered if lowered.isascii() else lowered.replace("\u017f", "s")
    # A few letters become two, and places would differ.
    return "".join([small if len(small := letter.lower()) == 1 else letter for letter in text])


def _find_line(
    phrases: Phrases, start_of: re.Pattern[str], text: str, lowered: str, at: int = 0
) -> tuple[int, int] | None:
    """Return begin and end of the first line, of those that begin at or after ``at``, with one of ``phrases``.

    Arguments: ``start_of`` says how such a line begins; ``lowered`` is ``text`` in lower case.
    """
    # The pattern begins with the line end before the line; in front of the first line there is none.
    if at == 0 and start_of.match("\n" + lowered[: lowered.find("\n") + 1 or len(lowered)]):
        begin = 0
    else:
        begin = _next_line(start_of, lowered, at)
    while begin >= 0:
        end = text.find("\n", begin)
        end = end if end >= 0 else len(text)
        # Few lines begin so, and a line is short: one automaton is done before all hints are looked for.
        if phrases.are_in_the_long_way(text[begin:end]):
            return begin, end
        begin = _next_line(start_of, lowered, end)
    return None


def _next_line(start_of: re.Pattern[str], lowered: str, at: int) -> int:
    match = start_of.search(lowered, at)
    return match.start() + 1 if match else -1


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
    first = next((index for index, line in enumerate(lines) if _QUOTED_FIELD.match(line)), -1)
    if first < 0:
        return b""
    indent = len(lines[first]) - len(lines[first].lstrip(" \t>"))
    block: list[str] = []
    for line in lines[first : first + 300]:
        if not line.strip():
            break
        block.append(line[indent:] if not line[:indent].strip(" \t>") else line)
    return "\n".join(filter(None, block)).encode("utf-8", "replace")
