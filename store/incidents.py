"""Incidents: times in which so much failed at once that the failures say nothing about the recipients (S26, N04).

Two sorts. ``hard``: one domain says of far more recipients than ever that they do not exist; what that would suppress
is held back until somebody looked. ``sender``: we were refused for our own sake (a block list, SPF); that never
suppresses by default, and an operator may want those recipients mailed again. Both are functions of the counts of
failures in spans of ten minutes, and of the broadcasts that failed in them: nothing has to notice them, and what a
later mailing does cannot change what an earlier one says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from model.cause import BY_NUMBER, Cause, Fault, Permanence, is_hard
from model.fact import DeliveryKey
from store import keys
from store.counters import Counts
from store.environment import Environment
from store.outcome import settle
from store.record import Entry, Record
from store.records import Records
from store.sealed import unpack_value
from store.transaction import Transaction

WINDOW_US = 600_000_000
#: More hard failures than this at one domain in ten minutes …
_MANY_HARD = 100
#: … and more of those mailed there than so many times the share of before; where little failed before, more than this
#: share or this number.
_TIMES_BASELINE = 5.0
_LEAST_SHARE = 0.05
_LEAST_NUMBER = 500
#: Refusals for our own sake, in ten minutes, over all domains.
_MANY_SENDER = 50
#: Broadcasts looked at for how many failed before, and at most how many that failed in one span.
_BROADCASTS_BACK = 50
_BROADCASTS_IN_SPAN = 200
_BY = "by."
_ROWS_PER_READ = 1_000
_PERMANENCES = tuple(Permanence)


@dataclass(frozen=True, slots=True)
class Incident:
    """One flood of failures; ``domain`` empty for those of the sender's own fault, which know no domain."""

    kind: str
    domain: str
    first_us: int
    #: end of the last span of ten minutes
    until_us: int
    failures: int
    #: whose deliveries failed in it
    broadcasts: tuple[int, ...] = ()

    @property
    def incident_id(self) -> str:
        """What it is called in the API: does not change while the incident lasts."""
        return f"{self.kind}.{self.first_us // WINDOW_US}" + (f".{self.domain}" if self.domain else "")

    def takes_in(self, failure: Entry, domain: str) -> bool:
        """Whether a delivery's failure belongs to it."""
        if not self.first_us <= failure.at_us < self.until_us or (self.domain and domain != self.domain):
            return False
        spec = BY_NUMBER.get(failure.extra[1])
        if spec is None:
            return False
        if self.kind == "sender":
            return spec.fault is Fault.SENDER
        return is_hard(spec.cause, _PERMANENCES[failure.extra[2]])


@dataclass(frozen=True, slots=True)
class Affected:
    """A delivery that failed in an incident."""

    key: DeliveryKey
    failure: Entry
    domain: str

    @property
    def cause(self) -> Cause:
        """Why it failed, as the report said."""
        return BY_NUMBER[self.failure.extra[1]].cause


@dataclass(slots=True)
class _Span:
    """What failed in one or more spans of ten minutes that touch."""

    first: int
    last: int
    failures: int = 0
    broadcasts: set[int] = field(default_factory=set)


def is_flooded(env: Environment, txn: Transaction, tenant: int, domain: str, at_us: int) -> bool:
    """Whether a hard failure at ``domain`` came in a flood of such failures."""
    window = at_us // WINDOW_US
    rows = [_failures(env, txn, tenant, domain, window + step) for step in (-1, 0, 1)]
    return any(_is_flood(env, txn, tenant, domain, row) for row in rows)


def _is_flood(env: Environment, txn: Transaction, tenant: int, domain: str, row: Counts) -> bool:
    if row.get("hard", 0) <= _MANY_HARD:
        return False
    return _is_unusual(env, txn, tenant, domain, _broadcasts_of(row)[:_BROADCASTS_IN_SPAN])


def _failures(env: Environment, txn: Transaction, tenant: int, domain: str, window: int) -> Counts:
    return _row(env, txn, keys.broadcast_key(tenant, 0) + keys.failures_scope(domain, window))


def _row(env: Environment, txn: Transaction, key: bytes) -> Counts:
    raw = txn.get(key, db=env.db(keys.COUNTERS))
    row: Counts = unpack_value(key, raw) if raw else {}
    return row


def _broadcasts_of(row: Counts) -> list[int]:
    """Return the broadcasts that failed in a span, those with most failures first."""
    counts = sorted(((count, name) for name, count in row.items() if name.startswith(_BY)), reverse=True)
    return [int(name[len(_BY) :], 16) for _, name in counts]


def _is_unusual(env: Environment, txn: Transaction, tenant: int, domain: str, broadcasts: list[int]) -> bool:
    """Whether far more failed in these broadcasts than in those before them, of all mailed at ``domain``."""
    mailed, hard = _share(env, txn, tenant, domain, broadcasts)
    mailed_before, hard_before = _share(env, txn, tenant, domain, _before(env, txn, tenant, broadcasts))
    usual = _TIMES_BASELINE * mailed * hard_before / mailed_before if mailed_before else 0.0
    return hard > max(usual, min(_LEAST_SHARE * mailed, _LEAST_NUMBER))


def _share(env: Environment, txn: Transaction, tenant: int, domain: str, broadcasts: list[int]) -> tuple[int, int]:
    """Return how many were mailed at a domain in these broadcasts, and how many failed hard.

    Where the sending side reports each attempt, only those tried so far count as mailed.
    """
    mailed = hard = 0
    for number in broadcasts:
        row = _row(env, txn, keys.broadcast_key(tenant, number) + keys.domain_scope(domain))
        is_reported = "reached.accepted" in row or any(name.startswith("failed.in_session.") for name in row)
        known = sum(row.get(name, 0) for name in ("hard", "soft", "state.reached"))
        mailed += known if is_reported else row.get("targeted", 0)
        hard += row.get("hard", 0)
    return mailed, hard


def _before(env: Environment, txn: Transaction, tenant: int, broadcasts: list[int]) -> list[int]:
    """Return the last broadcasts that were seen before the first of ``broadcasts``."""
    firsts = [_first_seq(env, txn, tenant, number) for number in broadcasts]
    return _latest(env, txn, tenant, min(firsts, default=0))


def _latest(env: Environment, txn: Transaction, tenant: int, end: int) -> list[int]:
    """Return the last broadcasts whose first fact has a number below ``end``, the newest first."""
    prefix = keys.tenant_key(tenant)
    found: list[int] = []
    with txn.cursor(db=env.db(keys.BROADCAST_ORDER)) as cursor:
        is_there = cursor.set_range(keys.tenant_seq_key(tenant, end))
        is_there = cursor.prev() if is_there else cursor.last()
        while is_there and cursor.key().startswith(prefix) and len(found) < _BROADCASTS_BACK:
            found.append(int.from_bytes(cursor.key()[10:], "big"))
            is_there = cursor.prev()
    return found


def latest_domain_rows(env: Environment, txn: Transaction, tenant: int, domain: str) -> list[Counts]:
    """Return the counts of a domain in each of the latest broadcasts, the newest first."""
    numbers = _latest(env, txn, tenant, 2**64 - 1)
    return [_row(env, txn, keys.broadcast_key(tenant, number) + keys.domain_scope(domain)) for number in numbers]


def _first_seq(env: Environment, txn: Transaction, tenant: int, number: int) -> int:
    key = keys.broadcast_key(tenant, number)
    raw = txn.get(key, db=env.db(keys.BROADCASTS))
    return int(unpack_value(key, raw)["first_seq"]) if raw else 0


def find_incidents(env: Environment, txn: Transaction, tenant: int, *, since_us: int) -> list[Incident]:
    """Return the incidents of a tenant that ended after ``since_us``, oldest first."""
    sender: dict[int, Counts] = {}
    found: list[Incident] = []
    for domain, windows in _by_domain(env, txn, tenant, max(since_us // WINDOW_US - 1, 0)):
        for window, row in windows.items():
            if row.get("sender"):
                total = sender.setdefault(window, {})
                for name, count in row.items():
                    total[name] = total.get(name, 0) + count
        if domain:
            hot = {window for window, row in windows.items() if _is_flood(env, txn, tenant, domain, row)}
            found += _join("hard", domain, hot, windows)
    hot = {window for window, row in sender.items() if row["sender"] >= _MANY_SENDER}
    found += _join("sender", "", hot, sender)
    found = [incident for incident in found if incident.until_us > since_us]
    return sorted(found, key=lambda incident: (incident.first_us, incident.kind, incident.domain))


def _by_domain(env: Environment, txn: Transaction, tenant: int, first: int) -> Iterator[tuple[str, dict[int, Counts]]]:
    """Yield (domain, counts by window) of what failed from window ``first`` on."""
    prefix = keys.broadcast_key(tenant, 0) + keys.SCOPE_FAILURES
    domain, windows = b"", dict[int, Counts]()
    with txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        is_there = cursor.set_range(prefix)
        while is_there and cursor.key().startswith(prefix):
            key = cursor.key()
            begin, window = key[:-4], int.from_bytes(key[-4:], "big")
            if begin != domain and windows:
                yield _name(domain, prefix), windows
                windows = {}
            domain = begin
            if window < first:
                # Past what is older, however much it is.
                is_there = cursor.set_range(begin + first.to_bytes(4, "big"))
                continue
            windows[window] = unpack_value(key, cursor.value())
            is_there = cursor.next()
    if windows:
        yield _name(domain, prefix), windows


def _name(begin: bytes, prefix: bytes) -> str:
    return begin[len(prefix) : -1].decode("ascii", "replace")


def _join(kind: str, domain: str, hot: set[int], rows: dict[int, Counts]) -> list[Incident]:
    """Make one incident of spans that touch; the span before and the one after belong to it where any failed."""
    taken = sorted({window + step for window in hot for step in (-1, 0, 1) if rows.get(window + step, {}).get(kind)})
    spans: list[_Span] = []
    for window in taken:
        if not spans or window > spans[-1].last + 1:
            spans.append(_Span(window, window))
        span = spans[-1]
        span.last = window
        span.failures += rows[window][kind]
        span.broadcasts.update(_broadcasts_of(rows[window]))
    return [
        Incident(
            kind, domain, span.first * WINDOW_US, (span.last + 1) * WINDOW_US, span.failures,
            tuple(sorted(span.broadcasts)),
        )
        for span in spans
    ]  # fmt: skip


def affected(env: Environment, tenant: int, incident: Incident) -> Iterator[Affected]:
    """Yield the deliveries that failed in an incident, by broadcast in the order they failed, in short transactions."""
    for number in incident.broadcasts:
        prefix = keys.broadcast_key(tenant, number)
        position = prefix
        while True:
            batch: list[Affected] = []
            rows = 0
            with env.read() as txn, txn.cursor(db=env.db(keys.ERRORS)) as cursor:
                records = env.records(txn)
                is_there = cursor.set_range(position)
                while is_there and cursor.key().startswith(prefix) and rows < _ROWS_PER_READ:
                    rows += 1
                    position = cursor.key() + b"\0"
                    found = _affected(records, DeliveryKey(tenant, number, int.from_bytes(cursor.value(), "big")))
                    if found is not None and incident.takes_in(found.failure, found.domain):
                        batch.append(found)
                    is_there = cursor.next()
            yield from batch
            if rows < _ROWS_PER_READ:
                break


def _affected(records: Records, key: DeliveryKey) -> Affected | None:
    record = Record.unpack(key.pack(), records.get(key.pack()))
    failure = settle(record).failure
    return Affected(key, failure, record.domain_name) if failure is not None else None
