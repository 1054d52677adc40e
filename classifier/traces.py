"""What of one mail is in a notice: the mail itself, what a server answered, whom it was for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from classifier.addresses import ADDRESS, find_all, starts_line, unglued
from classifier.headers import Headers
from classifier.message import Message
from classifier.parties import Parties
from classifier.phrases import AUTOMATIC, BOUNCE_SUBJECT
from classifier.senders import is_of_another_path, is_of_daemon, is_surely_daemon, path_of
from classifier.undelivered import names_nobody, says_something_undelivered

#: Characters of a notification in which anything is looked for.
HEAD = 16_384
_MAX_ADDRESSES = 10
_MAX_TO = 400
#: An SMTP reply or an RFC 3463 status, as they stand in notifications.
# It begins with a class of characters, which ``re`` skips to; what stands before them is looked at behind them.
_REPLY = re.compile(
    r"[#45](?<![\d.:/-][#45])"
    # "#551" is an order's number, "#5.1.1" a status.
    r"(?:(?<=[45])(?<!#[45])\d\d[ -](?=[^\W\d]|[<#(]|\d\.\d)|(?:(?<=[45])|(?<=#)[45])\.\d{1,2}\.\d{1,3}(?![\d.]))"
)


@lru_cache(maxsize=4)
def has_reply(notice: str) -> bool:
    """Whether a reply code or a status stands in ``notice``."""
    return _REPLY.search(notice[:HEAD]) is not None


def carries_original(message: Message) -> bool:
    """Whether the mail, or its header, is a part of the notice."""
    return message.first("message/rfc822", "text/rfc822-headers", "message/rfc822-headers") is not None


def foreign_in(text: str, message: Message) -> tuple[str, ...]:
    """Return the addresses in ``text`` that are neither the mail's own sender nor receiver."""
    return _foreign_in(text, message.headers) if "@" in text else ()


# One notice is asked about more than once.
@lru_cache(maxsize=4)
def _foreign_in(text: str, headers: Headers) -> tuple[str, ...]:
    own = Parties(headers)
    found: list[str] = []
    for number, match in enumerate(find_all(ADDRESS, text[:HEAD])):
        if number >= _MAX_ADDRESSES:
            break
        address = unglued(match.group(1))
        if "//" not in address and address.lower() not in own:
            found.append(address)
    return tuple(found)


def has_rows(message: Message, notice: str, foreign: Sequence[str]) -> bool:
    """Whether it carries an original or lists recipients."""
    return carries_original(message) or any(starts_line(notice, address) for address in foreign)


def _is_report_to_sender(message: Message, notice: str) -> bool:
    """Whether a mail system reports on the null path, and names nobody or only the reader.

    People write to themselves to try it.
    """
    headers = message.headers
    if path_of(headers) != "<>" or not is_surely_daemon(headers):
        return False
    if AUTOMATIC.are_in(notice[:HEAD]) and "http" not in notice and BOUNCE_SUBJECT.are_in_short(headers.subject):
        return True
    to = ADDRESS.search(headers.raw("to")[:_MAX_TO])
    return to is not None and starts_line(notice, to.group(1))


def has_trace(message: Message, subject: str, notice: str) -> bool:
    """Whether anything of one mail is there, though no copy of it: who it was for, or what a server said."""
    if has_reply(notice):
        return True
    if is_of_another_path(message.headers):
        return False
    if _is_report_to_sender(message, notice):
        return True
    html = message.first("text/html")
    # Who fishes for passwords gives a link; a mail system that does also says what it was answered.
    is_linked = path_of(message.headers) != "<>" and html is not None and b'href="http' in html.payload[:HEAD].lower()
    if is_linked and not is_of_daemon(message.headers):
        return False
    if foreign_in(notice, message) or (html and foreign_in(html.text, message)):
        return True
    return bool(foreign_in(subject, message)) and (
        BOUNCE_SUBJECT.are_in_short(subject) or says_something_undelivered(subject) or names_nobody(subject)
    )
