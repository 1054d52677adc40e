"""Types of the lists of people: recipients behind a number, errors, the status log, engagement."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from console.schema import Cursor, ShortText, TimelineEvent, whole

Metric = Annotated[
    str, Meta(pattern=whole(r"[a-z_]{1,32}(:[A-Za-z_:]{1,64})?"), description="docs/lists.md has them all")
]
Keyword = Annotated[str, Meta(max_length=200, description="part of a name, an address or a company; NFKC, any case")]
When = Annotated[datetime, Meta(tz=True)]


class PeopleQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which of a broadcast's recipients to show."""

    metric: Metric = "listed"
    q: Keyword = ""
    unsubscribed: bool | None = None
    after: Cursor | None = None


class PersonOut(Struct, frozen=True):
    """One recipient of a broadcast. ``status`` is the state; ``delivery_status`` Sansan's class (S18)."""

    recipient: str
    address: str | None
    last_name: str | None
    first_name: str | None
    company: str | None
    contact_ref: str | None
    status: str
    evidence: str | None
    excluded: str | None
    delivery_status: str | None
    cause: str | None
    reason: str | None
    permanence: str | None
    hard: bool | None
    channel: str | None
    #: the server's words, normalised and as they came (R21)
    detail: str | None
    diagnostic: str | None
    resend_hint: bool
    address_check_hint: bool
    failed_at: datetime | None
    #: whether the failure came more than 24 h, and more than 72 h, after the mail was done (W2)
    after_24h: bool | None
    late: bool | None
    error_acked_at: datetime | None
    fetched_at: datetime | None
    settle: str
    opens: int
    clicks: int
    unsubscribed: bool
    complained: bool
    auto_replied: bool


class PeoplePage(Struct, frozen=True):
    """At most fifty people (R23); ``next`` may be there with fewer, where much had to be looked through."""

    people: list[PersonOut]
    next: str | None


class ErrorsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which errors to show: all, or those nobody has acknowledged."""

    acked: bool | None = None
    after: Cursor | None = None


class ErrorsPage(Struct, frozen=True):
    """Fifty errors in the order they became known. ``until`` goes into the acknowledgement (R25)."""

    people: list[PersonOut]
    unacked: int
    until: int
    next: str | None


class AckIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to which error was seen: ``until`` of the page that was looked at, so that what came since stays (W14)."""

    until: Annotated[int, Meta(ge=0, le=2**53)]


class AckOut(Struct, frozen=True):
    """How many errors this acknowledged, and how many are left."""

    acked: int
    unacked: int


class MailStatusName(StrEnum):
    """Status of a mail in EngageLab's words, and ours for what it has none for."""

    REQUESTED = "requested"
    DELIVERED = "delivered"
    SOFT_BOUNCE = "soft_bounce"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    #: role addresses, duplicates and the like, which EngageLab knows nothing of
    EXCLUDED = "excluded"


class MailStatusQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Six filters and a period of at most 30 days (E20, E21)."""

    from_: When
    to: When
    address: Annotated[str, Meta(max_length=320)] | None = None
    mail_type: ShortText | None = None
    tag: ShortText | None = None
    api_user: ShortText | None = None
    schedule_task_id: ShortText | None = None
    status: MailStatusName | None = None
    after: Cursor | None = None


class MailStatusOut(Struct, frozen=True):
    """One mail (E01)."""

    status: str
    status_class: str | None
    api_user: str | None
    address: str
    recipient: str
    broadcast: str
    requested_at: datetime | None
    sent_at: datetime | None
    request_ip: str | None
    send_ip: str | None
    send_log: str
    mail_type: str | None
    tags: tuple[str, ...]


class MailStatusPage(Struct, frozen=True):
    """At most fifty mails."""

    mails: list[MailStatusOut]
    next: str | None


class EngagementQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which opens and clicks to show."""

    machines: bool = False
    after: Cursor | None = None


class EngagementOut(Struct, frozen=True):
    """One open or click (E29, S33). ``agent`` judges this request alone, ``machine`` it beside all others."""

    at: datetime
    type: str
    recipient: str
    address: str | None
    link: int | None
    url: str | None
    ip: str | None
    user_agent: str | None
    agent: str
    machine: bool


class EngagementPage(Struct, frozen=True):
    """Opens and clicks, recipient by recipient."""

    engagement: list[EngagementOut]
    next: str | None


class RecipientQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose mails to show."""

    address: Annotated[str, Meta(min_length=3, max_length=320)]


class RecipientDelivery(Struct, frozen=True):
    """How one broadcast went for a recipient, with everything that happened."""

    broadcast: str
    name: str | None
    status: str
    events: list[TimelineEvent]


class RecipientOut(Struct, frozen=True):
    """All that is known of one recipient, the newest broadcast first (B17)."""

    recipient: str
    address: str | None
    suppressed: list[str]
    deliveries: list[RecipientDelivery]
