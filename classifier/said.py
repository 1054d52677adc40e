"""Finds what the other server said inside what a notification says about it. Pure.

A notification that calls every refusal "Address not found" quotes the answer all the same, below some words that
announce it. Those words are looked for in the languages of the systems that write so.
"""

from __future__ import annotations

import re

# One of these, in lower case, stands in every announcement.
_HINTS = (
    " smtp;", "diagnostic code", "response", "reply", "answer", "returned", "responded", "reason for the problem",
    "replied", "antwort", "respuesta", "resposta", "risposta", " svar", "antwoord",
)  # fmt: skip
_HINTS_ABROAD = (*_HINTS, "réponse", "odpowied", "ответ", "応答", "响应", "回應", "응답")
_ANNOUNCED = re.compile(
    # Exchange 2003: <host #5.7.1 smtp;550 5.7.1 Unable to relay>
    r"#[245]\.\d{1,3}\.\d{1,3} smtp;"
    r"|\bdiagnostic code[ \t]*:"
    r"|\b(?:response|reply|answer)\b[^\n:]{0,60}?(?:was|is|follows|server|host)[ \t]*:"
    r"|\b(?:server|host|system|mta)\b[^\n]{0,120}?\b(?:returned|replied|answered|responded)(?: with)?[ \t]*[:'\"]"
    r"|\b(?:server|host|system)(?:'s)? (?:response|reply|answer)[ \t]*:|reason for the problem[ \t]*:"
    r"|\b(?:antwort|antwoord|respuesta|resposta|risposta|réponse|svar|odpowiedź|ответ)\b[^\n:]{0,60}:"
    r"|(?:応答|响应|回應|응답)[^\n:：]{0,20}[:：]",
    re.IGNORECASE,
)
# IronPort and SES set a category before the reply they got: "5.1.0 - Unknown address error 550-'...'".
_CATEGORY = re.compile(r"(?:^|(?<=: ))[245]\.\d\.\d - [A-Z][\w /]{3,40}? (?=[245]\d\d[ -])")
# An empty line, or one that begins with a label of its own.
_END = re.compile(r"\n[ \t]*(?:\n|[A-Za-z][A-Za-z -]{2,30}:[ \t])")
_MAX_TEXT = 8_192
_MAX_WORDS = 1_000


def server_words(text: str) -> str:
    """Return the paragraph in which ``text`` announces a server's answer and quotes it; "" when it quotes none."""
    lowered = text[:_MAX_TEXT].lower()
    if not any([hint in lowered for hint in (_HINTS if lowered.isascii() else _HINTS_ABROAD)]):
        return ""
    match = _ANNOUNCED.search(text[:_MAX_TEXT])
    if match is None:
        return ""
    words = text[match.end() : match.end() + _MAX_WORDS].lstrip()
    end = _END.search(words)
    words = words[: end.start()] if end else words
    # The host that said it stands before it, if anywhere.
    return f"{match.group()} {words}" if words else ""


def without_category(words: str) -> str:
    """Return ``words`` without the category that some senders put before the answer they got."""
    return _CATEGORY.sub("", words)
