"""What may be asked of an export, and by whom: filters of each type, sources of recipients, file names (R05, R06)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from console.schema_exports import ExportEncoding, ExportFormat, ExportIn, ExportType
from store.people import MetricError, predicate_of
from store.roster import fold_text
from store.status_log import STATUSES
from store.suppression import SuppressionKind

#: Filters each type takes.
FILTERS: Mapping[ExportType, frozenset[str]] = {
    ExportType.REPORT: frozenset({"broadcast", "from_", "to"}),
    ExportType.RECIPIENTS: frozenset({"broadcast", "metric", "q", "from_", "to"}),
    ExportType.UNACKED_ERRORS: frozenset({"broadcast"}),
    ExportType.MAIL_STATUS: frozenset({"broadcast", "q", "from_", "to", "mail_type", "tag", "api_user", "status"}),
    ExportType.SUPPRESSIONS: frozenset({"from_", "to", "kind", "domain"}),
    ExportType.EVENTS: frozenset({"broadcast", "from_", "to"}),
    ExportType.CLICKS: frozenset({"broadcast", "q", "from_", "to"}),
    ExportType.DELIVERIES: frozenset({"broadcast", "metric", "q", "from_", "to"}),
    ExportType.LINKS: frozenset({"broadcast"}),
}
#: Types that are about one broadcast.
NEED_BROADCAST = frozenset({ExportType.RECIPIENTS, ExportType.UNACKED_ERRORS, ExportType.CLICKS})
#: Kinds of suppressions as people are told them.
SUPPRESSION_NAMES = tuple(dict.fromkeys(kind.public_name for kind in SuppressionKind))
#: Sources of recipients that only administrators export, as ``recipient_source`` of POST /v1/sends names them; other
#: lists (csv, api) take an operator (R06).
_RESTRICTED_SOURCES = frozenset({"addressbook", "アドレス帳"})
#: What is told to those who may not.
RESTRICTED = (
    "Among these recipients are some from an address book: exporting them needs the scope exports:addressbook, which "
    "administrators have."
)
#: File name extensions and media types.
MEDIA: Mapping[ExportFormat, tuple[str, str]] = {
    ExportFormat.CSV: ("csv", "text/csv"),
    ExportFormat.NDJSON: ("ndjson", "application/x-ndjson"),
    ExportFormat.PARQUET: ("parquet", "application/vnd.apache.parquet"),
}
_CHARSETS = {ExportEncoding.UTF_8: "utf-8", ExportEncoding.UTF_8_BOM: "utf-8", ExportEncoding.CP932: "windows-31j"}


def problem_of(request: ExportIn) -> str:
    """Return what is wrong with a request, and what to do; empty when nothing is."""
    takes = FILTERS[request.type]
    every = frozenset().union(*FILTERS.values())
    given = sorted(name for name in every if getattr(request, name) is not None)
    for name in given:
        if name not in takes:
            wanted = ", ".join(sorted(name.rstrip("_") for name in takes))
            return f"An export of {request.type.value} takes no `{name.rstrip('_')}`; it takes {wanted}."
    if request.type in NEED_BROADCAST and request.broadcast is None:
        return f"An export of {request.type.value} needs a `broadcast`."
    if request.from_ is not None and request.to is not None and request.from_ >= request.to:
        return "`from` must be before `to`."
    if request.metric is not None:
        try:
            predicate_of(request.metric, is_assuming=True)
        except MetricError:
            return f"There is no number {request.metric!r} that people stand behind."
    if request.status is not None and request.status not in STATUSES:
        return f"`status` is one of {', '.join(STATUSES)}."
    if request.kind is not None and request.kind not in SUPPRESSION_NAMES:
        return f"`kind` is one of {', '.join(SUPPRESSION_NAMES)}."
    return (
        ""
        if request.zone is None or _is_zone(request.zone)
        else f"`zone` must be a time zone such as Asia/Tokyo, is {request.zone!r}."
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_restricted(source: str) -> bool:
    """Whether recipients of ``source`` may be exported by administrators only (R05)."""
    return fold_text(source.strip()).replace("_", "").replace("-", "").replace(" ", "") in _RESTRICTED_SOURCES


def file_name(request: ExportIn, created_us: int) -> str:
    """Return the name under which a browser saves the file: ASCII, without anything to escape."""
    about = (request.broadcast or "all").replace("~", "")
    at = datetime.fromtimestamp(created_us // 1_000_000, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{request.type.value}-{about}-{at}.{MEDIA[request.format][0]}"


def media_type(request: ExportIn) -> str:
    """Return the media type of the file."""
    kind = MEDIA[request.format][1]
    return f"{kind}; charset={_CHARSETS[request.encoding]}" if request.format is ExportFormat.CSV else kind
