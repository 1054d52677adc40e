"""The people behind a number of a broadcast: who was reached, failed, opened; found by word, page by page (S17, R15).

What few are on is found by its list (``store.lists``); what most are on by going through the roster in the order
listed. A page looks through so many deliveries at most and is then given as it is, with a cursor to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model.cause import SPECS, Cause, Channel, Reason, SansanClass
from model.detail import ExcludedKind, Planned, Report
from model.fact import DeliveryKey, FactType
from store import keys, lists
from store.environment import Environment
from store.errors import StoreError
from store.log import read_fact
from store.outcome import Evidence, Outcome, State, settle
from store.reader import PAGE_SIZE, Budget, Page
from store.record import Record
from store.records import Records
from store.roster import RosterRow, find_in_page, fold_text, read_page, row_of
from store.status_log import STOPPED
from store.transaction import Transaction


class MetricError(ValueError):
    """There is no number of that name that people stand behind."""


@dataclass(frozen=True, slots=True)
class Person:
    """One delivery as lists show it."""

    key: DeliveryKey
    outcome: Outcome
    listed: RosterRow
    #: what the failure that stopped it said; None when it did not fail
    failure: Report | None
    failure_seq: int
    failed_us: int | None
    #: time of the last evidence applied (R20)
    fetched_us: int


Predicate = Callable[[Outcome], bool]
#: The one class of the first seed that is no failure: shown in the list of 不達, counted in no sum (X9, A9).
_AUTO_REPLY = ("sansan", "auto_reply")


def _is_failed(outcome: Outcome) -> bool:
    return outcome.state is State.UNDELIVERED


def predicate_of(metric: str, *, is_assuming: bool) -> Predicate:
    """Return what holds of a delivery that counts in ``metric``. Raises MetricError for an unknown one.

    Metrics: those of a report that count recipients, and ``cause:``, ``reason:``, ``sansan:``, ``channel:``,
    ``excluded:``, ``evidence:``, ``ses:``, ``soft:`` and ``invalid:`` with a value of that vocabulary.
    """
    kind, colon, value = metric.partition(":")

    def is_assumed(outcome: Outcome) -> bool:
        return is_assuming and outcome.state is State.PLANNED

    def is_reached(outcome: Outcome) -> bool:
        return outcome.state is State.REACHED or is_assumed(outcome)

    if (kind, value) == ("evidence", Evidence.ASSUMED):
        return is_assumed
    if colon:
        return _by_vocabulary(kind, value)
    found = {
        "listed": lambda _: True,
        "targeted": lambda o: o.state is not State.EXCLUDED,
        "reached": is_reached,
        "undelivered": _is_failed,
        "hard": lambda o: _is_failed(o) and o.is_hard,
        "soft": lambda o: _is_failed(o) and not o.is_hard,
        "soft_bounce": lambda o: _is_failed(o) and o.channel is Channel.OUT_OF_BAND,
        "in_flight": lambda o: o.state is State.DEFERRED or (not is_assuming and o.state is State.PLANNED),
        "deferred": lambda o: o.state is State.DEFERRED,
        "cancelled": lambda o: o.state is State.CANCELLED,
        "excluded": lambda o: o.state is State.EXCLUDED,
        "opened_users": lambda o: o.state is State.REACHED and o.is_html and o.is_engaged,
        "opened_pixel": lambda o: o.state is State.REACHED and o.is_html and o.opens > 0,
        "opened_inferred": lambda o: o.state is State.REACHED and o.is_html and not o.opens and o.clicks > 0,
        "engaged": lambda o: o.state is State.REACHED and o.is_engaged,
        "unopened": lambda o: is_reached(o) and o.is_html and not o.is_engaged,
        "clicked_users": lambda o: o.state is State.REACHED and o.clicks > 0,
        "clicked_of_opened": lambda o: o.state is State.REACHED and o.is_html and o.clicks > 0,
        "not_clicked": lambda o: o.state is State.REACHED and o.is_html and o.opens > 0 and not o.clicks,
        "complaints": lambda o: o.has_complaint,
        "complaints_form": lambda o: o.has_form_complaint,
        "unsubs": lambda o: o.was_unsubscribed,
        "resubs": lambda o: o.was_resubscribed,
        "auto_replies": lambda o: o.has_auto_reply,
        "conflicts": lambda o: _is_failed(o) and o.is_engaged,
        "cv_users": lambda o: o.conversions > 0,
    }.get(metric)
    if found is None:
        raise MetricError(metric)
    return found


def _by_vocabulary(kind: str, value: str) -> Predicate:
    try:
        if kind == "excluded":
            excluded = ExcludedKind[value.upper()]
            if excluded is ExcludedKind.DUPLICATE:
                return lambda o: o.rows > 1 or o.excluded is excluded
            return lambda o: o.excluded is excluded
        if kind == "channel":
            channel = Channel[value.upper()]
            return lambda o: _is_failed(o) and o.channel is channel
        if (kind, value) == _AUTO_REPLY:
            return lambda o: o.has_auto_reply
        if kind == "evidence":
            evidence = Evidence(value)
            return lambda o: o.evidence is evidence
        causes = causes_of(kind, value)
    except (KeyError, ValueError):
        raise MetricError(f"{kind}:{value}") from None
    if kind == "soft":
        return lambda o: _is_failed(o) and o.channel is Channel.OUT_OF_BAND and o.cause in causes
    if kind == "invalid":
        stopped = _stopped(value)
        return lambda o: (
            o.excluded in stopped or (_is_failed(o) and o.channel is not Channel.OUT_OF_BAND and o.cause in causes)
        )
    return lambda o: _is_failed(o) and o.cause in causes


def _stopped(value: str) -> list[ExcludedKind]:
    """Return the exclusions that the third seed counts in a class of the invalid (E12, E13, E15)."""
    return sorted(kind for kind, word in STOPPED.items() if word == value)


def causes_of(kind: str, value: str) -> frozenset[Cause]:
    """Return the causes that a word of a vocabulary stands for. Raises ValueError or KeyError for an unknown one."""
    match kind:
        case "cause":
            return frozenset({Cause(value)})
        case "reason":
            reason = Reason(value)
            return frozenset(cause for cause, spec in SPECS.items() if spec.reason is reason)
        case "sansan":
            word = SansanClass(value)
            return frozenset(c for c, spec in SPECS.items() if (spec.sansan or SansanClass.OTHER) is word)
        case "soft":
            return _nonempty(c for c, spec in SPECS.items() if (spec.engagelab_soft or "other") == value)
        case "invalid":
            return _nonempty(c for c, spec in SPECS.items() if spec.engagelab_invalid == value)
        case "ses":
            return _nonempty(c for c, spec in SPECS.items() if spec.ses == value)
    raise KeyError(kind)


def _nonempty(causes: Iterator[Cause]) -> frozenset[Cause]:
    found = frozenset(causes)
    if not found:
        raise ValueError("no such word")
    return found


#: Metrics that have a list, or several, of their own; all others are looked for in the roster.
_LISTED: dict[str, tuple[int, ...]] = {
    "undelivered": tuple(lists.FAILED_LISTS),
    "soft_bounce": tuple(lists.FAILED_LISTS),
    "hard": tuple(which for which in lists.FAILED_LISTS if which % 2),
    "soft": tuple(which for which in lists.FAILED_LISTS if not which % 2),
    "deferred": (lists.DEFERRED,),
    "cancelled": (lists.CANCELLED,),
    "excluded": tuple(lists.EXCLUDED_LISTS),
    "opened_users": (lists.ENGAGED,),
    "opened_pixel": (lists.ENGAGED,),
    "opened_inferred": (lists.CLICKED,),
    "not_clicked": (lists.ENGAGED,),
    "engaged": (lists.ENGAGED,),
    "clicked_users": (lists.CLICKED,),
    "clicked_of_opened": (lists.CLICKED,),
    "complaints": (lists.COMPLAINED,),
    "complaints_form": (lists.COMPLAINED_FORM,),
    "unsubs": (lists.UNSUBSCRIBED,),
    "resubs": (lists.RESUBSCRIBED,),
    "auto_replies": (lists.AUTO_REPLIED,),
    "conflicts": (lists.CONFLICT,),
    "cv_users": (lists.CONVERTED,),
}


def lists_behind(metric: str) -> tuple[int, ...] | None:
    """Return the lists on which all are that count in ``metric``; None where there are none."""
    kind, colon, value = metric.partition(":")
    if not colon:
        return _LISTED.get(metric)
    if kind == "excluded":
        # Who was listed twice is mailed once, and so on no list of those excluded.
        excluded = ExcludedKind[value.upper()]
        return None if excluded is ExcludedKind.DUPLICATE else (lists.excluded_list(excluded),)
    if kind == "evidence":
        return None
    if kind == "channel":
        return tuple(lists.FAILED_LISTS)
    if (kind, value) == _AUTO_REPLY:
        return (lists.AUTO_REPLIED,)
    stopped = _stopped(value) if kind == "invalid" else ()
    causes = sorted(causes_of(kind, value), key=lambda cause: SPECS[cause].number)
    failed = (lists.failed_list(cause, is_hard=is_hard) for cause in causes for is_hard in (False, True))
    return (*map(lists.excluded_list, stopped), *failed)


class People:
    """Finds and shows the deliveries of one store."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def page(
        self, tenant: int, number: int, *, metric: str = "listed", query: str = "", is_assuming: bool = True,
        after: bytes | None = None, limit: int = PAGE_SIZE, where: Callable[[Person], bool] | None = None,
    ) -> Page[Person]:  # fmt: skip
        """Return a page of the people behind ``metric`` whose name, address or company has ``query``.

        ``where`` narrows further. Raises MetricError for an unknown metric.
        """
        holds = predicate_of(metric, is_assuming=is_assuming)
        which = None if query else lists_behind(metric)
        broadcast = keys.broadcast_key(tenant, number)
        with self._env.read() as txn:
            places = (
                self._on_lists(txn, broadcast, which, after)
                if which is not None
                else self._in_roster(txn, broadcast, fold_text(query), after)
            )
            records = self._env.records(txn)
            rows: list[Person] = []
            budget = Budget()
            for cursor, recipient, listed in places:
                if len(rows) == limit or recipient is None or budget.is_spent:
                    return Page(rows, cursor)
                person = self._person(txn, records, broadcast + recipient, listed, holds)
                if person is not None and (where is None or where(person)):
                    rows.append(person)
                else:
                    budget.miss()
        return Page(rows, None)

    def errors(
        self, tenant: int, number: int, *, after_seq: int = 0, after: bytes | None = None, limit: int = PAGE_SIZE
    ) -> Page[Person]:
        """Return those who failed, in the order in which that became known, from number ``after_seq`` on (R22)."""
        broadcast = keys.broadcast_key(tenant, number)
        rows: list[Person] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.ERRORS)) as cursor:
            records = self._env.records(txn)
            is_there = cursor.set_range(after or broadcast + keys.seq_key(after_seq + 1))
            while is_there and cursor.key().startswith(broadcast):
                if len(rows) == limit:
                    return Page(rows, cursor.key())
                person = self._person(txn, records, broadcast + cursor.value(), None, lambda _: True)
                if person is not None:
                    rows.append(person)
                is_there = cursor.next()
        return Page(rows, None)

    def count_errors(self, tenant: int, number: int, *, after_seq: int = 0) -> tuple[int, int]:
        """Return how many failed whose failure has a number above ``after_seq``, and the highest such number."""
        broadcast = keys.broadcast_key(tenant, number)
        count, last = 0, after_seq
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.ERRORS)) as cursor:
            is_there = cursor.set_range(broadcast + keys.seq_key(after_seq + 1))
            while is_there:
                key = cursor.key()
                if not key.startswith(broadcast):
                    break
                count += 1
                last = int.from_bytes(key[8:], "big")
                is_there = cursor.next()
        return count, last

    def person(self, key: DeliveryKey) -> Person | None:
        """Return one delivery as lists show it."""
        with self._env.read() as txn:
            return self._person(txn, self._env.records(txn), key.pack(), None, lambda _: True)

    def _on_lists(
        self, txn: Transaction, broadcast: bytes, which: tuple[int, ...], after: bytes | None
    ) -> Iterator[tuple[bytes, bytes | None, RosterRow | None]]:
        with txn.cursor(db=self._env.db(keys.LISTS)) as cursor:
            for one in which:
                prefix = broadcast + bytes((one,))
                if after is not None and after[:9] > prefix:
                    continue
                start = after if after is not None and after.startswith(prefix) else prefix
                is_there = cursor.set_range(start)
                while is_there and cursor.key().startswith(prefix):
                    yield cursor.key(), cursor.value(), None
                    is_there = cursor.next()

    def _in_roster(
        self, txn: Transaction, broadcast: bytes, needle: str, after: bytes | None
    ) -> Iterator[tuple[bytes, bytes | None, RosterRow | None]]:
        """Yield (cursor, recipient, row); recipient None where enough was looked through."""
        start, first = (after[:12], int.from_bytes(after[12:14], "big")) if after else (broadcast, 0)
        octets = needle.encode("utf-8", "surrogatepass")
        with txn.cursor(db=self._env.db(keys.ROSTER)) as cursor:
            is_there = cursor.set_range(start)
            budget = Budget()
            while is_there and cursor.key().startswith(broadcast):
                key, value = cursor.key(), cursor.value()
                if budget.is_spent:
                    yield key + b"\0\0", None, None
                    return
                places = find_in_page(key, value, octets) if octets else None
                if places == []:
                    budget.miss()
                if places is None or places:
                    rows = read_page(key, value).rows
                    for place in places if places is not None else range(len(rows)):
                        if place >= first:
                            yield key + place.to_bytes(2, "big"), rows[place].recipient, rows[place]
                first = 0
                is_there = cursor.next()

    def _person(
        self, txn: Transaction, records: Records, place: bytes, listed: RosterRow | None, holds: Predicate
    ) -> Person | None:
        raw = records.get(place)
        if raw is None:
            raise StoreError("a delivery of the roster is missing")
        record = Record.unpack(place, raw)
        entries = record.entries
        planned = next((e for e in entries if e.type == FactType.PLANNED), None)
        if listed is not None and not listed.is_listed and planned is not None:
            return None  # listed later: it has a row of its own
        outcome = settle(record)
        if not holds(outcome):
            return None
        if listed is None:
            fact = read_fact(self._env, txn, planned.seq) if planned else None
            detail = fact.detail if fact and isinstance(fact.detail, Planned) else None
            first = planned or entries[0]
            listed = row_of(place[8:], first.seq, first.at_us, detail)
        failure = outcome.failure
        report = read_fact(self._env, txn, failure.seq).detail if failure else None
        if not listed.address and isinstance(report, Report) and report.address:
            listed = listed._replace(address=report.address)
        return Person(
            DeliveryKey.unpack(place), outcome, listed, report if isinstance(report, Report) else None,
            failure.seq if failure else 0, failure.at_us if failure else None, entries[-1].at_us if entries else 0,
        )  # fmt: skip
