"""Incidents: times in which so much failed at once that the failures say nothing about the recipients (S26, N04).

Two sorts. ``hard``: one domain says of far more recipients than ever that they do not exist; what that would suppress
is held back until somebody looked. ``sender``: we were refused for our own sake (a block list, SPF); that never
suppresses by default, and an operator may want those recipients mailed again. Both are functions of the counts of
failures in spans of ten minutes: nothing has to notice them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from store import keys
from store.environment import Environment
from store.sealed import unpack_value
from store.transaction import Transaction

WINDOW_US = 600_000_000
#: More hard failures than this at one domain in ten minutes …
_MANY_HARD = 100
#: … and a share of all mailed there of more than so many times what it was before, or than this at least.
_TIMES_BASELINE = 5.0
_LEAST_SHARE = 0.05
#: Refusals for our own sake, in ten minutes, over all domains.
_MANY_SENDER = 50
#: Broadcasts looked at for how many were mailed and how many failed before.
_BROADCASTS_BACK = 50


@dataclass(frozen=True, slots=True)
class Incident:
    """One flood of failures; ``domain`` empty for those of the sender's own fault, which know no domain."""

    kind: str
    domain: str
    first_us: int
    #: end of the last span of ten minutes
    until_us: int
    failures: int

    @property
    def incident_id(self) -> str:
        """What it is called in the API: does not change while the incident lasts."""
        return f"{self.kind}.{self.first_us // WINDOW_US}.{self.domain}"

    def covers(self, at_us: int, domain: str) -> bool:
        """Whether a failure at this time and domain belongs to it."""
        return self.first_us <= at_us < self.until_us and (not self.domain or domain == self.domain)


def is_flooded(env: Environment, txn: Transaction, tenant: int, domain: str, at_us: int) -> bool:
    """Whether a hard failure at ``domain`` came in a flood of such failures."""
    window = at_us // WINDOW_US
    hard = max(_failures(env, txn, tenant, domain, window + step).get("hard", 0) for step in (-1, 0, 1))
    return hard > _MANY_HARD and _is_unusual(env, txn, tenant, domain, hard)


def _failures(env: Environment, txn: Transaction, tenant: int, domain: str, window: int) -> dict[str, int]:
    key = keys.broadcast_key(tenant, 0) + keys.failures_scope(domain, window)
    raw = txn.get(key, db=env.db(keys.COUNTERS))
    row: dict[str, int] = unpack_value(key, raw) if raw else {}
    return row


def _is_unusual(env: Environment, txn: Transaction, tenant: int, domain: str, hard: int) -> bool:
    """Whether ``hard`` failures are far more than this domain's share of failures so far."""
    mailed = failed = 0
    for number in _latest_broadcasts(env, txn, tenant):
        key = keys.broadcast_key(tenant, number) + keys.domain_scope(domain)
        raw = txn.get(key, db=env.db(keys.COUNTERS))
        if raw:
            row = unpack_value(key, raw)
            mailed += row.get("targeted", 0)
            failed += row.get("hard", 0)
    before = max(failed - hard, 0) / max(mailed - hard, 1)
    return hard / max(mailed, hard) > max(_TIMES_BASELINE * before, _LEAST_SHARE)


def _latest_broadcasts(env: Environment, txn: Transaction, tenant: int) -> Iterator[int]:
    prefix = keys.tenant_key(tenant)
    with txn.cursor(db=env.db(keys.BROADCAST_ORDER)) as cursor:
        is_there = cursor.set_range(prefix + b"\xff" * 14)
        is_there = cursor.prev() if is_there else cursor.last()
        for _ in range(_BROADCASTS_BACK):
            if not is_there or not cursor.key().startswith(prefix):
                return
            yield int.from_bytes(cursor.key()[10:], "big")
            is_there = cursor.prev()


def find_incidents(env: Environment, txn: Transaction, tenant: int, *, since_us: int) -> list[Incident]:
    """Return the incidents of a tenant that ended after ``since_us``, oldest first."""
    first = since_us // WINDOW_US
    sender: dict[int, int] = {}
    found: list[Incident] = []
    by_domain: dict[str, dict[int, int]] = {}
    for domain, window, row in _all_failures(env, txn, tenant):
        if window < first:
            continue
        if row.get("sender"):
            sender[window] = sender.get(window, 0) + row["sender"]
        if row.get("hard", 0) > _MANY_HARD and domain:
            by_domain.setdefault(domain, {})[window] = row["hard"]
    found += _join("sender", "", {window: count for window, count in sender.items() if count >= _MANY_SENDER})
    for domain, windows in by_domain.items():
        if _is_unusual(env, txn, tenant, domain, max(windows.values())):
            found += _join("hard", domain, windows)
    return sorted(found, key=lambda incident: (incident.first_us, incident.kind, incident.domain))


def _all_failures(env: Environment, txn: Transaction, tenant: int) -> Iterator[tuple[str, int, dict[str, int]]]:
    prefix = keys.broadcast_key(tenant, 0) + keys.SCOPE_FAILURES
    with txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            key = cursor.key()
            yield (
                key[len(prefix) : -5].decode("ascii", "replace"),
                int.from_bytes(key[-4:], "big"),
                unpack_value(key, cursor.value()),
            )
            is_there = cursor.next()


def _join(kind: str, domain: str, windows: dict[int, int]) -> list[Incident]:
    """Make one incident of spans that touch."""
    joined: list[list[int]] = []
    for window in sorted(windows):
        if joined and window <= joined[-1][1] + 1:
            joined[-1][1] = window
            joined[-1][2] += windows[window]
        else:
            joined.append([window, window, windows[window]])
    return [Incident(kind, domain, begin * WINDOW_US, (end + 1) * WINDOW_US, count) for begin, end, count in joined]
