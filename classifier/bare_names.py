"""Recipients that a notification lists by the name of their mailbox alone, as systems write of their own users."""

from __future__ import annotations

import re

# The line above such a list: "Your mail cannot be delivered to the following address(es):".
_ANNOUNCED = re.compile(
    r"(?:following|these|this|listed|below)\b[^\n]{0,60}(?:address|recipient|user|mailbox|destination|account)"
    r"|(?:address|recipient|user)(?:\(?e?s\)?)?[^\n]{0,40}(?:failed|errors|problems|rejected|below|following)"
    r"|(?:not|un)[^\n]{0,20}deliver\w*[^\n]{0,20}(?:to|for)(?: the following)?[ \t]*:",
    re.IGNORECASE,
)
# A name on a line of its own, or set off from what is said of it.
_LISTED = re.compile(
    r"[ \t]*[<\"']?([A-Za-z0-9][\w+-]*(?:\.[\w+-]+)*)[>\"']?"
    r"(?:[ \t]*$|\t|[ \t]{2,}|[ \t]*[:;][ \t]|[ \t]+[\"'(]|\.\.\.[ \t])"
)
# Sendmail: "550 jsmith... User unknown".
_ANSWERED = re.compile(r"^[45]\d\d (?:[45]\.\d\.\d )?<?([A-Za-z0-9][\w.+-]{0,63}?)>?\.\.\. \S", re.MULTILINE)
_DRAWN = re.compile(r"[ \t]*[-=*_#~]*[ \t]*$")
_WORDS = frozenset({
    "the", "to", "for", "from", "subject", "date", "sent", "message", "reason", "error", "your", "please", "this",
    "and", "or", "received", "unknown", "user", "mail", "host", "status", "original", "recipient", "recipients",
    "address", "addresses", "note", "because", "reply", "none", "unable", "server", "diagnostic", "information",
    "details", "cc", "bcc", "delivery",
})  # fmt: skip
_MAX_LINES = 60
_MAX_BETWEEN = 3
_MAX_NAMES = 20
_LONGEST = 64


def find_bare_names(notice: str) -> list[str]:
    """Return the names that ``notice`` lists below a line that announces recipients; none where it has an address.

    Whoever asks must know that no address in ``notice`` is a recipient's.
    """
    lines = notice.split("\n", _MAX_LINES)[:_MAX_LINES]
    for number, line in enumerate(lines):
        if _ANNOUNCED.search(line[:200]) is not None and (names := _listed_below(lines[number + 1 :])):
            return names
    answered = dict.fromkeys(match.group(1) for match in _ANSWERED.finditer(notice[:4_096]))
    return [name for name in answered if name.lower() not in _WORDS][:_MAX_NAMES]


def _listed_below(lines: list[str]) -> list[str]:
    """Return the names of the first block of ``lines``; empty lines and drawn ones may stand above it."""
    names: list[str] = []
    indent = ""
    for number, line in enumerate(lines):
        if _DRAWN.match(line):
            if names or number >= _MAX_BETWEEN:
                break
            continue
        match = _LISTED.match(line[:200])
        begin = line[: len(line) - len(line.lstrip())]
        if names and begin != indent:
            # What is said of the one above.
            continue
        if match is None or len(match.group(1)) > _LONGEST or match.group(1).lower() in _WORDS:
            break
        indent = begin
        if match.group(1) not in names:
            names.append(match.group(1))
        if len(names) >= _MAX_NAMES:
            break
    return names
