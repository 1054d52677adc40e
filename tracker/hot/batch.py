"""The hits of some turns of the event loop: submitted together, waited for with one timer, answered in a row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from model.fact import Hit
from tracker.hot.replies import ReplyEnd
from tracker.metrics import Count, Metrics
from tracker.pending import Handover, Pending

_log = logging.getLogger("tracker")
#: How long a hit may be held back until others are there.
_HOLD_S = 0.02
#: A turn of the event loop that brings so many is likely to be followed by more. One or two come all the time.
_MANY = 4


class Visitor(Protocol):
    """A connection that waits for one answer."""

    def answer(self, octets: bytes, now_s: float) -> None:
        """Send ``octets``; ``now_s`` is the event loop's time. Does nothing if the client has left."""


@dataclass(frozen=True, slots=True)
class HotRoute:
    """What hits of one route have in common."""

    #: how long an answer waits for its fact to be durable (T4)
    wait_s: float
    #: what is counted for each answer
    tally: Count
    #: what ends each answer
    end: ReplyEnd


class Batches:
    """Gathers the hits of one route and submits them together.

    A store that folds while the event loop reads or answers costs both of them a third more: they take turns at the
    interpreter's lock (docs/performance.md). So hits are held back while each turn of the loop brings many, and while
    those before are under way, but not for long.
    """

    def __init__(
        self, route: HotRoute, pending: Pending, metrics: Metrics, make_way: Callable[[], None] = lambda: None
    ) -> None:
        """Use it on one event loop only. ``make_way`` lets the store finish what it is at, see store.writer."""
        self._make_way = make_way
        self._route = route
        self._pending = pending
        self._metrics = metrics
        self._hits: list[Hit] = []
        self._visitors: list[Visitor] = []
        self._replies: list[bytes] = []
        #: how many hits there were in the last turn, and the loop's time until which they may be held back
        self._seen = 0
        self._until_s = 0.0
        #: batches the store has, and what submits the next one if they take too long
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, visitor: Visitor, hit: Hit, reply: bytes) -> None:
        """Store ``hit``, then send ``reply`` (of ``begin_reply``) to ``visitor``."""
        self._make_way()
        if not self._hits:
            loop = asyncio.get_running_loop()
            self._seen, self._until_s = 0, loop.time() + _HOLD_S
            loop.call_soon(self._look)
        self._hits.append(hit)
        self._visitors.append(visitor)
        self._replies.append(reply)

    def _look(self) -> None:
        """Submit what has come unless more may be about to."""
        loop, count = asyncio.get_running_loop(), len(self._hits)
        if not count or self._timer is not None:
            return
        is_more_coming = count - self._seen >= _MANY
        is_quiet = not (is_more_coming or self._under_way)
        if is_quiet or self._pending.is_stalled or loop.time() >= self._until_s:
            self.hand_over()
        elif is_more_coming:
            self._seen = count
            loop.call_soon(self._look)
        else:
            self._timer = loop.call_at(self._until_s, self.hand_over)

    def hand_over(self) -> None:
        """Submit now what has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        hits, visitors, replies = self._hits, self._visitors, self._replies
        self._hits, self._visitors, self._replies = [], [], []
        room = self._pending.room
        if len(hits) > room:
            self._pending.drop(len(hits) - room)
            self.answer(visitors[room:], replies[room:], is_recorded=False)
            del hits[room:], visitors[room:], replies[room:]
        if hits:
            self._under_way += 1
            _Batch(self, visitors, replies).submit(hits, self._pending, self._route.wait_s)

    def end(self) -> None:
        """Note that the store is done with a batch."""
        self._under_way -= 1
        if self._timer is not None:
            # Whoever is answered now may be about to ask again.
            self._timer.cancel()
            self._timer, self._seen = None, 0
            asyncio.get_running_loop().call_soon(self._look)

    def answer(self, visitors: Sequence[Visitor], replies: Sequence[bytes], *, is_recorded: bool) -> None:
        """Send each visitor its reply, saying whether its fact is known to be durable."""
        end = self._route.end.now(is_recorded=is_recorded)
        now_s = asyncio.get_running_loop().time()
        self._metrics.add(self._route.tally, len(visitors))
        for visitor, reply in zip(visitors, replies, strict=True):
            try:
                visitor.answer(reply + end, now_s)
            except Exception:  # noqa: BLE001 - the boundary: the others get their answers all the same
                _log.exception("an answer was not sent")
                self._metrics.add(Count.ERRORS)


class _Batch:
    """Hits submitted together, and who waits for them."""

    __slots__ = ("_batches", "_is_answered", "_replies", "_timer", "_visitors")

    def __init__(self, batches: Batches, visitors: list[Visitor], replies: list[bytes]) -> None:
        self._batches = batches
        self._visitors = visitors
        self._replies = replies
        self._is_answered = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, hits: list[Hit], pending: Pending, wait_s: float) -> None:
        handover = pending.hand_over(hits, self._on_end, are_apart=True)
        if self._is_answered:
            return
        if pending.has_patience():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, self._give_up, pending, handover)
        else:
            self._give_up(pending, handover)

    def _give_up(self, pending: Pending, handover: Handover) -> None:
        self._is_answered = True
        pending.risk(handover, range(len(handover.facts)))
        self._batches.answer(self._visitors, self._replies, is_recorded=False)

    def _on_end(self, lost: Collection[int]) -> None:
        self._batches.end()
        if self._timer is not None:
            self._timer.cancel()
        if self._is_answered:
            return
        self._is_answered = True
        if not lost:
            self._batches.answer(self._visitors, self._replies, is_recorded=True)
            return
        for is_recorded in (True, False):
            chosen = [index for index in range(len(self._visitors)) if (index not in lost) is is_recorded]
            self._batches.answer(
                [self._visitors[index] for index in chosen],
                [self._replies[index] for index in chosen],
                is_recorded=is_recorded,
            )
