"""What a mail that came back says, once read: plain data made by the classifier, used by everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from model.cause import SPECS, Cause, Fault, Permanence, Reason


class Kind(StrEnum):
    """What sort of mail came back, in the measuring corpus's words."""

    BOUNCE = "bounce"
    #: still being retried (RFC 3464 2.3.3, action delayed)
    DELAY_WARNING = "delay-warning"
    AUTO_REPLY = "auto_reply"
    #: RFC 5965 and its relatives, DMARC failure reports
    FEEDBACK_REPORT = "feedback_report"
    #: delivered, relayed, expanded, or a read receipt (RFC 8098)
    DELIVERED_NOTICE = "delivered-notice"
    #: none of these: a person wrote it
    NOT_BOUNCE = "not_bounce"


class Action(StrEnum):
    """The Action field of a delivery report (RFC 3464 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class AutoReplyKind(StrEnum):
    """What an automatic reply (RFC 3834) is about (mission 3.2)."""

    VACATION = "vacation"
    #: left the company or moved
    LEFT = "left"
    #: asks the sender to prove to be a person
    CHALLENGE = "challenge"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one recipient's mail failed, and which rule says so."""

    cause: Cause
    permanence: Permanence
    #: id of the rule, or the name of the built-in step that decided (``status:5.1.1``)
    rule: str
    #: version (hash) of the rule set that decided
    rules_version: str
    #: 0.0 to 1.0
    confidence: float = 1.0
    #: the address or domain is dead, in the corpus's address-level sense
    is_dead: bool = False
    #: reply code and enhanced status disagree about the class (mission A17)
    conflict: bool = False
    #: the class that the text states, where the cause is known to be another (au's "User unknown" is a filter)
    stated: Reason | None = None

    @property
    def reason(self) -> Reason:
        """The corpus's class: what the text states, else that of the cause."""
        return self.stated or SPECS[self.cause].reason

    @property
    def fault(self) -> Fault:
        """Whose fault it is."""
        return SPECS[self.cause].fault


@dataclass(frozen=True, slots=True)
class RecipientReading:
    """What the mail says of one recipient. Texts are decoded, trimmed, at most 1,000 characters."""

    #: the address that was mailed; None when the mail names none
    address: str | None
    #: the address it went to in the end, where that differs (RFC 3464 2.3.2)
    final_address: str | None = None
    action: Action = Action.FAILED
    #: None for delivered, relayed and expanded
    verdict: Verdict | None = None
    #: enhanced status, e.g. ``5.1.1``
    status: str | None = None
    reply_code: int | None = None
    #: the SMTP command that failed, upper case, when known
    command: str | None = None
    #: what the remote server said
    diagnostic: str = ""
    remote_mta: str | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """What the returned original's headers say: the material of the correlation ladder (mission 5)."""

    message_id: str | None = None
    to: str | None = None
    #: texts that may hold one of our tokens, most trusted first: (header name, value)
    token_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Absence:
    """What an automatic reply says in words (N17): suggestions to a person, never reason enough to suppress."""

    #: the first day on which its author is back, as far as the text says
    back_on: date | None = None
    #: the author no longer works there
    has_left: bool = False
    #: where the author can be reached from now on
    new_addresses: tuple[str, ...] = ()
    #: who stands in
    contacts: tuple[str, ...] = ()
    #: the sentences all this rests on, as written
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one mail says."""

    kind: Kind
    recipients: tuple[RecipientReading, ...] = ()
    #: the reader that understood it, e.g. ``rfc3464``, ``qmail``
    form: str = ""
    rules_version: str = ""
    #: Message-ID and Date of the mail itself, as written
    message_id: str | None = None
    date: str | None = None
    subject: str = ""
    reporting_mta: str | None = None
    #: Original-Envelope-Id (RFC 3464 2.2.1)
    envelope_id: str | None = None
    #: Arrival-Date (RFC 3464 2.2.5), as written
    arrival_date: str | None = None
    #: Feedback-Type of a complaint, lower case
    feedback_type: str | None = None
    auto_reply: AutoReplyKind | None = None
    #: what an automatic reply suggests; None when it suggests nothing
    absence: Absence | None = None
    #: delivered-notice that a person caused by reading (RFC 8098)
    is_read_receipt: bool = False
    returned: Returned = field(default_factory=Returned)
    #: what was done, step by step; filled only when asked for
    steps: tuple[str, ...] = ()
