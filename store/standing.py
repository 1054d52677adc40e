"""What all the evidence about one recipient amounts to: a pure function, whatever order it came in (mission 4.5).

What is our own fault never makes an entry that holds (N03); what only a test send caused is never looked at (T20).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from model.cause import BY_NUMBER, SPECS, Cause, CauseSpec, Fault, Permanence, SansanClass, SuppressPolicy
from model.detail import Trust
from model.fact import DeliveryKey, FactType
from store.answering import is_tencent_domain
from store.counters import footprint
from store.evidence import OWN_HOST, SHARED, TENCENT_HOST
from store.outcome import STATES, State, judge_machines
from store.record import Entry, Record
from store.suppression import DAY_US, NoAddress, Suppression, SuppressionKind, is_no_address

COMPLAINT_DAYS = 180
#: A mailbox dead for so long, and not mailed since, may be a trap by now (T22).
TRAP_DAYS = 365
_SOFT_THRESHOLD = 5.0
#: A point counts whole for so many days, then half, then a quarter.
_SOFT_HALF_LIFE_DAYS = 14
#: Older points are worth next to nothing and are not looked at.
_SOFT_HALVINGS = 6
_SOFT_DAYS = 30
#: Refusals by a person's own filter, on so many days, suppress whatever their age (A12).
_STRIKES = 3
#: Says too little to suppress anybody by itself (A1).
_NEVER_ALONE = Cause.POLICY_REJECTED
#: Delivery statuses whose addresses the first seed keeps out of later mailings (S19-S21, S30, S31).
_KEPT_OUT = frozenset(
    {SansanClass.USER_UNKNOWN, SansanClass.HOST_UNKNOWN, SansanClass.REJECTED, SansanClass.UNPARSABLE}
)
_UNPARSABLE_MESSAGES = 2
_HOST_CAUSES = frozenset({Cause.HOST_UNKNOWN, Cause.DOMAIN_NO_MAIL})
#: What makes an entry of the bounce list by itself.
HARD_POLICIES = frozenset(
    {SuppressPolicy.LADDER, SuppressPolicy.DAYS_30, SuppressPolicy.DAYS_180, SuppressPolicy.FOREVER}
)
_PERMANENT = tuple(Permanence).index(Permanence.PERMANENT)
_NEVER = 2**63
_ENGAGED = (FactType.OPENED, FactType.CLICKED)
#: What somebody said or an operator did, as plain numbers: most records have none of it.
_SAID = frozenset(
    map(int, (
        FactType.AUTO_REPLIED, FactType.COMPLAINED, FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED, FactType.RELEASED,
    ))
)  # fmt: skip
#: Whether a failure is left out as false (store.gate: a flood nobody looked at).
Ignored = Callable[[Entry], bool]


def bounce_days(failures: int, domain: str, *, is_at_tencent: bool = False) -> int:
    """Return for how many days the ``failures``-th answer of no such address suppresses (E41, E42).

    Tencent's steps hold for its own domains, and for others whose mail it takes (``is_at_tencent``).
    """
    if is_at_tencent or is_tencent_domain(domain):
        return int(2 ** min(failures - 1, 5)) if failures < 6 else 30
    return {1: 30, 2: 60}.get(failures, 180)


@dataclass(frozen=True, slots=True)
class Standing:
    """What all the evidence about one recipient amounts to."""

    entries: list[Suppression]
    #: the broadcast in which it failed first, and the quarter of an hour in which that delivery was done; None if it
    #: never failed (K29)
    first_failed: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Failure:
    """One delivery's failure. ``spec`` is of the cause that counts, which may be that of the last deferral."""

    entry: Entry
    spec: CauseSpec

    @property
    def at_us(self) -> int:
        return self.entry.at_us

    @property
    def order(self) -> tuple[int, bytes]:
        return self.entry.at_us, self.entry.mark

    @property
    def is_at_tencent(self) -> bool:
        return self.entry.extra[3] & TENCENT_HOST != 0


def fold_recipient(deliveries: Iterable[tuple[DeliveryKey, Record]], *, is_ignored: Ignored | None = None) -> Standing:
    """Return what all the evidence about one recipient amounts to.

    ``deliveries`` are the recipient's records over all broadcasts, with that of broadcast 0 for what is said of
    the recipient as such. Test sends must not be among them. Failures of which ``is_ignored`` holds do not count.
    """
    evidence = _Evidence(is_ignored)
    domains = []
    for key, record in deliveries:
        evidence.take(key, record)
        if record.domain:
            domains.append(record.domain)
    evidence.domain = min(domains)[1:].decode("ascii", "replace") if domains else ""
    found = [*evidence.unsubscribes(), *evidence.complaints(), *evidence.bounces(), *evidence.softs()]
    found += evidence.classes()
    first = min(evidence.failed, default=None)
    return Standing(found, first[2:] if first else None)


class _Evidence:
    """What matters of a recipient's records, gathered."""

    def __init__(self, is_ignored: Ignored | None) -> None:
        self._is_ignored = is_ignored
        #: of the address, empty if unknown
        self.domain = ""
        self.failures: list[_Failure] = []
        #: (when, mark, broadcast, quarter it was done in) of every delivery that failed
        self.failed: list[tuple[int, bytes, int, int]] = []
        #: when a person opened or clicked what is said to have bounced, the first time for each delivery
        self.contradicted_at: list[int] = []
        self.alive_at: list[int] = []
        self.answered_at: list[int] = []
        #: when it was listed and not excluded, and did not fail
        self.mailed_at: list[int] = []
        self.complained: list[Entry] = []
        self.unsubscribed: list[tuple[int, Entry]] = []
        self.released: list[Entry] = []

    def take(self, key: DeliveryKey, record: Record) -> None:
        """Gather what one record says."""
        # What is remembered of records that look alike says the same as settling this one.
        found, entries = footprint(record), record.entries
        state, failure = STATES[found.summary.state], found.failure
        people: list[int] = []
        if found.summary.opens or found.summary.clicks:
            machines = judge_machines(entries)
            people = [e.at_us for i, e in enumerate(entries) if e.type in _ENGAGED and i not in machines]
        if state is State.UNDELIVERED and failure is not None:
            self._take_failure(failure, entries)
            self.failed.append((failure.at_us, failure.mark, key.broadcast, found.summary.done))
            if people:
                self.contradicted_at.append(min(people))
        elif state is not State.EXCLUDED and key.broadcast:
            self.mailed_at += [e.at_us for e in entries if e.type == FactType.PLANNED]
        if state is State.REACHED:
            self.alive_at += people
            self.alive_at += [e.at_us for e in entries if e.type == FactType.ACCEPTED]
        for entry in entries:
            if entry.type not in _SAID:
                continue
            if entry.type == FactType.AUTO_REPLIED:
                self.answered_at.append(entry.at_us)
            elif entry.type == FactType.COMPLAINED:
                self.complained.append(entry)
            elif entry.type in (FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED):
                self.unsubscribed.append((key.broadcast, entry))
            elif entry.type == FactType.RELEASED:
                self.released.append(entry)

    def _take_failure(self, entry: Entry, entries: list[Entry]) -> None:
        # One failure a delivery, whatever number of reports (W5); only what our token proves (S23).
        if not is_proven(entry):
            return
        if self._is_ignored is not None and self._is_ignored(entry):
            return
        spec = BY_NUMBER[entry.extra[1]]
        if spec.cause is Cause.DELIVERY_EXPIRED:
            # Time ran out; why it was tried so often says the last deferral (A5).
            waits = [e for e in entries if e.type == FactType.DEFERRED and e.extra[1]]
            spec = BY_NUMBER[max(waits, key=lambda e: (e.at_us, e.mark)).extra[1]] if waits else spec
        if entry.extra[3] & OWN_HOST:
            # Its own host no longer serves the domain: as good as one that says it takes no mail (A24).
            spec = SPECS[Cause.DOMAIN_NO_MAIL]
        self.failures.append(_Failure(entry, spec))

    def _is_lifted(self, kind: SuppressionKind, at_us: int) -> bool:
        return bool(self.released) and is_lifted(self.released, kind, at_us)

    @property
    def _disproved_at(self) -> int:
        """Return when what bounced was last read by a person all the same, once that was so twice (A30)."""
        return max(self.contradicted_at) if len(self.contradicted_at) > 1 else -1

    def bounces(self) -> list[Suppression]:
        """Return the entry of the bounce list that holds longest (E41, E42)."""
        if not self.failures:
            return []
        since = max([*self.alive_at, self._disproved_at])
        counted = [f for f in self.failures if f.at_us > since and not self._is_lifted(SuppressionKind.BOUNCE, f.at_us)]
        counted.sort(key=lambda f: f.order)
        # Permanent only: a temporary DNS failure of a known host is no dead address.
        found = [f for f in counted if f.spec.suppress in HARD_POLICIES and f.entry.extra[2] == _PERMANENT]
        ladder = 0
        #: (when it ends, whose failure), in the order of time
        ends: list[tuple[int, _Failure]] = []
        for failure in found:
            ladder += failure.spec.suppress is SuppressPolicy.LADDER
            ends.append((_end(failure, _days(failure, ladder, self.domain)), failure))
        unparsable = [f for f in counted if f.spec.cause is Cause.UNPARSABLE]
        if len(unparsable) >= _UNPARSABLE_MESSAGES:
            # Nobody understands what comes back, twice, and our token proves whose it is (A11).
            days = bounce_days(1, self.domain, is_at_tencent=unparsable[-1].is_at_tencent)
            ends.append((_end(unparsable[-1], days), unparsable[-1]))
        if not ends:
            return []
        # What holds longest; of two that end together the later.
        end, best = max(ends, key=lambda one: (one[0], one[1].order))
        shared = [f for f in found if f.entry.extra[3] & SHARED]
        return [
            Suppression(
                SuppressionKind.BOUNCE,
                best.at_us,
                None if end == _NEVER else end,
                best.entry.seq,
                cause=best.spec.number,
                domain=self.domain,
                failures=ladder,
                returns_at_us=self._returns_at(found),
                host_at_us=max((f.at_us for f in found if f.spec.cause in _HOST_CAUSES), default=0),
                shared=len(shared),
                shared_seq=shared[-1].entry.seq if shared else 0,
                is_at_tencent=best.is_at_tencent,
                no_address=self._no_address(ends),
            )
        ]

    def _no_address(self, ends: list[tuple[int, _Failure]]) -> NoAddress | None:
        """Return what those failures alone amount to that say there is no such address; None when all say so."""
        found = [f for _, f in ends if is_no_address(f.spec.number)]
        if not found or all(is_no_address(f.spec.number) and f.spec.suppress is SuppressPolicy.LADDER for _, f in ends):
            return None
        last = found[-1]
        days = bounce_days(len(found), self.domain, is_at_tencent=last.is_at_tencent)
        return NoAddress(len(found), last.at_us, last.at_us + days * DAY_US, last.entry.seq, last.spec.number)

    def _returns_at(self, found: list[_Failure]) -> int | None:
        last = max((f.at_us for f in found if f.spec.suppress is SuppressPolicy.LADDER), default=None)
        if last is None or any(at_us > last for at_us in self.mailed_at):
            return None
        return last + TRAP_DAYS * DAY_US

    def softs(self) -> list[Suppression]:
        """Return the entry of one whose soft failures add up: points by day, halved every 14 days (A12, A13)."""
        if not any(f.spec.suppress is SuppressPolicy.SCORE for f in self.failures):
            return []
        since = max([*self.alive_at, *self.answered_at, -1])
        by_day: dict[int, list[_Failure]] = {}
        for failure in sorted(self.failures, key=lambda f: f.order):
            is_soft = failure.spec.suppress is SuppressPolicy.SCORE and failure.at_us > since
            if is_soft and not self._is_lifted(SuppressionKind.SOFT, failure.at_us):
                by_day.setdefault(failure.at_us // DAY_US, []).append(failure)
        days = list(by_day.values())
        result: list[Suppression] = []
        strikes = 0
        for place, day in enumerate(days):
            last = day[-1]
            strikes += any(f.spec.cause is Cause.RECIPIENT_FILTERED for f in day)
            is_struck = strikes >= _STRIKES and any(f.spec.cause is Cause.RECIPIENT_FILTERED for f in day)
            if is_struck or _scores(days[: place + 1], last.at_us):
                expires = last.at_us + _SOFT_DAYS * DAY_US
                entry = last.entry
                number = last.spec.number
                result = [
                    Suppression(
                        SuppressionKind.SOFT, last.at_us, expires, entry.seq, cause=number, domain=self.domain
                    )
                ]  # fmt: skip
        return result

    def classes(self) -> list[Suppression]:
        """Return the latest failure of a class kept out for ever, whoever's fault: the reader decides (S31).

        One that is not our own fault goes first, so that the guard (N03) never lets go of what holds without it.
        """
        kinds = (SuppressionKind.CLASS, SuppressionKind.BOUNCE)
        found = [
            f for f in self.failures
            if BY_NUMBER[f.entry.extra[1]].sansan in _KEPT_OUT
            and not any(self._is_lifted(kind, f.at_us) for kind in kinds)
        ]  # fmt: skip
        if not found:
            return []
        chosen = max(found, key=lambda f: (not is_own_fault(f.entry.extra[1]), f.order))
        entry = chosen.entry
        return [
            Suppression(
                SuppressionKind.CLASS, entry.at_us, None, entry.seq, cause=entry.extra[1], failures=len(found),
                domain=self.domain,
            )
        ]  # fmt: skip

    def complaints(self) -> list[Suppression]:
        """Return the entry of the spam report list: 180 days from the latest report (E33, W13).

        A complaint on our page (A26) is taken back by subscribing again; one through a mailbox provider is not.
        """
        if not self.complained:
            return []
        again = max((e.at_us for _, e in self.unsubscribed if e.type == FactType.RESUBSCRIBED), default=-1)
        found = sorted(
            (e.at_us, e.mark, e)
            for e in self.complained
            if not self._is_lifted(SuppressionKind.COMPLAINT, e.at_us) and not (e.extra[0] and e.at_us <= again)
        )
        if not found:
            return []
        at_us, _, entry = found[-1]
        expires = at_us + COMPLAINT_DAYS * DAY_US
        return [Suppression(SuppressionKind.COMPLAINT, at_us, expires, entry.seq, domain=self.domain)]

    def unsubscribes(self) -> list[Suppression]:
        """Return one entry a broadcast, its newest event, and one (broadcast 0) for all streams together.

        Apart, since taking up one stream again does not undo the end of all. Which stream a broadcast belongs
        to is looked up when read. What names no broadcast can only mean all.
        """
        if not self.unsubscribed:
            return []
        newest: dict[int, Entry] = {}
        for broadcast, entry in self.unsubscribed:
            place = 0 if entry.extra[2] else broadcast
            known = newest.get(place)
            if self._is_lifted(SuppressionKind.UNSUBSCRIBE, entry.at_us):
                continue
            if known is None or _unsubscribe_order(entry) > _unsubscribe_order(known):
                newest[place] = entry
        return [
            Suppression(
                SuppressionKind.UNSUBSCRIBE,
                entry.at_us,
                None,
                entry.seq,
                broadcast,
                is_on=entry.type == FactType.UNSUBSCRIBED,
                everything=not broadcast,
                domain=self.domain,
            )
            for broadcast, entry in sorted(newest.items())
        ]


def is_proven(failure: Entry) -> bool:
    """Whether a failure may suppress: it has a cause, and our token proves whose it is (S23)."""
    return failure.extra[3] & ~(SHARED | OWN_HOST | TENCENT_HOST) == Trust.SUPPRESS and bool(failure.extra[1])


def is_lifted(released: Iterable[Entry], kind: SuppressionKind, at_us: int) -> bool:
    """Whether an operator lifted what rests on evidence of this time: all up to then, or that of one span."""
    return any(
        number == kind and (first <= at_us < until if until else at_us <= entry.at_us)
        for entry in released
        for number, first, until in (entry.extra,)
    )


def is_own_fault(cause: int) -> bool:
    """Whether the cause with this number is the sender's own fault, which never suppresses by default (N03)."""
    spec = BY_NUMBER.get(cause)
    return spec is not None and spec.fault in (Fault.SENDER, Fault.LOCAL)


def _days(failure: _Failure, ladder: int, domain: str) -> int | None:
    """Return for how many days a hard failure suppresses, None for ever."""
    match failure.spec.suppress:
        case SuppressPolicy.LADDER:
            return bounce_days(ladder, domain, is_at_tencent=failure.is_at_tencent)
        case SuppressPolicy.DAYS_30:
            return 30
        case SuppressPolicy.DAYS_180:
            return 180
        case _:
            return None


def _end(failure: _Failure, days: int | None) -> int:
    return _NEVER if days is None else failure.at_us + days * DAY_US


def _scores(days: list[list[_Failure]], now_us: int) -> bool:
    """Whether the failures of these days come to the threshold at ``now_us``, a point a day at most."""
    score = 0.0
    causes: set[Cause] = set()
    for day in days:
        halvings = (now_us - day[-1].at_us) // (_SOFT_HALF_LIFE_DAYS * DAY_US)
        if halvings < _SOFT_HALVINGS:
            score += float(0.5**halvings)
            causes.update(failure.spec.cause for failure in day)
    return score >= _SOFT_THRESHOLD and not causes <= {_NEVER_ALONE}


def _unsubscribe_order(entry: Entry) -> tuple[int, bool, bytes]:
    return entry.at_us, entry.type == FactType.UNSUBSCRIBED, entry.mark
