"""What became of one delivery: a pure function of its record (mission 4.1, 4.2, 4.8)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from model.cause import BY_NUMBER, Cause, Channel, Permanence, is_hard
from model.detail import Agent, ExcludedKind
from model.fact import FactType
from store.record import Entry, Overflow, Record

#: Links of one mail fetched within this time are a scanner's work (mission 4.8).
BURST_US = 10_000_000
BURST_LINKS = 3
_BURST_SHARE = 0.8
_PERMANENCES = (Permanence.PERMANENT, Permanence.TRANSIENT, Permanence.UNKNOWN)


class State(StrEnum):
    """Where a delivery stands. Without news it is ``planned``; the report may assume it reached (R26)."""

    PLANNED = "planned"
    EXCLUDED = "excluded"
    DEFERRED = "deferred"
    REACHED = "reached"
    UNDELIVERED = "undelivered"
    CANCELLED = "cancelled"


#: States by the number stored in a record's summary; none while it is empty.
STATES = (None, *State)


class Evidence(StrEnum):
    """Why we say a delivery reached its recipient (mission 0.3)."""

    #: the receiving server took it
    ACCEPTED = "accepted"
    #: a success report came
    DSN_RELAYED = "dsn_relayed"
    #: a person opened or clicked
    ENGAGED = "engaged"
    #: nothing speaks against it
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The folded state of one delivery. Engagement is judged, machines apart (0: none, else how many)."""

    state: State
    is_html: bool
    at_us: int = 0
    evidence: Evidence | None = None
    excluded: ExcludedKind | None = None
    channel: Channel | None = None
    cause: Cause | None = None
    permanence: Permanence = Permanence.UNKNOWN
    failure: Entry | None = None
    rows: int = 1
    opens: int = 0
    opens_machine: int = 0
    clicks: int = 0
    clicks_machine: int = 0
    #: link number -> (clicks by people, clicks by machines)
    links: tuple[tuple[int, int, int], ...] = ()
    has_complaint: bool = False
    has_form_complaint: bool = False
    was_unsubscribed: bool = False
    was_resubscribed: bool = False
    has_auto_reply: bool = False
    conversions: int = 0
    #: when it was done (sent, as far as is known): that decides its day and month and never moves by a bounce
    done_us: int = 0

    @property
    def is_hard(self) -> bool:
        """Whether the failure counts as hard."""
        return self.cause is not None and is_hard(self.cause, self.permanence)

    @property
    def is_engaged(self) -> bool:
        """Whether a person opened or clicked, as far as can be told."""
        return self.opens > 0 or self.clicks > 0


def judge_machines(entries: list[Entry]) -> set[int]:
    """Return the indices of the opens and clicks that are a machine's, judged together.

    Beside each request's own verdict: a honeypot hit, or most links of the mail within ten seconds, and
    whatever lies within ten seconds of either. A lone click hours later stays a person's (W8).
    """
    engaged = [(i, e) for i, e in enumerate(entries) if e.type in (FactType.OPENED, FactType.CLICKED)]
    machine = {i for i, e in engaged if Agent(e.extra[0]).is_machine}
    if len(engaged) < 2:
        return machine
    centres = [e.at_us for _, e in engaged if e.extra[0] == Agent.HONEYPOT]
    clicks = [e for _, e in engaged if e.type == FactType.CLICKED]
    start = 0
    for end, click in enumerate(clicks):
        while click.at_us - clicks[start].at_us > BURST_US:
            start += 1
        if end - start + 1 < BURST_LINKS:
            continue
        window = clicks[start : end + 1]
        links = max(e.extra[2] for e in window)
        if len({e.extra[1] for e in window}) >= max(BURST_LINKS, ceil(links * _BURST_SHARE)):
            centres.extend(e.at_us for e in window)
    centres.sort()
    for i, entry in engaged:
        place = bisect_left(centres, entry.at_us - BURST_US)
        if place < len(centres) and centres[place] <= entry.at_us + BURST_US:
            machine.add(i)
    return machine


def settle(record: Record) -> Outcome:
    """Fold the evidence of one delivery into its outcome. The order in which it came plays no part."""
    by_type: dict[int, list[Entry]] = {}
    entries = record.entries
    for entry in entries:
        by_type.setdefault(entry.type, []).append(entry)
    machine = judge_machines(entries)
    engagement = _engagement(record.overflow, entries, machine)
    rows = len(by_type.get(FactType.PLANNED, ())) or 1
    overlays = {
        "is_html": record.is_html,
        "rows": rows,
        "has_complaint": any(not e.extra[0] for e in by_type.get(FactType.COMPLAINED, ())),
        "has_form_complaint": any(e.extra[0] for e in by_type.get(FactType.COMPLAINED, ())),
        "was_unsubscribed": FactType.UNSUBSCRIBED in by_type,
        "was_resubscribed": FactType.RESUBSCRIBED in by_type,
        "has_auto_reply": FactType.AUTO_REPLIED in by_type,
        "conversions": len(by_type.get(FactType.CONVERTED, ())),
        "done_us": _done_us(by_type, entries),
        **engagement,
    }
    state = _state(by_type, is_engaged=bool(engagement["opens"] or engagement["clicks"]))
    return Outcome(**state, **overlays)  # type: ignore[arg-type]


def _state(by_type: dict[int, list[Entry]], *, is_engaged: bool) -> dict[str, object]:
    """Apply the precedence of mission 4.1: excluded, in-session failure, out-of-band failure, then good news."""
    excluded = by_type.get(FactType.EXCLUDED)
    if excluded:
        return {"state": State.EXCLUDED, "at_us": excluded[0].at_us, "excluded": ExcludedKind(excluded[0].extra[0])}
    failures = by_type.get(FactType.FAILED)
    if failures:
        # In session beats out of band; of several the first is the one that stopped it. A report of another
        # recipient (a forward) is weaker than one of the recipient itself.
        chosen = min(failures, key=lambda e: (e.extra[0] == Channel.OUT_OF_BAND, e.extra[4] < 60, e.at_us, e.mark))
        return {
            "state": State.UNDELIVERED,
            "at_us": chosen.at_us,
            "channel": Channel(chosen.extra[0]),
            "cause": BY_NUMBER[chosen.extra[1]].cause if chosen.extra[1] else Cause.NO_REASON,
            "permanence": _PERMANENCES[chosen.extra[2]],
            "failure": chosen,
        }
    for fact_type, evidence in ((FactType.ACCEPTED, Evidence.ACCEPTED), (FactType.RELAYED, Evidence.DSN_RELAYED)):
        if fact_type in by_type:
            return {"state": State.REACHED, "at_us": by_type[fact_type][0].at_us, "evidence": evidence}
    if is_engaged:
        engaged = by_type.get(FactType.OPENED, []) + by_type.get(FactType.CLICKED, [])
        return {"state": State.REACHED, "at_us": min(e.at_us for e in engaged), "evidence": Evidence.ENGAGED}
    if FactType.CANCELLED in by_type:
        return {"state": State.CANCELLED, "at_us": by_type[FactType.CANCELLED][0].at_us}
    if FactType.DEFERRED in by_type:
        return {"state": State.DEFERRED, "at_us": by_type[FactType.DEFERRED][-1].at_us}
    planned = by_type.get(FactType.PLANNED)
    return {"state": State.PLANNED, "at_us": planned[0].at_us if planned else 0}


def _done_us(by_type: dict[int, list[Entry]], entries: list[Entry]) -> int:
    """Return the time of the first word that it was sent or failed; without any, when it was listed.

    A report out of band says when the error came back, not when the mail went out: it does not move the time, so a
    month that was counted stays (mission 4.4, month usage).
    """
    ends = [
        entry.at_us
        for fact_type in (FactType.ACCEPTED, FactType.RELAYED, FactType.FAILED)
        for entry in by_type.get(fact_type, ())
        if entry.extra[0] != Channel.OUT_OF_BAND
    ]
    if ends:
        return min(ends)
    planned = by_type.get(FactType.PLANNED) or entries
    return planned[0].at_us if planned else 0


def _engagement(overflow: Overflow, entries: list[Entry], machine: set[int]) -> dict[str, object]:
    opens, opens_machine, clicks, clicks_machine = overflow
    links: dict[int, list[int]] = {}
    for i, entry in enumerate(entries):
        is_machine = i in machine
        if entry.type == FactType.OPENED:
            opens += not is_machine
            opens_machine += is_machine
        elif entry.type == FactType.CLICKED:
            clicks += not is_machine
            clicks_machine += is_machine
            # A trap is no link of the mail.
            if entry.extra[0] != Agent.HONEYPOT:
                links.setdefault(entry.extra[1], [0, 0])[is_machine] += 1
    return {
        "opens": opens,
        "opens_machine": opens_machine,
        "clicks": clicks,
        "clicks_machine": clicks_machine,
        "links": tuple((link, people, machines) for link, (people, machines) in sorted(links.items())),
    }
