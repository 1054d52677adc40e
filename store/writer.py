"""The one writer of a process: a thread that commits what all callers submitted meanwhile as one group.

A batch ends when the previous commit ends (design decision 5). A submission's future resolves only when its
facts are durable; until then the caller has promised nobody anything.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from store import keys
from store.environment import Environment
from store.errors import (
    FactRefusedError,
    RebuildNeededError,
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFailedError,
)
from store.fold import Receipt
from store.group import Facts, commit_group
from store.list_process import ListProcess
from store.listed import ListedTogether

_log = logging.getLogger("yamabiko.store")

#: Facts of one commit; more waits for the next, so that a flood cannot make a commit endless (D9).
MAX_BATCH_FACTS = 20_000
#: After this long in which the thread got no further those who wait are told to try again (D8) …
STALL_S = 2.0
#: … and after this long whatever it does: by then a sender has given up.
_MAX_WAIT_S = 20.0
#: How long a commit that failed is a problem to tell: the next one may go through, but somebody must ask for it first,
#: which nobody does where a problem takes the server away.
_FAILURE_S = 30.0
_REAP_EVERY_S = 5.0
#: How long an event loop makes way for a fold: longer ones are of large lists, and visitors must not wait for those.
_MAX_WAY_S = 0.02


#: A group with so many recipients listed together is stored by a process of its own (store.list_process).
_MANY_LISTED = 1_000


@dataclass(slots=True, eq=False)
class _Submission:
    facts: Facts
    future: asyncio.Future[Receipt]
    loop: asyncio.AbstractEventLoop
    at_s: float = field(default_factory=time.monotonic)
    #: recipients listed together, and about how many facts all of these are
    listed: int = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.listed = sum([len(fact) for fact in self.facts if isinstance(fact, ListedTogether)])
        self.size = len(self.facts) + self.listed


class Writer:
    """Group commit. Made and used on one event loop; the thread is its own."""

    def __init__(
        self,
        env: Environment,
        *,
        on_failed: Callable[[], None] | None = None,
        list_process: ListProcess | None = None,
    ) -> None:
        """``on_failed`` is called once, from the thread, when the process must end and open the store anew.

        ``list_process`` stores long lists; without it the writer has one of its own.
        """
        self._env = env
        self._on_failed = on_failed
        self._wake = threading.Condition()
        self._queue: deque[_Submission] = deque()
        self._in_flight: list[_Submission] = []
        self._is_stopping = False
        self._has_failed = False
        self._watch: asyncio.TimerHandle | None = None
        #: when the thread last got further: a machine that is short of processors is slow, not stalled
        self._moved_s = time.monotonic()
        self._list_process = list_process or ListProcess(env)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        #: held while facts are folded, which is all Python; not while their log is compressed, and LMDB commits
        self._folding = threading.Lock()
        #: what keeps everything from being stored until the store is folded anew; empty while nothing does
        self._damage = ""
        #: why the last commit failed, and when; empty when it went through
        self._failure, self._failed_s = "", 0.0
        self.commits = 0
        self.facts_committed = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Commit all that was submitted, then end the thread. Later submissions are refused."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def submit(self, facts: Facts) -> asyncio.Future[Receipt]:
        """Hand in facts that belong together; call it on the event loop.

        The future resolves when they are durable. It raises FactRefusedError when one of these facts cannot be
        stored, StoreBusyError when the disk stalls, StoreFullError when it is full, StoreClosedError or
        StoreFailedError when this writer is at its end. After any of them the same facts may be submitted
        again: what was stored after all counts once.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        submission = _Submission(facts, future, loop)
        with self._wake:
            # Looked at under the lock: the thread takes its last look at the queue under it too.
            is_refused = self._has_failed or self._is_stopping
            if not is_refused:
                self._queue.append(submission)
                self._wake.notify()
        if is_refused:
            _fail(submission, StoreFailedError("the store failed") if self._has_failed else StoreClosedError())
            return future
        if self._watch is None:
            self._watch = loop.call_later(STALL_S / 4, self._watch_stall, loop)
        return future

    def make_way(self) -> None:
        """Wait until the facts being folded just now are folded, but not for long; call it on the event loop.

        An event loop that goes on reading gives up the interpreter's lock at each read, and so does the fold: each is
        then stopped again and again by the other. Whoever has much to read is done sooner by letting it finish.
        """
        if self._folding.locked() and self._folding.acquire(timeout=_MAX_WAY_S):
            self._folding.release()

    @property
    def is_healthy(self) -> bool:
        """Whether commits go through."""
        is_failing = self._has_failed or self._damage or self._is_failing
        return not is_failing and self._thread.is_alive() and self.stalled_s < STALL_S

    @property
    def problem(self) -> str:
        """Why commits do not go through, for who looks after the server; empty when they do."""
        words = self._damage or f"commits do not go through ({self._failure or f'{self.stalled_s:.1f} s'})"
        return "" if self.is_healthy else words

    @property
    def _is_failing(self) -> bool:
        """Whether the last commit failed, not long ago."""
        return bool(self._failure) and time.monotonic() - self._failed_s < _FAILURE_S

    @property
    def waiting_s(self) -> float:
        """Seconds the oldest submission has been waiting; 0.0 when none is."""
        with self._wake:
            oldest = self._in_flight[0] if self._in_flight else self._queue[0] if self._queue else None
        return time.monotonic() - oldest.at_s if oldest else 0.0

    @property
    def stalled_s(self) -> float:
        """Seconds in which somebody waited and the thread got no further; 0.0 when nobody waits."""
        return min(self.waiting_s, time.monotonic() - self._moved_s)

    def _watch_stall(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those who wait too long; their facts may still be committed, which a retry does not double."""
        now = time.monotonic()
        patience_s = STALL_S if now - self._moved_s >= STALL_S else _MAX_WAIT_S
        with self._wake:
            waiting = [*self._in_flight, *self._queue]
            # What no commit has begun on is dropped: the caller will come again.
            self._queue = deque(s for s in self._queue if now - s.at_s < patience_s)
        for submission in waiting:
            if now - submission.at_s >= patience_s:
                _fail(submission, StoreBusyError("the store does not answer in time"))
        self._watch = loop.call_later(STALL_S / 4, self._watch_stall, loop) if waiting else None

    # The thread

    def _run(self) -> None:
        is_at_end = False
        try:
            is_at_end = self._serve()
        finally:
            self._list_process.stop()
            # Also after an error nobody foresaw: a thread that died in silence would leave its callers waiting.
            if not is_at_end:
                self._fail_for_good()

    def _serve(self) -> bool:
        """Commit batch after batch; True when stopped, False when the store failed."""
        reaped_s = time.monotonic()
        while (batch := self._next_batch()) is not None:
            if batch:
                self._store(batch)
            if self._has_failed:
                return False
            if time.monotonic() - reaped_s >= _REAP_EVERY_S:
                reaped_s = time.monotonic()
                self._reap()
        return True

    def _reap(self) -> None:
        try:
            self._env.reap_readers()
        except StoreError as error:
            _log.warning("dead readers not reaped", extra={"error": str(error)})

    def _next_batch(self) -> list[_Submission] | None:
        """Return what waits, an empty list after a quiet while, None when there is nothing more to come."""
        with self._wake:
            self._in_flight = []
            if not self._queue and not self._is_stopping:
                self._wake.wait(_REAP_EVERY_S)
            if not self._queue:
                return None if self._is_stopping else []
        return self._take()

    def _take(self) -> list[_Submission]:
        """Take as much of what waits as one commit may have; it is under way from then on."""
        batch: list[_Submission] = []
        size = 0
        with self._wake:
            while self._queue and (not batch or size + self._queue[0].size <= MAX_BATCH_FACTS):
                submission = self._queue.popleft()
                batch.append(submission)
                size += submission.size
            self._in_flight = [*self._in_flight, *batch]
        return batch

    def _store(self, batch: list[_Submission]) -> None:
        """Store a batch, and those that come while long lists are folded by their process, one after the other."""
        is_begun = self._begin(batch)
        while is_begun:
            self._list_process.wait_taken_in(self._move)
            following = self._take()
            is_begun = self._begin(following)
            self._finish(batch)
            with self._wake:
                self._in_flight = following
            batch = following
            if self._has_failed:
                return
        if batch:
            self._commit(batch)

    def _begin(self, batch: list[_Submission]) -> bool:
        """Have long lists stored by their process; False where there are none, or there is no process."""
        if sum(submission.listed for submission in batch) < _MANY_LISTED:
            return False
        return self._list_process.begin([submission.facts for submission in batch])

    def _finish(self, batch: list[_Submission]) -> None:
        try:
            receipts = self._list_process.finish(self._move)
        except StoreError as error:
            self._refuse(batch, error)
            return
        if receipts is None:
            self._commit(batch)
        else:
            self._acknowledge(batch, receipts)

    def _commit(self, batch: list[_Submission]) -> None:
        group = [submission.facts for submission in batch]
        try:
            receipts = commit_group(self._env, group, moved=self._move, folding=self._folding)
        except StoreError as error:
            self._refuse(batch, error)
            return
        self._acknowledge(batch, receipts)

    def _acknowledge(self, batch: list[_Submission], receipts: list[Receipt]) -> None:
        self._damage = self._failure = ""
        self.commits += 1
        self.facts_committed += sum(receipt.added for receipt in receipts)
        self._answer(list(zip(batch, receipts, strict=True)))

    def _refuse(self, batch: list[_Submission], error: StoreError) -> None:
        if isinstance(error, RebuildNeededError):
            if not self._damage:
                _log.critical("nothing can be stored", extra={"problem": str(error)})
            self._damage = str(error)
            self._answer([(submission, error) for submission in batch])
        elif not isinstance(error, FactRefusedError | StoreCorruptError):
            _log.error("commit failed", extra={"error": str(error), "submissions": len(batch)})
            self._failure, self._failed_s = str(error), time.monotonic()
            self._answer([(submission, error) for submission in batch])
            self._has_failed = isinstance(error, StoreFailedError)
        elif len(batch) == 1:
            self._answer([(batch[0], error)])
        else:
            # One bad fact, or one that touches a damaged record, must not fail its neighbours (D9). By halves:
            # a few commits more, not one for each neighbour.
            middle = len(batch) // 2
            self._commit(batch[:middle])
            if not self._has_failed:
                self._commit(batch[middle:])

    def _move(self) -> None:
        self._moved_s = time.monotonic()

    def _answer(self, answers: list[tuple[_Submission, Receipt | StoreError]]) -> None:
        """Resolve futures on their loops, one call a loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Submission, Receipt | StoreError]]] = {}
        for submission, result in answers:
            by_loop.setdefault(submission.loop, []).append((submission, result))
        for loop, results in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, results)
            except RuntimeError:
                continue  # the loop is closed: nobody waits any more

    def _fail_for_good(self) -> None:
        with self._wake:
            self._has_failed = True
            waiting = [*self._in_flight, *self._queue]
            self._queue.clear()
        self._answer([(submission, StoreFailedError("the store failed")) for submission in waiting])
        if self._on_failed is not None:
            self._on_failed()


def _resolve(results: list[tuple[_Submission, Receipt | StoreError]]) -> None:
    for submission, result in results:
        if isinstance(result, StoreError):
            _fail(submission, result)
        elif not submission.future.done():
            submission.future.set_result(result)


def _fail(submission: _Submission, error: StoreError) -> None:
    if not submission.future.done():
        submission.future.set_exception(error)
        submission.future.exception()  # a caller that left must not cause a warning


def write_now(env: Environment, facts: Facts) -> Receipt:
    """Store facts at once, without a thread or a loop: for the command line and for tests."""
    return commit_group(env, [facts])[0]


def next_seq(env: Environment) -> int:
    """Return the number the next fact will get."""
    with env.read() as txn:
        raw = txn.get(keys.META_NEXT_SEQ, db=env.db(keys.META))
    return int.from_bytes(raw, "big") if raw else 1
