"""Facts on their way to the store: who waits how long, and what is counted when waiting was in vain (T4)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from model.fact import Fact
from store.errors import StoreError
from tracker.metrics import Count, Metrics

_log = logging.getLogger("tracker")
_COMPLAIN_EVERY_S = 10.0

Submit = Callable[[Sequence[Fact]], Awaitable[object]]


class Pending:
    """Hands facts to the store and waits, within bounds.

    While the store stalls nobody waits: after one wait in vain the next answers go out at once, until something
    becomes durable again. Every fact ends as durable or in the counter LOST; those answered before that is known
    are in AT_RISK, and in RESCUED if it went well.
    """

    def __init__(self, submit: Submit, metrics: Metrics, max_pending: int) -> None:
        """``submit`` resolves when facts are durable; ``max_pending`` submissions may be under way."""
        self._submit = submit
        self._metrics = metrics
        self._max_pending = max_pending
        #: submissions under way, with how many of their facts were answered for already
        self._under_way: dict[asyncio.Future[object], int] = {}
        self._is_stalled = False
        self._complained_at = 0.0

    @property
    def is_stalled(self) -> bool:
        """Whether the store answers late or not at all just now."""
        return self._is_stalled

    def __len__(self) -> int:
        """Return how many submissions are under way."""
        return len(self._under_way)

    async def keep(self, facts: Sequence[Fact], wait_s: float, *, is_strict: bool = False) -> bool:
        """Hand over ``facts`` and wait up to ``wait_s``. Return whether they are durable.

        ``is_strict`` waits even while the store stalls: the answer depends on it. Never raises for the store.
        """
        if len(self._under_way) >= self._max_pending:
            self._metrics.add(Count.LOST, len(facts))
            return False
        future = self._hand_over(facts)
        if future is None:
            return False
        if is_strict or not self._is_stalled:
            if not future.done():
                await asyncio.wait((future,), timeout=wait_s)
            if future.done():
                return not future.cancelled() and future.exception() is None
            self._is_stalled = True
        self._under_way[future] = len(facts)
        self._metrics.add(Count.AT_RISK, len(facts))
        return False

    async def drain(self, wait_s: float) -> int:
        """Wait up to ``wait_s`` for what is under way. Return how many submissions are still open."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=wait_s)
        return len(self._under_way)

    def _hand_over(self, facts: Sequence[Fact]) -> asyncio.Future[object] | None:
        """Submit. One half of the boundary where an error of any kind ends; ``_settle`` is the other."""
        try:
            future = asyncio.ensure_future(self._submit(facts))
        except Exception as error:  # noqa: BLE001 - the boundary: a visitor is answered all the same
            self._lose(len(facts), error)
            return None
        self._under_way[future] = 0
        future.add_done_callback(lambda done: self._settle(done, len(facts)))
        return future

    def _settle(self, future: asyncio.Future[object], facts: int) -> None:
        at_risk = self._under_way.pop(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None:
            self._lose(facts, error)
            return
        self._is_stalled = False
        if at_risk:
            self._metrics.add(Count.RESCUED, at_risk)

    def _lose(self, facts: int, error: BaseException) -> None:
        self._metrics.add(Count.LOST, facts)
        if isinstance(error, StoreError | asyncio.CancelledError):
            self._complain("facts were lost: %s", type(error).__name__)
        else:
            self._complain("facts were lost, unexpectedly", error=error)

    def _complain(self, message: str, *values: object, error: BaseException | None = None) -> None:
        """Log, at most once in ten seconds: a store that is down fails for every visitor."""
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            _log.error(message, *values, exc_info=error)
