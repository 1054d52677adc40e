"""The tracker against nginx and SQLite: pixels and redirects, 256 connections kept alive, every token another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.comparison import (
    Comparison,
    Contender,
    Options,
    Sample,
    compare,
    measured,
    not_measured,
    take_turns,
)
from bench.errors import MissingProgramError
from bench.listing import list_recipients
from bench.load import build_load
from bench.memory import PeakMemory
from bench.nginx import running_nginx
from bench.ours import Ours, running_ours
from bench.processes import wait_for_quiet
from bench.sqlite_peer import running_sqlite
from bench.visits import CLICK, PIXEL, Route, Visits
from bench.web_load import OurRun, PeerRun

#: Distinct URLs; runs go on where the last one stopped, and start over after the last URL.
_URLS = 400_000
_FEWEST_URLS = 200_000
_URLS_PER_S = 40_000
_UNIT = "answers/s"
_PIXEL_ROWS = (
    ("pixel_vs_nginx", _UNIT),
    ("pixel_vs_sqlite", _UNIT),
    ("pixel_two_processes", _UNIT),
    ("pixel_p99", "ms"),
    ("memory", "MB"),
)
_TWO = "[processes]\ntracker_workers = 2\n"


def compare_pixel(options: Options) -> list[Comparison]:
    """Compare the pixel, answered after its fact is durable, with nginx's ``empty_gif`` and with SQLite."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        try:
            load = build_load("web_load", folder)
        except MissingProgramError as missing:
            return [not_measured(row, unit, missing) for row, unit in _PIXEL_ROWS]
        ours, run = _start_ours(stack, load, folder / "visits", PIXEL, options)
        _, run_two = _start_ours(stack, load, folder / "visits-two", PIXEL, options, _TWO)
        sqlite = stack.enter_context(running_sqlite(load, run.visits, folder))
        contenders = [
            Contender("yamabiko", run),
            Contender("yamabiko, two workers", run_two),
            Contender("aiohttp and SQLite", sqlite),
        ]
        problem = _add_nginx(stack, contenders, load, folder, run.visits, PIXEL)
        with PeakMemory(*ours.workers("tracker")) as memory:
            one, two, rows, *nginx = take_turns(contenders, options)
        p99 = _measure_p99(run, median(sample.rate for sample in one) / 2, options)
        stored = run.confirm()
        return [
            compare("pixel_vs_nginx", _UNIT, one, nginx[0] if nginx else [], problem + stored),
            compare("pixel_vs_sqlite", _UNIT, one, rows, "SQLite had every hit it answered"),
            compare("pixel_two_processes", _UNIT, two, one, f"the peer is one worker; two: {run_two.confirm()}"),
            p99,
            _memory(memory),
        ]


def compare_click(options: Options) -> list[Comparison]:
    """Compare a click's redirect with nginx's ``return 302``."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        try:
            load = build_load("web_load", folder)
        except MissingProgramError as missing:
            return [not_measured("click_vs_nginx", _UNIT, missing)]
        _, run = _start_ours(stack, load, folder / "visits", CLICK, options)
        contenders = [Contender("yamabiko", run)]
        problem = _add_nginx(stack, contenders, load, folder, run.visits, CLICK)
        one, *nginx = take_turns(contenders, options)
        return [compare("click_vs_nginx", _UNIT, one, nginx[0] if nginx else [], problem + run.confirm())]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="yamabiko-bench-web-") as name:
        Path(name).chmod(0o755)  # nginx's worker is another user when started by root
        yield Path(name)


def _start_ours(
    stack: ExitStack, load: Path, path: Path, route: Route, options: Options, settings: str = ""
) -> tuple[Ours, OurRun]:
    ours = stack.enter_context(running_ours(settings))
    wanted = int(options.seconds * options.runs * _URLS_PER_S)
    visits = Visits(path, max(_FEWEST_URLS, min(_URLS, wanted)))
    visits.write(ours, route)
    list_recipients(ours, range(visits.count))
    return ours, OurRun(load, ours, visits, route)


def _add_nginx(
    stack: ExitStack, contenders: list[Contender], load: Path, folder: Path, visits: Visits, route: Route
) -> str:
    """Let nginx take part; returns why it cannot, empty when it does."""
    try:
        port, clocks = stack.enter_context(running_nginx(folder))
    except MissingProgramError as missing:
        return f"no peer: {missing}; "
    contenders.append(Contender("nginx", PeerRun(load, port, clocks, visits, route.status)))
    return ""


def _memory(memory: PeakMemory) -> Comparison:
    """Return the row of the most memory the tracker's worker had resident at full load."""
    note = (
        f"the tracker's worker under full load, the most of {memory.looks} looks; {memory.store:.0f} MB of the store's "
        "file were mapped beside it"
    )
    return measured("memory", memory.own, "MB", note)


def _measure_p99(run: OurRun, rate: float, options: Options) -> Comparison:
    """Return the p99 at a fixed rate: latency counts from when a request was due (see web_load.c)."""
    run(options.seconds / 2, rate)
    found = []
    samples: list[Sample] = []
    for _ in range(options.runs):
        wait_for_quiet(options.patience_s)
        samples.append(run(options.seconds, rate))
        found.append(run.latency)
    p99s = sorted(latency.p99 for latency in found)
    others = {name: median(getattr(latency, name) for latency in found) for name in ("p50", "p999", "worst", "lag_p99")}
    note = (
        f"at a fixed rate of {rate:,.0f}/s, half of the full one, from when each request was due; "
        "p50 {p50:.2f} ms, p99.9 {p999:.2f}, worst {worst:.1f}; the generator itself sent {lag_p99:.2f} ms late at its "
        "p99; ".format(**others)
        + f"p99 of the runs {p99s[0]:.2f}-{p99s[-1]:.2f}, {_cores(samples)}"
    )
    return measured("pixel_p99", median(p99s), "ms", note)


def _cores(samples: Sequence[Sample]) -> str:
    return f"{median(sample.foreign_cores for sample in samples):.1f} cores taken by others"
