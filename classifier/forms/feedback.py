"""RFC 5965 complaints (ARF), the older AOL and Hotmail forms, and DMARC failure reports (RFC 6591)."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.message import Message
from classifier.quoted import cut_original, head_of
from classifier.report import DeliveryStatus, Report
from classifier.senders import is_named_daemon, is_of_list, is_person
from model.reading import Action, Kind

_FIELD = re.compile(r"^([A-Za-z][\w-]{2,40})[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
# RFC 5965 3.1: the fields that each report must have; two of them beside each other are no accident.
_TYPE_FIELD = re.compile(r"^Feedback-Type:[ \t]*[\w-]+[ \t]*$", re.IGNORECASE | re.MULTILINE)
_AGENT_FIELD = re.compile(r"^(?:User-Agent|Version):[ \t]*\S", re.IGNORECASE | re.MULTILINE)
# One of these stands in every subject that a pattern below knows.
_SUBJECT_HINTS = (
    "dmarc",
    "abuse",
    "spam",
    "complaint",
    "feedback",
    "fbl",
    "junk",
    "unsolicited",
    "beschwerde",
    "reklam",
)
_DMARC = re.compile(r"dmarc (?:failure|forensic) report", re.IGNORECASE)
_DMARC_WORDS = re.compile(r"dmarc (?:policy|results?)|(?:spf|dkim) alignment", re.IGNORECASE)
# A provider's complaint without fields: it says so above the original.
_COMPLAINT_SUBJECT = re.compile(
    r"\b(?:abuse|spam\w*|complaint|feedback|fbl|junk|unsolicited|u[cb]e|beschwerde|reklam\w*)\b|迷惑メール|苦情|垃圾|投诉|投訴|스팸|жалоб|спам",
    re.IGNORECASE,
)
_COMPLAINT_WORDS = re.compile(
    r"(?:abuse|complaint|feedback[ -]loop|spam) report|complaint (?:about|against|from one of)"
    r"|(?:report|mark|classifi|flagg|identifi|consider|label|categori[sz])(?:ed|s|es)? (?:[^.]|\.(?=\d)){0,80}"
    r"\b(?:as|to be) (?:\w+ )?[\"'“]?"
    r"(?:spam|junk|unwanted|abus|unsolicited)"
    r"|(?:pressed|clicked|hit|used|moved) [^.]{0,40}(?:spam|junk)"
    r"|(?:als|comme|como|come|jako|som) [„\"'«]?(?:spam|junk|ongewenst)"
    r"|(?:spam|junk)[\w\"'“”-]* (?:gemeldet|markiert|eingestuft|signalé)|plainte"
    r"|(?:signalé|signalement)[^.]{0,60}(?:spam|indésirable)"
    r"|\boffending (?:message|mail|e-?mail)"
    r"|迷惑メール[^。]{0,30}(?:報告|申告|通報|指定)|(?:举报|舉報|投诉|投訴)|스팸[^.]{0,20}신고|(?:пометил|отметил|жалоб)[^.]{0,60}спам",
    re.IGNORECASE,
)
# "A message claiming to be from you has failed the published DMARC policy for your domain."
_DMARC_FAILED = re.compile(
    r"fail(?:ed|s)? (?:the )?(?:published )?dmarc|dmarc[^.\n]{0,60}\bfail|did not pass (?:the )?dmarc", re.IGNORECASE
)
_DMARC_ROWS = re.compile(
    r"^[ \t]*(?:dmarc results?|(?:spf|dkim) alignment|sender domain)[ \t]*:[ \t]*[\w.-]+[ \t]*(?:,[^\n]*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_JMRP_FIELD = b"x-hmxmroriginalrecipient:"
# A filter that gives a mail back calls it spam as well.
_REFUSED = re.compile(
    r"\b(?:reject|refus|block|bounc|undeliver|quarantin|abgelehnt|zurück|rejet|rechaz|rifiut)"
    r"|\bnot (?:be(?:en)? )?(?:deliver|accept)"
    r"|拒否|拒绝|配信でき|届け",
    re.IGNORECASE,
)
_HOTMAIL = re.compile(r"complaint about message from \d", re.IGNORECASE)


def read(message: Message) -> Report | None:
    """Read a complaint; None when the mail is none."""
    for part in message.find("message/feedback-report", "text/feedback-report"):
        return _read_report(part.text)
    subject = message.headers.subject
    if message.report_type == "feedback-report":
        for part in message.find("text/plain", "application/octet-stream"):
            if "feedback-type:" in part.text[:8_192].lower():
                return _read_report(part.text)
        return Report(form="arf", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    if message.report_type == "delivery-status":
        return None
    if (fields := _fields_in_text(message)) is not None:
        return _read_report(fields)
    if message.parts and message.parts[0].type == "message/rfc822":
        # Hotmail's programme wraps the bare original.
        if _JMRP_FIELD in message.parts[0].header_block.lower():
            return Report(form="hotmail-jmrp", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    elif _tells_of_dmarc(message):
        return Report(form="dmarc-failure", kind=Kind.FEEDBACK_REPORT, feedback_type="auth-failure")
    # Letters beyond ASCII have forms that a lower-case copy has not.
    lowered = subject.lower()
    if subject.isascii() and not any([hint in lowered for hint in _SUBJECT_HINTS]):
        return None
    # The Hotmail junk-mail programme wrapped the bare original and said so in the subject.
    if _HOTMAIL.search(subject) and message.first("message/rfc822") is not None:
        return Report(form="hotmail-jmrp", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    if _COMPLAINT_SUBJECT.search(subject) and _complains(message):
        return Report(form="complaint-in-words", kind=Kind.FEEDBACK_REPORT, feedback_type="abuse")
    # Some name the policy in words and put the original's header below them.
    if _DMARC.search(subject) and (
        message.first("message/rfc822", "text/rfc822-headers") is not None
        or any(_DMARC_WORDS.search(part.text[:8_192]) for part in message.find("text/plain"))
    ):
        return Report(form="dmarc-failure", kind=Kind.FEEDBACK_REPORT, feedback_type="auth-failure")
    return None


def _fields_in_text(message: Message) -> str | None:
    """Return a text with the fields of a complaint (RFC 5965 3.1), whose parts a gateway made one; None without any."""
    part = message.first("text/plain")
    if part is None or part.lacks(b"\nfeedback-type:") or is_person(message.headers) or is_of_list(message.headers):
        return None
    text = part.opening
    match = _TYPE_FIELD.search(text)
    return text[match.start() :] if match is not None and _AGENT_FIELD.search(text, match.end()) is not None else None


def _complains(message: Message) -> bool:
    """Whether words say that somebody takes the mail beside or below them for spam; no person's letter does."""
    if is_named_daemon(message.headers):
        return False
    part = message.first("text/plain", "text/html")
    words, original = cut_original(part.opening) if part is not None else ("", "")
    words = " ".join(words[:2_048].split())
    if not _COMPLAINT_WORDS.search(words) or _REFUSED.search(words):
        return False
    if message.first("message/rfc822", "text/rfc822-headers", "message/rfc822-headers") is not None:
        return True
    return head_of(original) != b"" and not is_person(message.headers)


def _tells_of_dmarc(message: Message) -> bool:
    """Whether a text, no person's, states what DMARC said of one mail, under whatever subject."""
    part = message.first("text/plain")
    headers = message.headers
    if part is None or part.lacks(b"dmarc") or "list-unsubscribe" in headers or is_person(headers):
        return False
    words = part.opening
    return _DMARC_FAILED.search(words) is not None and len(_DMARC_ROWS.findall(words)) > 1


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
