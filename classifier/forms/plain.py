"""Bounces in words only: any system's text, read by where recipients stand and what is said below them.

The last form asked. It must be sure that the mail is a bounce at all: people write about bounces too.
"""

from __future__ import annotations

import re
from itertools import islice

from classifier.addresses import ADDRESS, MAX_RECIPIENTS, Named, clean_address, find_named
from classifier.bare_names import find_bare_names
from classifier.charsets import decode_octal
from classifier.evidence import command_in
from classifier.headers import Headers
from classifier.matcher import collapse
from classifier.message import Message
from classifier.parties import Parties
from classifier.quoted import cut_original, head_of
from classifier.recognition import action_of, is_bounce, may_be_bounce
from classifier.report import DeliveryStatus, Report
from classifier.said import answer_line, answer_to, server_words, without_category, without_summary
from classifier.undelivered import says_failed_of
from model.reading import Action

_MAX_NOTICE = 64 * 1024
_MAX_HEAD = 16 * 1024
_DELIVERED = re.compile(
    r"\b(?:delivered|relayed|zugestellt|remis|entregado|consegnato|entregue)\b|\b250 ", re.IGNORECASE
)
# Whom a list tells its readers to ask.
_KEEPER = re.compile(r"(?:owner-([^@]+)|([^@]+?)[-+](?:request|owner|help|admin))@(.+)", re.IGNORECASE)
#: One of these stands in every such address.
_KEEPERS = ("owner", "request@", "help@", "admin@")
_EXPANDED = re.compile(r"[ \t]*<?[^\s<>]{1,320}>?\s{1,8}\(expanded from:?\s{1,8}([^\s()]{1,320})\)")
_QUEUED_TOO_LONG = "I'm not going to try again;"
_CODE = re.compile(r"\b[45]\d\d\b|[45]\.\d\.\d")


def read(message: Message) -> Report | None:
    """Read a bounce written in words; None when the mail is not surely one."""
    # It is asked first, since nothing needs to be decoded for it.
    if not may_be_bounce(message):
        return None
    # Some say it all in the subject.
    if "@" not in message.headers.subject and not any(
        part.text and not part.text.isspace() for part in message.find("text/plain", "text/html")
    ):
        return None
    text = _notice_of(message)
    notice, original = cut_original(decode_octal(text[:_MAX_NOTICE]))
    if not is_bounce(message, notice, original):
        return None
    notice = without_summary(notice)
    report = Report(form="plain", text=notice)
    if original:
        report.returned_head = head_of(original)
    action = action_of(message.headers.subject, notice)
    named = _named_in(message, notice, report.returned_head)
    if not named and (more := _notice_in_html(message)):
        # The text may only point to the other version of it.
        report.text = notice = f"{notice}\n\n{more}"
        named = _named_in(message, notice, report.returned_head)
    report.recipients = [
        _status_of(name, Action.DELIVERED if len(named) > 1 and _was_delivered(name) else action) for name in named
    ]
    if len(named) == 1 and (words := answer_line(notice)) and report.recipients[0].diagnostic == named[0].text:
        # What was answered stands above the one it was about.
        report.recipients[0].command = command_in(collapse(notice))
        report.recipients[0].diagnostic = f"{words}\n\n{named[0].text}"
    report.is_shared = len(named) > 1 and _are_one_block(named)
    if not named:
        report.recipients = [DeliveryStatus(action=action, diagnostic=notice)]
    return report


def _mailed_as(name: Named) -> str:
    """Return the address that was mailed, which Postfix puts behind what it became: "<a@x> (expanded from <b@x>)"."""
    match = _EXPANDED.match(name.text) if "(expanded from" in name.text else None
    return (clean_address(match.group(1)) if match is not None else "") or name.address


def _are_one_block(named: list[Named]) -> bool:
    """Whether lines next to each other list them all, with nothing said of one alone."""
    said = {name.text.replace(name.address, "") for name in named}
    return len(said) == 1 and all(name.is_listed for name in named)


def _was_delivered(name: Named) -> bool:
    """Whether a list of recipients says of this one, in its line, that all went well."""
    line = name.text.partition("\n")[0]
    return (
        name.is_listed
        and _DELIVERED.search(line) is not None
        and _CODE.search(name.text) is None
        and not says_failed_of(name.text, name.address)
    )


def _notice_in_html(message: Message) -> str:
    """Return the notification as its HTML has it, where a text stands before it; "" where none does."""
    part = message.first("text/plain", "text/html")
    if part is None or part.type == "text/html":
        return ""
    html = message.first("text/html")
    return cut_original(html.text[:_MAX_NOTICE])[0] if html is not None else ""


def _status_of(name: Named, action: Action) -> DeliveryStatus:
    """Return what is said of one recipient, with the answer that it quotes in a paragraph of its own above it."""
    mailed = _mailed_as(name)
    status = DeliveryStatus(mailed, name.address if mailed != name.address else "", action)
    text = status.diagnostic = name.text
    answered, given_up, _ = text.partition(_QUEUED_TOO_LONG)
    if given_up and "emote host said:" in answered:
        # qmail adds it to whatever the other server said last.
        status.diagnostic = f"{answered.rstrip()}\n\n{text}"
    elif words := without_category(server_words(text)):
        status.diagnostic = f"{words}\n\n{text}"
    elif words := answer_to(text, name.address) or answer_line(text):
        # What it answered stands before it.
        status.command = command_in(collapse(text))
        status.diagnostic = f"{words}\n\n{text}"
    return status


def _notice_of(message: Message) -> str:
    """Return the notification's text: the first text part with words, and what follows it before the original."""
    texts: list[str] = []
    for part in message.parts:
        if part.type.startswith("message/") or part.type == "text/rfc822-headers":
            break
        if part.type == "text/plain" or (part.type == "text/html" and not any(text.strip() for text in texts)):
            texts.append(part.text[:_MAX_NOTICE])
    return "\n\n".join(texts)


def _named_in(message: Message, notice: str, original: bytes) -> list[Named]:
    headers = message.headers
    part = message.first("message/rfc822", "text/rfc822-headers", "message/rfc822-headers")
    original = part.body[:_MAX_HEAD].partition(b"\n\n")[0] if part is not None else original
    parties = Parties(headers, original)
    named = find_named(notice, parties, is_strict=True)
    listed = headers.raw("x-failed-recipients")
    failed = [clean_address(value) for value in listed.split(",")[:50]] if listed else []
    if any(failed):
        by_key = {name.address.lower(): name for name in named}
        return [by_key.get(address.lower()) or Named(address, notice) for address in failed if address]
    if not named:
        # Some name the recipient in the subject only.
        in_subject = find_named(headers.subject, parties, is_strict=True)
        if in_subject:
            words = notice if notice.strip() else headers.subject
            return [Named(name.address, words) for name in in_subject]
        if bare := find_bare_names(notice):
            mailed = {address.partition("@")[0]: address for address in _to_of(original)}
            return [Named(mailed.get(name.lower(), name), notice, is_listed=True) for name in bare]
        # Who wrote and who was written to did not fail, if it can be told who did.
        return [] if _has_another_to(original, parties) else find_named(notice)
    if any([hint in name.address.lower() for name in named for hint in _KEEPERS]):
        named = _without_contacts(named, f"{headers.get('subject')}\n{notice}", _to_of(original))
    return _narrowed(named, _to_of(original)) if len(named) > 1 else named


def _without_contacts(named: list[Named], text: str, mailed: frozenset[str]) -> list[Named]:
    """Return ``named`` with a list in the place of whoever keeps it, where ``text`` or the original names the list."""
    kept: dict[str, Named] = {}
    for name in named:
        match = _KEEPER.fullmatch(name.address)
        address = name.address
        if match is not None:
            of_list = f"{match.group(1) or match.group(2)}@{match.group(3)}"
            at = text.lower().find(of_list.lower())
            if at >= 0 and (at == 0 or text[at - 1] not in "-_.+"):
                address = text[at : at + len(of_list)]
            elif of_list.lower() in mailed:
                address = of_list
        kept.setdefault(address.lower(), name if address == name.address else Named(address, name.text, name.is_listed))
    return list(kept.values())


def _narrowed(named: list[Named], mailed: frozenset[str]) -> list[Named]:
    """Return those of ``named``, found in running text, that the original was for or whose sentence says it failed."""
    if any(name.is_listed for name in named):
        return named
    chosen = [name for name in named if name.address.lower() in mailed]
    return chosen or [name for name in named if says_failed_of(name.text, name.address)] or named


def _has_another_to(original: bytes, parties: Parties) -> bool:
    return any(address not in parties for address in _to_of(original))


def _to_of(original: bytes) -> frozenset[str]:
    """Return the addresses, in lower case, that the original was for; none if it is not there."""
    if not original:
        return frozenset()
    value = Headers(original, is_original=True).raw("to")[:_MAX_HEAD]
    return frozenset(match.group(1).lower() for match in islice(ADDRESS.finditer(value), MAX_RECIPIENTS))
