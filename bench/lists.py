"""Reading a large broadcast: its report, and every page of every list."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from urllib.parse import quote

from bench.api import Api
from bench.comparison import Comparison, Options, measured
from bench.ours import BROADCAST

_MOST_REPORTS = 2_000
_LARGE = f"/v1/broadcasts/{BROADCAST}"
#: Every list there is, and those that are narrowed in a way of their own.
_LISTS = (
    "/v1/broadcasts?",
    "/v1/suppressions?",
    "/v1/unmatched?",
    "/v1/audit?",
    f"{_LARGE}/recipients?",
    f"{_LARGE}/recipients?metric=undelivered",
    f"{_LARGE}/recipients?metric=opened_users",
    f"{_LARGE}/recipients?metric=unopened",
    f"{_LARGE}/recipients?q={quote('株式会社サンプル1234')}",
    f"{_LARGE}/errors?acked=false",
    f"{_LARGE}/engagement?",
    "/v1/mail-status?from={begin}&to={end}",
    "/v1/mail-status?from={begin}&to={end}&status=soft_bounce",
)
#: Other numbers of a broadcast, told in the note.
_NUMBERS = ("domains", "links", "messages", "period?from={begin}&to={end}", "series?from={begin}&to={end}")
#: How long one list is walked, and how many of its slowest pages are read again, to tell slow pages from noise.
_WALK_S = 10.0
_SLOWEST = 20
_AGAIN = 5


def measure_report(api: Api, options: Options, events: str) -> Comparison:
    """Return the row of the large broadcast's report; its other numbers are told in the note."""
    times: list[float] = []
    for _ in range(_MOST_REPORTS):
        report, took = api.ask("GET", f"{_LARGE}/report")
        times.append(took * 1_000)
        if sum(times) > options.seconds * 1_000:
            break
    times.sort()
    p99, targeted = times[int(len(times) * 0.99)], report["numbers"].get("targeted")
    note = f"{len(times):,} requests one after another, p99 {p99:.1f} ms; {targeted:,} targeted, {events}; others"
    for name in _NUMBERS:
        took = median(api.ask("GET", f"{_LARGE}/{_dated(name)}")[1] for _ in range(_AGAIN))
        note += f", {name.partition('?')[0]} {took * 1_000:.1f} ms"
    return measured("report_ms", median(times), "ms", note)


def measure_pages(api: Api, events: str) -> Comparison:
    """Return the row of the slowest page of any list."""
    slowest, notes = 0.0, []
    for name in _LISTS:
        pages = [(took, place) for place, took in _walk(api, _dated(name))]
        again = [median(api.ask("GET", place)[1] for _ in range(_AGAIN)) for _, place in sorted(pages)[-_SLOWEST:]]
        worst, typical = max(again) * 1_000, median(took for took, _ in pages) * 1_000
        slowest = max(slowest, worst)
        notes.append(f"{_short(name)}: {len(pages):,} pages, median {typical:.1f} ms, slowest {worst:.1f} ms")
        print(notes[-1], file=sys.stderr, flush=True)
    note = f"the slowest page of any list, median of {_AGAIN} readings; {'; '.join(notes)}; {events}"
    return measured("list_page_ms", slowest, "ms", note)


def _walk(api: Api, path: str) -> Iterator[tuple[str, float]]:
    """Yield each page of a list with the seconds it took, for so long as is given to one list."""
    place: str | None = path
    walked = 0.0
    while place is not None and walked < _WALK_S:
        page, took = api.ask("GET", place)
        yield place, took
        walked += took
        place = f"{path}&after={page['next']}" if page["next"] else None


def _dated(path: str) -> str:
    """Fill in a period that holds today."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = midnight - timedelta(days=1), midnight + timedelta(days=2)
    return path.format(begin=f"{begin:%Y-%m-%dT%H:%M:%SZ}", end=f"{end:%Y-%m-%dT%H:%M:%SZ}")


def _short(path: str) -> str:
    words = path.removeprefix("/v1/").replace(f"broadcasts/{BROADCAST}/", "")
    return words.replace("from={begin}&to={end}", "").rstrip("?").replace("?&", "?")
