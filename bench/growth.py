"""Whether opens are stored as fast in a large store as in a small one."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import median

from bench.comparison import Comparison, Contender, Options, Sample, compare, take_turns
from bench.grown_store import Shape, grown_store, home_in, shape_for
from bench.opens import BATCH, START_US, Opens, commit, places_of
from bench.processes import Meter
from store.environment import Environment
from store.records import MAX_WAITING
from store.writer import next_seq

_SMALL_FACTS = 1_000_000
#: Facts of a timed run at most.
_MOST_A_RUN = 30_000
#: Facts of a commit that is not timed: so few that their records wait too (store.records).
_WARM_UP_BATCH = 4_000
_YEAR_US = 365 * 86_400_000_000


def measure_growth(options: Options) -> list[Comparison]:
    """Time opens at random places of a large store and of a small one of the same shape, in turns."""
    with ExitStack() as stack:
        folder = options.store or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-growth-"))
        )
        large, small = shape_for(options.facts), shape_for(min(_SMALL_FACTS, options.facts))
        large_env = stack.enter_context(grown_store(home_in(folder) / "data", large))
        small_env = stack.enter_context(grown_store(folder / "small", small))
        sizes = [_describe(env) for env in (large_env, small_env)]
        contenders = [
            Contender("large store", _TimedRun(lambda: nullcontext(large_env), large)),
            Contender("small store", _TimedRun(lambda: _fresh_copy(small_env), small)),
        ]
        samples = take_turns(contenders, options)
        remark = f"large: {sizes[0]}, {large.recipients:,} recipients; the peer is a small one: {sizes[1]}"
        cpu = [median(sample.cpu["writer"] / sample.events for sample in kept) for kept in samples]
        remark += (
            f"; {BATCH} opens a commit, with fsync, at random places; by CPU time the ratio is {cpu[1] / cpu[0]:.2f}"
        )
        return [compare("growth_flatness", "facts/s", samples[0], samples[1], remark)]


def _describe(env: Environment) -> str:
    facts, used = next_seq(env) - 1, env.info()["used"]
    return f"{facts:,} facts, {used / 1e6:,.0f} MB, {used / facts:.0f} bytes a fact"


@contextmanager
def _fresh_copy(env: Environment) -> Iterator[Environment]:
    """Give a copy of a small store: runs in itself would make its records longer than the large one's."""
    with tempfile.TemporaryDirectory(prefix=".copy-", dir=env.path.parent) as folder:
        copied = Path(shutil.copy(env.path / "data.mdb", folder))
        with copied.open("rb") as file:
            os.fsync(file.fileno())  # not while the run is being timed
        copy = Environment(Path(folder))
        try:
            yield copy
        finally:
            copy.close()


class _TimedRun:
    """Commits opens of deliveries drawn at random, as a busy server does."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Environment]], shape: Shape) -> None:
        """``opened`` gives the store to write to, each time anew."""
        self._opened, self._shape = opened, shape
        self._numbers = shape.numbers()
        self._rng = random.Random(time.time_ns())

    def __call__(self, seconds: float) -> Sample:
        """Run once, at most for so many seconds."""
        with self._opened() as env:
            # Later than all that is there, from earlier runs too.
            visitors = Opens(self._rng, START_US + _YEAR_US + (next_seq(env) << 20), per_s=1_000)
            # Until as many records wait as may: only then each that comes puts another in its place.
            for _ in range(MAX_WAITING // _WARM_UP_BATCH + 1):
                commit(env, visitors.opens(self._places(_WARM_UP_BATCH)))
            batches = [visitors.opens(self._places(BATCH)) for _ in range(_MOST_A_RUN // BATCH)]
            times: list[float] = []
            meter, cpu, started = Meter({}), time.process_time(), time.perf_counter()
            for batch in batches:
                began = time.perf_counter()
                commit(env, batch)
                times.append(time.perf_counter() - began)
                if time.perf_counter() - started > seconds:
                    break
            took, used = time.perf_counter() - started, time.process_time() - cpu
            # The writer is this process: what the meter takes for others' is without it.
            _, foreign = meter.read(used)
        times.sort()
        p99_ms = times[int((len(times) - 1) * 0.99)] * 1_000
        return Sample(len(times) * BATCH, took, p99_ms, {"writer": used}, foreign)

    def _places(self, count: int) -> list[bytes]:
        """Return deliveries of all broadcasts and recipients alike: a live server's are less scattered."""
        draw = self._rng.randrange
        return [
            places_of(draw(self._shape.broadcasts) + 1, [self._numbers[draw(len(self._numbers))]])[0]
            for _ in range(count)
        ]
