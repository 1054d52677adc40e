"""Finds the failed recipients a notification names in words, and which of its lines belong to which."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache

# RFC 5322 3.2.3 and RFC 6531 3.3, but without what running text puts around an address.
_FULL_WIDTH = "“”「」『』：；，。、（）［］【】〈〉《》＜＞〔〕・…"
_LOCAL = rf"(?:\"[^\"\n]{{1,64}}\"|[^\s<>()\[\]\"',;:=|@`{_FULL_WIDTH}][^\s<>()\[\]\"',;:|@`{_FULL_WIDTH}]{{0,127}})"
#: Longest address with what may stand before it, in characters: where it begins is no farther from its @.
_LONGEST = 200
#: ... and longest words that introduce one, with what stands between.
_LONGEST_INTRODUCTION = 40
_LABEL = r"[\w\u0080-\uffff-]"
# Both cases are in it. Ignoring case, re would look at each of the 65,000 characters whenever it compiles the pattern.
_DOMAIN = rf"(?-i:[A-Za-z0-9\u0080-\uffff]{_LABEL}{{0,62}}(?:\.{{1,2}}{_LABEL}{{1,63}})*|\[[\d.]{{7,15}}\])"
#: An address in running text.
ADDRESS = re.compile(rf"(?<![\w.+/=-])(?:smtp[:=]|mailto:|rfc822;)?({_LOCAL}@{_DOMAIN})", re.IGNORECASE)
# Words before an address at the start of a line that make it the subject of the lines below.
_LEAD = (
    r"(?:(?!(?:[a-z-]+ ){0,2}(?:sender|from|reply|return|contact|your|envelope|source|help|support)\b)(?:[a-z-]+ ){0,3}"
    r"(?:recipients?|address(?:es)?|mailbox|userid|e-?mail)|to|rcpt to|rcpt|address|e-?mail|user|"
    r"for|smtp|an|empfänger|destinataires?|destinatari[oi]s?|получатель|宛先|送信先|あて先|收件人|delivery failed|"
    r"error-for|failed address|unknown (?:user|host|recipient|mailbox)|user mailbox exceeds allowed size|"
    r"(?:invalid|bad) (?:final delivery userid|user|userid|recipient|address)|"
    r"no such (?:user|recipient|mailbox|address)|mailbox (?:is )?full|delivery to|could not deliver to|mailbox)"
)
_BULLET = r"^[ \t>|│┃*•・○●■◆.-]*(?:\d{1,2}[.)] |\[\d{1,2}\] )?(?:\d{3} (?:[245]\.\d\.\d )?)?"
_BEGIN = (
    # Exchange writes an X.400 name around it: c=US;a= ;p=Example;o=Site;dda:SMTP=cat@example.com;
    r"(?:c=[^\n@]{0,80};dda:)?"
    rf"[<\"'(\[「“*]{{0,3}}(?:mailto:|smtp[:=]|rfc822;[ \t]*)?({_LOCAL}@{_DOMAIN})"
)
_ANCHOR = re.compile(rf"{_BULLET}{_BEGIN}", re.IGNORECASE)
_LED_ANCHOR = re.compile(
    rf"{_BULLET}(?:{_LEAD}[ \t]*[:：][ \t]*|delivery failed \d+ attempts:[ \t]*)?{_BEGIN}", re.IGNORECASE
)
# Exchange 2003 with a name: "Cat Tail (cat@example.com) on 11/27/2026 9:12 AM".
_DATED_ANCHOR = re.compile(rf"[ \t]*['\"]?[^\W\d][^@:()<>\n]{{0,60}} ?[(<]({_LOCAL}@{_DOMAIN})[)>] on \d")
# What _ANCHOR finds in the plain cases, without the words it tries first.
_PLAIN_ANCHOR = re.compile(
    rf"[ \t]*<?(?!(?i:smtp=))([A-Za-z0-9][^\s<>()\[\]\"',;:|@`{_FULL_WIDTH}]{{0,127}}@{_DOMAIN})"
)
# A line that is what a server answered.
_ANSWER = re.compile(r"[ \t>|<*-]*[45]\d\d[ -]")
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
# Who wrote, whom to ask: the words before an address that did not fail.
_OTHERS = (
    "from", "sender", "return-path", "reply-to", "contact", "help", "mail from", "question", "questions",
    "envelope-from", "cc", "sent by", "message-id", "message id", "msgid",
    "送信者", "差出人", "送信元", "発信者", "発信元", "寄件人", "寄件者", "发件人", "發件人", "发送者", "보낸 사람",
    "보낸사람", "발신자", "absender", "von", "expéditeur", "expediteur", "remitente", "mittente", "proveniente da",
    "remetente", "afzender", "avsändare", "afsender", "avsender", "nadawca", "odesílatel", "odesilatel",
    "odosielateľ", "odosielatel", "feladó", "felado", "gönderen", "gonderen", "отправитель", "отправителя",
    "відправник", "αποστολέας", "المرسل", "השולח", "ผู้ส่ง", "người gửi", "pengirim", "originator",
)  # fmt: skip
#: ... of which these are said of one that did.
_NOT_OTHERS = ("generated from", "expanded from")
# The same at the start of a line, with a name between: "From: Cat <cat@example.com>".
_LINE_OF_OTHERS = re.compile(rf"[ \t>*|-]*(?:{'|'.join(_OTHERS)})[ \t]*[:：][^\n@]*$", re.IGNORECASE)
# Text without spaces runs on from a word into an address and out of it again: "宛先cat@example.jp宛".
_GLUED_BEFORE = re.compile(r"[^\x00-\x7f]+(?=[A-Za-z0-9])")
_GLUED_BEHIND = re.compile(r"(?<=\.[A-Za-z]{2})[A-Za-z]{0,61}([^\x00-\x7f].*)")
# The first paragraph, of one line, that only greets whom the notification is for: "Hello news@example.com,".
_GREETING = re.compile(
    rf"\s*(?:(?:[^\W\d]{{2,15}}(?: [^\W\d]{{2,15}})?,? )?{_LOCAL}@{_DOMAIN} ?(?:[,，،!]|様|さん|您好[，,]?)"
    rf"|[^\W\d]{{2,15}}(?: [^\W\d]{{2,15}})?, {_LOCAL}@{_DOMAIN} ?:?)[ \t]*\n[ \t]*\n"
)
_FIRST_LINE_WITH_ADDRESS = re.compile(r"\s*+[^\n@]*+@")
_KEY = re.compile(r"(?:final-?|original-?)?(?:recipient|rcpt|rcpt_to|to|address|addr|user|e-?mail)=", re.IGNORECASE)
MAX_RECIPIENTS = 50
_MAX_SHORT = 320
#: Lines that a block of addresses shares.
_MAX_SHARED = 20
#: What may stand around an address that has a line of its own.
_AROUND = " \t<>*-•・,;"
_MAX_PLACES = 16
_NOBODY: frozenset[str] = frozenset()
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n[ \t]*\n|[。！？]")
#: Words of a clause that says something: fewer only join two addresses.
_CLAUSE = 4
#: Characters of a text in which clauses are told apart.
_MAX_CLAUSES = 4_096


@dataclass(slots=True)
class Named:
    """An address a text names, and the part of the text that speaks of it."""

    address: str
    text: str
    #: whether a line begins with it, as where recipients are listed; else it was found in running text
    is_listed: bool = False


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


def find_named(text: str, exclude: Container[str] = _NOBODY, *, is_strict: bool = False) -> list[Named]:
    """Return the recipients that ``text`` names, in order, at most 50.

    Lines that start with an address own the text up to the next such line. Without any, addresses after words
    such as "deliver to" count, then any address. Arguments: ``exclude`` holds addresses that are no failed
    recipient (the mail's own sender and receiver) unless nothing else is named and not ``is_strict``.
    """
    if "@" not in text:
        return []
    # It is a line with an address and an empty line behind.
    greeting = _GREETING.match(text) if _FIRST_LINE_WITH_ADDRESS.match(text) else None
    if greeting is not None:
        text = text[greeting.end() :]
    for skipped in (exclude,) if is_strict else (exclude, _NOBODY):
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
        (at, unglued(match.group(1)))
        for at, line in enumerate(lines)
        if "@" in line and (match := _anchored(line)) is not None
    ]
    # "To: x" above "Subject: y" sums up the message that failed: no recipient if others stand below.
    summed_up = [at for at, _ in anchors if _is_to(lines[at]) and _SUMMARY.match("\n".join(lines[at : at + 4]))]
    usable = [(at, address) for at, address in anchors if address.lower() not in exclude and not _DAEMON.match(address)]
    # An answer may begin with another address: where lines without a code list the recipients, no answer does.
    unanswered = [item for item in usable if not _ANSWER.match(lines[item[0]])]
    if usable and not unanswered:
        # The sentence above an answer may name the recipient, and the answer another.
        above = "\n".join(lines[: usable[0][0]])
        introduced = _by_pattern(above, _INTRODUCED, exclude)
        if introduced and not {name.address.lower() for name in introduced} & {item[1].lower() for item in usable}:
            return [Named(name.address, text) for name in introduced] if len(introduced) == 1 else introduced
    usable = unanswered or usable
    if summed_up:
        usable = [item for item in usable if item[0] not in summed_up] or usable
    if not usable:
        return []
    indent = _indent_of(lines[usable[0][0]])
    starts = [item for item in usable if _indent_of(lines[item[0]]) == indent]
    order: dict[str, Named] = {}
    lasts = _lasts_of(lines, starts) if len(starts) > 1 else [0]
    headings = _headings_of(lines, starts) if len(starts) > 1 else {}
    for number, (at, address) in enumerate(starts):
        last = lasts[number]
        end = starts[last + 1][0] if last + 1 < len(starts) else len(lines)
        if number in headings:
            owned = f"{headings[number]}\n{lines[at]}"
        elif last == number:
            owned = "\n".join(lines[at:end])
        else:
            below = starts[last][0] + 1
            owned = "\n".join([lines[at], *lines[below : min(end, below + _MAX_SHARED)]])
        known = order.get(address.lower())
        if known is not None:
            # What is said of it elsewhere is a paragraph of its own, lest the first be taken for part of that.
            known.text += "\n\n" + owned
        elif len(order) < MAX_RECIPIENTS:
            order[address.lower()] = Named(address, owned, is_listed=True)
    return list(order.values())


def _lasts_of(lines: list[str], starts: list[tuple[int, str]]) -> list[int]:
    """Return, for each of ``starts``, the number of the last of its block.

    Addresses that stand alone on lines next to each other share what is said below the last of them.
    """
    lasts = list(range(len(starts)))
    for number in range(len(starts) - 2, -1, -1):
        at, address = starts[number]
        below, its = starts[number + 1]
        if below == at + 1 and lines[at].strip(_AROUND) == address and lines[below].strip(_AROUND) == its:
            lasts[number] = lasts[number + 1]
    return lasts


def _headings_of(lines: list[str], starts: list[tuple[int, str]]) -> dict[int, str]:
    """Return, by number of ``starts``, the line above its block that says why, where each of several blocks has one.

    "Unknown users:", two addresses on lines of their own, "Mailboxes that are full:", a third address. Without colons
    a line and the addresses below it are a paragraph, and all paragraphs are such.
    """
    headings: dict[int, str] = {}
    heading = ""
    blocks = 0
    have_colons = are_paragraphs = True
    for number, (at, address) in enumerate(starts):
        if at == 0 or lines[at].strip(_AROUND) != address:
            return {}
        if number == 0 or starts[number - 1][0] != at - 1:
            blocks += 1
            heading = lines[at - 1].strip()
            have_colons = have_colons and heading.endswith((":", "："))
            are_paragraphs = are_paragraphs and heading != "" and _is_blank(lines, at - 2)
        if number + 1 == len(starts) or starts[number + 1][0] != at + 1:
            are_paragraphs = are_paragraphs and _is_blank(lines, at + 1)
        headings[number] = heading
    if blocks > 1 and (are_paragraphs or (have_colons and len(set(headings.values())) > 1)):
        return headings
    return {}


def _is_blank(lines: list[str], number: int) -> bool:
    return not 0 <= number < len(lines) or not lines[number].strip()


def _anchored(line: str) -> re.Match[str] | None:
    """Return the address that ``line`` begins with, behind a word such as "Recipient:" or without one."""
    plain = _PLAIN_ANCHOR.match(line)
    if plain is not None:
        return plain
    head = line[: line.find("@")]
    if " on " in line and (dated := _DATED_ANCHOR.match(line)) is not None:
        return dated
    return (_LED_ANCHOR if ":" in head or "：" in head else _ANCHOR).match(line)


def unglued(address: str) -> str:
    """Return ``address`` without what it ends with but for punctuation, and without words it runs into."""
    address = address.rstrip(".-_")
    if "=" in address and (key := _KEY.match(address)):
        address = address[key.end() :]
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    behind = _GLUED_BEHIND.search(domain)
    if behind is not None:
        domain = domain[: behind.start(1)]
    # A mixed local part is one of RFC 6531 only where the domain is not ASCII either.
    before = _GLUED_BEFORE.match(local) if domain.isascii() else None
    return f"{local[before.end() :] if before else local}@{domain}"


def starts_line(text: str, address: str) -> bool:
    """Whether a line of ``text`` begins with ``address``, as the lines do that list recipients."""
    at = text.find(address)
    for _ in range(_MAX_PLACES):
        if at < 0:
            return False
        begin = text.rfind("\n", 0, at) + 1
        match = _anchored(text[begin : begin + _MAX_SHORT]) if at - begin < _MAX_SHORT else None
        if match is not None and unglued(match.group(1)) == address:
            return True
        at = text.find(address, at + 1)
    return False


def _is_to(line: str) -> bool:
    return line.lstrip(" \t*")[:3].lower() == "to:"


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def find_all(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield what ``pattern.finditer(text)`` would, but look only around each @."""
    done = 0
    # Unless it is quoted, an address has no white space, but what introduces it may.
    lead = 0 if pattern is ADDRESS else _LONGEST_INTRODUCTION
    while (at := text.find("@", done)) >= 0:
        first = max(done, at - _LONGEST)
        if text[at - 1 : at] != '"':
            blank = max(text.rfind(" ", first, at), text.rfind("\n", first, at))
            first = max(first, blank + 1 - lead)
        match = pattern.search(text, first)
        if match is None:
            return
        yield match
        done = match.end()


def _is_of_another(before: str) -> bool:
    """Whether what stands ``before`` an address says that it is a sender's, or that of somebody who helps."""
    words = before.removesuffix("\n").rstrip('<"(').rstrip(" \t")
    if words.endswith((":", "：", "=")):
        words = words[:-1].rstrip(" \t")
    words = words.lower()
    return words.endswith(_OTHERS) and not words.endswith(_NOT_OTHERS)


def _by_pattern(text: str, pattern: re.Pattern[str], exclude: Container[str]) -> list[Named]:
    """Read what ``pattern`` finds; where each stands on a line of its own, it owns the text up to the next."""
    order: dict[str, Named] = {}
    places: list[int] = []
    for match in find_all(pattern, text):
        address = unglued(match.group(1))
        key = address.lower()
        if key in order:
            continue
        is_service = _SERVICE.match(address) and (exclude or pattern is ADDRESS)
        if key in exclude or is_service or "." not in address.rpartition("@")[2]:
            continue
        if _is_of_another(text[max(0, match.start() - 40) : match.start(1)]):
            continue
        line = text.rfind("\n", 0, match.start(1)) + 1
        if _LINE_OF_OTHERS.match(text[line : match.start(1)][:_MAX_SHORT]):
            continue
        order[key] = Named(address, text)
        places.append(line)
        if len(order) >= MAX_RECIPIENTS:
            break
    if pattern is _INTRODUCED and len(places) > 1:
        answers = [_ANSWER.match(text, place) is not None for place in places]
        if not all(answers):
            # An answer may name another address.
            kept = [item for item, is_answer in zip(order.items(), answers, strict=True) if not is_answer]
            places = [place for place, is_answer in zip(places, answers, strict=True) if not is_answer]
            order = dict(kept)
    named = list(order.values())
    if len(named) > 1 and len(set(places)) < len(places) and len(text) <= _MAX_CLAUSES:
        _give_clauses(text, named)
    if len(set(places)) == len(places) > 1:
        for name, start, end in zip(named, places, [*places[1:], len(text)], strict=True):
            name.text = text[start:end]
    return named


def _give_clauses(text: str, named: list[Named]) -> None:
    """Put what a sentence says of each of several addresses above the whole: "a@x is unknown, and b@x has no room"."""
    starts = [text.find(name.address) for name in named]
    for name, start, end in zip(named, starts, [*starts[1:], len(text)], strict=True):
        clause = _SENTENCE.split(text[start + len(name.address) : end], 1)[0].strip()
        if start >= 0 and len(clause.split()) >= _CLAUSE:
            name.text = f"{name.address} {clause}\n\n{text}"
