"""The types of the API's input and output, one for each JSON object. Times are RFC 3339, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct


def whole(pattern: str) -> str:
    """Return a pattern that fits texts that are wholly ``pattern``.

    By itself ``$`` also fits before a line feed at the end, in Python and so in msgspec, though not in JSON Schema.
    """
    return rf"^(?:{pattern})(?!\n)$"


BroadcastId = Annotated[str, Meta(pattern=whole(r"[A-Za-z0-9._-]{1,64}"), description="chosen by the sender")]
BroadcastRef = Annotated[
    str,
    Meta(
        pattern=whole(r"[A-Za-z0-9._-]{1,64}|~[0-9a-f]{12}"),
        description="the broadcast's id, or ~ and its number where mail came back before it was described",
    ),
]
RecipientNumber = Annotated[
    str, Meta(pattern=whole(r"[0-9a-f]{16}"), description="stands for an address; leads to none")
]
Text = Annotated[str, Meta(max_length=1_000)]
ShortText = Annotated[str, Meta(max_length=200)]
Cursor = Annotated[str, Meta(pattern=whole(r"[A-Za-z0-9_=-]{1,200}"), description="`next` of the page before")]


class BroadcastStatus(StrEnum):
    """Where a broadcast stands (S03-S05)."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"


class MailFormat(StrEnum):
    """Whether the mail has an HTML part: opens can be seen only then (S12)."""

    HTML = "html"
    TEXT = "text"
    MULTIPART = "multipart"


class Language(StrEnum):
    """Language of labels."""

    JA = "ja"
    EN = "en"


class ProfileName(StrEnum):
    """Whose words, classes and rules a report follows (docs/reports.md)."""

    NATIVE = "native"
    SANSAN = "sansan"
    RELATION = "relation"
    ENGAGELAB = "engagelab"
    KARTE = "karte"
    BALES = "bales"


class SuppressionName(StrEnum):
    """Why somebody is not mailed."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    BLOCK = "block"
    UNSUBSCRIBE = "unsubscribe"
    SOFT = "soft"


class BroadcastPath(Struct, frozen=True):
    """Path of a broadcast to write."""

    id: BroadcastId


class BroadcastRefPath(Struct, frozen=True):
    """Path of a broadcast to read."""

    id: BroadcastRef


class RecipientPath(Struct, frozen=True):
    """Path of one delivery."""

    id: BroadcastRef
    recipient: RecipientNumber


class SuppressionPath(Struct, frozen=True):
    """Path of one entry of the suppression list."""

    recipient: RecipientNumber
    kind: SuppressionName


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on in a list."""

    after: Cursor | None = None


class View(StrEnum):
    """The three views of the side bar (R07)."""

    ALL = "all"
    SENDING = "sending"
    SENT = "sent"


class BroadcastsQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which broadcasts to list (S02): by status, by when they were last described, by a word."""

    view: View = View.ALL
    status: BroadcastStatus | None = None
    q: Annotated[str, Meta(max_length=200, description="part of id, name or subject")] = ""
    from_: Annotated[datetime, Meta(tz=True)] | None = None
    to: Annotated[datetime, Meta(tz=True)] | None = None
    after: Cursor | None = None


class ReportQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How to show a report."""

    lang: Language = Language.EN
    test: bool = False
    #: None: the native numbers only
    profile: ProfileName | None = None
    #: a figure of the profile, or ``all``
    explain: (
        Annotated[str, Meta(pattern=whole(r"[A-Za-z0-9_.:]{1,100}"), description="a figure of the profile, or `all`")]
        | None
    ) = None


class TimelineQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries to look at: those that count, or the test sends."""

    test: bool = False


class ReleaseQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a suppression is lifted; kept for ever (E35)."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class BroadcastIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What a sender says of a broadcast. Fields left out stay as they were."""

    name: ShortText | None = None
    status: BroadcastStatus | None = None
    subject: Text | None = None
    format: MailFormat | None = None
    stream: Annotated[str, Meta(max_length=64, description="subscription stream an unsubscribe ends")] | None = None
    scheduled_at: Annotated[datetime, Meta(tz=True)] | None = None
    sender: ShortText | None = None
    schedule_task_id: ShortText | None = None


class BroadcastOut(Struct, frozen=True):
    """A broadcast as far as it was described; ``id`` is null when only mail that came back is known of it."""

    id: str | None
    number: str
    name: str | None
    #: as the sender said; where it said nothing, or sending, sent once nothing is under way (S05)
    status: str
    subject: str | None
    format: str | None
    stream: str
    scheduled_at: datetime | None
    sender: str | None
    schedule_task_id: str | None
    updated_at: datetime | None


class BroadcastPage(Struct, frozen=True):
    """Fifty broadcasts, the newest first (R23)."""

    broadcasts: list[BroadcastOut]
    next: str | None


class SendRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of POST /v1/sends: a recipient of a broadcast and what reports shall show of it."""

    broadcast: BroadcastId
    address: Annotated[str, Meta(max_length=1_000)]
    contact_ref: ShortText | None = None
    last_name: ShortText | None = None
    first_name: ShortText | None = None
    company: ShortText | None = None
    tags: Annotated[tuple[ShortText, ...], Meta(max_length=20)] = ()
    mail_type: ShortText | None = None
    api_user: ShortText | None = None
    request_ip: ShortText | None = None
    recipient_source: ShortText | None = None
    schedule_task_id: ShortText | None = None
    user_ref: ShortText | None = None
    list_ref: ShortText | None = None
    test: bool = False
    format: Annotated[MailFormat | None, Meta(description="of this mail, if not as the broadcast is described")] = None


class SendAccepted(Struct, frozen=True):
    """To be mailed: what to put into the mail. The listing is durable."""

    row: int
    recipient: str
    return_path: str
    pixel_url: str | None
    unsubscribe_url: str
    unsubscribe_address: str
    headers: dict[str, str]
    envid: str


class SendExcluded(Struct, frozen=True):
    """Not to be mailed, with the exact words to show (E34, E37, E40). Durable as well."""

    row: int
    excluded: str
    detail: str


class SendRefused(Struct, frozen=True):
    """A line that is no row, or that could not be stored: nothing is known of it. Mend it or send it again."""

    row: int
    error: str


class PreflightPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """An address with the company it is listed under: custom blocks of companies are asked too (S32)."""

    address: Annotated[str, Meta(max_length=1_000)]
    company: ShortText | None = None


class PreflightIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses to ask about, just before sending: plain, or with a company."""

    addresses: Annotated[
        list[Annotated[str, Meta(max_length=1_000)] | PreflightPerson], Meta(min_length=1, max_length=10_000)
    ]
    stream: Annotated[str, Meta(max_length=64)] = ""


class PreflightRow(Struct, frozen=True):
    """Whether one address may be mailed, in the order asked."""

    address: str
    allowed: bool
    excluded: str | None = None
    detail: str | None = None
    expires_at: datetime | None = None


class PreflightOut(Struct, frozen=True):
    """Answers, in the order of the questions."""

    results: list[PreflightRow]


class TimelineEvent(Struct, frozen=True):
    """One fact about a delivery; ``detail`` has the fields of its type (docs/api.md)."""

    at: datetime
    type: str
    detail: dict[str, Any]


class DeliveryOut(Struct, frozen=True):
    """One delivery: how it stands and all that happened, oldest first (B17, B20)."""

    broadcast: str
    recipient: str
    address: str | None
    state: str
    evidence: str | None
    excluded: str | None
    cause: str | None
    permanence: str | None
    diagnostic: str | None
    events: list[TimelineEvent]


class UnmatchedOut(Struct, frozen=True):
    """A mail that came back without proof of ours; ``why`` says what was missing."""

    at: datetime
    kind: str
    why: str
    address: str | None
    cause: str | None
    diagnostic: str
    subject: str


class UnmatchedPage(Struct, frozen=True):
    """Fifty such mails, oldest first."""

    unmatched: list[UnmatchedOut]
    next: str | None


class HealthRow(Struct, frozen=True):
    """One check."""

    name: str
    ok: bool
    problem: str = ""


class HealthOut(Struct, frozen=True):
    """All checks; ``ok`` false makes the status 503."""

    ok: bool
    checks: list[HealthRow]


def time_of(at_us: int | None) -> datetime | None:
    """Return microseconds since 1970-01-01 UTC as a time."""
    return None if at_us is None else datetime.fromtimestamp(at_us / 1e6, UTC)


def us_of(at: datetime | None) -> int | None:
    """Return a time as microseconds since 1970-01-01 UTC."""
    return None if at is None else round(at.timestamp() * 1e6)


#: What a line of the answer to POST /v1/sends may be.
SEND_ANSWERS = (SendAccepted, SendExcluded, SendRefused)
encode = msgspec.json.Encoder().encode
