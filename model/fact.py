"""Facts: whatever happened, said once and never changed (design decision 3).

A fact is about one delivery (tenant, broadcast, recipient), about a broadcast (recipient 0), or about a
recipient wherever mailed (broadcast 0). Its identity is a hash of what it says, so the same report counts once
however often and by whatever way it comes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

from model.cause import Cause, Channel, Permanence


class FactType(IntEnum):
    """What happened. The numbers are stored; never reuse one."""

    #: a broadcast was described or changed
    BROADCAST_SET = 1
    #: the sender listed a recipient
    PLANNED = 2
    #: a listed recipient is not mailed
    EXCLUDED = 3
    #: the receiving server took it, says the sending side
    ACCEPTED = 4
    #: not yet: a 4xx reply, or a report with Action delayed
    DEFERRED = 5
    #: it failed for good
    FAILED = 6
    #: a success report: delivered, relayed or expanded
    RELAYED = 7
    #: an automatic reply came back (RFC 3834)
    AUTO_REPLIED = 8
    #: a complaint (RFC 5965, or reasons 3 and 4 of the unsubscribe page)
    COMPLAINED = 9
    #: the pixel was fetched
    OPENED = 10
    #: a tracked link was followed
    CLICKED = 11
    #: the recipient wants no more mail
    UNSUBSCRIBED = 12
    #: the recipient wants mail again
    RESUBSCRIBED = 13
    #: the sender or an administrator stopped it
    CANCELLED = 14
    #: a mail came that belongs to no delivery we can prove
    UNMATCHED = 15
    #: an operator lifted a suppression
    RELEASED = 16


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


class DeliveryKey(NamedTuple):
    """Which delivery: what a token names."""

    tenant: int
    broadcast: int
    recipient: int

    def pack(self) -> bytes:
        """Return the 16 octets under which a delivery is stored."""
        return self.tenant.to_bytes(2, "big") + self.broadcast.to_bytes(6, "big") + self.recipient.to_bytes(8, "big")

    @classmethod
    def unpack(cls, raw: bytes) -> DeliveryKey:
        """Read what ``pack`` wrote."""
        number = int.from_bytes
        return cls(number(raw[:2], "big"), number(raw[2:8], "big"), number(raw[8:16], "big"))


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
    """A suppression lifted by hand, with the reason given (E35)."""

    suppression: str
    reason: str
    actor: str


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
)

#: The detail class each type carries.
DETAILS: dict[FactType, type[Detail]] = {
    FactType.BROADCAST_SET: BroadcastSet,
    FactType.PLANNED: Planned,
    FactType.EXCLUDED: Excluded,
    FactType.ACCEPTED: Report,
    FactType.DEFERRED: Report,
    FactType.FAILED: Report,
    FactType.RELAYED: Report,
    FactType.AUTO_REPLIED: AutoReplied,
    FactType.COMPLAINED: Complained,
    FactType.OPENED: Engaged,
    FactType.CLICKED: Engaged,
    FactType.UNSUBSCRIBED: Unsubscribed,
    FactType.RESUBSCRIBED: Unsubscribed,
    FactType.CANCELLED: Cancelled,
    FactType.UNMATCHED: Unmatched,
    FactType.RELEASED: Released,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened.

    ``at_us`` is microseconds since 1970-01-01 UTC: when we saw it, or when it happened if the source says so
    and is trusted. ``node`` is the machine that saw it. ``is_test`` and ``is_html`` come from the token.
    """

    type: FactType
    key: DeliveryKey
    at_us: int
    detail: Detail
    node: int = 0
    is_test: bool = False
    is_html: bool = False

    @property
    def id(self) -> bytes:
        """16 octets that two facts share exactly when they say the same thing (T18).

        What came by mail is identified by that mail and not by when we saw it; a tracker hit by its time,
        which a UniqueClock makes distinct.
        """
        return blake2b(repr(self._identity()).encode(), digest_size=16).digest()

    def _identity(self) -> tuple[object, ...]:
        detail, base = self.detail, (int(self.type), *self.key)
        match detail:
            case Planned():
                return (*base, detail.row)
            case Excluded():
                return (*base, int(detail.kind))
            case Report():
                return (*base, int(detail.channel), detail.origin, detail.status, detail.final_address)
            case AutoReplied() | Complained() | Unmatched():
                return (*base, detail.origin)
            case Engaged():
                return (*base, self.at_us, int(detail.agent), detail.link, detail.links)
            case Unsubscribed(origin=origin) if origin:
                return (*base, origin)
            case Unsubscribed():
                return (*base, self.at_us, int(detail.via), int(detail.reason), detail.everything)
            case BroadcastSet() | Cancelled() | Released():
                return (*base, self.at_us, *_said(detail))


def _said(detail: Detail) -> tuple[tuple[str, object], ...]:
    """Return the fields that say something, so that a field appended later changes no identity made before."""
    given = ((field.name, getattr(detail, field.name), field.default) for field in fields(detail))
    return tuple((name, value) for name, value, default in given if value != default)


class UniqueClock:
    """Turns clock readings into times no two facts of this process share, nor of its siblings.

    The lowest three bits hold the process's slot (0-7); a clock that stands still or steps back is outrun.
    """

    def __init__(self, slot: int) -> None:
        """``slot`` numbers the processes of one machine."""
        self._slot = slot & 7
        self._last = 0

    def stamp(self, now_us: int) -> int:
        """Return a time at or a little after ``now_us`` that was never returned before."""
        self._last = max((now_us & ~7) | self._slot, self._last + 8)
        return self._last
