"""RFC 3834 automatic replies: vacation notices, "I have left", and challenges; never a failure."""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_to_datetime

from classifier.absence import read_absence
from classifier.addresses import clean_address
from classifier.headers import Headers
from classifier.message import Message
from classifier.phrases import BOUNCE_SUBJECT
from classifier.quoted import cut_original
from classifier.recognition import reports_failure
from classifier.reply_phrases import ACKNOWLEDGED, AUTO_REPLY_SUBJECT, AWAY, CHALLENGE, HAS_LEFT
from classifier.report import DeliveryStatus, Report
from classifier.wrapping import unwrapped
from model.reading import Action, AutoReplyKind, Kind

_MACHINE_PRECEDENCE = frozenset({"bulk", "junk"})
_REPLY_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "autoreply"})
# Mail systems send their failures as auto-replied too (RFC 3834 leaves them aside), under one of these names.
_DAEMON = re.compile(r"mailer[-_ ]?daemon|post[-_ ]?master|mail delivery|delivery (?:sub)?system|^ndr@", re.IGNORECASE)


def read(message: Message) -> Report | None:
    """Read an automatic reply; None when neither header nor subject says that it is one."""
    if not is_automatic(message):
        return None
    report = _read(message)
    # RFC 3834 2 leaves failures aside, but Exim and Postfix mark theirs like this, whatever name they got.
    part = message.first("text/plain", "text/html")
    if part is not None and not AUTO_REPLY_SUBJECT.are_in_short(message.headers.subject):
        return None if reports_failure(message, *cut_original(part.opening)) else report
    return report


def read_unmarked(message: Message) -> Report | None:
    """Read a responder's mail that only the null path (RFC 3834 3.3) and its own words tell from a person's.

    Asked after all forms of failures, which use the null path as well.
    """
    headers = message.headers
    if is_automatic(message):
        # It speaks of a failure, but no form takes it for one.
        return _read(message)
    if headers.raw("return-path").strip() != "<>" or _DAEMON.search(headers.get("from")):
        return None
    part = message.first("text/plain", "text/html")
    if part is None:
        return None
    notice = unwrapped(cut_original(part.opening)[0])
    if not (AWAY.are_in(notice) or CHALLENGE.are_in(notice)):
        return None
    return _read(message)


def _read(message: Message) -> Report:
    headers = message.headers
    part = message.first("text/plain", "text/html")
    notice = cut_original(part.opening)[0] if part is not None else ""
    subject = headers.subject
    address = clean_address(headers.raw("from")) or clean_address(headers.raw("reply-to"))
    return Report(
        form="rfc3834",
        kind=Kind.AUTO_REPLY,
        recipients=[DeliveryStatus(address=address, action=Action.DELIVERED)],
        text=notice,
        auto_reply=_kind_of(f"{subject}\n{notice}"),
        absence=read_absence(notice, _day_of(headers.raw("date")), subject=subject, author=address),
    )


def is_automatic(message: Message) -> bool:
    """Whether headers (RFC 3834 5 and the older ones in use) or subject say that a responder answered."""
    headers = message.headers
    if _DAEMON.search(headers.get("from")) or "x-failed-recipients" in headers:
        return False
    # A mail program unsubscribes on a person's behalf (RFC 2369 3.2) and marks that as automatic.
    if "x-apple-unsubscribe" in headers or headers.subject.strip().lower() == "unsubscribe":
        return False
    # RFC 3834 5: auto-replied answers a message; auto-generated is any mail of a machine.
    submitted = headers.raw("auto-submitted").lower()
    if submitted.startswith("auto-replied"):
        # Dovecot tells by a comment that a Sieve script turned the mail away.
        return "(rejected)" not in submitted
    if submitted.startswith("no"):
        return False
    if headers.raw("precedence").lower() in _REPLY_PRECEDENCE or "x-autoreply" in headers or "x-autorespond" in headers:
        return True
    # Exchange marks every automatic answer; mailings carry X-Auto-Response-Suppress too, to prevent answers.
    subject = headers.subject
    if "x-auto-response-suppress" in headers and submitted.startswith("auto-generated") and _is_answer(headers):
        return "microsoftexchange" not in headers.raw("from").lower() and not BOUNCE_SUBJECT.are_in_short(subject)
    if AUTO_REPLY_SUBJECT.are_in_short(subject):
        return True
    return ACKNOWLEDGED.are_in_short(subject) and _is_from_machine(headers) and not BOUNCE_SUBJECT.are_in_short(subject)


def _is_answer(headers: Headers) -> bool:
    return "in-reply-to" in headers or headers.raw("return-path").strip() == "<>"


def _is_from_machine(headers: Headers) -> bool:
    """Whether the header says that nobody wrote it for this occasion; no proof of a reply by itself."""
    return (
        headers.raw("return-path").strip() == "<>"
        or headers.raw("auto-submitted").lower().startswith("auto-")
        or headers.raw("precedence").lower() in _MACHINE_PRECEDENCE
        or "x-auto-response-suppress" in headers
    )


def _kind_of(text: str) -> AutoReplyKind:
    if CHALLENGE.are_in(text):
        return AutoReplyKind.CHALLENGE
    return AutoReplyKind.LEFT if HAS_LEFT.are_in(text) else AutoReplyKind.VACATION


def _day_of(text: str) -> date | None:
    """Return the day of a Date header where its author was; None when there is none that can be read."""
    try:
        return parsedate_to_datetime(text).date()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
