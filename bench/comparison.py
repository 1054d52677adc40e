"""What a comparison is: contenders that take turns, their samples, and the row that sums them up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.processes import wait_for_quiet

#: Seconds of each contender's warm-up, at most.
_WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How long, how often, how large; ``runs`` is for each contender, ``patience_s`` how long each may wait for quiet.

    ``facts`` is the size of the store that ``growth`` and ``recovery`` make, ``store`` where it is kept and found
    again (None: a temporary directory), ``recipients`` how many ``reports`` lists.
    """

    seconds: float = 5.0
    runs: int = 5
    patience_s: float = 0.0
    facts: int = 50_000_000
    recipients: int = 1_000_000
    store: Path | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender. ``cpu`` holds CPU seconds by process, e.g. ``worker``, ``supervisor``, ``load``."""

    events: int
    seconds: float
    #: None where there is no latency to speak of
    p99_ms: float | None
    cpu: dict[str, float]
    #: cores that none of these processes used, but somebody else
    foreign_cores: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Contender:
    """A name and what runs it once for about so many seconds."""

    name: str
    run: Callable[[float], Sample]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row: medians, in ``unit``. ``peer`` and ``ratio`` are None where there is no peer.

    ``ours`` is None, too, when it cannot be measured here; the note says why.
    """

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    unit: str
    note: str

    def as_json(self) -> dict[str, object]:
        """Return the row as JSON-ready values."""
        return asdict(self)


def measured(name: str, value: float, unit: str, note: str) -> Comparison:
    """Return the row of a figure that has no peer."""
    return Comparison(name, round(value, 3), None, None, unit, note)


def not_measured(name: str, unit: str, why: object) -> Comparison:
    """Return the row of what cannot be measured here."""
    return Comparison(name, None, None, None, unit, f"not measured: {why}")


def take_turns(contenders: Sequence[Contender], options: Options) -> list[list[Sample]]:
    """Warm each contender up, then let them run alternately; returns the samples of each."""
    for contender in contenders:
        contender.run(min(_WARM_UP_S, options.seconds / 2))
    samples: list[list[Sample]] = [[] for _ in contenders]
    for turn in range(options.runs):
        for contender, kept in zip(contenders, samples, strict=True):
            wait_for_quiet(options.patience_s)
            sample = contender.run(options.seconds)
            kept.append(sample)
            p99 = "" if sample.p99_ms is None else f", p99 {sample.p99_ms:.1f} ms"
            line = f"{turn + 1}/{options.runs} {contender.name}: {sample.rate:,.0f}/s{p99}"
            print(line, file=sys.stderr, flush=True)
    return samples


def compare(name: str, unit: str, ours: Sequence[Sample], peer: Sequence[Sample], remark: str = "") -> Comparison:
    """Return the row for samples taken in turns; ``peer`` may be empty."""
    ours_rate = median(sample.rate for sample in ours)
    notes = [_describe("ours", ours)]
    peer_rate = ratio = None
    if peer:
        peer_rate = median(sample.rate for sample in peer)
        ratio = round(ours_rate / peer_rate, 3)
        pairs = sorted(one.rate / other.rate for one, other in zip(ours, peer, strict=True))
        notes += [_describe("peer", peer), f"ratios of the runs {pairs[0]:.2f}-{pairs[-1]:.2f}"]
        peer_rate = round(peer_rate, 1)
    if remark:
        notes.append(remark)
    return Comparison(name, round(ours_rate, 1), peer_rate, ratio, unit, "; ".join(notes))


def _describe(who: str, samples: Sequence[Sample]) -> str:
    """Return latency and CPU of some runs in words."""
    p99s = [sample.p99_ms for sample in samples if sample.p99_ms is not None]
    text = f"{who}: " + (f"p99 {median(p99s):.2f} ms, " if p99s else "") + "CPU s per 1,000"
    for role in samples[0].cpu:
        per_thousand = median(sample.cpu[role] / sample.events * 1_000 for sample in samples)
        share = median(sample.cpu[role] / sample.seconds for sample in samples)
        text += f" {role} {per_thousand:.4f} ({share:.0%} of a core)"
    foreign = median(sample.foreign_cores for sample in samples)
    return f"{text}, {foreign:.1f} cores taken by others"
