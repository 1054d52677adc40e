"""Reading mails: how many a second one process classifies.

A contender is a child process that reads the mails of a folder again and again and prints one JSON object (see
``bench.classify_ours``); a peer (flufl.bounce is next, as ``classify_vs_flufl``) is one more such program, maybe
run by another Python.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    with _folder_of_mails() as (folder, what):
        ours = Contender("yamabiko", _ChildRun((sys.executable, "-m", "bench.classify_ours"), folder))
        samples = take_turns([ours], options)
        return [compare("classify_speed", "mails/s", samples[0], [], f"no peer yet; {what}")]


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
    """Runs the program ``command FOLDER SECONDS``."""

    command: tuple[str, ...]
    folder: Path

    def __call__(self, seconds: float) -> Sample:
        result: dict[str, Any] = json.loads(output_of([*self.command, str(self.folder), str(seconds)], seconds + 120))
        if not result["mails"]:
            raise BenchError(f"no mails in {self.folder}")
        cpu, foreign = {"server": result["cpu_s"]}, result["foreign_cores"]
        return Sample(result["mails"], result["seconds"], result["p99_ms"], cpu, foreign)
