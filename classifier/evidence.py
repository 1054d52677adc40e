"""Makes evidence of words: what rules are asked about, taken from a reply and from what the report says beside it."""

from __future__ import annotations

import re

from classifier.matcher import codes_of, is_vague, subject_of
from classifier.report import DeliveryStatus, Report
from classifier.rule import Evidence

# It begins with a class of letters, so that ``re`` skips what begins with none of them.
_HOST = re.compile(r"[HhSsTt](?<!\w[HhSsTt])(?i:(?<=h)ost|(?<=s)erver|(?<=t)o)[: ] ?\[?([\w-]+(?:\.[\w-]+)+)")
# What the systems write about the dialogue: Postfix, Exim, qmail, Exchange, Google and others.
_COMMAND = re.compile(
    r"in reply to (end of )?(MAIL FROM|RCPT TO|DATA|EHLO|HELO)"
    r"|after (?:pipelined )?(?:sending )?(?:the )?(end of data|MAIL FROM|RCPT TO|DATA|initial)"
    r"|(?:>>> |STEP: |command:?\s+)(MAIL From|RCPT To|DATA)"
    r"|did not like our (?:final )?(MAIL FROM|RCPT TO|DATA)|(does not like recipient)"
    r"|(failed after I sent the message)",
    re.IGNORECASE,
)
# One of these stands in every match, at most so many characters after its start.
_HINTS = ("after", "in reply to", ">>> ", "step: ", "command", "not like ")
_HINT_OFFSET = 8


def bare_evidence(
    text: str,
    *,
    status: str | None = None,
    reply_code: int | None = None,
    host: str | None = None,
    command: str | None = None,
) -> Evidence:
    """Return what a bare reply proves. Arguments: as those of ``Classifier.diagnose``."""
    shown = subject_of(text)
    found_status, found_reply = codes_of(shown)
    return Evidence(
        shown,
        _best_status(status or "", found_status),
        reply_code or found_reply,
        (host.lower().rstrip("."),) if host else (),
        (command or "").upper().partition(" ")[0] or command_in(shown),
    )


def reported_evidence(status: DeliveryStatus, report: Report, text: str) -> Evidence:
    """Return what ``text`` and the fields of one recipient prove together."""
    shown = subject_of(text)
    found_status, found_reply = codes_of(shown)
    match = _HOST.search(shown)
    names: list[str] = []
    said_by = match.group(1) if match else ""
    for host in (status.remote_mta, report.reporting_mta, status.address.rpartition("@")[2], said_by):
        if host and (name := _bare_host(host)) not in names:
            names.append(name)
    return Evidence(
        shown,
        _best_status(status.status, found_status),
        found_reply,
        tuple(names),
        status.command or command_in(shown),
    )


def command_in(text: str) -> str:
    """Return the SMTP command that the collapsed ``text`` says was answered; "" when it says none."""
    lowered = text.lower()
    first = -1
    for hint in _HINTS:
        at = lowered.find(hint)
        if at >= 0 and (first < 0 or at < first):
            first = at
    match = _COMMAND.search(text, max(0, first - _HINT_OFFSET)) if first >= 0 else None
    if match is None:
        return ""
    words = next((group for group in match.groups()[1:] if group), "").upper()
    if "RECIPIENT" in words or words.startswith("RCPT"):
        return "RCPT"
    if words == "INITIAL":
        return "CONN"
    return "MAIL" if words.startswith("MAIL") else "DATA" if "DATA" in words or "SENT" in words else "EHLO"


def _best_status(stated: str, found: str) -> str:
    """Choose between the Status field and the code in the reply: the one that says more (mission A18)."""
    if found and not is_vague(found):
        return found
    if stated and not is_vague(stated):
        return stated
    return stated or found


def _bare_host(host: str) -> str:
    words = host.split(None, 1)
    return words[0].strip("()[];,<>").rstrip(".").lower() if words else ""
