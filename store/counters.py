"""What one delivery adds to its broadcast's counts, so that counts move by changes of outcome.

Every count is a sum over deliveries of what ``footprint`` returns; the identities I1-I10 follow from that. The same
sum is kept for the broadcast, for its receiving domains, for its links, and in cells of time: a quarter of an hour
in which deliveries were done, by a quarter in which something happened to them. Any window and basis of
mission 4.4 is a sum of cells (``store.windows``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from model.fact import FactType
from store.lists import lists_of
from store.outcome import STATES, Outcome, State, judge_machines, settle
from store.record import Entry, Record, Summary

Counts = dict[str, int]
QUARTER_US = 900_000_000
#: Counts that belong to the time something happened; all others to the time the delivery was done.
TIMED = frozenset({
    "opens", "opens_machine", "opens_raw", "opened_pixel", "opened_users", "opened_inferred", "clicks",
    "clicks_machine", "clicks_raw", "clicked_users", "clicked_of_opened", "complaints", "complaints_form", "unsubs",
    "resubs", "auto_replies", "cv", "cv_users",
})  # fmt: skip
_OVERLAYS = {
    FactType.UNSUBSCRIBED: "unsubs",
    FactType.RESUBSCRIBED: "resubs",
    FactType.AUTO_REPLIED: "auto_replies",
    FactType.CONVERTED: "cv_users",
}


@dataclass(slots=True)
class Footprint:
    """What one delivery adds. Do not change what is in it."""

    #: to the broadcast and to its receiving domain
    counts: Counts = field(default_factory=dict)
    #: of these, what holds whatever happened when
    standing: Counts = field(default_factory=dict)
    #: the rest, by the quarter in which it happened
    events: dict[int, Counts] = field(default_factory=dict)
    links: dict[int, Counts] = field(default_factory=dict)
    lists: frozenset[int] = frozenset()
    summary: Summary = Summary()
    #: the entry of the failure that stopped it
    failure: Entry | None = None


def footprint(record: Record) -> Footprint:
    """Return what a record adds. An empty record adds nothing."""
    if record.is_empty:
        return Footprint()
    outcome = settle(record)
    counts = contribution(outcome)
    summary = Summary(
        STATES.index(outcome.state),
        min(outcome.opens, 65_535),
        min(outcome.opens_machine, 65_535),
        min(outcome.clicks, 65_535),
        min(outcome.clicks_machine, 65_535),
        outcome.done_us // QUARTER_US,
    )
    return Footprint(
        counts=counts,
        standing={name: count for name, count in counts.items() if name not in TIMED},
        events=_events(record, outcome),
        links=link_contribution(outcome),
        lists=lists_of(outcome),
        summary=summary,
        failure=outcome.failure,
    )


def contribution(outcome: Outcome) -> Counts:
    """Return the counts one delivery adds to its broadcast; zero counts are left out.

    Names: ``listed``, ``targeted``, ``state.<state>``, ``excluded.<kind>``, ``reached.<evidence>``,
    ``failed.<channel>.<cause>.<permanence>``, ``hard``, ``soft``, engagement and overlay counts of mission 4.2,
    with ``html.`` in front where only HTML mail counts.
    """
    counts: Counts = {"listed": outcome.rows}
    if outcome.rows > 1:
        counts["excluded.duplicate"] = outcome.rows - 1
    if outcome.state is State.EXCLUDED:
        assert outcome.excluded is not None
        kind = f"excluded.{outcome.excluded.name.lower()}"
        counts[kind] = counts.get(kind, 0) + 1
        _count_overlays(outcome, counts)
        return counts
    counts["targeted"] = 1
    counts[f"state.{outcome.state}"] = 1
    if outcome.is_html:
        counts[f"html.{outcome.state}"] = 1
    if outcome.evidence is not None:
        counts[f"reached.{outcome.evidence}"] = 1
    if outcome.cause is not None and outcome.channel is not None:
        counts[f"failed.{outcome.channel.name.lower()}.{outcome.cause}.{outcome.permanence}"] = 1
        counts["hard" if outcome.is_hard else "soft"] = 1
    _count_engagement(outcome, counts)
    _count_overlays(outcome, counts)
    return counts


def _count_engagement(outcome: Outcome, counts: Counts) -> None:
    for name, people, machines in (
        ("opens", outcome.opens, outcome.opens_machine),
        ("clicks", outcome.clicks, outcome.clicks_machine),
    ):
        if people + machines:
            counts[f"{name}_raw"] = people + machines
        if machines:
            counts[f"{name}_machine"] = machines
    if outcome.state is not State.REACHED:
        # A bounced mail that is opened all the same: kept, shown, not counted (A30).
        if outcome.is_engaged and outcome.state is State.UNDELIVERED:
            counts["conflicts"] = 1
        return
    if outcome.clicks:
        counts["clicks"] = outcome.clicks
        counts["clicked_users"] = 1
    if outcome.is_html:
        if outcome.opens:
            counts["opens"] = outcome.opens
            counts["opened_pixel"] = 1
        if outcome.is_engaged:
            counts["opened_users"] = 1
            if not outcome.opens:
                counts["opened_inferred"] = 1
        if outcome.clicks:
            counts["clicked_of_opened"] = 1


def _count_overlays(outcome: Outcome, counts: Counts) -> None:
    for name, holds in (
        ("complaints", outcome.has_complaint),
        ("complaints_form", outcome.has_form_complaint),
        ("unsubs", outcome.was_unsubscribed),
        ("resubs", outcome.was_resubscribed),
        ("auto_replies", outcome.has_auto_reply),
        ("cv_users", outcome.conversions > 0),
    ):
        if holds:
            counts[name] = 1
    if outcome.conversions:
        counts["cv"] = outcome.conversions


def _events(record: Record, outcome: Outcome) -> dict[int, Counts]:
    """Return what ``contribution`` counts of events, by the quarter in which each happened.

    Somebody who opened or clicked counts in the quarter of the first time.
    """
    entries = record.entries
    machine = judge_machines(entries)
    cells: dict[int, Counts] = {}
    met: set[str] = set()
    is_counted = outcome.state is not State.EXCLUDED
    for place, entry in enumerate(entries):
        names = _names_of(entry, outcome, is_machine=place in machine) if is_counted else ()
        overlay = _OVERLAYS.get(FactType(entry.type))
        if entry.type == FactType.COMPLAINED:
            overlay = "complaints_form" if entry.extra[0] else "complaints"
        if entry.type == FactType.CONVERTED:
            names = (*names, "cv")
        once = [name for name in (overlay, *_FIRST.get(names, ())) if name and name not in met]
        if overlay or names:
            met.update(once)
            cell = cells.setdefault(entry.at_us // QUARTER_US, {})
            for name in (*names, *once):
                if name not in _HTML_ONLY or outcome.is_html:
                    cell[name] = cell.get(name, 0) + 1
    if is_counted and any(record.overflow):
        _add_overflow(record, outcome, cells)
    return {quarter: cell for quarter, cell in cells.items() if cell}


_OPEN, _CLICK = ("opens_raw", "opens"), ("clicks_raw", "clicks")
#: What the first of such events adds besides: people, of whom each counts once.
_FIRST: dict[tuple[str, ...], tuple[str, ...]] = {
    _OPEN: ("opened_pixel", "opened_users"),
    _CLICK: ("clicked_users", "clicked_of_opened", "opened_users"),
}
_HTML_ONLY = frozenset({"opens", "opened_pixel", "opened_users", "clicked_of_opened"})


def _names_of(entry: Entry, outcome: Outcome, *, is_machine: bool) -> tuple[str, ...]:
    if entry.type not in (FactType.OPENED, FactType.CLICKED):
        return ()
    kind = "opens" if entry.type == FactType.OPENED else "clicks"
    if is_machine:
        return (f"{kind}_raw", f"{kind}_machine")
    if outcome.state is not State.REACHED:
        return (f"{kind}_raw",)
    return _OPEN if kind == "opens" else _CLICK


def _add_overflow(record: Record, outcome: Outcome, cells: dict[int, Counts]) -> None:
    """Add what was only counted: its time was not kept, so it counts where the last of its kind does."""
    over = record.overflow
    for kind, fact_type, people, machines in (
        ("opens", FactType.OPENED, over.opens, over.opens_machine),
        ("clicks", FactType.CLICKED, over.clicks, over.clicks_machine),
    ):
        if not people + machines:
            continue
        last = max((e.at_us for e in record.entries if e.type == fact_type), default=record.last_us)
        cell = cells.setdefault(last // QUARTER_US, {})
        cell[f"{kind}_raw"] = cell.get(f"{kind}_raw", 0) + people + machines
        if machines:
            cell[f"{kind}_machine"] = cell.get(f"{kind}_machine", 0) + machines
        if people and outcome.state is State.REACHED and (kind == "clicks" or outcome.is_html):
            cell[kind] = cell.get(kind, 0) + people


def link_contribution(outcome: Outcome) -> dict[int, Counts]:
    """Return what one delivery adds to the counts of each link: clicks, machine clicks, people."""
    counted = outcome.state is State.REACHED
    result: dict[int, Counts] = {}
    for link, people, machines in outcome.links:
        counts: Counts = {}
        if people and counted:
            counts = {"clicks": people, "users": 1}
        if machines:
            counts["clicks_machine"] = machines
        if counts:
            result[link] = counts
    return result


def add_difference(change: Counts, before: Counts, after: Counts, times: int = 1) -> None:
    """Add to ``change`` what ``after`` has more than ``before``, so many ``times``."""
    for name in before.keys() | after.keys():
        difference = after.get(name, 0) - before.get(name, 0)
        if difference:
            change[name] = change.get(name, 0) + difference * times
