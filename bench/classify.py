"""Reading mails: how many a second one process classifies, against flufl.bounce.

A contender is a child process that reads the mails of a folder once, in an order a seed fixes, and prints one JSON
object (see ``bench.classify_passes``). Each run is a new process, so nobody has seen a mail before.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.comparison import Comparison, Contender, Options, Sample, compare, take_turns
from bench.errors import BenchError
from bench.processes import output_of
from yamabiko.demo import mails
from yamabiko.demo.mails import Original
from yamabiko.demo.world import build_world

_CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "mails"


def compare_classify(options: Options) -> list[Comparison]:
    """Measure how fast mails are read."""
    seed = random.randrange(1_000_000)
    print(f"order of the mails: seed {seed}", file=sys.stderr, flush=True)
    with _folder_of_mails() as (folder, what):
        ours = _ChildRun("bench.classify_ours", folder, seed)
        contenders = [Contender("yamabiko", ours)]
        if importlib.util.find_spec("flufl") and importlib.util.find_spec("flufl.bounce"):
            contenders.append(Contender("flufl.bounce", _ChildRun("bench.classify_flufl", folder, seed)))
        samples = take_turns(contenders, options)
    peer = samples[1] if len(samples) > 1 else []
    remark = f"{ours.note(options.runs)}; one pass over {what} a run, in CPU seconds, seed {seed}"
    if not peer:
        remark += "; no peer: flufl.bounce is not installed"
    return [compare("classify_vs_flufl", "mails/s", samples[0], peer, remark)]


@contextmanager
def _folder_of_mails() -> Iterator[tuple[Path, str]]:
    """Yield a folder of mails and what it is: the corpus of real ones, or the demo's where there is none."""
    if _CORPUS.is_dir():
        yield _CORPUS, f"{sum(1 for _ in _CORPUS.iterdir())} real mails"
        return
    with tempfile.TemporaryDirectory(prefix="yamabiko-bench-mails-") as name:
        for person in build_world(1).people:
            if person.scenario.failure:
                report = mails.bounce(
                    Original(person.address, f"b+{person.row}@b.example", ()), person.scenario.failure
                )
                (Path(name) / f"{person.row}.eml").write_bytes(report)
        yield Path(name), "mails made by the demo, the corpus of real ones is not here"


@dataclass(frozen=True, slots=True)
class _ChildRun:
    """Runs ``python -m MODULE FOLDER SEED``; ``results`` keeps what each run printed."""

    module: str
    folder: Path
    seed: int
    results: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, seconds: float) -> Sample:
        # A run is one pass, however long it takes.
        command = [sys.executable, "-m", self.module, str(self.folder), str(self.seed)]
        result: dict[str, Any] = json.loads(output_of(command, seconds + 120))
        if not result["mails"]:
            raise BenchError(f"no mails in {self.folder}")
        self.results.append(result)
        cpu, foreign = {"server": result["cpu_s"]}, result["foreign_cores"]
        return Sample(result["mails"], result["seconds"], result["p99_ms"], cpu, foreign)

    def note(self, runs: int) -> str:
        """Return medians of what else the last ``runs`` runs measured, in words."""
        figures = {
            name: median(result[name] for result in self.results[-runs:])
            for name in ("p50_us", "warm_per_s", "parse_us", "rules_us")
        }
        return (
            "p50 {p50_us:.0f} us, with warm automata {warm_per_s:,.0f}/s, of which the parse takes {parse_us:.0f} us "
            "and the rules {rules_us:.0f} us a mail".format(**figures)
        )
