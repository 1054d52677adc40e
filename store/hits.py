"""The two things that come most: one more open or click at the end of a record, and a recipient listed first.

What they change is known without reading the record's entries, so they have a way of their own. It is not written down
here: it is found by folding small records with ``store.counters.footprint``, once for each sort, and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from model.cause import Channel
from model.detail import Agent
from model.fact import FactType, Hit
from store.counters import QUARTER_US, Counts, add_difference, footprint
from store.outcome import BURST_LINKS, BURST_US, STATES, State
from store.record import DAILY_LIMIT, HAS_TRAP, HEAD, IS_HTML, Entry, Record, check_record, seal_record

_MACHINES = frozenset(int(agent) for agent in Agent if agent.is_machine)
_OPENED, _CLICKED = int(FactType.OPENED), int(FactType.CLICKED)
_OPEN_SHAPES = {int(agent): bytes((_OPENED, agent)) for agent in Agent}
_PLAIN_STATES = frozenset(
    STATES.index(state) for state in (None, State.PLANNED, State.DEFERRED, State.CANCELLED, State.REACHED)
)
_HONEYPOT = int(Agent.HONEYPOT)
#: Where the columns of a stored record begin, behind checksum and HEAD.
_COLUMNS_AT = 4 + HEAD.size
_NO_RECORD = bytes(_COLUMNS_AT)
#: The constructor that a NamedTuple is given takes twice as long.
_new = tuple.__new__


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


#: What a sort of hit changes, found once: by click, machine, state, flag of HTML, opened before, clicked before.
_MOVES: dict[tuple[bool, bool, int, int, bool, bool], Move] = {}


class TakenHit(NamedTuple):
    """What one more hit makes of a delivery."""

    move: Move
    #: its record, as stored
    record: bytes
    #: Record.domain and Record.done
    domain: bytes
    done: int
    #: whether nobody, and no machine, had opened or clicked before
    is_first: bool


def take_hit(raw: bytes | None, hit: Hit, seq: int) -> TakenHit | None:
    """Add ``hit`` as number ``seq`` to the stored record ``raw``, None if there is none, and return what that changes.

    Returns None where the plain way must be gone: when its time is not the latest, when it may change the verdict on
    others (mission 4.8), when it is the second click, or one too many to be kept. Raises StoreCorruptError when the
    record does not pass its checksum.
    """
    fact_type, place, at_us, detail, _, _, is_html = hit
    if raw is None:
        raw = _NO_RECORD
    else:
        check_record(place, raw)
    flags, domain, state, size, shapes, opens, opens_machine, clicks, clicks_machine, done = HEAD.unpack_from(raw, 4)
    # Where the first two columns end.
    shapes_end = _COLUMNS_AT + domain + shapes
    times_end = shapes_end + 8 * size
    is_click = fact_type == _CLICKED
    agent = detail.agent
    gap = at_us - int.from_bytes(raw[times_end - 8 : times_end], "big") if size else at_us
    seen_clicks = clicks + clicks_machine
    if (
        gap <= 0
        or state not in _PLAIN_STATES
        or (is_html and size and not flags & IS_HTML)
        or agent == _HONEYPOT
        or size >= DAILY_LIMIT
        or (gap <= BURST_US and (flags & HAS_TRAP or seen_clicks + is_click >= BURST_LINKS))
        or (is_click and seen_clicks)
    ):
        return None
    if not size:
        flags = flags & ~IS_HTML | (IS_HTML if is_html else 0)
        done = at_us // QUARTER_US
    is_machine = agent in _MACHINES
    sort = (is_click, is_machine, state, flags & IS_HTML, opens > 0, clicks > 0)
    move = _MOVES.get(sort) or _move(*sort)
    is_first = not (seen_clicks or opens or opens_machine)
    if is_click:
        shape = bytes((_CLICKED, agent)) + detail.link.to_bytes(2, "big") + detail.links.to_bytes(2, "big")
        clicks, clicks_machine = (clicks, clicks_machine + 1) if is_machine else (clicks + 1, clicks_machine)
    else:
        shape = _OPEN_SHAPES[agent]
        opens, opens_machine = (opens, opens_machine + 1) if is_machine else (opens + 1, opens_machine)
    head = HEAD.pack(
        flags, domain, move.state, size + 1, shapes + len(shape), opens, opens_machine, clicks, clicks_machine, done
    )
    record = _with_entry(place, raw, (head, shape, at_us, seq), shapes_end, times_end, times_end + 6 * size)
    return _new(TakenHit, (move, record, raw[_COLUMNS_AT : _COLUMNS_AT + domain], done, is_first))


def _with_entry(
    place: bytes, raw: bytes, entry: tuple[bytes, bytes, int, int], shapes_end: int, times_end: int, seqs_end: int
) -> bytes:
    """Return the stored record ``raw`` with one more entry: its new HEAD, the entry's shape, time and number."""
    head, shape, at_us, seq = entry
    return seal_record(
        place,
        (
            head, raw[_COLUMNS_AT:shapes_end], shape, raw[shapes_end:times_end], at_us.to_bytes(8, "big"),
            raw[times_end:seqs_end], seq.to_bytes(6, "big"), raw[seqs_end:],
        ),
    )  # fmt: skip


def _move(is_click: bool, is_machine: bool, state: int, html: int, has_opened: bool, has_clicked: bool) -> Move:
    """Return what a hit changes, by folding a small record with and without it. ``html`` is its flag, or 0."""
    is_html = html != 0
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
    move = _MOVES[is_click, is_machine, state, html, has_opened, has_clicked] = Move(
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
