"""Delivers the events of one endpoint: in order, at least once, each with the same id and content at every try.

The cursor moves when the receiver has answered 2xx, and is kept now and then; after a kill some events come again,
none is left out. An endpoint that does not answer holds its events back, in order, for up to three days. One event that
is refused while others are taken steps aside after some tries, is tried on its own, and ends as a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from console.outgoing.commands import is_expired
from console.outgoing.documents import Documents
from console.outgoing.endpoint import DEAD_KIND, STATE_KIND, Endpoint, State, Trial, dead_name, encode
from console.outgoing.event import Event, EventType
from console.outgoing.event_log import EventLog
from console.outgoing.retry import GIVE_UP_S, SUSPECT_AFTER, pause_s
from console.outgoing.sender import Outcome, Sender
from console.outgoing.signature import sign
from store.errors import StoreError

MAX_PARKED = 100
_READ_AHEAD = 100
#: The cursor is kept after so many seconds of delivering or so many deliveries, or so many facts passed over.
_KEEP_EVERY_S = 5.0
_KEEP_EVERY_EVENTS = 200
_KEEP_EVERY_FACTS = 100_000
_REMEMBERED_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the request log."""

    at_s: float
    seq: int
    id: str
    type: str
    status: int | None
    problem: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Means:
    """What all couriers share."""

    log: EventLog
    documents: Documents
    sender: Sender
    now_s: Callable[[], float]
    chance: random.Random
    gate: Gate
    #: hears of every event that was taken: (tenant, endpoint's id, event)
    on_delivered: Callable[[int, str, Event], Awaitable[None]]
    #: hears ``delivered`` or ``failed`` of every request
    observe: Callable[[str], None] = lambda _: None


class Gate:
    """Requests at once: so many of all tenants, and half as many of one, so that none can take all."""

    def __init__(self, at_once: int) -> None:
        """``at_once`` counts all tenants."""
        self._all = asyncio.Semaphore(at_once)
        self._of_one = max(at_once // 2, 1)
        self._tenants: dict[int, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def enter(self, tenant: int) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        own = self._tenants.setdefault(tenant, asyncio.Semaphore(self._of_one))
        async with own, self._all:
            yield


class Courier:
    """One endpoint's. Call ``step`` again and again, from one task; everything else may be called in between."""

    def __init__(self, tenant: int, endpoint: Endpoint, state: State, means: Means) -> None:
        """``state`` as it was kept."""
        self.tenant = tenant
        self.endpoint = endpoint
        self.state = state
        self.attempts: deque[Attempt] = deque(maxlen=_REMEMBERED_ATTEMPTS)
        self._means = means
        self._ahead: deque[Event] = deque()
        #: every fact up to here was looked at; the events among them above the cursor are in ``_ahead``
        self._reached = state.cursor
        self._kept = state
        self._kept_at = means.now_s()
        self._unkept = 0
        #: raised when somebody moves the cursor: a try under way then changes nothing
        self._turn = 0
        self._lock = asyncio.Lock()

    async def step(self) -> float | None:
        """Do what is due. Returns the seconds until something will be, None: not before new facts or a change.

        Raises StoreError when the store cannot be read or written; nothing is lost by that.
        """
        now = self._means.now_s()
        if self.state.disabled_why:
            return None
        parked = next((trial for trial in self.state.parked if trial.next_at <= now), None)
        if parked is not None:
            await self._try_parked(parked)
            return 0.0
        waits = [trial.next_at - now for trial in self.state.parked]
        if self.state.head is not None and self.state.head.next_at > now:
            return min(*waits, self.state.head.next_at - now) if waits else self.state.head.next_at - now
        if not self._ahead and await self._read_ahead():
            return 0.0
        if self._ahead:
            await self._pass_on(self._ahead[0], now)
            return 0.0
        if self._has_news:
            waits.append(self._kept_at + _KEEP_EVERY_S - now)
            if waits[-1] <= 0.0:
                await self.keep()
                return 0.0
        return min(waits, default=None)

    async def keep(self) -> None:
        """Make the state durable if it says anything new. Raises StoreError."""
        async with self._lock:
            if self._has_news:
                await self._save(self.state)

    async def rewind(self, from_seq: int) -> None:
        """Deliver again from fact ``from_seq`` on; durable when this returns. Raises StoreError."""
        async with self._lock:
            parked = tuple(trial for trial in self.state.parked if trial.seq < from_seq)
            state = replace(self.state, cursor=max(from_seq - 1, 0), head=None, parked=parked)
            await self._save(state)
            self._start_over()

    async def retry(self, trials: list[Trial]) -> None:
        """Try dead letters again, beside the others; at most MAX_PARKED. Raises StoreError."""
        now = self._means.now_s()
        async with self._lock:
            known = {trial.seq for trial in self.state.parked}
            room = MAX_PARKED - len(known)
            fresh = [replace(t, since=now, attempts=0, next_at=now) for t in trials if t.seq not in known][:room]
            await self._save(replace(self.state, parked=(*self.state.parked, *fresh)))
        for trial in fresh:
            await self._means.documents.put(self.tenant, DEAD_KIND, dead_name(self.endpoint.id, trial.seq), None)

    async def enable(self) -> None:
        """Go on where it was disabled. Raises StoreError."""
        async with self._lock:
            await self._save(
                replace(self.state, disabled_why="", disabled_at=None, failing_since=None, head=None, last_problem="")
            )
            self._start_over()

    async def test(self, event: Event) -> Outcome:
        """Send an event that is none of the log's, once; changes nothing."""
        return await self._send(event)

    # Reading

    @property
    def _has_news(self) -> bool:
        """Whether the kept state is behind. What was passed over unsent is no news by itself.

        Or keeping it would make a fact, which is passed over, which would be kept, and so on.
        """
        passed = self.state.cursor - self._kept.cursor
        return self.state.delivered_at != self._kept.delivered_at or passed > _KEEP_EVERY_FACTS

    def _start_over(self) -> None:
        self._turn += 1
        self._ahead.clear()
        self._reached = self.state.cursor

    async def _read_ahead(self) -> bool:
        """Fetch more events; returns whether to look again at once."""
        turn, after = self._turn, self._reached
        found = await asyncio.to_thread(self._means.log.read, self.tenant, after, _READ_AHEAD, self.endpoint.wanted)
        if turn != self._turn:
            return True
        self._reached = found.reached
        self._ahead.extend(found.events)
        if not found.events:
            self.state = replace(self.state, cursor=max(found.reached, self.state.cursor))
        return found.reached > after and not found.events

    # Trying

    async def _pass_on(self, event: Event, now: float) -> None:
        if event.type == EventType.COMMAND and is_expired(event.detail, now):
            self._ahead.popleft()
            self.state = replace(self.state, cursor=event.seq, head=None)
        else:
            await self._try_head(event)

    async def _try_head(self, event: Event) -> None:
        turn = self._turn
        outcome = await self._send(event)
        follower = None
        async with self._lock:
            if turn != self._turn:
                return
            if outcome.is_delivered:
                await self._took(event)
            else:
                follower = await self._failed(event, outcome)
        if outcome.is_delivered:
            await self._means.on_delivered(self.tenant, self.endpoint.id, event)
        elif follower is not None:
            await self._try_follower(follower, turn)

    async def _try_follower(self, event: Event, turn: int) -> None:
        """Is it the event before this one that is refused, or all of them? This one tells."""
        if not (await self._send(event)).is_delivered:
            return
        async with self._lock:
            head = self.state.head
            if turn != self._turn or head is None:
                return
            self._ahead.popleft()
            self.state = replace(self.state, parked=(*self.state.parked, head))
            await self._took(event)
        await self._means.on_delivered(self.tenant, self.endpoint.id, event)

    async def _took(self, event: Event) -> None:
        now = self._means.now_s()
        was_failing = self.state.head is not None or self.state.failing_since is not None
        self._ahead.popleft()
        self.state = replace(
            self.state, cursor=event.seq, head=None, failing_since=None, delivered_at=now, last_problem="",
            last_status=self.attempts[-1].status,
        )  # fmt: skip
        self._unkept += 1
        if was_failing or self._unkept >= _KEEP_EVERY_EVENTS or now - self._kept_at >= _KEEP_EVERY_S:
            # It is delivered whatever the store says; the cursor is tried again by ``keep``.
            with contextlib.suppress(StoreError):
                await self._save(self.state)

    async def _failed(self, event: Event, outcome: Outcome) -> Event | None:
        """Note a failure of the first event; returns the one after it when that shall tell what is wrong."""
        now = self._means.now_s()
        head = self.state.head
        if head is None or head.seq != event.seq:
            head = Trial(event.seq, event.id, now, 0, now)
        head = _again(head, outcome, now, self._means.chance)
        since = now if self.state.failing_since is None else self.state.failing_since
        state = replace(
            self.state, head=head, failing_since=since, last_status=outcome.status, last_problem=outcome.problem
        )
        if outcome.is_gone:
            await self._save(_disabled(state, "the receiver answered 410 Gone", now))
        elif now - head.since >= GIVE_UP_S:
            await self._bury(head)
            self._ahead.popleft()
            state = replace(state, cursor=event.seq, head=None)
            is_dead = now - since >= GIVE_UP_S
            await self._save(_disabled(state, "it took nothing for 72 hours", now) if is_dead else state)
        else:
            await self._save(state)
            is_suspect = head.attempts >= SUSPECT_AFTER and outcome.status is not None
            if is_suspect and len(self._ahead) > 1 and len(state.parked) < MAX_PARKED:
                return self._ahead[1]
        return None

    async def _try_parked(self, trial: Trial) -> None:
        turn = self._turn
        event = await asyncio.to_thread(self._means.log.one, self.tenant, trial.seq)
        outcome = await self._send(event) if event is not None else Outcome(None, "the event is no longer kept")
        now = self._means.now_s()
        async with self._lock:
            if turn != self._turn:
                return
            state = replace(self.state, parked=tuple(t for t in self.state.parked if t.seq != trial.seq))
            failed = _again(trial, outcome, now, self._means.chance)
            if outcome.is_delivered:
                state = replace(state, delivered_at=now)
            elif outcome.is_gone:
                state = _disabled(self.state, "the receiver answered 410 Gone", now)
            elif event is None or now - trial.since >= GIVE_UP_S:
                await self._bury(failed)
            else:
                state = replace(state, parked=(*state.parked, failed))
            await self._save(state)
        if event is not None and outcome.is_delivered:
            await self._means.on_delivered(self.tenant, self.endpoint.id, event)

    async def _bury(self, trial: Trial) -> None:
        name = dead_name(self.endpoint.id, trial.seq)
        await self._means.documents.put(self.tenant, DEAD_KIND, name, encode(trial))

    async def _save(self, state: State) -> None:
        """Make ``state`` durable and take it; call with the lock held."""
        await self._means.documents.put(self.tenant, STATE_KIND, self.endpoint.id, encode(state))
        self.state = self._kept = state
        self._kept_at = self._means.now_s()
        self._unkept = 0

    async def _send(self, event: Event) -> Outcome:
        body = body_of(event)
        async with self._means.gate.enter(self.tenant):
            now = self._means.now_s()
            headers = sign(self.endpoint.valid_secrets(now), event.id, int(now), body)
            outcome = await self._means.sender.post(self.endpoint.url, headers, body)
        self.attempts.append(
            Attempt(now, event.seq, event.id, event.type, outcome.status, outcome.problem, outcome.took_s)
        )
        self._means.observe("delivered" if outcome.is_delivered else "failed")
        return outcome


def body_of(event: Event) -> bytes:
    """Return what is sent of an event: type, timestamp and data, as Standard Webhooks has it."""
    return msgspec.json.encode({"type": event.type, "timestamp": event.at, "data": event})


def _disabled(state: State, why: str, now: float) -> State:
    return replace(state, disabled_why=why, disabled_at=now)


def _again(trial: Trial, outcome: Outcome, now: float, chance: random.Random) -> Trial:
    attempts = trial.attempts + 1
    next_at = now + pause_s(attempts, chance, asked_s=outcome.retry_after_s)
    return replace(trial, attempts=attempts, next_at=next_at, status=outcome.status, problem=outcome.problem)
