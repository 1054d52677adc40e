"""Finds the words about one recipient in a notification whose report leaves out which SMTP command was answered. Pure.

Exim, Courier and Postfix name the command below the address, sendmail in a transcript of the whole session.
"""

from __future__ import annotations

# Postfix breaks lines at any blank: of "in reply to RCPT TO command)" only words stay whole.
_MARKS = ("command)", ">>> ", "error from remote", "not like our")
#: Pieces of them as HTML has them, whose lines are broken at any blank.
_MARKS_IN_HTML = ("command)", "from remote", "from\nremote", "like our", "like\nour", ">>>", "&gt;&gt;")
_TRANSCRIPT = "Transcript of session follows"


def may_note(notice: str) -> bool:
    """Whether ``passage_about`` could find anything in ``notice``, or in a piece of it."""
    return any(mark in notice for mark in _MARKS)


def may_note_in_html(source: str) -> bool:
    """Whether ``may_note`` could hold for what a reader sees of the HTML ``source``; no tag parts such words."""
    return any(mark in source for mark in _MARKS_IN_HTML)


def passage_about(notice: str, address: str) -> str:
    """Return the lines of ``notice`` about ``address`` that may name a command; "" when none do."""
    if not address or not may_note(notice):
        return ""
    start = notice.find(_TRANSCRIPT)
    if start >= 0:
        return _sent_for(address, notice[start:].split("\n"))
    lowered, wanted = notice.lower(), address.lower()
    at = lowered.find(wanted)
    while at >= 0:
        line_start = notice.rfind("\n", 0, at) + 1
        behind = notice[at + len(wanted) : at + len(wanted) + 2]
        if not notice[line_start:at].strip(" \t<") and (not behind or behind[0] in ">:\n \t\r"):
            return _with_indented(notice[line_start:])
        at = lowered.find(wanted, at + 1)
    return ""


def _with_indented(text: str) -> str:
    """Return the first line of ``text`` and the lines below it that are indented more."""
    lines = text.split("\n", 40)
    indent = _indent_of(lines[0])
    end = next((n for n, line in enumerate(lines) if n and (not line.strip() or _indent_of(line) <= indent)), None)
    return "\n".join(lines[:end])


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _sent_for(address: str, lines: list[str]) -> str:
    """Return the line of sendmail's transcript with the command whose answer was about ``address``.

    With PIPELINING it shows DATA, the last command sent, above the answers to RCPT too. Such an answer is repeated
    with the address, or another follows, to DATA itself: with no recipient left that is refused as well.
    """
    sent, answers, is_repeated, before = "", 0, False, ""
    for line in lines:
        if line.startswith(">>> "):
            sent, answers, is_repeated = line, 0, False
        elif line.startswith("<<< "):
            # An answer of several lines is one.
            answers += not before.startswith("<<< ")
        elif line[:3].isdigit() and f"<{address.lower()}>..." in line.lower():
            is_repeated = True
        before = line
    return ">>> RCPT To" if sent.startswith(">>> DATA") and (is_repeated or answers > 1) else sent
