"""Finds what the other server said inside what a notification says about it. Pure.

A notification that calls every refusal "Address not found" quotes the answer all the same, below some words that
announce it. Those words are looked for in the languages of the systems that write so.
"""

from __future__ import annotations

import re

from classifier.quoted import in_lower_case
from classifier.wordings import Wordings

_ANSWERS = ("response", "reply", "answer")
# What announces it, in lower case.
_ANNOUNCED = Wordings(
    # Exchange 2003: <host #5.7.1 smtp;550 5.7.1 Unable to relay>
    (" smtp;", r"#[245]\.\d{1,3}\.\d{1,3} smtp;"),
    # Exchange 5.5: MSEXCH:IMS:Org:Site:SERVER 3550 (000B09B6) 550 Host unknown
    ("msexch:", r"msexch(?<!\wmsexch):[^\n]{0,120}?\([0-9a-f]{8}\)"),
    ("diagnostic code", r"diagnostic(?<!\wdiagnostic) code[ \t]*:"),
    (_ANSWERS, r"(?:re(?<!\wre)(?:sponse|ply)|a(?<!\wa)nswer)\b[^\n:]{0,60}?(?:was|is|follows|server|host)[ \t]*:"),
    (
        ("returned", "replied", "answered", "responded"),
        r"(?:s(?<!\ws)(?:erver|ystem)|host(?<!\whost)|mta(?<!\wmta))\b[^\n]{0,120}?"
        r"\b(?:returned|replied|answered|responded)(?: with| was)?[ \t]*[:'\"]",
    ),
    (_ANSWERS, r"(?:s(?<!\ws)(?:erver|ystem)|host(?<!\whost))(?:'s)? (?:response|reply|answer)[ \t]*:"),
    ("reason for the problem", r"reason for the problem[ \t]*:"),
    (
        ("antwo", "respuesta", "sposta", "réponse", "svar", "odpowied", "ответ"),
        r"(?:a(?<!\wa)ntwo(?:rt|ord)|r(?<!\wr)(?:esp(?:ue|o)sta|isposta|éponse)|svar(?<!\wsvar)"
        r"|odpowiedź(?<!\wodpowiedź)|ответ(?<!\wответ))\b[^\n:]{0,60}:",
    ),
    (("応答", "响应", "回應", "응답"), r"(?:応答|响应|回應|응답)[^\n:：]{0,20}[:：]"),
)
# IronPort and SES set a category before the reply they got: "5.1.0 - Unknown address error 550-'...'".
_CATEGORY = re.compile(r"(?:^|(?<=: ))[245]\.\d\.\d - [A-Z][\w /]{3,40}? (?=[245]\d\d[ -])")
# An empty line, or one that begins with a label of its own.
_END = re.compile(r"\n[ \t]*(?:\n|[A-Za-z][A-Za-z -]{2,30}:[ \t])")
# A line that begins with a reply code, whatever points to it, or with what sendmail puts before one; the lines below
# it go on unless they are empty or something else begins.
_ANSWER_LINE = re.compile(
    r"^[ \t>|<*#-]{0,12}(?:received >>> |\(reason: )?(?!554 5\.0\.0 service unav)"
    r"([45]\d\d[ -]\S[^\n]*(?:\n(?!giving up on )[ \t]*[\w'\"(][^\n]*){0,12})",
    re.IGNORECASE | re.MULTILINE,
)
_CODE = re.compile(r"[45]\d\d[ -]")
# What sendmail says of whatever was answered after DATA, and the headings of a transcript.
_SUMMARY = re.compile(
    r"^[ \t]*(?:554 5\.0\.0 Service unavailable|-+ ?(?:Session|End) Transcript ?-*)[ \t]*$", re.MULTILINE
)
# What sendmail makes of any refusal of a recipient, below the words of it.
_CALLED_UNKNOWN = re.compile(
    r"^(<<< 5\d\d[ -](?:5\.\d\.\d )?[^\n<]*[^\W\d]{3} [^\n]*\n)550 (?:5\.1\.1 )?<[^>\n]{1,320}>\.\.\. User unknown$",
    re.MULTILINE,
)
# The command that names a recipient, and what was answered: on the next line, behind an arrow and perhaps a time.
_RCPT = re.compile(r"\brcpt to: ?$", re.IGNORECASE)
_LONGEST_RCPT = 12
_NEXT_ANSWER = re.compile(r"[^\n]{0,80}\n[^\n]{0,60}?(?:<<<|<--|>>>) ([45]\d\d[ -][^\n]+)")
_MAX_PLACES = 16
_MAX_TEXT = 8_192
_MAX_WORDS = 1_000


def server_words(text: str) -> str:
    """Return the paragraph in which ``text`` announces a server's answer and quotes it; "" when it quotes none."""
    match = _ANNOUNCED.first_in(in_lower_case(text[:_MAX_TEXT]))
    if match is None:
        return ""
    words = text[match.end() : match.end() + _MAX_WORDS].lstrip()
    end = _END.search(words)
    words = words[: end.start()] if end else words
    # The host that said it stands before it, if anywhere.
    return f"{text[match.start() : match.end()]} {words}" if words else ""


def without_category(words: str) -> str:
    """Return ``words`` without the category that some senders put before the answer they got."""
    return _CATEGORY.sub("", words)


def answer_line(text: str) -> str:
    """Return the answer that stands on lines of its own, which begin with a reply code; "" without any."""
    if _CODE.search(text[:_MAX_TEXT]) is None:
        return ""
    match = _ANSWER_LINE.search(text[:_MAX_TEXT])
    return match.group(1)[:_MAX_WORDS] if match is not None else ""


def answer_to(text: str, address: str) -> str:
    """Return what a transcript in ``text`` says was answered when ``address`` was named; "" when it does not say."""
    at = text.find(f"<{address}>")
    for _ in range(_MAX_PLACES):
        if at < 0:
            return ""
        if _RCPT.search(text, max(0, at - _LONGEST_RCPT), at) is not None:
            match = _NEXT_ANSWER.match(text, at + len(address) + 2)
            return match.group(1) if match is not None else ""
        at = text.find(f"<{address}>", at + 1)
    return ""


def without_summary(text: str) -> str:
    """Return ``text`` without the lines of a transcript that say nothing of what was answered in it."""
    if "<<< " not in text and "<-- " not in text:
        return text
    return _CALLED_UNKNOWN.sub(r"\1", _SUMMARY.sub("", text))
