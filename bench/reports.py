"""The console at size: listing recipients, reading reports and lists of a large broadcast, exporting it."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

from bench.api import Api
from bench.comparison import Comparison, Options, Sample, compare, not_measured
from bench.errors import BenchError, MissingProgramError
from bench.exports import measure_export
from bench.listing import row_of
from bench.lists import measure_pages, measure_report
from bench.load import build_load
from bench.ours import Ours, running_ours
from bench.processes import Meter, wait_for_quiet
from bench.smtp import OurRun as MailRun
from bench.visits import PIXEL, Visits
from bench.web_load import OurRun as WebRun

#: Broadcasts beside the large one, so that their list has pages.
_BROADCASTS = 500
#: A row the store did not take in time is sent again with its request, as the answer asks for.
_ATTEMPTS = 4
#: Seconds of bounces, and of opens, before reports are read.
_EVENTS_S = 5.0
_VISITS = 200_000


def measure_reports(options: Options) -> list[Comparison]:
    """List recipients, let some bounce and open, then read and export."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-reports-")))
        ours = stack.enter_context(running_ours())
        api = stack.enter_context(closing(Api(ours.server)))
        sends = _measure_sends(api, ours, options)
        try:
            events = _let_things_happen(folder, ours, ours.facts_by_type().get("planned", 0))
        except MissingProgramError as missing:
            return [
                sends,
                *(not_measured(row, "ms", missing) for row in ("report_ms", "list_page_ms")),
                not_measured("export_rows", "rows/s", missing),
            ]
        for number in range(_BROADCASTS):
            api.ask("PUT", f"/v1/broadcasts/other-{number}", {"name": f"Mailing {number}"})
        report, pages = measure_report(api, options, events), measure_pages(api, events)
        listed = ours.facts_by_type().get("planned", 0)
        return [sends, report, pages, measure_export(api, ours, options, listed)]


def _measure_sends(api: Api, ours: Ours, options: Options) -> Comparison:
    """Return the row of POST /v1/sends: one request of many rows a run."""
    rows = max(1, options.recipients // (options.runs + 1))
    numbers = count()
    samples: list[Sample] = []
    refused = 0
    for run in range(options.runs + 1):  # the first one warms up
        body = b"".join(row_of(next(numbers)) for _ in range(rows))
        wait_for_quiet(options.patience_s)
        meter, took, load_cpu = Meter(ours.clocks("console")), 0.0, 0.0
        for attempt in range(_ATTEMPTS):
            posted = api.post_rows("/v1/sends", body, f"bench-{run}")
            took, load_cpu, refused = took + posted.seconds, load_cpu + posted.cpu_s, refused + posted.refused
            if posted.lines != rows:
                raise BenchError(f"{rows} rows sent, {posted.lines} answered")
            if not posted.refused:
                break
            if attempt == _ATTEMPTS - 1:
                raise BenchError(f"{posted.refused} rows were refused: {posted.why}")
        samples.append(Sample(rows, took, None, *meter.read(load_cpu)))
        print(f"sends: {rows / took:,.0f} rows/s, {refused:,} refused so far", file=sys.stderr, flush=True)
    found = ours.facts_by_type().get("planned", 0)
    if found != rows * len(samples):
        raise BenchError(f"{rows * len(samples)} rows answered, but {found} listed")
    remark = f"{found:,} recipients, {rows:,} a request, each row durable before it is answered"
    if refused:
        remark += f"; {refused:,} rows were refused at first, and their requests sent again"
    return compare("sends_rate", "rows/s", samples[1:], [], remark)


def _let_things_happen(folder: Path, ours: Ours, listed: int) -> str:
    """Let some of the ``listed`` recipients bounce and open, for reports and lists to show; returns what in words."""
    smtp_load, web_load = build_load("smtp_load", folder), build_load("web_load", folder)
    bounced = MailRun(smtp_load, ours, folder / "mails", is_listing=False)(_EVENTS_S).events
    visits = Visits(folder / "visits", min(_VISITS, listed))
    visits.write(ours, PIXEL)
    opened = WebRun(web_load, ours, visits, PIXEL)(_EVENTS_S).events
    return f"{bounced:,} bounces and {opened:,} opens among them"
