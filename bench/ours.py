"""One running Yamabiko to be measured, and what its store says afterwards."""

from __future__ import annotations

import json
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.processes import Clock, clock_of, clock_of_tree
from model.fact import FactType
from model.keyring import KeyRing
from model.mint import Hosts, Mint
from model.token import day_of
from store.environment import Environment
from store.log import scan_log
from store.maintenance import stat
from store.writer import next_seq
from yamabiko.demo.server import Server
from yamabiko.run_files import Status, read_status

TENANT = 1
BROADCAST = "bench"
_COUNTER = re.compile(r'^(yamabiko_\w+_total)\{what="(\w+)"\} (\S+)$', re.MULTILINE)
# What was under way when the load ended is committed within so long after the last commit.
_QUIET_S = 0.4
_SETTLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Ours:
    """A server with default settings but for those given."""

    server: Server
    env: Environment
    mint: Mint

    def workers(self, kind: str) -> list[int]:
        """Return the processes that do the work of ``kind``: ``smtp``, ``tracker`` or ``console``."""
        return [worker.pid for worker in self._status().workers if worker.name.startswith(kind) and worker.pid]

    def supervisor(self) -> int:
        """Return the process that keeps the workers."""
        return self._status().pid

    def clocks(self, kind: str) -> dict[str, Clock]:
        """Return the clocks of the workers of ``kind``, with what they began, and of the supervisor."""
        return {"worker": clock_of_tree(*self.workers(kind)), "supervisor": clock_of(self.supervisor())}

    def _status(self) -> Status:
        status = read_status(self.server.home / "run")
        if status is None:
            raise BenchError("our server has no status")
        return status

    def today(self) -> int:
        """Return the day for tokens."""
        return day_of(time.time_ns() // 1_000)

    def facts(self) -> int:
        """Return how many facts are durable, once no more come."""
        deadline = time.monotonic() + _SETTLE_S
        found = next_seq(self.env)
        unchanged_since = time.monotonic()
        while time.monotonic() < min(deadline, unchanged_since + _QUIET_S):
            time.sleep(0.05)
            if (fresh := next_seq(self.env)) != found:
                found, unchanged_since = fresh, time.monotonic()
        return found - 1

    def facts_by_type(self) -> dict[str, int]:
        """Return how many facts of each type are durable."""
        found = stat(self.env)["facts_by_type"]
        assert isinstance(found, dict)
        return found

    def check_facts(self, before: int, answered: int) -> None:
        """Raise BenchError unless everything answered since ``before`` is a fact, and nothing else is."""
        stored = self.facts() - before
        if stored != answered:
            # A flood of failures makes the console speak as well: its documents are facts.
            stored = sum(fact.type is not FactType.DOCUMENT_SET for _, fact in scan_log(self.env, after=before))
        if stored != answered:
            raise BenchError(f"{answered} answers but {stored} facts in the store")

    def counters(self) -> dict[str, float]:
        """Return what our server counts itself, e.g. ``yamabiko_tracker_total.at_risk``."""
        time.sleep(1)  # workers hand their counts over twice a second
        with urllib.request.urlopen(f"{self.server.origin('console')}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        return {f"{name}.{what}": float(value) for name, what, value in _COUNTER.findall(text)}


@contextmanager
def running_ours(settings: str = "", home: Path | None = None) -> Iterator[Ours]:
    """Start a server, and end it after the block.

    Arguments: ``settings`` is the text of its yamabiko.toml; ``home`` is used as it is and kept, by default it is a
    temporary one.
    """
    with tempfile.TemporaryDirectory(prefix="yamabiko-bench-", ignore_cleanup_errors=True) as folder:
        server = Server(home or Path(folder) / "home")
        server.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings:
            (server.home / "yamabiko.toml").write_text(settings, encoding="utf-8")
        try:
            server.start()
            env = Environment(server.home / "data", map_size=64 * 2**30, read_only=True)
            try:
                yield Ours(server, env, mint_of(server))
            finally:
                env.close()
            server.stop()
        finally:
            server.kill()


def mint_of(server: Server) -> Mint:
    """Return what mints for a server, from the keys it exports to senders."""
    keys = KeyRing.from_export(json.loads(server.run("keys", "export", "--tenant", str(TENANT))))
    return Mint(keys, Hosts("bounce.localhost", server.origin("tracker")))
