"""Transcripts of sendmail 5 and its like: what was said stands above the recipient it was about."""

from __future__ import annotations

import re
from itertools import islice

from classifier.addresses import MAX_RECIPIENTS
from classifier.judge import has_words
from classifier.message import Message
from classifier.quoted import cut_original, head_of
from classifier.recognition import action_of, is_bounce, may_be_bounce
from classifier.report import DeliveryStatus, Report
from classifier.said import without_summary
from model.reading import Action

_TRANSCRIPT = re.compile(r"^ *-+ Transcript of session follows -+ *$", re.MULTILINE)
_UNSENT = re.compile(r"^ *-+ (?:Unsent message|Message header|Recipients of this|Original message)", re.MULTILINE)
# "554 <cat@example.com>... 550 Host unknown": code, recipient, three dots, words.
_RECIPIENT = re.compile(r"^([245]\d\d) (?:[245]\.\d\.\d )?<?([^\s<>]{1,128}@[^\s<>]{1,255}?)>?\.\.\. *(.*)$")
# What it still tries, in the same words but without a code.
_DEFERRED = re.compile(r"^<?([^\s<>]{1,128}@[^\s<>]{1,255}?)>?\.\.\. *(Deferred\b.*)$")
# What was noted of a recipient before the code that only says that the session is over.
_NOTED = re.compile(r"^<?[^\s<>@]{1,128}@[^\s<>@]{1,255}?>?\.\.\. *(.+)$")
# Sendmail 8 lists recipients above the transcript, each with what was answered.
_REASON = re.compile(r"^[ \t]*<?([^\s<>]{1,128}@[^\s<>]{1,255}?)>?[ \t]*\n[ \t]+\(reason: ([^\n]{1,500})", re.MULTILINE)
_GIVEN_UP = re.compile(r"could not be delivered for|deleted from (?:the )?queue", re.IGNORECASE)


def read(message: Message) -> Report | None:
    """Read a transcript that names recipients with three dots; None when the mail has none."""
    part = message.first("text/plain", "text/html")
    if part is None or part.lacks(b"transcript of session") or not may_be_bounce(message):
        return None
    if "Transcript of session" not in part.text or _TRANSCRIPT.search(part.text[:65_536]) is None:
        return None
    notice, original = cut_original(part.text[:65_536])
    match = _TRANSCRIPT.search(notice)
    if match is None or not is_bounce(message, notice, original):
        return None
    unsent = _UNSENT.search(notice, match.end())
    recipients = _read_lines(notice[match.end() : unsent.start() if unsent else len(notice)].split("\n"))
    _add_listed(notice[: match.start()], recipients)
    if all(recipient.action is Action.DELAYED for recipient in recipients):
        # Nothing failed yet, or all of it did so for the time it took: the words around tell.
        return None
    is_over = _GIVEN_UP.search(notice) is not None
    action = action_of(message.headers.subject, notice)
    for recipient in recipients:
        if recipient.action is Action.FAILED or is_over:
            recipient.action = action
    report = Report(form="sendmail", recipients=recipients, text=without_summary(notice))
    report.returned_head = head_of(original) if original else b""
    return report


def _read_lines(lines: list[str]) -> list[DeliveryStatus]:
    order: dict[str, DeliveryStatus] = {}
    # What was said since the last recipient, and the answer right above a line.
    said: list[str] = []
    answer: list[str] = []
    for line in lines:
        match = _RECIPIENT.match(line)
        deferred = _DEFERRED.match(line) if match is None and ">... Deferred" in line else None
        if deferred is not None and len(order) < MAX_RECIPIENTS:
            address, words = deferred.groups()
            order.setdefault(address.lower(), DeliveryStatus(address, action=Action.DELAYED, diagnostic=words))
        if match is None:
            if line.startswith("<<< "):
                said.append(line[4:])
                answer.append(line[4:])
                continue
            answer = []
            if line[:3].isdigit():
                said.append(line)
            elif "... " in line and deferred is None and (noted := _NOTED.match(line)) is not None:
                said.append(noted.group(1))
            continue
        code, address, words = match.groups()
        diagnostic = f"{code} {words}"
        if said and _is_about_session(words):
            diagnostic = "\n".join([*said, diagnostic])
        elif answer:
            # A server's own words stand apart: sendmail calls most of what it is told "User unknown".
            said_so = "\n".join(answer)
            diagnostic = said_so if has_words(said_so[4:]) else f"{said_so}\n\n{diagnostic}"
        known = order.get(address.lower())
        # What was deferred at one host may have failed at the next.
        if (known is None or known.action is Action.DELAYED) and len(order) < MAX_RECIPIENTS:
            order[address.lower()] = DeliveryStatus(address=address, diagnostic=diagnostic)
        said, answer = [], []
    return list(order.values())


def _add_listed(text: str, recipients: list[DeliveryStatus]) -> None:
    """Add to ``recipients`` those that ``text`` lists with a reason; what was answered outweighs what was noted."""
    known = {recipient.address.lower(): recipient for recipient in recipients}
    for match in islice(_REASON.finditer(text), MAX_RECIPIENTS):
        address, reason = match.group(1), match.group(2).rstrip(")")
        recipient = known.get(address.lower())
        if recipient is not None:
            recipient.diagnostic = f"{reason}\n\n{recipient.diagnostic}"
        elif recipients and len(recipients) < MAX_RECIPIENTS:
            known[address.lower()] = recipient = DeliveryStatus(address=address, diagnostic=reason)
            recipients.append(recipient)


def _is_about_session(words: str) -> bool:
    """Whether ``words`` only say that the session broke, so that the lines above tell why."""
    lowered = words.lower()
    return "remote protocol error" in lowered or lowered.startswith("service unavailable") or not words.strip()
