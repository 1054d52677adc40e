"""Notices in words that a mail arrived or was passed on, by systems that send no RFC 3464 report for it."""

from __future__ import annotations

import re

from classifier.addresses import find_named
from classifier.message import Message
from classifier.parties import Parties
from classifier.phrases import DELIVERED, DELIVERED_SENTENCE, SENDERS_MAIL
from classifier.quoted import cut_original, head_of
from classifier.report import DeliveryStatus, Report
from classifier.senders import is_daemon, is_of_list, is_system
from classifier.traces import has_reply
from classifier.undelivered import is_about_goods, is_about_mail, says_something_undelivered, subject_says_undelivered
from classifier.wrapping import unwrapped
from model.reading import Action, Kind

#: One of these stands in the header of every such notice, beside a subject that says it all.
_SUBJECT = re.compile(
    r"\b(?:delivery|delivered|receipt|status|report|relayed|success\w*)\b|zustell|remise|distribution|entrega|consegna"
    r"|配信|配送|送信|送达",
    re.IGNORECASE,
)
_FAILURE = re.compile(r"fail|undeliver|not deliver|return|error|warning|delay|problem|reject", re.IGNORECASE)
# What may come yet is no failure: "you may still receive notifications of delivery errors".
_CONDITION = re.compile(
    r"\b(?:may|might|if|otherwise|should|will|unless)\b|no guarantee|no further"
    r"|does not (?:send|support|return|confirm|issue)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s|\n[ \t]*\n")
_MAX_NOTICE = 4_096


def read(message: Message) -> Report | None:
    """Read a notice of success; None when no mail system sent it or when it also speaks of a failure."""
    headers = message.headers
    if not (is_daemon(headers) or is_system(headers)):
        return None
    subject = headers.subject
    is_titled = DELIVERED.are_in_short(subject)
    if not is_titled and (not _SUBJECT.search(subject) or _FAILURE.search(subject)):
        return None
    if is_of_list(headers) or subject_says_undelivered(subject):
        return None
    part = message.first("text/plain", "text/html")
    if part is None or not DELIVERED_SENTENCE.are_in(unwrapped(part.opening[:_MAX_NOTICE])):
        return None
    notice, original = cut_original(part.opening)
    notice = notice[:_MAX_NOTICE]
    if not DELIVERED_SENTENCE.are_in(unwrapped(notice)) or has_reply(notice):
        return None
    if says_something_undelivered(
        "\n\n".join(one for one in _SENTENCE_END.split(notice) if not _CONDITION.search(one))
    ):
        return None
    if is_about_goods(f"{subject}\n{notice}") and not is_about_mail(subject):
        return None
    named = find_named(notice, Parties(headers), is_strict=True)
    if not named and not (is_daemon(headers) and (is_titled or SENDERS_MAIL.are_in(notice))):
        # Forms on the web say so too.
        return None
    return Report(
        form="delivered-in-words",
        kind=Kind.DELIVERED_NOTICE,
        recipients=[DeliveryStatus(address=name.address, action=Action.DELIVERED) for name in named],
        text=notice,
        returned_head=head_of(original) if original else b"",
    )
