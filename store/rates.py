"""How much of what was sent lately failed hard or was complained of, and whether that asks for a pause (N16, P19).

Rates over the last hour and the last day, to a quarter of an hour, of a tenant and of each of its latest broadcasts.
A rate of few mails or few events says nothing: below the least numbers there is no level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from store import keys
from store.counters import QUARTER_US, Counts
from store.environment import Environment
from store.sealed import unpack_value
from store.transaction import Transaction

#: Broadcasts looked at, the newest first.
_BROADCASTS = 200


class Level(StrEnum):
    """What a rate asks for."""

    #: too few mails or events to tell
    TOO_FEW = "too_few"
    OK = "ok"
    WARN = "warn"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which share on to warn, and to pause; ``window_s`` in seconds, shares of 1."""

    metric: str
    window_s: int
    warn: float
    pause: float
    least_sends: int
    least_events: int


#: mission 7.2, runner-up.
THRESHOLDS = (
    Threshold("hard", 3_600, 0.05, 0.10, 200, 20),
    Threshold("hard", 86_400, 0.025, 0.05, 1_000, 50),
    Threshold("complaints", 3_600, 0.005, 0.01, 200, 5),
    Threshold("complaints", 86_400, 0.0015, 0.003, 1_000, 5),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate; ``broadcast`` 0 for all of the tenant's."""

    broadcast: int
    threshold: Threshold
    sends: int
    events: int

    @property
    def share(self) -> float | None:
        """Events of sends; None when nothing was sent."""
        return self.events / self.sends if self.sends else None

    @property
    def level(self) -> Level:
        """What it asks for."""
        if self.sends < self.threshold.least_sends or self.events < self.threshold.least_events:
            return Level.TOO_FEW
        share = self.events / self.sends
        return (
            Level.PAUSE if share >= self.threshold.pause
            else Level.WARN if share >= self.threshold.warn
            else Level.OK
        )  # fmt: skip


def rates(env: Environment, tenant: int, now_us: int) -> list[Rate]:
    """Return the rates of a tenant, and of each broadcast that sent anything in the last day."""
    found: list[Rate] = []
    first = _first(now_us, max(threshold.window_s for threshold in THRESHOLDS))
    with env.read() as txn:
        totals: dict[Threshold, Counts] = {threshold: {} for threshold in THRESHOLDS}
        for number in _latest(env, txn, tenant):
            cells = list(_cells(env, txn, keys.broadcast_key(tenant, number), first))
            for threshold in THRESHOLDS:
                counts = _window(cells, now_us, threshold.window_s)
                if counts.get("targeted"):
                    found.append(_rate(number, threshold, counts))
                for name, count in counts.items():
                    totals[threshold][name] = totals[threshold].get(name, 0) + count
    return [*(_rate(0, threshold, totals[threshold]) for threshold in THRESHOLDS), *found]


def due(env: Environment, tenant: int, now_us: int) -> list[Rate]:
    """Return the rates that ask for something, for whoever raises alerts and asks senders to pause."""
    return [rate for rate in rates(env, tenant, now_us) if rate.level in (Level.WARN, Level.PAUSE)]


def tenants(env: Environment) -> list[int]:
    """Return the tenants that have broadcasts."""
    found: list[int] = []
    with env.read() as txn, txn.cursor(db=env.db(keys.BROADCAST_ORDER)) as cursor:
        is_there = cursor.first()
        while is_there:
            found.append(int.from_bytes(cursor.key()[:2], "big"))
            is_there = found[-1] < 0xFFFF and cursor.set_range(keys.tenant_key(found[-1] + 1))
    return found


def _rate(number: int, threshold: Threshold, counts: Counts) -> Rate:
    return Rate(number, threshold, counts.get("targeted", 0), counts.get(threshold.metric, 0))


def _window(cells: list[tuple[int, int, Counts]], now_us: int, window_s: int) -> Counts:
    """Return what was sent in the window with what became of it, and the complaints that came in it."""
    first, last = _first(now_us, window_s), now_us // QUARTER_US
    total: Counts = {}
    for done, at, row in cells:
        if first <= (at or done) <= last:
            for name in ("targeted", "hard") if not at else ("complaints",):
                total[name] = total.get(name, 0) + row.get(name, 0)
    return total


def _latest(env: Environment, txn: Transaction, tenant: int) -> list[int]:
    prefix = keys.tenant_key(tenant)
    found: list[int] = []
    with txn.cursor(db=env.db(keys.BROADCAST_ORDER)) as cursor:
        is_there = cursor.set_range(prefix + b"\xff" * 14)
        is_there = cursor.prev() if is_there else cursor.last()
        while is_there and cursor.key().startswith(prefix) and len(found) < _BROADCASTS:
            found.append(int.from_bytes(cursor.key()[10:], "big"))
            is_there = cursor.prev()
    return found


def _first(now_us: int, window_s: int) -> int:
    return max((now_us - window_s * 1_000_000) // QUARTER_US, 0)


def _cells(env: Environment, txn: Transaction, broadcast: bytes, first: int) -> Iterator[tuple[int, int, Counts]]:
    """Yield (quarter done, quarter of the event or 0, counts), of deliveries done long ago only events since ``first``.

    Passes over what is older: an old mailing has a cell for every quarter of an hour anything ever happened in.
    """
    prefix = broadcast + keys.SCOPE_CELL
    with txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            key = cursor.key()
            done, at = int.from_bytes(key[9:13], "big"), int.from_bytes(key[13:17], "big")
            if done < first and at < first:
                is_there = cursor.set_range(key[:13] + first.to_bytes(4, "big"))
                continue
            yield done, at, unpack_value(key, cursor.value())
            is_there = cursor.next()
