"""Counts over a window of time, on the three bases of mission 4.4: sums of cells of a quarter of an hour.

Every zone there is begins its days and hours on a quarter, so any window of whole hours or days is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from store import keys
from store.counters import QUARTER_US, Counts
from store.environment import Environment
from store.sealed import unpack_value
from store.transaction import Transaction

#: Quarters of an hour that tell how fast deliveries are done just now.
_RATE_QUARTERS = 4


class Basis(StrEnum):
    """What a window selects."""

    #: deliveries done in the window, and what happened to them in it (K04, K23)
    COHORT = "cohort"
    #: what happened in the window, whenever the delivery was done (K24)
    EVENT = "event"
    #: deliveries done in the window, and what happened to them at any time
    LIFETIME = "lifetime"


class WindowError(ValueError):
    """A window does not begin and end on a quarter of an hour, or ends before it begins."""


class Windows:
    """Counts over windows, of one store."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def counts(self, tenant: int, number: int, *, basis: Basis, from_us: int, to_us: int) -> Counts:
        """Return the counts of a broadcast in [``from_us``, ``to_us``), named as store.counters names them.

        Raises WindowError when the window is none.
        """
        if from_us % QUARTER_US or to_us % QUARTER_US or to_us < from_us:
            raise WindowError("a window begins and ends on a quarter of an hour")
        first, end = from_us // QUARTER_US, to_us // QUARTER_US
        total: Counts = {}
        for done, at, row in _cells(self._env, keys.broadcast_key(tenant, number)):
            is_done_in = first <= done < end
            happened_in = first <= at < end
            if at == 0:
                takes = is_done_in
            elif basis is Basis.COHORT:
                takes = is_done_in and happened_in
            elif basis is Basis.EVENT:
                takes = happened_in
            else:
                takes = is_done_in
            if takes:
                _add(total, row)
        _infer(total)
        return {name: count for name, count in total.items() if count}

    def series(
        self, tenant: int, number: int, *, from_us: int, to_us: int, zone: tzinfo, is_hourly: bool
    ) -> list[tuple[datetime, Counts]]:
        """Return for each day, or hour, of the window (its begin in ``zone``, counts on the event basis).

        Those in which nothing happened are there, empty. Days are as long as the zone makes them (4.4).
        """
        cells = list(_cells(self._env, keys.broadcast_key(tenant, number)))
        result: list[tuple[datetime, Counts]] = []
        for begin, end in _steps(from_us, to_us, zone, is_hourly=is_hourly):
            first, last = _quarter(begin), _quarter(end)
            total: Counts = {}
            for done, at, row in cells:
                if first <= (at or done) < last:
                    _add(total, row)
            _infer(total)
            result.append((begin, {name: count for name, count in total.items() if count}))
        return result

    def usage(self, tenant: int, *, from_us: int, to_us: int, adjusted: Callable[[int, Counts], Counts]) -> Counts:
        """Return what all of a tenant's deliveries done in a window add up to, for the usage of a month (R02, R03).

        ``adjusted`` makes of a broadcast's number and counts what goes into the sum. ``test_sends`` counts test sends.
        A later bounce moves nothing to another month (mission 4.4).
        """
        first, end = from_us // QUARTER_US, to_us // QUARTER_US
        prefix = keys.tenant_key(tenant)
        total: Counts = {}
        with self._env.read() as txn:
            for broadcast in _broadcasts(self._env, txn, prefix):
                mine: Counts = {}
                for scope, row in _rows(self._env, txn, broadcast):
                    done = int.from_bytes(scope[1:5], "big")
                    if not first <= done < end:
                        continue
                    if scope[:1] == keys.SCOPE_CELL and not any(scope[5:9]):
                        _add(mine, row)
                    elif scope[:1] == keys.SCOPE_TEST and len(scope) == 5:
                        total["test_sends"] = total.get("test_sends", 0) + row.get("targeted", 0)
                if mine:
                    _add(total, adjusted(int.from_bytes(broadcast[2:], "big"), mine))
        return {name: count for name, count in total.items() if count}

    def done_span(self, tenant: int, number: int) -> tuple[int, int] | None:
        """Return the times, to a quarter of an hour, of the first and last delivery done; None when there is none."""
        quarters = [done for done, at, row in _cells(self._env, keys.broadcast_key(tenant, number)) if not at and row]
        return (min(quarters) * QUARTER_US, max(quarters) * QUARTER_US) if quarters else None

    def done_per_s(self, tenant: int, number: int, now_us: int) -> float | None:
        """Return how many deliveries a second were done lately, by word of the sender (R09); None when none was.

        The quarter of an hour that runs weighs twice as much as the one before it, and so on for an hour.
        """
        now = now_us // QUARTER_US
        done, seconds = 0.0, 0.0
        counts = dict.fromkeys(range(now - _RATE_QUARTERS + 1, now + 1), 0)
        for quarter, at, row in _cells(self._env, keys.broadcast_key(tenant, number)):
            if not at and quarter in counts:
                counts[quarter] += row.get("state.reached", 0) + row.get("state.undelivered", 0)
        begun = min((quarter for quarter, count in counts.items() if count), default=None)
        if begun is None:
            return None
        for quarter in range(begun, now + 1):
            weight = 0.5 ** (now - quarter)
            done += weight * counts[quarter]
            seconds += weight * (min(now_us, (quarter + 1) * QUARTER_US) - quarter * QUARTER_US) / 1e6
        return done / seconds if seconds else None

    def last_done_us(self, tenant: int, number: int) -> int | None:
        """Return the begin of the quarter of an hour in which a delivery was done last; None when none was."""
        prefix = keys.broadcast_key(tenant, number) + keys.SCOPE_CELL
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.COUNTERS)) as cursor:
            is_there = cursor.set_range(prefix + b"\xff" * 8)
            is_there = cursor.prev() if is_there else cursor.last()
            if not is_there or not cursor.key().startswith(prefix):
                return None
            return int.from_bytes(cursor.key()[9:13], "big") * QUARTER_US


def _steps(from_us: int, to_us: int, zone: tzinfo, *, is_hourly: bool) -> Iterator[tuple[datetime, datetime]]:
    begin = datetime.fromtimestamp(from_us / 1e6, zone)
    end = datetime.fromtimestamp(to_us / 1e6, zone)
    while begin < end:
        if is_hourly:
            # An hour is an hour also where the clock is put back: go by the time that passes.
            following = datetime.fromtimestamp(begin.timestamp() + 3_600, zone)
        else:
            following = (begin.replace(hour=0, minute=0) + timedelta(days=1)).replace(fold=0)
        yield begin, min(following, end)
        begin = following


def _quarter(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000 // QUARTER_US


def _cells(env: Environment, broadcast: bytes) -> Iterator[tuple[int, int, Counts]]:
    """Yield (quarter done, quarter of the event or 0, counts)."""
    prefix = broadcast + keys.SCOPE_CELL
    with env.read() as txn, txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            key = cursor.key()
            yield int.from_bytes(key[9:13], "big"), int.from_bytes(key[13:17], "big"), unpack_value(key, cursor.value())
            is_there = cursor.next()


def _broadcasts(env: Environment, txn: Transaction, prefix: bytes) -> list[bytes]:
    found: list[bytes] = []
    with txn.cursor(db=env.db(keys.BROADCAST_ORDER)) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            found.append(prefix + cursor.key()[10:])
            is_there = cursor.next()
    return found


def _rows(env: Environment, txn: Transaction, broadcast: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield (scope, row) of the test rows and cells of a broadcast."""
    with txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        for scope in (keys.SCOPE_TEST, keys.SCOPE_CELL):
            is_there = cursor.set_range(broadcast + scope)
            while is_there and cursor.key().startswith(broadcast + scope):
                yield cursor.key()[8:], unpack_value(cursor.key(), cursor.value())
                is_there = cursor.next()


def _add(total: Counts, row: Counts) -> None:
    for name, count in row.items():
        total[name] = total.get(name, 0) + count


def _infer(total: Counts) -> None:
    """Add who is taken to have opened, having clicked without an open seen in the window."""
    total["opened_inferred"] = total.get("opened_users", 0) - total.get("opened_pixel", 0)
