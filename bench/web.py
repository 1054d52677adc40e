"""The tracker against nginx: pixels and redirects, 256 connections kept alive, every token another."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bench.comparison import Comparison, Contender, Options, Sample, compare, take_turns
from bench.errors import BenchError, MissingProgramError
from bench.nginx import running_nginx
from bench.ours import TENANT, Ours, running_ours
from bench.processes import Meter, find_program, output_of
from model.mint import MintedMail

_CONNECTIONS = 256
#: Distinct URLs; runs go on where the last one stopped, and start over after the last URL.
_URLS = 400_000
_FEWEST_URLS = 200_000
_URLS_PER_S = 40_000
_LINKS = 8
_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class _Route:
    """What is measured: the row's name, the fact each answer leaves, how to mint a URL."""

    row: str
    fact: str
    mint: Callable[[MintedMail, int], str]


def _pixel(mail: MintedMail, _number: int) -> str:
    return mail.pixel_url


def _click(mail: MintedMail, number: int) -> str:
    link = number % _LINKS + 1
    target = f"https://shop.example/new?utm_source=mail&utm_campaign=spring&item={link}"
    return mail.click_url(target, link=link, links=_LINKS)


PIXEL = _Route("pixel_vs_nginx", "opened", _pixel)
CLICK = _Route("click_vs_nginx", "clicked", _click)


def compare_pixel(options: Options) -> list[Comparison]:
    """Compare the pixel, answered after its fact is durable, with nginx's ``empty_gif``."""
    return _compare_route(PIXEL, options)


def compare_click(options: Options) -> list[Comparison]:
    """Compare a click's redirect with nginx's ``return 302``."""
    return _compare_route(CLICK, options)


def _compare_route(route: _Route, options: Options) -> list[Comparison]:
    try:
        wrk = find_program("wrk")
    except MissingProgramError as missing:
        return [Comparison(route.row, None, None, None, "answers/s", f"not measured: {missing}")]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-web-")))
        folder.chmod(0o755)  # nginx's worker is another user when started by root
        ours = stack.enter_context(running_ours())
        wanted = int(options.seconds * options.runs * _URLS_PER_S)
        urls = _UrlFile(folder / "paths.txt", max(_FEWEST_URLS, min(_URLS, wanted)))
        urls.write(ours, route)
        wrk_ours = _OurRun(wrk, ours, urls)
        contenders = [Contender("yamabiko", wrk_ours)]
        remark = ""
        try:
            port, pids = stack.enter_context(running_nginx(folder))
            contenders.append(Contender("nginx", _PeerRun(wrk, port, pids, urls)))
        except MissingProgramError as missing:
            remark = f"no peer: {missing}; "
        samples = take_turns(contenders, options)
        remark += wrk_ours.confirm(route)
        return [compare(route.row, "answers/s", samples[0], samples[1] if len(samples) > 1 else [], remark)]


@dataclass(slots=True)
class _UrlFile:
    """Paths of distinct URLs, one a line."""

    path: Path
    count: int
    #: where the next run begins
    place: int = 0

    def write(self, ours: Ours, route: _Route) -> None:
        """Mint the URLs offline, as a sender would who has our exported key."""
        origin = len(ours.mint.hosts.tracking_origin)
        with self.path.open("w", encoding="ascii") as file:
            for url in islice(_urls(ours, route), self.count):
                file.write(url[origin:] + "\n")

    def advance(self, used: int) -> None:
        """Let the next run begin after ``used`` more URLs."""
        self.place = (self.place + used) % self.count


def _urls(ours: Ours, route: _Route) -> Iterator[str]:
    day, number = ours.today(), 0
    while True:
        mail = ours.mint.mail(tenant=TENANT, broadcast_id="bench", address=f"user{number}@example.jp", day=day)
        yield route.mint(mail, number)
        number += 1


class _OurRun:
    """Runs wrk against our tracker, and checks each time that the store has what was answered."""

    def __init__(self, wrk: str, ours: Ours, urls: _UrlFile) -> None:
        self._wrk, self._ours, self._urls = wrk, ours, urls
        self._pids = ours.pids("tracker")
        self._port = ours.server.address("tracker")[1]
        self._answered = 0
        self._runs = 0

    def __call__(self, seconds: float) -> Sample:
        before = self._ours.facts()
        sample = _run_wrk(self._wrk, self._port, self._pids, self._urls, seconds)
        self._ours.check_facts(before, sample.events, _CONNECTIONS)
        self._urls.advance(sample.events + _CONNECTIONS)
        self._answered += sample.events
        self._runs += 1
        return sample

    def confirm(self, route: _Route) -> str:
        """Return in words what the store and our counters say of all runs. Raises BenchError if they disagree."""
        stored = self._ours.facts_by_type().get(route.fact, 0)
        if not self._answered <= stored <= self._answered + self._runs * _CONNECTIONS:
            raise BenchError(f"{self._answered} answers but {stored} facts {route.fact}")
        at_risk = int(self._ours.counters().get("yamabiko_tracker_total.at_risk", 0))
        return (
            f"{self._answered:,} answers, {stored:,} facts {route.fact} (at most {_CONNECTIONS} in flight a run), "
            f"{at_risk:,} answered before the commit; {self._urls.count:,} distinct URLs"
        )


@dataclass(frozen=True, slots=True)
class _PeerRun:
    """Runs wrk against nginx, with the same URLs."""

    wrk: str
    port: int
    pids: list[int]
    urls: _UrlFile

    def __call__(self, seconds: float) -> Sample:
        return _run_wrk(self.wrk, self.port, self.pids, self.urls, seconds)


def _run_wrk(wrk: str, port: int, pids: list[int], urls: _UrlFile, seconds: float) -> Sample:
    whole = max(1, round(seconds))  # wrk takes whole seconds
    command = [wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{whole}s", "--timeout", "5s", "-s", str(_SCRIPT),
               f"http://127.0.0.1:{port}/", "--", str(urls.path), str(urls.place), str(urls.count)]  # fmt: skip
    meter = Meter(pids)
    text = output_of(command, whole + 60)
    result: dict[str, Any] = json.loads(text.rpartition("RESULT ")[2])
    if result["bad_status"] or result["lost"] or not result["answers"]:
        raise BenchError(f"not everything was answered well: {result}")
    return Sample(result["answers"], result["seconds"], result["p99_ms"], *meter.read(result["cpu_s"]))
