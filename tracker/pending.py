"""Facts on their way to the store: who waits how long, and what is counted when waiting was in vain (T4)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

from model.fact import Fact, Hit
from store.errors import FactRefusedError, StoreCorruptError, StoreError
from tracker.metrics import Count, Metrics

_log = logging.getLogger("tracker")
_COMPLAIN_EVERY_S = 10.0
#: A store that made nothing durable for so long stalls; one that did is only busy.
_SILENT_S = 0.25
#: A store that made nothing durable for so long is given up for the time being.
_DEAD_S = 2.0
#: With so many facts under way in a store that is not dead, even a stalled one, visitors wait all the same: answering
#: at once would draw more requests than it can ever take in.
_CROWD = 2_000
# What is wrong with one fact of a submission, its neighbours being sound.
_REFUSALS = (FactRefusedError, StoreCorruptError)

Submit = Callable[[Sequence[Fact | Hit]], Awaitable[object]]
#: Told once which of the facts handed over will never be durable, by their indexes; the others are durable.
OnEnd = Callable[[Collection[int]], None]


class Handover:
    """Facts given to the store together."""

    __slots__ = ("are_apart", "facts", "lost", "on_end", "open_parts", "risked")

    def __init__(self, facts: Sequence[Fact | Hit], on_end: OnEnd, *, are_apart: bool) -> None:
        """See ``Pending.hand_over``."""
        self.facts = facts
        self.on_end = on_end
        self.are_apart = are_apart
        #: submissions whose end is not known
        self.open_parts = 0
        #: indexes of the facts that will never be durable
        self.lost: list[int] = []
        #: indexes of those answered before their end was known
        self.risked: Collection[int] = ()


class Pending:
    """Hands facts to the store and waits, within bounds.

    While the store stalls nobody waits: after a wait in vain, with nothing becoming durable meanwhile, the next answers
    go out at once, until something becomes durable again. Every fact ends as durable or in the counter LOST; those
    answered before that is known are in AT_RISK, and in RESCUED if it went well.
    """

    def __init__(self, submit: Submit, metrics: Metrics, max_pending: int) -> None:
        """``submit`` resolves when facts are durable; ``max_pending`` facts may be under way."""
        self._submit = submit
        self._metrics = metrics
        #: how many more facts may be handed over
        self.room = max_pending
        self._max_pending = max_pending
        self._under_way: set[asyncio.Future[object]] = set()
        self._is_stalled = False
        #: since when there has been something to wait for, and nothing became durable
        self._silent_since = 0.0
        self._complained_at = 0.0

    @property
    def is_stalled(self) -> bool:
        """Whether the store answers late or not at all just now."""
        return self._is_stalled

    def has_patience(self) -> bool:
        """Return whether an answer should wait for its facts, within its bounds."""
        if not self._is_stalled:
            return True
        return self._max_pending - self.room >= _CROWD and time.monotonic() - self._silent_since < _DEAD_S

    def __len__(self) -> int:
        """Return how many submissions are under way."""
        return len(self._under_way)

    async def keep(self, facts: Sequence[Fact | Hit], wait_s: float, *, is_strict: bool = False) -> bool:
        """Hand over ``facts`` and wait up to ``wait_s``. Return whether they are durable.

        ``is_strict`` waits even while the store stalls: the answer depends on it. Never raises for the store.
        """
        if len(facts) > self.room:
            self.drop(len(facts))
            return False
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        handover = self.hand_over(facts, lambda lost: ended.set_result(not lost))
        if not ended.done() and (is_strict or self.has_patience()):
            await asyncio.wait((ended,), timeout=wait_s)
        if ended.done():
            return ended.result()
        self.risk(handover, range(len(facts)))
        return False

    def hand_over(self, facts: Sequence[Fact | Hit], on_end: OnEnd, *, are_apart: bool = False) -> Handover:
        """Submit ``facts``, for which there must be ``room``, and call ``on_end`` when it is known how that ended.

        ``are_apart`` says that each may be stored without the others: one that is refused then costs no other.
        ``on_end`` is called before this returns if the store refuses at once. Never raises for the store.
        """
        handover = Handover(facts, on_end, are_apart=are_apart)
        if not self._under_way:
            self._silent_since = time.monotonic()
        self.room -= len(facts)
        self._send(handover, 0, facts)
        return handover

    def risk(self, handover: Handover, indexes: Collection[int]) -> None:
        """Note that these facts are answered for now: waiting was in vain, or not tried.

        ``indexes`` replaces what was noted before. Does nothing once the handover has ended.
        """
        if handover.open_parts:
            if time.monotonic() - self._silent_since >= _SILENT_S:
                self._is_stalled = True
            self._metrics.add(Count.AT_RISK, len(indexes) - len(handover.risked))
            handover.risked = indexes

    def drop(self, facts: int) -> None:
        """Count facts for which there was no room."""
        self._metrics.add(Count.LOST, facts)

    async def drain(self, wait_s: float) -> int:
        """Wait up to ``wait_s`` for what is under way. Return how many submissions are still open."""
        deadline = time.monotonic() + wait_s
        await asyncio.sleep(0)  # what came in this turn of the loop is handed over in the next
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(set(self._under_way), timeout=left)
            await asyncio.sleep(0)  # parts of a refused submission are sent anew
        return len(self._under_way)

    def _send(self, handover: Handover, first: int, facts: Sequence[Fact | Hit]) -> None:
        """Submit the part that begins at index ``first``.

        One half of the boundary where an error of any kind ends; ``_settle`` is the other.
        """
        handover.open_parts += 1
        try:
            future = asyncio.ensure_future(self._submit(facts))
        except Exception as error:  # noqa: BLE001 - the boundary: a visitor is answered all the same
            self._end_part(handover, first, facts, error)
            return
        self._under_way.add(future)
        future.add_done_callback(partial(self._settle, handover, first, facts))

    def _settle(
        self, handover: Handover, first: int, facts: Sequence[Fact | Hit], future: asyncio.Future[object]
    ) -> None:
        self._under_way.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self._end_part(handover, first, facts, error)

    def _end_part(
        self, handover: Handover, first: int, facts: Sequence[Fact | Hit], error: BaseException | None
    ) -> None:
        if error is None:
            self._is_stalled = False
            self._silent_since = time.monotonic()
        elif handover.are_apart and len(facts) > 1 and isinstance(error, _REFUSALS):
            # One bad fact must not cost its neighbours. By halves: a few submissions more, not one for each.
            middle = len(facts) // 2
            self._send(handover, first, facts[:middle])
            self._send(handover, first + middle, facts[middle:])
        else:
            handover.lost += range(first, first + len(facts))
            self._lose(len(facts), error)
        handover.open_parts -= 1
        if not handover.open_parts:
            self._end(handover)

    def _end(self, handover: Handover) -> None:
        self.room += len(handover.facts)
        if handover.risked:
            rescued = len(handover.risked) - len(set(handover.risked).intersection(handover.lost))
            if rescued:
                self._metrics.add(Count.RESCUED, rescued)
        handover.on_end(handover.lost)

    def _lose(self, facts: int, error: BaseException) -> None:
        self._metrics.add(Count.LOST, facts)
        if isinstance(error, StoreError | asyncio.CancelledError):
            self._complain("facts were lost: %s %s", type(error).__name__, error)
        else:
            self._complain("facts were lost, unexpectedly", error=error)

    def _complain(self, message: str, *values: object, error: BaseException | None = None) -> None:
        """Log, at most once in ten seconds: a store that is down fails for every visitor."""
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            _log.error(message, *values, exc_info=error)
