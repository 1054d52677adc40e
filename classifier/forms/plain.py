"""Bounces in words only: any system's text, read by where recipients stand and what is said below them.

The last form asked. It must be sure that the mail is a bounce at all: people write about bounces too.
"""

from __future__ import annotations

import re

from classifier.addresses import Named, clean_address, find_named
from classifier.charsets import decode_octal, decode_words
from classifier.headers import Headers
from classifier.message import Message
from classifier.phrases import BOUNCE_SENTENCE, BOUNCE_SUBJECT, DAEMON, DELAYED, DELAYED_SUBJECT, GIVEN_UP, PASSED_ON
from classifier.quoted import cut_original, head_of
from classifier.report import DeliveryStatus, Report
from model.reading import Action

_MAX_NOTICE = 64 * 1024
_OWN = ("from", "to", "reply-to", "return-path", "sender", "delivered-to")
#: Asked about more addresses than these, it pays to read its own.
_FEW = 4
_PLAIN_ADDRESS = re.compile(r"[\w.+=@-]{1,256}", re.ASCII)


def read(message: Message) -> Report | None:
    """Read a bounce written in words; None when the mail is not surely one."""
    headers = message.headers
    # It is asked first, since nothing needs to be decoded for it.
    if not may_be_bounce(message):
        return None
    if not any(part.text.strip() for part in message.find("text/plain", "text/html")):
        return None
    text = _notice_of(message)
    notice, original = cut_original(decode_octal(text[:_MAX_NOTICE]))
    if not is_bounce(message, notice):
        return None
    subject = headers.get("subject")
    report = Report(form="plain", text=notice)
    if original:
        report.returned_head = head_of(original)
    action = action_of(subject, notice)
    named = _named_in(message, notice)
    report.recipients = [DeliveryStatus(address=name.address, action=action, diagnostic=name.text) for name in named]
    if not named:
        report.recipients = [DeliveryStatus(action=action, diagnostic=notice)]
    return report


def _notice_of(message: Message) -> str:
    """Return the notification's text: the first text part with words, and what follows it before the original."""
    texts: list[str] = []
    for part in message.parts:
        if part.type.startswith("message/") or part.type == "text/rfc822-headers":
            break
        if part.type == "text/plain" or (part.type == "text/html" and not any(text.strip() for text in texts)):
            texts.append(part.text[:_MAX_NOTICE])
    return "\n".join(texts)


def may_be_bounce(message: Message) -> bool:
    """Whether sender or subject are those of a mail that came back: without, no text makes it one."""
    headers = message.headers
    return (
        message.report_type == "delivery-status"
        or "x-failed-recipients" in headers
        or BOUNCE_SUBJECT.are_in_short(headers.get("subject"))
        or _is_daemon(message)
    )


def is_bounce(message: Message, notice: str) -> bool:
    """Whether sender, subject and text together say that a mail system gave a message back."""
    headers = message.headers
    if "x-failed-recipients" in headers:
        return True
    is_machine = _is_daemon(message) or message.report_type == "delivery-status"
    has_subject = BOUNCE_SUBJECT.are_in_short(headers.get("subject"))
    if is_machine:
        return has_subject or BOUNCE_SENTENCE.are_in(notice[:16_384])
    # A person who forwards or answers a notification has its subject and its words, but is no mail system.
    is_answer = "in-reply-to" in headers or "references" in headers or "\n>" in notice
    if is_answer and PASSED_ON.are_in_short(headers.get("subject")):
        return False
    # From anybody else it must also name a recipient or carry the original: people write about bounces too.
    names_one = "@" in notice or message.first("message/rfc822", "text/rfc822-headers") is not None
    return has_subject and names_one and BOUNCE_SENTENCE.are_in(notice[:16_384])


def _is_daemon(message: Message) -> bool:
    headers = message.headers
    if headers.raw("return-path").strip() == "<>":
        return True
    sender = f"{decode_words(headers.raw('from'))} {headers.raw('sender')}"
    return DAEMON.are_in_short(sender) or headers.raw("from").strip() in ("", "<>")


def action_of(subject: str, notice: str) -> Action:
    """Tell a warning, after which the mail is still tried, from a failure, by what both say of it."""
    if DELAYED.are_in(notice) and (DELAYED_SUBJECT.are_in_short(subject) or not GIVEN_UP.are_in(notice)):
        return Action.DELAYED
    return Action.FAILED


def _named_in(message: Message, notice: str) -> list[Named]:
    headers = message.headers
    named = find_named(notice, _OwnAddresses(headers))
    listed = headers.raw("x-failed-recipients")
    failed = [clean_address(value) for value in listed.split(",")[:50]] if listed else []
    if any(failed):
        by_key = {name.address.lower(): name for name in named}
        return [by_key.get(address.lower()) or Named(address, notice) for address in failed if address]
    return named


class _OwnAddresses:
    """The addresses of the mail's own sender and receiver, in lower case; read only when one of them may be meant."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._addresses: frozenset[str] | None = None
        self._asked = 0

    def __contains__(self, address: object) -> bool:
        self._asked += 1
        if self._addresses is None and self._asked <= _FEW and not self._may_hold(str(address)):
            return False
        return address in self._read()

    def _may_hold(self, address: str) -> bool:
        # An address of other characters may be written otherwise in the header.
        return _PLAIN_ADDRESS.fullmatch(address) is None or self._headers.may_hold(address)

    def __bool__(self) -> bool:
        return bool(self._read())

    def _read(self) -> frozenset[str]:
        if self._addresses is None:
            cleaned = [clean_address(self._headers.raw(name)).lower() for name in _OWN]
            self._addresses = frozenset(address for address in cleaned if address)
        return self._addresses
