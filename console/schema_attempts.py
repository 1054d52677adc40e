"""Types of what the sending side reports."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from console.schema import BroadcastId, RecipientNumber, ShortText, whole

MailToken = Annotated[str, Meta(min_length=48, max_length=48, description="`envid` of the answer to POST /v1/sends")]
When = Annotated[datetime, Meta(tz=True)]
Reply = Annotated[str, Meta(max_length=4_000, description="the server's words")]


class Outcome(StrEnum):
    """What became of an attempt."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One attempt. ``id`` names it (a queue id and time), so that it counts once however often it is reported.

    ``code`` is the sender's own code of a failure before any server was asked (K16-K19).
    """

    outcome: Outcome
    token: MailToken | None = None
    broadcast: BroadcastId | None = None
    address: Annotated[str, Meta(max_length=1_000)] | None = None
    recipient: RecipientNumber | None = None
    at: When | None = None
    id: ShortText | None = None
    reply: Reply = ""
    reply_code: Annotated[int, Meta(ge=200, le=599)] | None = None
    status: Annotated[str, Meta(pattern=whole(r"[245]\.\d{1,3}\.\d{1,3}"))] | None = None
    command: Annotated[str, Meta(max_length=16)] | None = None
    remote_mta: ShortText | None = None
    send_ip: Annotated[str, Meta(max_length=45)] | None = None
    code: Annotated[str, Meta(max_length=64)] | None = None


class ConversionRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One conversion of a recipient; ``id`` names it, so that it counts once."""

    token: MailToken | None = None
    broadcast: BroadcastId | None = None
    address: Annotated[str, Meta(max_length=1_000)] | None = None
    recipient: RecipientNumber | None = None
    at: When | None = None
    id: ShortText | None = None
    name: ShortText = ""
    value: float | None = None


class RowTaken(Struct, frozen=True):
    """A row that is durable."""

    row: int
    taken: bool


class RowRefused(Struct, frozen=True):
    """A row that says nothing we can keep, or that was not stored: mend it or send it again."""

    row: int
    error: str
