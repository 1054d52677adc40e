"""Finds the failed recipients a notification names in words, and which of its lines belong to which."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

# RFC 5322 3.2.3 and RFC 6531 3.3, but without what running text puts around an address.
_LOCAL = (
    r"(?:\"[^\"\n]{1,64}\"|[^\s<>()\[\]\"',;:=|@`“”「」『』]"
    r"[^\s<>()\[\]\"',;:|@`“”「」『』]{0,127})"
)
_LABEL = r"[\w\u0080-\uffff-]"
_DOMAIN = rf"(?:[A-Za-z0-9\u0080-\uffff]{_LABEL}{{0,62}}(?:\.{{1,2}}{_LABEL}{{1,63}})*|\[[\d.]{{7,15}}\])"
#: An address in running text.
ADDRESS = re.compile(rf"(?<![\w.+/=-])(?:smtp[:=]|mailto:|rfc822;)?({_LOCAL}@{_DOMAIN})", re.IGNORECASE)
# Words before an address at the start of a line that make it the subject of the lines below.
_LEAD = (
    r"(?:(?:failed |final |original |intended )?recipients?(?: address(?:es)?)?|to|rcpt to|rcpt|address|e-?mail|user|"
    r"for|smtp|an|empfänger|destinataires?|destinatari[oi]s?|получатель|宛先|送信先|あて先|收件人|delivery failed|"
    r"error-for|failed address|unknown user|user mailbox exceeds allowed size|delivery to|could not deliver to|mailbox)"
)
_BULLET = r"^[ \t>*•・○●■◆.-]*(?:\d{1,2}[.)] )?(?:\d{3} (?:[245]\.\d\.\d )?)?"
_ANCHOR = re.compile(
    rf"{_BULLET}(?:{_LEAD}[ \t]*[:：][ \t]*|delivery failed \d+ attempts:[ \t]*)?"
    # Exchange writes an X.400 name around it: c=US;a= ;p=Example;o=Site;dda:SMTP=cat@example.com;
    r"(?:c=[^\n@]{0,80};dda:)?"
    rf"[<\"'(\[「“*]{{0,3}}(?:mailto:|smtp[:=]|rfc822;[ \t]*)?({_LOCAL}@{_DOMAIN})",
    re.IGNORECASE,
)
_INTRODUCED = re.compile(
    r"(?<!\w)(?:recipients?|address(?:es)?|(?:mail|message|delivery|deliver(?:ed|ing)?) (?:it )?(?:to|for)|"
    r"addressed to|sent to|user|mailbox|rcpt to|account|to|for|inbox)(?=[\s:：<\"'(\[])"
    rf"[ \t]{{0,3}}[:：]?[ \t\n]{{0,3}}[<\"'(\[]{{0,2}}({_LOCAL}@{_DOMAIN})",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"(?:mailer[-_]?daemon|double-bounce)@", re.IGNORECASE)
_SERVICE = re.compile(
    r"(?:mailer[-_]?daemon|postmaster|post_master|double-bounce|abuse|hostmaster|helpdesk|support|noreply|no-reply)@",
    re.IGNORECASE,
)
_SUMMARY = re.compile(r"[ \t*]*to:.*\n(?:[ \t*]*(?:cc|date|sent):.*\n)*[ \t*\n]*(?:subject|sent|date):", re.IGNORECASE)
_CONTEXT_NOT = re.compile(
    r"(?:(?<!generated )from|sender|return-path|reply-to|contact|help|mail from|questions?|envelope-from|cc|sent by|"
    r"送信者|差出人)"
    r"[ \t]*[:：=]?[ \t]*[<\"(]*$",
    re.IGNORECASE,
)
MAX_RECIPIENTS = 50
_MAX_SHORT = 320
_NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class Named:
    """An address a text names, and the part of the text that speaks of it."""

    address: str
    text: str


def clean_address(text: str) -> str:
    """Take the address out of ``text``: brackets, quotes, a type tag and punctuation go; "" when there is none."""
    return _clean_short(text) if len(text) <= _MAX_SHORT else _clean(text)


def _clean(text: str) -> str:
    at = text.find("@")
    if at < 0:
        return ""
    # Unless it is quoted, an address has no space: none begins before the word of the first @.
    match = ADDRESS.search(text, 0 if '"' in text else text.rfind(" ", 0, at) + 1)
    if not match:
        return ""
    return match.group(1).rstrip(".-_")


# A mail names its recipient in several places.
_clean_short = lru_cache(maxsize=1_024)(_clean)


def find_named(text: str, exclude: Container[str] = _NOBODY) -> list[Named]:
    """Return the recipients that ``text`` names, in order, at most 50.

    Lines that start with an address own the text up to the next such line. Without any, addresses after words
    such as "deliver to" count, then any address. Arguments: ``exclude`` holds addresses that are no failed
    recipient (the mail's own sender and receiver) unless nothing else is named.
    """
    if "@" not in text:
        return []
    for skipped in (exclude, _NOBODY):
        named = (
            _by_anchor(text, skipped) or _by_pattern(text, _INTRODUCED, skipped) or _by_pattern(text, ADDRESS, skipped)
        )
        if named:
            return named
    return []


def _by_anchor(text: str, exclude: Container[str]) -> list[Named]:
    """Read lines that start with an address; an indentation of their own makes later ones a reply's second line."""
    lines = text.split("\n")
    anchors = [
        (at, match) for at, line in enumerate(lines) if "@" in line and (match := _ANCHOR.match(line)) is not None
    ]
    # "To: x" above "Subject: y" sums up the message that failed: no recipient if others stand below.
    summed_up = [at for at, _ in anchors if _is_to(lines[at]) and _SUMMARY.match("\n".join(lines[at : at + 4]))]
    usable = [
        (at, match)
        for at, match in anchors
        if match.group(1).lower().rstrip(".-_") not in exclude and not _DAEMON.match(match.group(1))
    ]
    if summed_up:
        usable = [item for item in usable if item[0] not in summed_up] or usable
    if not usable:
        return []
    indent = _indent_of(lines[usable[0][0]])
    starts = [item for item in usable if _indent_of(lines[item[0]]) == indent]
    order: dict[str, Named] = {}
    for number, (at, match) in enumerate(starts):
        address = match.group(1).rstrip(".-_")
        end = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        owned = "\n".join(lines[at:end])
        known = order.get(address.lower())
        if known is not None:
            known.text += "\n" + owned
        elif len(order) < MAX_RECIPIENTS:
            order[address.lower()] = Named(address, owned)
    return list(order.values())


def _is_to(line: str) -> bool:
    return line.lstrip(" \t*")[:3].lower() == "to:"


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _by_pattern(text: str, pattern: re.Pattern[str], exclude: Container[str]) -> list[Named]:
    order: dict[str, Named] = {}
    for match in pattern.finditer(text):
        address = match.group(1).rstrip(".-_")
        key = address.lower()
        is_service = _SERVICE.match(address) and (exclude or pattern is ADDRESS)
        if key in exclude or is_service or "." not in address.rpartition("@")[2]:
            continue
        if _CONTEXT_NOT.search(text[max(0, match.start() - 40) : match.start(1)]):
            continue
        order.setdefault(key, Named(address, text))
        if len(order) >= MAX_RECIPIENTS:
            break
    return list(order.values())
