"""What facts say: one frozen class for the detail of each type of fact, and the closed sets they use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from model.cause import Cause, Channel, Permanence


class Agent(IntEnum):
    """Who made a tracker request, judged from that request alone (mission 4.8)."""

    #: nothing speaks for a machine
    PERSON = 1
    #: an image proxy acting for a person (Gmail, Yahoo)
    PROXY = 2
    #: cannot be told
    UNSURE = 3
    #: mail privacy prefetch
    PREFETCH = 4
    #: security scanner, link checker, script
    MACHINE = 5
    #: followed the link no person sees
    HONEYPOT = 6

    @property
    def is_machine(self) -> bool:
        """Whether the request is not counted as a person's."""
        return self >= Agent.PREFETCH


class UnsubscribeVia(IntEnum):
    """How an unsubscribe came."""

    #: RFC 8058 POST
    ONE_CLICK = 1
    #: the form on our page
    PAGE = 2
    #: a mail to the unsubscribe address
    MAIL = 3
    #: the sender or an operator told us
    API = 4


class UnsubscribeReason(IntEnum):
    """The four reasons of the page (E45); 0 when none was given."""

    NONE = 0
    #: このようなメールを受け取りたくない
    UNWANTED = 1
    #: これは自分が購読したものではない
    NOT_SUBSCRIBED = 2
    #: これはスパムである
    SPAM = 3
    #: これは詐欺メールであり、報告したい
    FRAUD = 4


class ExcludedKind(IntEnum):
    """Why a listed recipient is not mailed (mission 4.1)."""

    BOUNCE = 1
    COMPLAINT = 2
    BLOCK = 3
    UNSUBSCRIBE = 4
    ROLE = 5
    SYNTAX = 6
    DUPLICATE = 7
    NOT_READY = 8
    #: two different addresses have the same recipient number
    COLLISION = 9


class Trust(IntEnum):
    """How far a report may go (mission 7.2 no. 5)."""

    #: counted, but suppresses nobody
    COUNT = 1
    #: our token proves it: may suppress
    SUPPRESS = 2


@dataclass(frozen=True, slots=True)
class BroadcastSet:
    """Fields of a broadcast; None leaves a field as it was."""

    broadcast_id: str
    name: str | None = None
    status: str | None = None
    subject: str | None = None
    #: ``html``, ``text`` or ``multipart`` (S12)
    format: str | None = None
    #: subscription stream an unsubscribe ends
    stream: str | None = None
    scheduled_at_us: int | None = None
    sender: str | None = None
    schedule_task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A listed recipient with what reports show of it."""

    address: str
    #: which list row said so: a hash of the request and the row's number; two rows make a duplicate
    row: bytes
    contact_ref: str | None = None
    last_name: str | None = None
    first_name: str | None = None
    company: str | None = None
    tags: tuple[str, ...] = ()
    mail_type: str | None = None
    api_user: str | None = None
    request_ip: str | None = None
    recipient_source: str | None = None
    schedule_task_id: str | None = None
    user_ref: str | None = None
    list_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A listed recipient that is not mailed, and the exact words to tell (E34, E37, E40)."""

    kind: ExcludedKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a server or a report said of one delivery. Used by ACCEPTED, DEFERRED, FAILED, RELAYED."""

    channel: Channel
    #: identity of the message or log line it was read from: 16 octets that are the same on every way here
    origin: bytes
    cause: Cause | None = None
    permanence: Permanence = Permanence.UNKNOWN
    trust: Trust = Trust.COUNT
    confidence: float = 1.0
    status: str | None = None
    reply_code: int | None = None
    command: str | None = None
    diagnostic: str = ""
    rule: str = ""
    rules_version: str = ""
    #: the address that failed, as the report names it
    address: str | None = None
    final_address: str | None = None
    remote_mta: str | None = None
    reporting_mta: str | None = None
    #: the address the sending side sent from, where it says so (E01)
    send_ip: str | None = None
    #: stands for the address among all tenants that share bounces (KeyRing.global_mark); None if this one does not
    global_mark: bytes | None = None


@dataclass(frozen=True, slots=True)
class AutoReplied:
    """An automatic reply: ``kind`` is a model.reading.AutoReplyKind value, ``text`` its first words."""

    kind: str
    origin: bytes
    text: str = ""
    #: what it suggests (N17): the day of the return (ISO 8601), where to write, and the words that rests on
    back_on: str | None = None
    new_address: str | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Complained:
    """A complaint. ``feedback_type`` as RFC 5965 3.1, lower case; ``via_form`` when from our page (A26)."""

    feedback_type: str
    origin: bytes
    via_form: bool = False
    user_agent: str | None = None
    source_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Engaged:
    """An open or a click. ``link`` is 1-based in the mail, 0 for the pixel; ``links`` how many the mail has."""

    agent: Agent
    link: int = 0
    links: int = 0
    ip: str | None = None
    user_agent: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """An unsubscribe or resubscribe. ``everything`` ends all streams, not only the broadcast's own.

    ``origin`` identifies the mail it came by; empty otherwise.
    """

    via: UnsubscribeVia
    reason: UnsubscribeReason = UnsubscribeReason.NONE
    everything: bool = False
    origin: bytes = b""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Stopped before it was tried to the end."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A mail without proof of ours: shown to operators, never counted, never suppressing (S23)."""

    kind: str
    origin: bytes
    address: str | None = None
    cause: Cause | None = None
    diagnostic: str = ""
    subject: str = ""
    #: why it proves nothing, e.g. ``no token``, ``other tenant``
    why: str = ""
    #: the raw mail, where kept (zlib)
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A suppression lifted by hand, with the reason given (E35).

    It lifts what rests on evidence up to the fact's time, or with ``until_us`` what rests on evidence of that span
    (microseconds since 1970-01-01 UTC, half open), whenever it comes: an incident undone (S26, N04).
    """

    suppression: str
    reason: str
    actor: str
    from_us: int = 0
    until_us: int = 0


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """A tenant's piece of configuration or small state, kept under kind and name; of two the later holds.

    Kinds in use are listed in docs/storage.md (a block list entry, an exemption, a webhook, an export task ...).
    """

    kind: str
    name: str
    #: JSON; None deletes it
    body: bytes | None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """Something a person or a token did that must be answerable for (T17)."""

    actor: str
    action: str
    target: str = ""
    #: JSON, without secrets
    note: str = ""


@dataclass(frozen=True, slots=True)
class Converted:
    """A conversion the sender reports (K28, K40); ``origin`` names it, so that it counts once."""

    origin: bytes
    name: str = ""
    value: float | None = None


Detail = (
    BroadcastSet
    | Planned
    | Excluded
    | Report
    | AutoReplied
    | Complained
    | Engaged
    | Unsubscribed
    | Cancelled
    | Unmatched
    | Released
    | DocumentSet
    | Audited
    | Converted
)
