"""RFC 5965 complaints (ARF), the older AOL and Hotmail forms, and DMARC failure reports (RFC 6591)."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.message import Message
from classifier.report import DeliveryStatus, Report
from model.reading import Action, Kind

_FIELD = re.compile(r"^([A-Za-z][\w-]{2,40})[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
# One of these stands in every subject that a pattern below knows.
_SUBJECT_HINTS = ("dmarc", "abuse", "spam", "complaint", "feedback", "fbl")
_DMARC = re.compile(r"dmarc (?:failure|forensic) report", re.IGNORECASE)
_DMARC_WORDS = re.compile(r"dmarc (?:policy|results?)|(?:spf|dkim) alignment", re.IGNORECASE)
# A provider's complaint without fields: it says so above the original.
_COMPLAINT_SUBJECT = re.compile(r"\b(?:abuse|spam|complaint|feedback|fbl)\b", re.IGNORECASE)
_COMPLAINT_WORDS = re.compile(
    r"(?:abuse|complaint|feedback[ -]loop|spam) report|report(?:ed|s) [^.]{0,80}\bas (?:spam|junk|unwanted|abus)"
    r"|mark(?:ed|s) [^.]{0,80}\bas (?:spam|junk)",
    re.IGNORECASE,
)
_HOTMAIL = re.compile(r"complaint about message from \d", re.IGNORECASE)


def read(message: Message) -> Report | None:
    """Read a complaint; None when the mail is none."""
    for part in message.find("message/feedback-report", "text/feedback-report"):
        return _read_report(part.text)
    subject = message.headers.raw("subject")
    if message.report_type == "feedback-report":
        for part in message.find("text/plain", "application/octet-stream"):
            if "feedback-type:" in part.text[:8_192].lower():
                return _read_report(part.text)
        return Report(form="arf", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    # Letters beyond ASCII have forms that a lower-case copy has not.
    lowered = subject.lower()
    if subject.isascii() and not any([hint in lowered for hint in _SUBJECT_HINTS]):
        return None
    # The Hotmail junk-mail programme wrapped the bare original and said so in the subject.
    if _HOTMAIL.search(subject) and message.first("message/rfc822") is not None:
        return Report(form="hotmail-jmrp", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    if _COMPLAINT_SUBJECT.search(subject) and message.first("message/rfc822", "text/rfc822-headers") is not None:
        words = next((part.text[:2_048] for part in message.find("text/plain")), "")
        if _COMPLAINT_WORDS.search(" ".join(words.split())):
            return Report(form="complaint-in-words", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    # Some name the policy in words and put the original's header below them.
    if _DMARC.search(subject) and (
        message.first("message/rfc822", "text/rfc822-headers") is not None
        or any(_DMARC_WORDS.search(part.text[:8_192]) for part in message.find("text/plain"))
    ):
        return Report(form="dmarc-failure", kind=Kind.FEEDBACK_REPORT, feedback_type="auth-failure")
    return None


def _read_report(text: str) -> Report:
    # RFC 5965 3.1: fields as in a header; Original-Rcpt-To may occur more than once (3.3).
    fields: dict[str, list[str]] = {}
    for name, value in _FIELD.findall(text[:65_536])[:200]:
        fields.setdefault(name.lower(), []).append(" ".join(value.split()))
    first = {name: values[0] for name, values in fields.items()}
    addresses: list[str] = []
    for value in fields.get("original-rcpt-to", [])[:50]:
        address = clean_address(value)
        if address and address not in addresses:
            addresses.append(address)
    return Report(
        form="arf",
        kind=Kind.FEEDBACK_REPORT,
        recipients=[DeliveryStatus(address=address, action=Action.DELIVERED) for address in addresses],
        feedback_type=first.get("feedback-type", "abuse").strip().lower(),
        reporting_mta=first.get("reporting-mta", "").rpartition(";")[2].strip(),
        envelope_id=first.get("original-envelope-id", ""),
        arrival_date=first.get("arrival-date", "") or first.get("received-date", ""),
        original_mail_from=clean_address(first.get("original-mail-from", "")),
    )
