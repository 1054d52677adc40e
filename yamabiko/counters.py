"""Counters that every process adds to and /metrics shows as one (prometheus_client's multiprocess mode).

The library is imported when counts are handed over for the first time: by then the worker is at work.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from store.environment import Environment
from store.writer import Writer

if TYPE_CHECKING:
    import prometheus_client as prometheus


class CountedEvents:
    """Counts by name in memory, and hands the sums over twice a second: the hot path never touches a file.

    Fits what mta, tracker and console expect of a place to count in.
    """

    def __init__(self, name: str, text: str) -> None:
        """``name`` of the metric, without ``_total``; ``text`` says what it counts."""
        self._name, self._text = name, text
        self._pending: Counter[str] = Counter()

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to ``name``."""
        self._pending[name] += amount

    add = count

    @cached_property
    def _metric(self) -> prometheus.Counter:
        import prometheus_client as prometheus

        return prometheus.Counter(self._name, self._text, ["what"])

    def flush(self) -> None:
        """Hand over what came since the last time."""
        if self._pending:
            pending, self._pending = self._pending, Counter()
            for name, amount in pending.items():
                self._metric.labels(str(name)).inc(amount)


class StoreCounters:
    """What a worker's writer does."""

    def __init__(self, worker: str, env: Environment, writer: Writer) -> None:
        """``worker`` names the process."""
        self._worker, self._env, self._writer = worker, env, writer
        self._seen = (0, 0)

    @cached_property
    def _metrics(self) -> tuple[prometheus.Counter, prometheus.Counter, prometheus.Gauge]:
        import prometheus_client as prometheus

        return (
            prometheus.Counter("yamabiko_store_commits", "durable commits", ["worker"]).labels(self._worker),
            prometheus.Counter("yamabiko_store_facts", "facts made durable", ["worker"]).labels(self._worker),
            prometheus.Gauge(
                "yamabiko_store_waiting_seconds", "age of the oldest uncommitted facts", ["worker"],
                multiprocess_mode="mostrecent",
            ).labels(self._worker),
        )  # fmt: skip

    def flush(self) -> None:
        """Hand over what came since the last time."""
        now = (self._writer.commits, self._writer.facts_committed)
        commits, facts, waiting = self._metrics
        commits.inc(now[0] - self._seen[0])
        facts.inc(now[1] - self._seen[1])
        self._seen = now
        waiting.set(self._writer.waiting_s)
