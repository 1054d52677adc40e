"""Types of the exports: what to export, how, and what became of it (E22, E46-E48, R16-R18, S34)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from console.schema import BroadcastRef, Cursor, Language, ShortText, whole


class ExportType(StrEnum):
    """What to export; docs/exports.md lists the columns of each."""

    #: a line a broadcast: its settings and its numbers (S34, K26)
    REPORT = "report"
    #: the people of a broadcast in the eight columns of R18 (R16, R17)
    RECIPIENTS = "recipients"
    #: failures nobody has acknowledged yet, in the same columns (R24)
    UNACKED_ERRORS = "unacked_errors"
    #: the eight fields of E01 (E22)
    MAIL_STATUS = "mail_status"
    #: who is not mailed
    SUPPRESSIONS = "suppressions"
    #: all facts
    EVENTS = "events"
    #: who clicked what, and when (S33)
    CLICKS = "clicks"
    #: everything known of each delivery, for analysis
    DELIVERIES = "deliveries"
    #: links with their clicks (K05)
    LINKS = "links"


class ExportFormat(StrEnum):
    """How the file is written."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class ExportEncoding(StrEnum):
    """Encoding of a CSV file; with a byte order mark by default, as spreadsheets want it."""

    UTF_8_BOM = "utf-8-sig"
    UTF_8 = "utf-8"
    CP932 = "cp932"


class ExportScope(StrEnum):
    """Whether the filters hold, or are left aside so that the file is whole (K35)."""

    FILTERED = "filtered"
    ALL = "all"


class ExportState(StrEnum):
    """Where an export stands (E47)."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Removed(StrEnum):
    """Why a file went before its time."""

    #: somebody asked for it
    DELETED = "deleted"
    #: somebody who may be in it was forgotten (N14)
    ERASURE = "erasure"


Metric = Annotated[
    str, Meta(pattern=whole(r"[a-z_]{1,32}(:[A-Za-z_:]{1,64})?"), description="a number with people behind")
]
Zone = Annotated[
    str, Meta(pattern=whole(r"[A-Za-z0-9_+/-]{1,64}"), description="of the times in CSV; console.zone if left out")
]
When = Annotated[datetime, Meta(tz=True)]
ExportId = Annotated[str, Meta(pattern=whole(r"[0-9a-f]{16}"))]


class ExportIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What to export. Which filters a type takes is in docs/exports.md; another one is refused."""

    type: ExportType
    broadcast: BroadcastRef | None = None
    format: ExportFormat = ExportFormat.CSV
    encoding: ExportEncoding = ExportEncoding.UTF_8_BOM
    lang: Language = Language.JA
    zone: Zone | None = None
    scope: ExportScope = ExportScope.FILTERED
    metric: Metric | None = None
    q: Annotated[str, Meta(max_length=200)] | None = None
    from_: When | None = None
    to: When | None = None
    mail_type: ShortText | None = None
    tag: ShortText | None = None
    api_user: ShortText | None = None
    status: Annotated[str, Meta(pattern=whole(r"[a-z_]{1,32}"))] | None = None
    kind: Annotated[str, Meta(pattern=whole(r"[a-z_]{1,32}"))] | None = None
    domain: ShortText | None = None


class ExportJob(Struct, frozen=True):
    """An export as it is given to whatever makes it: the request, whose data, and the moment it counts as."""

    request: ExportIn
    tenant: int
    #: of the broadcast asked for; None where none was
    number: int | None
    now_us: int
    #: whether recipients of a source that only administrators export may be among the rows (R05)
    may_restricted: bool = True


class ExportDone(Struct, frozen=True):
    """What was written."""

    rows: int
    size_bytes: int
    #: characters that the encoding does not have
    replaced: int
    #: whether recipients of a restricted source are among the rows
    is_restricted: bool


class ExportOut(Struct, frozen=True):
    """An export (E46). ``url`` is where the file is; null while there is none, and once it is gone (E48)."""

    id: str
    type: str
    state: ExportState
    #: 0 to 1
    progress: float
    created_at: datetime
    #: null while it waits for its turn
    started_at: datetime | None
    ended_at: datetime | None
    #: when the file goes, seven days after it was made
    expires_at: datetime | None
    url: str | None
    file_name: str
    rows: int
    size_bytes: int | None
    #: characters that the encoding does not have, written as a substitute
    replaced: int
    #: why the file went before its time; null where it did not
    removed: Removed | None
    #: why it failed, and what to do
    error: str | None
    #: who asked for it
    actor: str
    request: dict[str, Any]


class ExportPage(Struct, frozen=True):
    """Fifty exports, the newest first."""

    exports: list[ExportOut]
    next: str | None


class ExportPath(Struct, frozen=True):
    """Path of one export."""

    id: ExportId


class ExportsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go on in the list."""

    after: Cursor | None = None
