"""Runs of web_load.c against our tracker, whose store is asked afterwards, and against peers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.comparison import Sample
from bench.errors import BenchError
from bench.ours import Ours
from bench.processes import Clock, Meter, output_of
from bench.visits import Route, Visits

CONNECTIONS = 256


@dataclass(frozen=True, slots=True)
class Latency:
    """What a run at a fixed rate measured, in ms; ``lag_p99`` is how late the generator itself was."""

    p50: float
    p99: float
    p999: float
    worst: float
    lag_p99: float


class OurRun:
    """Visits our tracker, and checks each time that the store has exactly what was answered."""

    def __init__(self, load: Path, ours: Ours, visits: Visits, route: Route) -> None:
        """``load`` is the compiled generator; runs go on in ``visits`` where the last one stopped."""
        self._load, self._ours, self._route = load, ours, route
        self.visits = visits
        self._clocks = ours.clocks("tracker")
        self._port = ours.server.address("tracker")[1]
        self._answered = 0
        #: of the last run
        self.latency = Latency(0, 0, 0, 0, 0)

    def __call__(self, seconds: float, rate: float = 0) -> Sample:
        """Run once; ``rate`` 0 is as fast as it goes."""
        before = self._ours.facts()
        sample, self.latency = _run(
            self._load, self._port, self._clocks, self.visits, seconds, status=self._route.status, rate=rate
        )
        self._ours.check_facts(before, sample.events)
        self.visits.advance(sample.events)
        self._answered += sample.events
        return sample

    def confirm(self) -> str:
        """Return in words what the store and our counters say of all runs. Raises BenchError if they disagree."""
        stored = self._ours.facts_by_type().get(self._route.fact, 0)
        if stored != self._answered:
            raise BenchError(f"{self._answered} answers but {stored} facts {self._route.fact}")
        at_risk = int(self._ours.counters().get("yamabiko_tracker_total.at_risk", 0))
        return (
            f"{self._answered:,} answers, {stored:,} facts {self._route.fact}, {at_risk:,} answered before the commit; "
            f"{self.visits.count:,} distinct URLs"
        )


@dataclass(frozen=True, slots=True)
class PeerRun:
    """Visits a peer, with the same URLs as ``ours``."""

    load: Path
    port: int
    clocks: Mapping[str, Clock]
    visits: Visits
    status: int = 200

    def __call__(self, seconds: float) -> Sample:
        """Run once, as fast as it goes."""
        return _run(self.load, self.port, self.clocks, self.visits, seconds, status=self.status)[0]


def _run(
    load: Path,
    port: int,
    clocks: Mapping[str, Clock],
    visits: Visits,
    seconds: float,
    *,
    status: int,
    rate: float = 0,
) -> tuple[Sample, Latency]:
    meter = Meter(clocks)
    command = load_command(load, port, seconds, visits, rate, status)
    result: dict[str, Any] = json.loads(output_of(command, seconds + 60))
    if result["bad_status"] or result["lost"] or not result["answers"]:
        raise BenchError(f"not everything was answered well: {result}")
    sample = Sample(result["answers"], result["seconds"], result["p99_ms"], *meter.read(result["cpu_s"]))
    latency = Latency(*(result[f"{name}_ms"] for name in ("p50", "p99", "p999", "max", "lag_p99")))
    return sample, latency


def load_command(
    load: Path, port: int, seconds: float, visits: Visits, rate: float, status: int, connections: int = CONNECTIONS
) -> list[str]:
    """Return the command line of web_load.c."""
    places = (str(visits.path), str(visits.place), str(rate), str(status))
    return [str(load), str(port), str(connections), str(seconds), *places]
