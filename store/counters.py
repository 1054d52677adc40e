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
from store.outcome import BURST_LINKS, STATES, Outcome, State, judge_machines, settle
from store.record import Entry, Record, Summary

Counts = dict[str, int]
#: NamedTuple's own ``_replace`` takes four times as long.
_new = tuple.__new__
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
    #: what it was made from, where it was remembered
    shape: Shape | None = None


_NOTHING = Footprint()


def footprint(record: Record) -> Footprint:
    """Return what a record adds. An empty record adds nothing.

    Most records look like many others: where only the order of entries matters, not the time between them, the
    answer is remembered by what they are and the times are filled in.
    """
    if record.is_empty:
        return _NOTHING
    if (
        record.has_trap
        or record.size > _MAX_REMEMBERED
        or record.shapes.count(_CLICK_OCTET) >= BURST_LINKS
        or any(record.overflow)
    ):
        return _footprint(record)
    shape = _SHAPES.get((record.is_html, record.shapes))
    if shape is None:
        shape = _learn(record)
    times = record.times
    events: dict[int, Counts] = {}
    for place, cell in shape.events:
        quarter = int.from_bytes(times[place * 8 : place * 8 + 8], "big") // QUARTER_US
        known = events.get(quarter)
        if known is None:
            events[quarter] = cell
        else:
            events[quarter] = merged = dict(known)
            add_difference(merged, {}, cell)
    done = int.from_bytes(times[shape.done * 8 : shape.done * 8 + 8], "big") // QUARTER_US
    failure = None if shape.failure is None else record.entries[shape.failure]
    return Footprint(
        shape.counts,
        shape.standing,
        events,
        shape.links,
        shape.lists,
        _new(Summary, (*shape.summary[:-1], done)),
        failure,
        shape,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A footprint without times: places of entries stand for them."""

    counts: Counts
    standing: Counts
    events: tuple[tuple[int, Counts], ...]
    links: dict[int, Counts]
    lists: frozenset[int]
    summary: Summary
    done: int
    failure: int | None


#: An octet that begins the shape of every click; it may stand elsewhere too, which only costs time.
_CLICK_OCTET = bytes((FactType.CLICKED,))
_MAX_REMEMBERED = 12
_MAX_SHAPES = 16_384
_SHAPES: dict[tuple[bool, bytes], Shape] = {}
#: Far enough apart that no two entries look like one scanner's work.
_APART_US = 96 * QUARTER_US


def _learn(record: Record) -> Shape:
    """Fold a record with the same entries a day apart, and remember what comes of it."""
    entries = [entry._replace(at_us=place * _APART_US) for place, entry in enumerate(record.entries)]
    example = Record(record.is_html, entries)
    found = _footprint(example)
    per_day = _APART_US // QUARTER_US
    shape = Shape(
        found.counts,
        found.standing,
        tuple((quarter // per_day, cell) for quarter, cell in sorted(found.events.items())),
        found.links,
        found.lists,
        found.summary,
        found.summary.done // per_day,
        None if found.failure is None else found.failure.at_us // _APART_US,
    )
    if len(_SHAPES) >= _MAX_SHAPES:
        _SHAPES.clear()
    _SHAPES[record.is_html, record.shapes] = shape
    return shape


def _footprint(record: Record) -> Footprint:
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
    if before and after:
        for name in before.keys() | after.keys():
            difference = after.get(name, 0) - before.get(name, 0)
            if difference:
                change[name] = change.get(name, 0) + difference * times
        return
    sign = -times if before else times
    for name, count in (before or after).items():
        if count:
            change[name] = change.get(name, 0) + count * sign


def can_unmask(before: Footprint, after: Footprint) -> bool:
    """Whether opens or clicks that were taken for a person's may have turned out a machine's."""
    one, other = before.counts, after.counts
    return any(
        other.get(f"{name}_machine", 0) > one.get(f"{name}_machine", 0)
        and (one.get("opens_raw", 0) > one.get("opens_machine", 0)
             or one.get("clicks_raw", 0) > one.get("clicks_machine", 0))
        for name in ("opens", "clicks")
    )  # fmt: skip
