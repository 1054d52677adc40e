"""Makes evidence of words: what rules are asked about, taken from a reply and from what the report says beside it."""

from __future__ import annotations

from classifier.matcher import codes_of, is_vague, subject_of
from classifier.report import DeliveryStatus, Report
from classifier.rule import Evidence
from classifier.wordings import Wordings

_NAME = r"(?:[: ] ?\[?)([\w-]+(?:\.[\w-]+)+)"
# A host that is named, in lower case.
_HOSTS = Wordings(
    ("host", rf"host(?<!\whost){_NAME}"),
    ("server", rf"server(?<!\wserver){_NAME}"),
    ("to", rf"to(?<!\wto){_NAME}"),
)
# What the systems write about the dialogue, in lower case: Postfix, Exim, qmail, Exchange, Google and others.
_COMMANDS = Wordings(
    ("in reply to ", r"in reply to (?:end of )?(mail from|rcpt to|data|ehlo|helo)"),
    ("after ", r"after (?:pipelined )?(?:sending )?(?:the )?(end of data|mail from|rcpt to|data|initial)"),
    (">>> ", r">>> (mail from|rcpt to|data)"),
    ("step: ", r"step: (mail from|rcpt to|data)"),
    ("command", r"command:?\s+(mail from|rcpt to|data)"),
    ("did not like our ", r"did not like our (?:final )?(mail from|rcpt to|data)"),
    ("does not like recipient", r"does not like (recipient)"),
    ("failed after i sent ", r"failed after i (sent) the message"),
)


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
    match = _HOSTS.first_in(shown.lower())
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
    match = _COMMANDS.first_in(text.lower())
    if match is None:
        return ""
    words = match[1].upper()
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
