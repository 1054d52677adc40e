"""The two things that come most: one more open or click at the end of a record, and a recipient listed first.

What they change is known without reading the record's entries, so they have a way of their own. It is not written down
here: it is found by folding small records with ``store.counters.footprint``, once for each sort, and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.cause import Channel
from model.detail import Agent
from model.fact import FactType, Hit
from store.counters import QUARTER_US, Counts, add_difference, footprint
from store.outcome import BURST_LINKS, BURST_US, STATES, State
from store.record import DAILY_LIMIT, Entry, Record

_MACHINES = frozenset(int(agent) for agent in Agent if agent.is_machine)
_OPENED, _CLICKED = int(FactType.OPENED), int(FactType.CLICKED)
_OPEN_SHAPES = {int(agent): bytes((_OPENED, agent)) for agent in Agent}
_PLAIN_STATES = frozenset(
    STATES.index(state) for state in (None, State.PLANNED, State.DEFERRED, State.CANCELLED, State.REACHED)
)
_HONEYPOT = int(Agent.HONEYPOT)


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """What a sort of change adds: told apart from others by being itself, so that equal ones can be counted.

    ``is_machine`` says that it is no sign of a person.
    """

    counts: Counts
    standing: Counts
    event: Counts
    link: Counts
    on_lists: frozenset[int]
    off_lists: frozenset[int]
    state: int
    is_machine: bool
    is_click: bool


#: What a sort of hit changes, found once: by click, machine, state, HTML, opened before, clicked before.
_MOVES: dict[tuple[bool, bool, int, bool, bool, bool], Move] = {}


def take_hit(record: Record, hit: Hit, seq: int) -> Move | None:
    """Add ``hit`` as number ``seq`` to ``record`` and return what that changes.

    Returns None, with the record as it was, where the plain way must be gone: when its time is not the latest, when
    it may change the verdict on others (mission 4.8), when it is the second click, or one too many to be kept.
    """
    detail, at_us, is_html, size, state = hit.detail, hit.at_us, record.is_html, record.size, record.state
    agent = detail.agent
    is_click = hit.type == _CLICKED
    seen_clicks = record.clicks + record.clicks_machine
    gap = at_us - int.from_bytes(record.times[-8:], "big")
    if (
        gap <= 0
        or state not in _PLAIN_STATES
        or (hit.is_html and not is_html and size)
        or agent == _HONEYPOT
        or size >= DAILY_LIMIT
        or (gap <= BURST_US and (record.has_trap or seen_clicks + is_click >= BURST_LINKS))
        or (is_click and seen_clicks)
    ):
        return None
    is_machine = agent in _MACHINES
    if not size:
        is_html = record.is_html = hit.is_html
        record.done = at_us // QUARTER_US
    move = _MOVES.get((is_click, is_machine, state, is_html, record.opens > 0, record.clicks > 0)) or _move(
        is_click, is_machine, state, is_html, record.opens > 0, record.clicks > 0
    )
    if is_click:
        shape = bytes((_CLICKED, agent)) + detail.link.to_bytes(2, "big") + detail.links.to_bytes(2, "big")
        record.append_hit(shape, at_us, seq)
        if is_machine:
            record.clicks_machine += 1
        else:
            record.clicks += 1
    else:
        record.append_hit(_OPEN_SHAPES[agent], at_us, seq)
        if is_machine:
            record.opens_machine += 1
        else:
            record.opens += 1
    record.state = move.state
    return move


def _move(is_click: bool, is_machine: bool, state: int, is_html: bool, has_opened: bool, has_clicked: bool) -> Move:
    """Return what a hit changes, by folding a small record with and without it."""
    day = 96 * QUARTER_US
    entries = _example(STATES[state], has_opened=has_opened, has_clicked=has_clicked)
    record = Record(is_html, entries)
    before = footprint(record)
    agent = int(Agent.MACHINE if is_machine else Agent.PERSON)
    extra = (agent, 2, 2) if is_click else (agent, 0, 0)
    entry = Entry(_CLICKED if is_click else _OPENED, 10 * day, b"", extra, 0)
    longer = Record(is_html, [*entries, entry])
    after = footprint(longer)
    counts: Counts = {}
    standing: Counts = {}
    add_difference(counts, before.counts, after.counts)
    add_difference(standing, before.standing, after.standing)
    events = dict(after.events)
    event = events.pop(10 * day // QUARTER_US, {})
    if events != before.events:
        raise AssertionError("a hit at the end changed what was before it")
    move = _MOVES[is_click, is_machine, state, is_html, has_opened, has_clicked] = Move(
        counts=counts,
        standing=standing,
        event=event,
        link=after.links.get(2, {}) if is_click else {},
        on_lists=after.lists - before.lists,
        off_lists=before.lists - after.lists,
        state=after.summary.state,
        is_machine=is_machine,
        is_click=is_click,
    )
    return move


def listing(is_html: bool) -> Move:
    """Return what the listing of a recipient of whom nothing is known changes."""
    move = _LISTINGS.get(is_html)
    if move is None:
        after = footprint(Record(is_html, _example(State.PLANNED, has_opened=False, has_clicked=False)))
        if after.lists or after.events:
            raise AssertionError("a listing changes what only a record's entries tell")
        move = _LISTINGS[is_html] = Move(
            after.counts, after.standing, {}, {}, after.lists, frozenset(), after.summary.state, True, False
        )
    return move


_LISTINGS: dict[bool, Move] = {}


def _example(state: State | None, *, has_opened: bool, has_clicked: bool) -> list[Entry]:
    """Return entries of a record in ``state`` that was or was not opened and clicked."""
    day = 96 * QUARTER_US
    mark = b"\0" * 8
    entries: list[Entry] = []
    if state is not None:
        entries.append(Entry(FactType.PLANNED, day, mark, (), 0))
    if state is State.DEFERRED:
        entries.append(Entry(FactType.DEFERRED, 2 * day, mark, (Channel.IN_SESSION, 0, 0, 1, 100), 0))
    if state is State.CANCELLED:
        entries.append(Entry(FactType.CANCELLED, 2 * day, mark, (), 0))
    if state is State.REACHED:
        entries.append(Entry(FactType.ACCEPTED, 2 * day, mark, (Channel.IN_SESSION, 0, 0, 1, 100), 0))
    if has_clicked:
        entries.append(Entry(_CLICKED, 3 * day, b"", (int(Agent.PERSON), 1, 2), 0))
    if has_opened:
        entries.append(Entry(_OPENED, 4 * day, b"", (int(Agent.PERSON), 0, 0), 0))
    return entries
