"""Counters that every process adds to and /metrics shows as one (prometheus_client's multiprocess mode)."""

from __future__ import annotations

from collections import Counter

import prometheus_client as prometheus

from store.environment import Environment
from store.writer import Writer


class CountedEvents:
    """Counts by name in memory, and hands the sums over twice a second: the hot path never touches a file.

    Fits what mta, tracker and console expect of a place to count in.
    """

    def __init__(self, name: str, text: str) -> None:
        """``name`` of the metric, without ``_total``; ``text`` says what it counts."""
        self._metric = prometheus.Counter(name, text, ["what"])
        self._pending: Counter[str] = Counter()

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to ``name``."""
        self._pending[name] += amount

    add = count

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
        self._env, self._writer = env, writer
        self._commits = prometheus.Counter("yamabiko_store_commits", "durable commits", ["worker"]).labels(worker)
        self._facts = prometheus.Counter("yamabiko_store_facts", "facts made durable", ["worker"]).labels(worker)
        self._waiting = prometheus.Gauge(
            "yamabiko_store_waiting_seconds", "age of the oldest uncommitted facts", ["worker"],
            multiprocess_mode="mostrecent",
        ).labels(worker)  # fmt: skip
        self._seen = (0, 0)

    def flush(self) -> None:
        """Hand over what came since the last time."""
        now = (self._writer.commits, self._writer.facts_committed)
        self._commits.inc(now[0] - self._seen[0])
        self._facts.inc(now[1] - self._seen[1])
        self._seen = now
        self._waiting.set(self._writer.waiting_s)
