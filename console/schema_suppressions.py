"""Types of the suppression list, custom blocks, exemptions, incidents and the policy."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from console.schema import Cursor, RecipientNumber, ShortText, SuppressionName, whole
from model.cause import Cause

When = Annotated[datetime, Meta(tz=True)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, description="why; kept for ever")]
DomainName = Annotated[str, Meta(max_length=253)]
#: In a URL, where every character may take twelve octets and the whole at most 8,190.
AddressText = Annotated[str, Meta(min_length=1, max_length=320)]
Since = Annotated[
    str, Meta(pattern=whole(r"[0-9]{1,19}"), description="`next` of the answer before; 0 for all there ever was")
]
IncidentId = Annotated[str, Meta(pattern=whole(r"(hard|sender)\.[0-9]{1,10}(\.[a-z0-9._-]{1,253})?"))]
BlockId = Annotated[
    str, Meta(pattern=whole(r"recipient:[0-9a-f]{16}|company:[0-9a-f]{32}|domain:[a-z0-9._*\[\]:-]{1,253}"))
]
AddressOrNumber = Annotated[
    str, Meta(min_length=1, max_length=320, description="an address, or the recipient's 16 hexadecimal digits")
]


class SuppressionsQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What to show of the list (E35). ``from`` and ``to`` are about when the reason came."""

    after: Cursor | None = None
    kind: SuppressionName | None = None
    domain: DomainName | None = None
    address: AddressText | None = None
    from_: When | None = None
    to: When | None = None


class Provenance(Struct, frozen=True):
    """The fact an entry rests on: what came, when, what it said, and which rule understood it so (N15).

    ``reason`` is that of an unsubscribe (E44), and of a spam report its type (E31).
    """

    type: str
    at: datetime
    broadcast: str | None
    diagnostic: str | None
    status: str | None
    rule: str | None
    rules_version: str | None
    reason: str | None


class SuppressionOut(Struct, frozen=True):
    """One entry of the suppression list (E31, E38); ``expires_at`` null: until it is lifted.

    ``holds_again_at``: it ends, and begins again then, since a mailbox dead for so long may be a trap.
    """

    recipient: str
    address: str | None
    domain: str | None
    api_user: str | None
    kind: str
    detail: str
    since: datetime
    expires_at: datetime | None
    holds_again_at: datetime | None
    cause: str | None
    failures: int
    because: Provenance


class SuppressionPage(Struct, frozen=True):
    """Fifty entries that hold now."""

    suppressions: list[SuppressionOut]
    next: str | None


class ReleaseRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry to lift."""

    recipient: RecipientNumber
    kind: SuppressionName


class ReleaseIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Entries to lift at once (E35)."""

    reason: Reason
    entries: Annotated[list[ReleaseRow], Meta(min_length=1, max_length=1_000)]


class ReleaseOut(Struct, frozen=True):
    """How many were lifted, and which did not hold any more."""

    released: int
    missing: list[ReleaseRow]


class ChangesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """From where on; left out, the answer only says where the list stands now."""

    since: Since | None = None


class ChangedEntry(Struct, frozen=True):
    """An entry that holds. ``stream`` is of an unsubscribe: from that stream only; null for all."""

    kind: str
    detail: str
    since: datetime
    expires_at: datetime | None
    holds_again_at: datetime | None
    stream: str | None


class ChangedOut(Struct, frozen=True):
    """A recipient whose standing may have changed, as it is now; no entries: may be mailed."""

    recipient: str
    address: str | None
    exempt: bool
    entries: list[ChangedEntry]


class ChangedBlockOut(Struct, frozen=True):
    """A custom block set or deleted since."""

    id: str
    deleted: bool
    block: dict[str, Any] | None


class ChangesOut(Struct, frozen=True):
    """What may have changed. ``more``: ask again at once. ``resync``: take the whole list anew, then go on here.

    ``held_domains``: where failures are held back since so many came at once; take the list of that domain anew.
    """

    recipients: list[ChangedOut]
    blocks: list[ChangedBlockOut]
    resync: bool
    held_domains: list[str]
    next: str
    more: bool


class BlockKind(StrEnum):
    """What a custom block names."""

    ADDRESS = "address"
    DOMAIN = "domain"
    COMPANY = "company"


class BlockIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom not to mail: an address, a domain, all below one (``*.example.com``), or a company by its exact name."""

    kind: BlockKind
    value: Annotated[str, Meta(min_length=1, max_length=1_000)]
    expires_at: When | None = None
    note: ShortText = ""


class BlockOut(Struct, frozen=True):
    """A custom block (E38)."""

    id: str
    kind: str
    value: str
    domain: str | None
    api_user: str
    created_at: datetime
    expires_at: datetime | None
    note: str


class BlockPage(Struct, frozen=True):
    """Fifty custom blocks."""

    blocks: list[BlockOut]
    next: str | None


class BlocksQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which custom blocks to show: of one kind, with a part of the value, set in a span, also those that ended."""

    after: Cursor | None = None
    kind: BlockKind | None = None
    q: Annotated[str, Meta(max_length=200)] = ""
    domain: DomainName | None = None
    from_: When | None = None
    to: When | None = None
    expired: bool = False


class BlockPath(Struct, frozen=True):
    """Path of one custom block."""

    block: BlockId


class ReasonQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the audit."""

    reason: Reason


class ImportQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """``dry_run``: only say what would happen."""

    dry_run: bool = False


class MalformedLine(Struct, frozen=True):
    """A line of the CSV that is left out, and why."""

    line: int
    problem: str


class DuplicateLine(Struct, frozen=True):
    """A line that says what an earlier one said."""

    line: int
    first: int


class ExpiredLine(Struct, frozen=True):
    """A line whose block has ended: it is taken, but keeps nobody out."""

    line: int
    expires_at: datetime


class ImportOut(Struct, frozen=True):
    """What an upload did, or would do. Of the lists at most a thousand lines are shown; the counts are whole."""

    dry_run: bool
    lines: int
    added: int
    changed: int
    known: int
    malformed_count: int
    duplicate_count: int
    malformed: list[MalformedLine]
    duplicates: list[DuplicateLine]
    expired_count: int
    expired: list[ExpiredLine]
    sample: list[BlockIn]


class ExemptPath(Struct, frozen=True):
    """Path of one exemption."""

    recipient: AddressOrNumber


class ExemptIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Why bounces shall not keep this recipient out (E43)."""

    reason: Reason


class ExemptOut(Struct, frozen=True):
    """Somebody bounces do not keep out; complaints and unsubscribes still do (E43)."""

    recipient: str
    address: str | None
    reason: str
    api_user: str
    created_at: datetime


class ExemptPage(Struct, frozen=True):
    """Fifty exemptions."""

    exemptions: list[ExemptOut]
    next: str | None


class Profile(StrEnum):
    """How failures become suppression (X5)."""

    NATIVE = "native"
    SANSAN = "sansan"
    ENGAGELAB = "engagelab"
    KARTE = "karte"


class PolicyIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    profile: Profile | None = None
    sender_guard: bool | None = None
    breaker: bool | None = None
    share_bounces: bool | None = None
    pause_senders: bool | None = None


class PolicyOut(Struct, frozen=True):
    """The policy in force; ``scopes`` says how far each kind of suppression reaches (X10)."""

    profile: str
    sender_guard: bool
    breaker: bool
    share_bounces: bool
    pause_senders: bool
    scopes: dict[str, str]


class IncidentPath(Struct, frozen=True):
    """Path of one incident."""

    incident: IncidentId


class IncidentsQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Those that ended after ``from``; thirty days back when left out."""

    from_: When | None = None


class IncidentOut(Struct, frozen=True):
    """A flood of failures. ``hard``: one domain denies far more recipients than ever; held back while ``open``.

    ``sender``: refused for our own sake, which suppresses only where the sender guard is off.
    """

    id: str
    kind: str
    domain: str | None
    begins_at: datetime
    ends_at: datetime
    failures: int
    broadcasts: int
    state: str
    held: bool


class IncidentsOut(Struct, frozen=True):
    """Incidents, oldest first."""

    incidents: list[IncidentOut]


class DecisionIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the failures are taken for true."""

    reason: Reason


class UndoIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which of an incident's failures are false; without limits all."""

    reason: Reason
    domain: DomainName | None = None
    cause: Cause | None = None
    from_: When | None = None
    to: When | None = None


class UndoOut(Struct, frozen=True):
    """Failures found, and recipients whose suppression was lifted."""

    failures: int
    released: int


class ResendRow(Struct, frozen=True):
    """Somebody to mail again; ``excluded`` says why not, where something else speaks against it now."""

    recipient: str
    address: str | None
    broadcast: str
    cause: str
    failed_at: datetime
    excluded: str | None
