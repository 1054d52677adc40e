"""What the console is given: plain values and functions, put together by the composition root."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from console.export_tasks import ExportTasks
from console.identity import Identity
from console.outgoing.outgoing import Outgoing
from console.queue_board import QueueBoard
from console.token_desk import TokenDesk
from model.fact import UniqueClock
from model.keyring import KeyRing
from model.mint import Hosts
from store.breakdown import Breakdown
from store.people import People
from store.reader import Reader
from store.status_log import StatusLog
from store.suppression_desk import SuppressionDesk
from store.windows import Windows
from store.writer import Writer

if TYPE_CHECKING:
    from classifier.classify import Classifier


@dataclass(frozen=True, slots=True)
class ConsoleLimits:
    """What one request may take; sizes in octets, times in seconds (T9)."""

    body_bytes: int = 1024 * 1024
    #: an uploaded CSV file (P28)
    csv_bytes: int = 25 * 1024 * 1024
    sends_bytes: int = 1024**3
    row_bytes: int = 65_536
    batch_rows: int = 2_000
    body_s: float = 30.0
    #: a sends stream that brings nothing for so long is cut
    stream_idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check of /healthz; ``problem`` is empty when all is well."""

    name: str
    problem: str
    #: whether it alone makes the answer 503
    is_fatal: bool = True


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the handlers work with."""

    reader: Reader
    people: People
    status_log: StatusLog
    windows: Windows
    breakdown: Breakdown
    suppression: SuppressionDesk
    writer: Writer
    hosts: Hosts
    clock: UniqueClock
    #: the key ring in force
    keys: Callable[[], KeyRing]
    #: who holds a bearer token, if anybody
    identify: Callable[[str], Identity | None]
    tokens: TokenDesk
    queues: QueueBoard
    health: Callable[[], list[HealthCheck]]
    #: the Prometheus exposition: (content type, body)
    metrics: Callable[[], tuple[str, bytes]]
    #: receives (route, status, seconds) of every request
    observe: Callable[[str, int, float], None]
    allowed_hosts: frozenset[str]
    role_addresses: frozenset[str]
    outgoing: Outgoing
    #: the classifier in force: says why a failure came about, from what a server replied
    classifier: Callable[[], Classifier]
    #: where days and months begin (mission 4.4)
    zone: tzinfo = ZoneInfo("Asia/Tokyo")
    #: None where no exports are made
    exports: ExportTasks | None = None
    #: whether the first or last recipients of (tenant, broadcast) are of a source only administrators export (R05)
    restricted_at_ends: Callable[[int, int], bool] = lambda _tenant, _number: False
    #: told when somebody is to be forgotten at the next occasion
    note_erasure: Callable[[], None] = lambda: None
    limits: ConsoleLimits = ConsoleLimits()
    node: int = 0
    version: str = ""
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000

    def stamp(self) -> int:
        """Return the time now in microseconds, never the same twice."""
        return self.clock.stamp(self.now_us())


Labels = Mapping[str, str]
