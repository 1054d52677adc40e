"""The types of the API's input and output for what goes out. Times are RFC 3339, in UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from console.outgoing.alert import Alert
from console.outgoing.commands import CommandName, CommandState
from console.outgoing.endpoint import Standing
from console.outgoing.event import Event, EventType
from console.outgoing.notices import NoticeOf
from console.outgoing.watch import Per, Watch, WatchOn
from console.schema import BroadcastId, BroadcastRef, ShortText, Text, whole
from model.cause import Cause

#: Numbers of facts; JSON numbers are exact up to here.
Seq = Annotated[int, Meta(ge=0, le=2**53 - 1)]
WebhookId = Annotated[str, Meta(pattern=whole(r"[0-9a-f]{16}"))]
CommandId = Annotated[str, Meta(pattern=whole(r"[0-9a-f]{16}"))]


class WebhookPath(Struct, frozen=True):
    """Path of one endpoint."""

    id: WebhookId


class WebhookIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make."""

    url: Annotated[str, Meta(min_length=1, max_length=2_048, description="https, and a host with a public address")]
    events: Annotated[
        tuple[EventType, ...],
        Meta(max_length=len(EventType), description="empty: all but `command` and `alert`, which must be asked for"),
    ] = ()
    broadcast: Annotated[BroadcastId | None, Meta(description="only events of this broadcast")] = None
    with_tests: Annotated[bool, Meta(description="events of test sends too")] = False
    description: ShortText = ""
    from_seq: Annotated[Seq | None, Meta(description="begin with this fact; null: with what happens from now on")] = (
        None
    )


class WebhookOut(Struct, frozen=True):
    """An endpoint and how it stands. Its secret is never shown again."""

    id: str
    url: str
    events: list[EventType]
    broadcast: str | None
    with_tests: bool
    description: str
    made_at: datetime
    standing: Standing
    #: everything up to this fact is delivered, waits below, or is a dead letter
    cursor: int
    #: facts after the cursor, wanted or not
    behind: int
    #: events tried on their own, since the receiver refuses them while it takes others
    waiting: int
    attempts: int
    next_attempt_at: datetime | None
    failing_since: datetime | None
    delivered_at: datetime | None
    disabled_at: datetime | None
    disabled_why: str
    last_status: int | None
    last_problem: str


class WebhookMade(Struct, frozen=True):
    """A new endpoint with its secret: keep it, it is shown this once."""

    webhook: WebhookOut
    secret: str


class WebhookList(Struct, frozen=True):
    """A tenant's endpoints, at most fifty."""

    webhooks: list[WebhookOut]


class SecretOut(Struct, frozen=True):
    """A new secret, shown this once; the one before signs too until then."""

    secret: str
    old_valid_until: datetime


class TestOut(Struct, frozen=True):
    """What became of a test event. What the receiver answered is not shown beside the status."""

    __test__ = False  # no test class, pytest

    delivered: bool
    status: int | None
    problem: str
    took_ms: int


class AttemptOut(Struct, frozen=True):
    """One request."""

    at: datetime
    seq: int
    id: str
    type: str
    status: int | None
    problem: str
    took_ms: int


class AttemptList(Struct, frozen=True):
    """The last fifty requests since the server started, newest first."""

    attempts: list[AttemptOut]


class DeadQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on."""

    after: Seq | None = None


class DeadOut(Struct, frozen=True):
    """An event that was given up: replay it by its number."""

    seq: int
    id: str
    first_tried_at: datetime
    attempts: int
    last_status: int | None
    last_problem: str


class DeadPage(Struct, frozen=True):
    """Fifty dead letters, oldest first."""

    dead: list[DeadOut]
    next: int | None


class ReplayIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to deliver again: everything from a fact on, or (null) the oldest hundred dead letters."""

    from_seq: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class EventsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events."""

    after: Annotated[Seq, Meta(description="`next` of the page before; 0: from the beginning")] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    wait: Annotated[int, Meta(ge=0, le=30, description="seconds to wait for the first event")] = 0
    types: Annotated[str, Meta(pattern=whole(r"[a-z_]+(,[a-z_]+)*"), max_length=400)] | None = None
    broadcast: BroadcastRef | None = None
    test: bool = False


class EventPage(Struct, frozen=True):
    """Events in the order of the log. ``next`` moves on even past what was not asked for."""

    events: list[Event]
    next: int
    #: whether there is more already
    more: bool


class CommandIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What a sending system shall do."""

    command: CommandName
    broadcast: BroadcastId | None = None
    queue: Annotated[ShortText | None, Meta(description="a domain or queue, as the sending system calls it")] = None
    reason: Text = ""
    for_s: Annotated[int, Meta(ge=1, le=30 * 86_400, description="go on by itself after so long")] | None = None


class CommandPath(Struct, frozen=True):
    """Path of one command."""

    id: CommandId


class CommandQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on."""

    after: CommandId | None = None


class CommandOut(Struct, frozen=True):
    """A command and how far it is: asked, sent (a receiver took it), done or failed (it said so), expired."""

    id: str
    command: CommandName
    state: CommandState
    broadcast: str | None
    queue: str | None
    reason: str
    for_s: int | None
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    changed_at: datetime | None
    changed_by: str | None
    note: str


class CommandPage(Struct, frozen=True):
    """Fifty commands, the newest first."""

    commands: list[CommandOut]
    next: str | None


class AckState(StrEnum):
    """What became of it."""

    DONE = "done"
    FAILED = "failed"


class AckIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What the sending system says."""

    state: AckState
    note: Text = ""


class NoticeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to tell of a broadcast; ``broadcast`` null: of all without a wish of their own."""

    notify_on: Annotated[tuple[NoticeOf, ...], Meta(max_length=len(NoticeOf))]
    broadcast: BroadcastId | None = None


class NoticeWish(Struct, frozen=True):
    """What is told of a broadcast."""

    broadcast: str | None
    notify_on: list[NoticeOf]


class NoticeWishes(Struct, frozen=True):
    """All wishes."""

    notices: list[NoticeWish]


class FeedQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on."""

    before: Seq | None = None


class Who(Struct, frozen=True):
    """Whom it is about, as far as the sender said."""

    recipient: str
    address: str | None
    name: str | None
    company: str | None


class NoticeOut(Struct, frozen=True):
    """When, who, what."""

    id: str
    seq: int
    at: datetime
    who: Who
    what: NoticeOf
    broadcast: str | None
    #: where a click led
    target: str | None


class NoticePage(Struct, frozen=True):
    """Up to fifty notices, newest first. A page may be short, even empty, and still have a next."""

    notices: list[NoticeOut]
    next: int | None


class WatchIn(Struct, frozen=True, forbid_unknown_fields=True):
    """So many failures in so much time raise an alert, and ask the sending systems for something (P07)."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    threshold: Annotated[int, Meta(ge=1, le=100_000)]
    window_s: Annotated[int, Meta(ge=60, le=86_400)] = 3_600
    on: Annotated[tuple[WatchOn, ...], Meta(min_length=1, max_length=2)] = (WatchOn.FAILED,)
    causes: Annotated[tuple[Cause, ...], Meta(max_length=len(Cause), description="empty: any")] = ()
    pattern: Annotated[str, Meta(max_length=500, description="RE2, looked for in the server's words")] = ""
    per: Annotated[Per, Meta(description="what is counted together")] = Per.BROADCAST
    command: CommandName | None = None
    for_s: Annotated[int, Meta(ge=1, le=30 * 86_400, description="how long a pause shall last")] | None = None


class WatchPath(Struct, frozen=True):
    """Path of one watch."""

    id: WebhookId


class WatchList(Struct, frozen=True):
    """A tenant's watches."""

    watches: list[Watch]


class AlertOut(Struct, frozen=True):
    """Something somebody should know."""

    id: str
    alert: Alert


class AlertPage(Struct, frozen=True):
    """Fifty alerts, the newest first."""

    alerts: list[AlertOut]
    next: str | None
