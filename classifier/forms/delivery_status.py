"""RFC 3464 delivery reports, their RFC 6533 international form, and the broken ones of real mail systems."""

from __future__ import annotations

import re

from classifier.addresses import MAX_RECIPIENTS, clean_address, find_named
from classifier.charsets import decode, decode_octal, decode_words
from classifier.headers import Headers
from classifier.message import Message, Part, parse_message
from classifier.phrases import FORWARDED, LETTER
from classifier.report import DeliveryStatus, Report
from classifier.said import without_category
from classifier.senders import is_daemon, is_named_daemon, is_of_list, is_person, path_of
from model.reading import Action, Kind

_TYPES = ("message/delivery-status", "message/global-delivery-status")
# RFC 3464 2.1.1: *( per-message fields ) then one block of fields for each recipient, blank lines between.
_FIELD = re.compile(r"^([A-Za-z][\w-]{2,40})[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*\n")
_RECIPIENT_FIELDS = frozenset({
    "final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta",
    "x-actual-recipient", "last-attempt-date", "will-retry-until", "final-log-id", "failure-reason",
})  # fmt: skip
#: Of other fields only the name counts.
_FIELDS_READ = _RECIPIENT_FIELDS | {"reporting-mta", "original-envelope-id", "arrival-date"}
# RFC 3461 4: xtext hexchar = "+" 2(%x30-39 / %x41-46).
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
# RFC 6533 3: utf-8-addr-unitext writes other characters as \x{HEX}.
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_TAGS = frozenset({"rfc822", "utf-8", "smtp", "x400", "unknown", "dns", "local"})
_OWN_TAG = re.compile(r"x-[\w-]+")
# One word with an @ inside; RFC 5321 4.5.3.1 allows 64 octets before it and 255 behind.
_MALFORMED = re.compile(r"<?[^\s<>@][^\s<>]{0,254}@[^\s<>]{1,255}>?")
#: Characters in which a letter's greeting is looked for.
_MAX_LETTER = 16 * 1024
#: Characters in which fields are read.
_MAX_FIELDS = 256 * 1024
_QUOTE = re.compile(r"^> ?", re.MULTILINE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ACTIONS = {action.value: action for action in Action} | {
    # Misspelt by some systems; "expired" is Postfix's log word that a few gateways copy.
    "fail": Action.FAILED,
    "failure": Action.FAILED,
    "expired": Action.FAILED,
    "deferred": Action.DELAYED,
    "delay": Action.DELAYED,
    "delivery": Action.DELIVERED,
    "deliverable": Action.DELIVERED,
}


def read(message: Message) -> Report | None:
    """Read a delivery report; None when there is no block that names a recipient or an action."""
    report = _read_own(message)
    if report is not None and len(report.recipients) == 1 and not report.recipients[0].address:
        # Exim names the file or the program it delivered to; whom it was for stands in the header.
        report.recipients[0].address = clean_address(message.headers.raw("x-failed-recipients"))
    if report is None and message.report_type == "delivery-status":
        # A gateway wrapped the whole report into one of its own and left its fields out.
        inner = message.first("message/rfc822")
        wrapped = parse_message(inner.body) if inner is not None else None
        if wrapped is not None and wrapped.report_type == "delivery-status":
            return _read_own(wrapped)
    return report


def _read_own(message: Message) -> Report | None:
    report = Report(form="rfc3464")
    parts = message.find(*_TYPES)
    if parts and message.report_type != "delivery-status" and path_of(message.headers) and is_person(message.headers):
        # Somebody attached it.
        parts = []
    for part in parts:
        _read_fields(part.text or decode(part.payload), report)
        # RFC 2046 5.2.1 forbids it, yet some encode the part and say so only inside it.
    if not report.recipients:
        for part in message.find("text/plain", "text/rfc822-headers", "application/octet-stream") or _in_html(message):
            if part.lacks(b"final-recipient:") or (part.type == "application/octet-stream" and part.is_binary):
                continue
            if _looks_like_report(part.text):
                if not _is_quoted_by_another(message.headers, part.text):
                    # A person who forwards a report quotes it.
                    _read_fields(_unquoted(part.text), report)
                break
    _complete_last(message, report)
    _correct_expired(message, report)
    return report if report.recipients else None


def _in_html(message: Message) -> list[Part]:
    """Return the text of a mail system's mail that is nothing but HTML, if it has the fields of a report."""
    part = message.first("text/html")
    if part is None or not is_daemon(message.headers) or part.lacks(b"final-recipient:"):
        return []
    return [part] if "final-recipient:" in part.source.lower() else []


def _complete_last(message: Message, report: Report) -> None:
    """A mail that was cut off in the midst of its last address has that whole in its words, or not at all."""
    last = message.parts[-1] if message.parts else None
    cut = report.recipients[-1].address if report.recipients else ""
    if not cut or last is None or last.type not in _TYPES or not last.payload.endswith(cut.encode("utf-8", "replace")):
        return
    words = next((part.text for part in message.find("text/plain", "text/html")), "")
    whole = next((name.address for name in find_named(words) if name.address.startswith(cut)), "")
    report.recipients[-1].address = whole or cut


def _is_quoted_by_another(headers: Headers, text: str) -> bool:
    """Whether the fields of a report in a mail's ``text`` were put there by somebody, or a program, that writes of it.

    Without an envelope a report that a person passed on whole still counts: nobody else will tell of that failure.
    """
    if is_of_list(headers) or "list-unsubscribe" in headers:
        return True
    is_letter = not is_named_daemon(headers) and LETTER.are_in(text[:_MAX_LETTER])
    if not path_of(headers):
        return (is_letter or is_person(headers)) and not FORWARDED.are_in_short(headers.subject)
    return is_letter or not is_daemon(headers)


def _correct_expired(message: Message, report: Report) -> None:
    """OpenSMTPD 6 calls a mail delayed that it has given up; only its words for it tell.

    The notification stays the kind that it says it is.
    """
    late = [status for status in report.recipients if status.action is Action.DELAYED and status.status == "4.4.7"]
    if not late:
        return
    notice = next((part.text for part in message.find("text/plain")), "").lower()
    for status in late:
        if f"{status.address.lower()}: envelope expired" in notice:
            status.action = Action.FAILED
            report.kind = Kind.DELAY_WARNING


def _looks_like_report(text: str) -> bool:
    lowered = text[:65_536].lower()
    return "final-recipient:" in lowered and ("action:" in lowered or "diagnostic-code:" in lowered)


def _unquoted(text: str) -> str:
    # A line of nothing else keeps a third of its characters.
    return _QUOTE.sub("", text[: 3 * _MAX_FIELDS + 3]) if "\n> " in text else text


def _read_fields(text: str, report: Report) -> None:
    """Read every block of ``text`` into ``report``; fields count by name, whichever block they stand in."""
    text = text[:_MAX_FIELDS]
    for block in _BLANK.split(text)[:200]:
        values: dict[str, str] = {}
        for written, value in _FIELD.findall(block)[:100]:
            name = written.lower()
            if name in values:
                if name != "final-recipient":
                    continue
                # Two recipients in one block: the blank line between them is missing.
                _add(values, report)
                values = {}
            values[name] = " ".join(value.split()) if name in _FIELDS_READ else ""
        if not values:
            continue
        _read_message_fields(values, report)
        if not _RECIPIENT_FIELDS.isdisjoint(values):
            _add(values, report)


def _read_message_fields(values: dict[str, str], report: Report) -> None:
    if "reporting-mta" in values:
        report.reporting_mta = report.reporting_mta or _untag(values["reporting-mta"])
    if "original-envelope-id" in values:
        report.envelope_id = report.envelope_id or _unxtext(values["original-envelope-id"])
    if "arrival-date" in values:
        report.arrival_date = report.arrival_date or values["arrival-date"]


def _add(values: dict[str, str], report: Report) -> None:
    final = _address(values.get("final-recipient", ""))
    original = _address(values.get("original-recipient", ""))
    actual = _address(values.get("x-actual-recipient", ""))
    diagnostic = decode_octal(decode_words(values.get("diagnostic-code", "") or values.get("failure-reason", "")))
    status_text = values.get("status", "")
    match = _STATUS.search(status_text)
    address = original or final or actual
    if not address and report.recipients and "action" not in values:
        # Fields torn from their block by a stray blank line belong to the recipient above.
        last = report.recipients[-1]
        last.diagnostic = last.diagnostic or _words_of(diagnostic)
        last.status = last.status or (match.group() if match else "")
        last.remote_mta = last.remote_mta or _untag(values.get("remote-mta", ""))
        return
    if not address and "action" not in values:
        return
    if len(report.recipients) >= MAX_RECIPIENTS:
        return
    # Some put the words of the reply into Status (``Status: 5.1.1 (bad destination mailbox address)``).
    if match and not diagnostic:
        diagnostic = status_text[match.end() :].strip(" ()")
    report.recipients.append(
        DeliveryStatus(
            address=address,
            final_address=final if final and final.lower() != address.lower() else "",
            action=_action(values.get("action", ""), match.group() if match else ""),
            status=match.group() if match else "",
            diagnostic=without_category(_words_of(diagnostic)),
            remote_mta=_untag(values.get("remote-mta", "")),
        )
    )


def _action(value: str, status: str) -> Action:
    word = value.strip().lower().partition(" ")[0].strip("();,.")
    if word in _ACTIONS:
        # RFC 3464 2.3.4: class 2 is success; a report that says failed beside it is about a success.
        return _ACTIONS[word]
    return Action.DELIVERED if status.startswith("2.") else Action.FAILED


def _untag(value: str) -> str:
    """Drop the type tag of ``value`` (RFC 3464 2.1.2)."""
    tag, semicolon, rest = value.partition(";")
    word = tag.strip(" \t").lower() if semicolon else ""
    return rest.strip() if word in _TAGS or _OWN_TAG.fullmatch(word) else value.strip()


def _unxtext(value: str) -> str:
    return _XTEXT.sub(lambda match: chr(int(match.group(1), 16)), value)


def _words_of(diagnostic: str) -> str:
    """Return the words of a Diagnostic-Code; a number of type x-unix keeps its tag: it is an exit status."""
    words = _untag(diagnostic)
    return f"x-unix; {words}" if words.isdigit() and diagnostic.lstrip().lower().startswith("x-unix") else words


def _address(value: str) -> str:
    if not value:
        return ""
    tag, semicolon, rest = value.partition(";")
    text = rest.strip() if semicolon else value
    tag = tag.strip().lower() if semicolon else ""
    if "x400" in tag or "@" not in text and "+40" not in text:
        return ""
    if tag == "utf-8":
        text = _UNITEXT.sub(lambda match: chr(min(int(match.group(1), 16), 0x10FFFF)), text)
    # RFC 3461 4 has "+", "=" and all but printable ASCII encoded; some reporters forget to decode.
    if "+40" in text or "+2B" in text or "+3D" in text:
        text = _unxtext(text)
    if "=?" in text and "@" in text:
        # An encoded-word in an address is a fault of the reporter (RFC 2047 5); it is kept as written.
        return text.strip("<> ").replace(" ", "")
    # What is no address at all is kept as written: its form may be why the mail failed.
    return clean_address(text) or (text.strip("<> ") if _MALFORMED.fullmatch(text) else "")
