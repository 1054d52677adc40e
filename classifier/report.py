"""What a form took from a mail, before any rule is asked: plain data between ``forms`` and ``classify``."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.reading import Absence, Action, AutoReplyKind, Kind


@dataclass(slots=True)
class DeliveryStatus:
    """One recipient of a report (RFC 3464 2.3), or what a text says of one."""

    #: the address that was mailed; "" when unknown
    address: str = ""
    #: where it went in the end, when that differs
    final_address: str = ""
    action: Action = Action.FAILED
    #: Status field or code in the text, as written
    status: str = ""
    #: the remote server's words
    diagnostic: str = ""
    remote_mta: str = ""
    #: SMTP command, upper case; "" when unknown
    command: str = ""


@dataclass(slots=True)
class Report:
    """What a form found. ``kind`` None leaves it to the recipients' actions."""

    form: str
    kind: Kind | None = None
    recipients: list[DeliveryStatus] = field(default_factory=list)
    #: what the notification says in words, without the quoted original (mission A25)
    text: str = ""
    #: whether all it says is said of all recipients alike, as where one block lists them
    is_shared: bool = False
    reporting_mta: str = ""
    envelope_id: str = ""
    arrival_date: str = ""
    feedback_type: str = ""
    auto_reply: AutoReplyKind | None = None
    absence: Absence | None = None
    is_read_receipt: bool = False
    #: Original-Mail-From of a complaint (RFC 5965 3.2)
    original_mail_from: str = ""
    #: header block of the returned original, when the form found it in the text
    returned_head: bytes = b""
