"""The console at size: listing recipients, and reading reports and lists of a large broadcast."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from statistics import median

from bench.api import Api
from bench.comparison import Comparison, Options, Sample, compare, measured, not_measured
from bench.errors import BenchError, MissingProgramError
from bench.load import build_load
from bench.mailings import address_of
from bench.ours import BROADCAST, Ours, running_ours
from bench.processes import Meter, wait_for_quiet
from bench.smtp import OurRun as MailRun
from bench.visits import PIXEL, Visits
from bench.web_load import OurRun as WebRun

#: Broadcasts beside the large one, so that their list has pages.
_BROADCASTS = 500
_MOST_REPORTS = 2_000
#: Seconds of bounces, and of opens, before reports are read.
_EVENTS_S = 5.0
_VISITS = 200_000
#: Lists, as /openapi.json names them, and what to ask for. One that does not exist yet is passed over.
_LISTS = (
    ("/v1/suppressions", "/v1/suppressions"),
    ("/v1/broadcasts", "/v1/broadcasts"),
    ("/v1/broadcasts/{id}/recipients", f"/v1/broadcasts/{BROADCAST}/recipients"),
)
#: How long one list is walked, and how many of its slowest pages are read again, to tell slow pages from noise.
_WALK_S = 20.0
_SLOWEST = 20
_AGAIN = 5


def measure_reports(options: Options) -> list[Comparison]:
    """List recipients, let some bounce and open, then read."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-reports-")))
        ours = stack.enter_context(running_ours())
        api = stack.enter_context(closing(Api(ours.server)))
        sends = _measure_sends(api, ours, options)
        try:
            events = _let_things_happen(folder, ours)
        except MissingProgramError as missing:
            return [
                sends,
                *(not_measured(row, "ms", missing) for row in ("report_ms", "list_page_ms")),
            ]
        for number in range(_BROADCASTS):
            api.ask("PUT", f"/v1/broadcasts/other-{number}", {"name": f"Mailing {number}"})
        return [sends, _measure_report(api, options, events), _measure_pages(api, events)]


def _measure_sends(api: Api, ours: Ours, options: Options) -> Comparison:
    """Return the row of POST /v1/sends: one request of many rows a run."""
    rows = max(1, options.recipients // (options.runs + 1))
    numbers = count()
    samples: list[Sample] = []
    for run in range(options.runs + 1):  # the first one warms up
        body = b"".join(_row(next(numbers)) for _ in range(rows))
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"bench-{run}"}
        wait_for_quiet(options.patience_s)
        meter = Meter(ours.clocks("console"))
        answered, took, load_cpu = api.post_stream("/v1/sends", body, headers)
        sample = Sample(answered, took, None, *meter.read(load_cpu))
        if answered != rows:
            raise BenchError(f"{rows} rows sent, {answered} answered")
        print(f"sends: {answered / took:,.0f} rows/s", file=sys.stderr, flush=True)
        samples.append(sample)
    found = ours.facts_by_type().get("planned", 0)
    if found != rows * len(samples):
        raise BenchError(f"{rows * len(samples)} rows answered, but {found} listed")
    remark = f"{found:,} recipients, {rows:,} a request, each row durable before it is answered"
    return compare("sends_rate", "rows/s", samples[1:], [], remark)


def _row(number: int) -> bytes:
    row = {
        "broadcast": BROADCAST,
        "address": address_of(number),
        "last_name": f"山田{number % 997}",
        "first_name": f"太郎{number % 89}",
        "company": f"株式会社サンプル{number % 4_999}",
        "contact_ref": f"c{number}",
    }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _let_things_happen(folder: Path, ours: Ours) -> str:
    """Let recipients bounce and open, so that reports and lists have something to say; returns what in words."""
    smtp_load, web_load = build_load("smtp_load", folder), build_load("web_load", folder)
    bounced = MailRun(smtp_load, ours, folder / "mails")(_EVENTS_S).events
    visits = Visits(folder / "visits", _VISITS)
    visits.write(ours, PIXEL)
    opened = WebRun(web_load, ours, visits, PIXEL)(_EVENTS_S).events
    return f"{bounced:,} bounces and {opened:,} opens among them"


def _measure_report(api: Api, options: Options, events: str) -> Comparison:
    times: list[float] = []
    for _ in range(_MOST_REPORTS):
        report, took = api.ask("GET", f"/v1/broadcasts/{BROADCAST}/report")
        times.append(took * 1_000)
        if sum(times) > options.seconds * 1_000:
            break
    times.sort()
    targeted = report["numbers"].get("targeted")
    p99 = times[int(len(times) * 0.99)]
    note = f"{len(times):,} requests one after another, p99 {p99:.1f} ms; {targeted:,} targeted, {events}"
    return measured("report_ms", median(times), "ms", note)


def _measure_pages(api: Api, events: str) -> Comparison:
    """Return the row of the slowest page of any list."""
    known = api.ask("GET", "/openapi.json")[0]["paths"]
    slowest, notes = 0.0, []
    for name, path in _LISTS:
        if "get" not in known.get(name, {}):
            notes.append(f"{name} does not exist")
            continue
        pages = [(took, place) for place, took in _walk(api, path)]
        again = [median(api.ask("GET", place)[1] for _ in range(_AGAIN)) for _, place in sorted(pages)[-_SLOWEST:]]
        worst, typical = max(again) * 1_000, median(took for took, _ in pages) * 1_000
        slowest = max(slowest, worst)
        notes.append(f"{name}: {len(pages):,} pages, median {typical:.1f} ms, slowest {worst:.1f} ms")
    return measured(
        "list_page_ms",
        slowest,
        "ms",
        f"the slowest page of any list, median of {_AGAIN} readings; {'; '.join(notes)}; {events}",
    )


def _walk(api: Api, path: str) -> Iterator[tuple[str, float]]:
    """Yield each page of a list with the seconds it took, for so long as is given to one list."""
    place: str | None = path
    walked = 0.0
    while place is not None and walked < _WALK_S:
        page, took = api.ask("GET", place)
        yield place, took
        walked += took
        place = f"{path}?after={page['next']}" if page["next"] else None
