"""Who must not be mailed, and until when: a pure function of a recipient's evidence (mission 4.5).

An entry is judged at reading time by its expiry, never by its mere presence (T06). What is our own fault
never makes one (N03).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import msgpack

from model.cause import BY_NUMBER, Cause, SansanClass, SuppressPolicy
from model.detail import Trust
from model.fact import DeliveryKey, FactType
from store.errors import StoreCorruptError
from store.outcome import State, judge_machines, settle
from store.record import SUPPRESSION_KINDS, Entry, Record
from store.sealed import pack_value, unpack_value

DAY_US = 86_400_000_000
COMPLAINT_DAYS = 180
_SOFT_THRESHOLD = 5.0
_SOFT_HALF_LIFE_DAYS = 14
_SOFT_DAYS = 30
#: Points of a soft failure; three refusals by a person's own filter suppress (A12).
_SOFT_POINTS = {"recipient_filtered": 5 / 3}
#: Says too little to suppress anybody by itself (A1).
_NEVER_ALONE = frozenset({"policy_rejected", "no_reason"})
#: Delivery statuses whose addresses the first seed keeps out of later mailings (S19-S21, S30, S31).
_KEPT_OUT = frozenset(
    {SansanClass.USER_UNKNOWN, SansanClass.HOST_UNKNOWN, SansanClass.REJECTED, SansanClass.UNPARSABLE}
)
_UNPARSABLE_MESSAGES = 2
_TENCENT_DOMAINS = frozenset({"qq.com", "vip.qq.com", "foxmail.com"})


class SuppressionKind(IntEnum):
    """Why somebody is on the list. The order is the order in which a reason is shown (mission 4.5)."""

    UNSUBSCRIBE = SUPPRESSION_KINDS["unsubscribe"]
    COMPLAINT = SUPPRESSION_KINDS["complaint"]
    BLOCK = SUPPRESSION_KINDS["block"]
    BOUNCE = SUPPRESSION_KINDS["bounce"]
    SOFT = SUPPRESSION_KINDS["soft"]
    #: failed with one of the four classes that the first seed keeps out for ever (S31); holds only for tenants
    #: that chose so (store.gate)
    CLASS = SUPPRESSION_KINDS["class"]


#: The exact words a sender is told (E13, E34, E37, E40).
DENIALS: Mapping[SuppressionKind, str] = {
    SuppressionKind.UNSUBSCRIBE: "購読解除",
    SuppressionKind.COMPLAINT: "Blacklist: Spam Report (worker:address in complaint list)",
    SuppressionKind.BLOCK: "Blacklist: Custom Block (worker:address in block list)",
    SuppressionKind.BOUNCE: "Blacklist: Bounce (worker:address in bounce list)",
    SuppressionKind.SOFT: "Blacklist: Bounce (worker:address in bounce list)",
    SuppressionKind.CLASS: "Blacklist: Bounce (worker:address in bounce list)",
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry. ``expires_at_us`` None means until lifted; ``seq`` leads to the fact that caused it."""

    kind: SuppressionKind
    at_us: int
    expires_at_us: int | None
    seq: int
    #: whose stream was ended; 0 when all streams were, or where the kind does not depend on one
    broadcast: int = 0
    #: how many deliveries failed with no such address (N of E42)
    failures: int = 0
    cause: int = 0
    #: for UNSUBSCRIBE: False once resubscribed; the newest of a stream holds
    is_on: bool = True
    everything: bool = False
    #: of the address, empty if unknown
    domain: str = ""

    def is_active(self, now_us: int) -> bool:
        """Whether the entry holds at ``now_us``."""
        return self.is_on and (self.expires_at_us is None or self.expires_at_us > now_us)

    def pack(self, key: bytes) -> bytes:
        """Return the form stored under ``key``, which holds kind and broadcast."""
        values = (self.at_us, self.expires_at_us, self.seq, self.failures, self.cause, self.is_on, self.everything)
        return pack_value(key, (*values, self.domain))

    @classmethod
    def unpack(cls, key: bytes, raw: bytes) -> Suppression:
        """Read what ``pack`` wrote. Raises StoreCorruptError when it is not that."""
        try:
            at_us, expires_at_us, seq, failures, cause, is_on, everything, domain = unpack_value(key, raw)
            kind, broadcast = SuppressionKind(key[10]), int.from_bytes(key[11:], "big")
            return cls(kind, at_us, expires_at_us, seq, broadcast, failures, cause, is_on, everything, domain)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise StoreCorruptError(f"a suppression entry cannot be read: {error}") from error


def bounce_days(failures: int, domain: str) -> int:
    """Return for how many days the ``failures``-th answer of no such address suppresses (E41, E42)."""
    if domain in _TENCENT_DOMAINS:
        return int(min(2 ** (failures - 1), 30))
    return {1: 30, 2: 60}.get(failures, 180)


@dataclass(frozen=True, slots=True)
class Standing:
    """What all the evidence about one recipient amounts to."""

    entries: list[Suppression]
    #: the broadcast in which it failed first; None if it never did (K29)
    first_failed: int | None


def fold_recipient(deliveries: Iterable[tuple[DeliveryKey, Record]]) -> Standing:
    """Return what all the evidence about one recipient amounts to.

    ``deliveries`` are the recipient's records over all broadcasts, with that of broadcast 0 for what is said of
    the recipient as such. Test sends must not be among them.
    """
    evidence = _Evidence()
    domains = []
    for key, record in deliveries:
        evidence.take(key, record)
        if record.domain:
            domains.append(record.domain)
    domain = min(domains)[1:].decode("ascii", "replace") if domains else ""
    found = [*evidence.unsubscribes(), *evidence.complaints(), *evidence.bounces(domain), *evidence.softs()]
    found += evidence.classes()
    first = min(evidence.failed, default=None)
    return Standing([replace(entry, domain=domain) for entry in found], first[2] if first else None)


class _Evidence:
    """What matters of a recipient's records, gathered."""

    def __init__(self) -> None:
        self.failures: list[tuple[Entry, SuppressPolicy]] = []
        #: (when, mark, broadcast) of every delivery that failed
        self.failed: list[tuple[int, bytes, int]] = []
        #: when a person opened or clicked what is said to have bounced, the first time for each delivery
        self.contradicted_at: list[int] = []
        self.alive_at: list[int] = []
        self.answered_at: list[int] = []
        self.complained: list[Entry] = []
        self.unsubscribed: list[tuple[int, Entry]] = []
        self.released: list[tuple[int, int]] = []

    def take(self, key: DeliveryKey, record: Record) -> None:
        outcome = settle(record)
        if outcome.state is State.UNDELIVERED and outcome.failure is not None:
            self._take_failure(outcome.failure)
            self.failed.append((outcome.failure.at_us, outcome.failure.mark, key.broadcast))
            self._take_contradiction(record)
        is_reached = outcome.state is State.REACHED
        machines = judge_machines(record.entries) if is_reached else set()
        for i, entry in enumerate(record.entries):
            is_person = entry.type in (FactType.OPENED, FactType.CLICKED) and i not in machines
            if is_reached and (entry.type == FactType.ACCEPTED or is_person):
                self.alive_at.append(entry.at_us)
            elif entry.type == FactType.AUTO_REPLIED:
                self.answered_at.append(entry.at_us)
            elif entry.type == FactType.COMPLAINED and not entry.extra[0]:
                self.complained.append(entry)
            elif entry.type in (FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED):
                self.unsubscribed.append((key.broadcast, entry))
            elif entry.type == FactType.RELEASED:
                self.released.append((entry.extra[0], entry.at_us))

    def _take_failure(self, entry: Entry) -> None:
        # One failure a delivery, whatever number of reports (W5); only what our token proves (S23).
        if entry.extra[3] == Trust.SUPPRESS and entry.extra[1]:
            self.failures.append((entry, BY_NUMBER[entry.extra[1]].suppress))

    def _take_contradiction(self, record: Record) -> None:
        machines = judge_machines(record.entries)
        engaged = (FactType.OPENED, FactType.CLICKED)
        people = [e.at_us for i, e in enumerate(record.entries) if e.type in engaged and i not in machines]
        if people:
            self.contradicted_at.append(min(people))

    @property
    def _disproved_at(self) -> int:
        """Return when a second delivery that bounced was read by a person all the same: the address lives (A30)."""
        return sorted(self.contradicted_at)[1] if len(self.contradicted_at) > 1 else -1

    def _after(self, kind: SuppressionKind) -> int:
        """Return the time up to which an operator lifted entries of ``kind``."""
        return max((at for number, at in self.released if number == kind), default=-1)

    def bounces(self, domain: str) -> list[Suppression]:
        since = max(self._after(SuppressionKind.BOUNCE), max(self.alive_at, default=-1), self._disproved_at)
        policies = (SuppressPolicy.LADDER, SuppressPolicy.DAYS_30, SuppressPolicy.DAYS_180, SuppressPolicy.FOREVER)
        # Permanent only: a temporary DNS failure of a known host is no dead address.
        found = sorted(
            (e.at_us, e.mark, e, p) for e, p in self.failures if p in policies and e.extra[2] == 0 and e.at_us > since
        )
        unparsable = [(e.at_us, e.mark, e) for e, _ in self.failures if _is_unparsable(e) and e.at_us > since]
        best: Suppression | None = None
        ladder = 0
        for at_us, _, entry, policy in found:
            ladder += policy is SuppressPolicy.LADDER
            days = {
                SuppressPolicy.LADDER: bounce_days(max(ladder, 1), domain),
                SuppressPolicy.DAYS_30: 30,
                SuppressPolicy.DAYS_180: 180,
            }.get(policy)
            expires = None if days is None else at_us + days * DAY_US
            if best is None or _later(expires, best.expires_at_us):
                best = Suppression(SuppressionKind.BOUNCE, at_us, expires, entry.seq, cause=entry.extra[1])
        if best is None and len(unparsable) >= _UNPARSABLE_MESSAGES:
            # Nobody understands what comes back, twice, and our token proves whose it is (A11).
            at_us, _, entry = max(unparsable)
            expires = at_us + bounce_days(1, domain) * DAY_US
            best = Suppression(SuppressionKind.BOUNCE, at_us, expires, entry.seq, cause=entry.extra[1])
        return [replace(best, failures=ladder)] if best else []

    def softs(self) -> list[Suppression]:
        since = max(self._after(SuppressionKind.SOFT), max(self.alive_at + self.answered_at, default=-1))
        found = sorted((e.at_us, e.mark, e) for e, p in self.failures if p is SuppressPolicy.SCORE and e.at_us > since)
        score, last_at, last_day = 0.0, 0, -1
        names: set[str] = set()
        result: list[Suppression] = []
        for at_us, _, entry in found:
            if at_us // DAY_US == last_day:
                continue  # one point a day at most (A13)
            cause = BY_NUMBER[entry.extra[1]].cause
            names.add(cause)
            score = score * 0.5 ** ((at_us - last_at) / DAY_US / _SOFT_HALF_LIFE_DAYS) + _SOFT_POINTS.get(cause, 1.0)
            last_at, last_day = at_us, at_us // DAY_US
            if score >= _SOFT_THRESHOLD * 0.8 and not names <= _NEVER_ALONE:
                expires = at_us + _SOFT_DAYS * DAY_US
                result = [Suppression(SuppressionKind.SOFT, at_us, expires, entry.seq, cause=entry.extra[1])]
        return result

    def classes(self) -> list[Suppression]:
        """The latest failure of one of the classes kept out for ever, whoever's fault: the reader decides (S31)."""
        since = max(self._after(SuppressionKind.CLASS), self._after(SuppressionKind.BOUNCE))
        found = sorted(
            (e.at_us, e.mark, e) for e, _ in self.failures
            if e.at_us > since and BY_NUMBER[e.extra[1]].sansan in _KEPT_OUT
        )  # fmt: skip
        if not found:
            return []
        at_us, _, entry = found[-1]
        return [Suppression(SuppressionKind.CLASS, at_us, None, entry.seq, cause=entry.extra[1], failures=len(found))]

    def complaints(self) -> list[Suppression]:
        since = self._after(SuppressionKind.COMPLAINT)
        found = sorted((e.at_us, e.mark, e) for e in self.complained if e.at_us > since)
        if not found:
            return []
        at_us, _, entry = found[-1]
        return [Suppression(SuppressionKind.COMPLAINT, at_us, at_us + COMPLAINT_DAYS * DAY_US, entry.seq)]

    def unsubscribes(self) -> list[Suppression]:
        """One entry a broadcast, its newest event, and one (broadcast 0) for all streams together.

        Apart, since taking up one stream again does not undo the end of all. Which stream a broadcast belongs
        to is looked up when read. What names no broadcast can only mean all.
        """
        since = self._after(SuppressionKind.UNSUBSCRIBE)
        newest: dict[int, Entry] = {}
        for broadcast, entry in self.unsubscribed:
            place = 0 if entry.extra[2] else broadcast
            known = newest.get(place)
            if entry.at_us > since and (known is None or (entry.at_us, entry.mark) > (known.at_us, known.mark)):
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
            )
            for broadcast, entry in sorted(newest.items())
        ]


def _is_unparsable(entry: Entry) -> bool:
    return BY_NUMBER[entry.extra[1]].cause is Cause.UNPARSABLE


def _later(one: int | None, other: int | None) -> bool:
    """Whether expiry ``one`` is at or after ``other``; None is never."""
    return one is None or (other is not None and one >= other)


def choose(entries: Sequence[Suppression], streams: Mapping[int, str], stream: str, now_us: int) -> Suppression | None:
    """Return the entry to tell a sender about to mail ``stream``, or None when the recipient may be mailed.

    ``streams`` gives the stream of each broadcast an unsubscribe came through.
    """
    unsubscribes = [e for e in entries if e.kind is SuppressionKind.UNSUBSCRIBE]
    relevant = [e for e in unsubscribes if e.everything or streams.get(e.broadcast, "") == stream]
    active: list[Suppression] = []
    if relevant:
        newest = max(relevant, key=lambda e: (e.at_us, e.seq))
        if newest.is_on:
            active.append(newest)
    active.extend(e for e in entries if e.kind is not SuppressionKind.UNSUBSCRIBE and e.is_active(now_us))
    return min(active, key=lambda e: ORDER[e.kind], default=None)


#: The first of these that holds is the reason shown (mission 4.5).
ORDER: Mapping[SuppressionKind, int] = {kind: place for place, kind in enumerate(SuppressionKind)}
