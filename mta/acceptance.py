"""A message on its way from the final dot to the disk: read, turned into facts, handed in, answered (D1).

It belongs to the server and not to its session: a client that goes away loses nothing (M9), and one that would wait
too long is told to come back; should the facts be stored after all, they are the same ones again (D16). No task is
made for an ordinary message: it is read at once, and the store calls back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from model.fact import Fact, FactType
from model.keyring import KeyRing
from model.reading import Reading
from model.token import day_of
from mta import replies
from mta.envelope import Envelope
from mta.gathering import Gathering
from mta.intake import IntakeRules, take_in
from mta.limits import DailyCounter, Limits
from mta.metrics import Metrics
from mta.replies import Reply
from mta.return_path import Destination, DestinationKind, ReturnPaths
from store.errors import FactRefusedError

log = logging.getLogger(__name__)


class MailReader(Protocol):
    """What reads mails; classifier.classify.Classifier is one."""

    def read(self, raw: bytes) -> Reading:
        """Return what the mail says. Must not raise on any octets."""


Submit = Callable[[Sequence[Fact]], Awaitable[object]]


class Acceptor:
    """Accepts messages for one server: everything between the dot and its reply."""

    def __init__(
        self,
        *,
        keys: Callable[[], KeyRing],
        classifier: Callable[[], MailReader],
        submit: Submit,
        clock: Callable[[], int],
        rules: IntakeRules,
        return_paths: ReturnPaths,
        limits: Limits,
        metrics: Metrics,
        gathering: Gathering,
    ) -> None:
        """See mta.server.MtaServer for ``keys``, ``classifier``, ``submit`` and ``clock``."""
        self._keys, self._classifier, self.submit, self._clock = keys, classifier, submit, clock
        self._rules, self._return_paths, self._limits = rules, return_paths, limits
        self.metrics, self.gathering = metrics, gathering
        self._shares = DailyCounter()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="mta-reader")
        self.under_way: set[_Acceptance] = set()

    def accept(
        self, envelope: Envelope, destinations: tuple[Destination, ...], conclude: Callable[[Reply], None]
    ) -> _Acceptance:
        """Make a message durable; see mta.host.Host. May raise whatever keys, classifier and store raise."""
        day = day_of(self._clock())
        open_to = tuple([destination for destination in destinations if self._take_share(destination, day)])
        acceptance = _Acceptance(self, envelope, open_to, day, conclude)
        if open_to:
            acceptance.begin(is_small=len(envelope.content) <= self._limits.inline_bytes)
        else:
            conclude(replies.TOKEN_BUSY)
        return acceptance

    def has_share(self, destination: Destination) -> bool:
        """Whether the destination may still store a message today (S17)."""
        most = self._share_of(destination)
        return most is None or self._shares.count_of(_share_key(destination), day_of(self._clock())) < most

    async def finish(self, timeout_s: float) -> None:
        """Wait for the messages under way, at most so many seconds; then nothing more can be accepted (S32)."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while self.under_way and loop.time() < end:
            await asyncio.sleep(0.01)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- for acceptances

    def read(self, envelope: Envelope) -> Reading:
        """Return what the mail says."""
        return self._classifier().read(envelope.delivered)

    async def read_apart(self, envelope: Envelope) -> Reading | None:
        """Have a large mail read in a thread and for a bounded time; None when that was too short (S19)."""
        reading = asyncio.get_running_loop().run_in_executor(self._pool, self._classifier().read, envelope.delivered)
        done, _ = await asyncio.wait({reading}, timeout=self._limits.reading_s)
        if done:
            return reading.result()
        self.metrics.count("messages_unparsed")
        log.warning("mail not read in time", extra={"octets": len(envelope.content)})
        return None

    def facts_of(
        self, envelope: Envelope, reading: Reading | None, destinations: tuple[Destination, ...]
    ) -> list[Fact]:
        """Return the facts to store."""
        return take_in(envelope, reading, destinations, self._keys(), self._rules, self._return_paths)

    def give_shares_back(self, destinations: tuple[Destination, ...], day: int) -> None:
        """Uncount a message that is not stored."""
        for destination in destinations:
            self._shares.take_back(_share_key(destination), day)

    # -- shares

    def _share_of(self, destination: Destination) -> int | None:
        if destination.kind is DestinationKind.FEEDBACK:
            return None  # one address takes all of a tenant's complaints
        if destination.kind is DestinationKind.PLAIN:
            return self._limits.plain_messages_a_day
        return self._limits.token_messages_a_day

    def _take_share(self, destination: Destination, day: int) -> bool:
        most, key = self._share_of(destination), _share_key(destination)
        if most is not None and self._shares.count_of(key, day) >= most:
            return False
        self._shares.add(key, day)
        return True


class _Acceptance:
    """One message being stored; a mta.host.Storing."""

    __slots__ = ("_acceptor", "_conclude", "_day", "_destinations", "_envelope", "_facts", "_is_unread", "_storing")

    def __init__(
        self,
        acceptor: Acceptor,
        envelope: Envelope,
        destinations: tuple[Destination, ...],
        day: int,
        conclude: Callable[[Reply], None],
    ) -> None:
        self._acceptor = acceptor
        self._envelope = envelope
        self._destinations = destinations
        self._day = day
        self._conclude: Callable[[Reply], None] | None = conclude
        self._facts: list[Fact] = []
        self._is_unread = False
        # Held, since the loop does not hold tasks.
        self._storing: asyncio.Future[object] | None = None

    def abandon(self) -> None:
        """See mta.host.Storing."""
        self._conclude = None

    def begin(self, *, is_small: bool) -> None:
        """Read the mail and hand in its facts; a large one apart from the loop, which it would hold up."""
        acceptor = self._acceptor
        acceptor.under_way.add(self)
        try:
            if is_small:
                reading = acceptor.read(self._envelope)
                self._facts = acceptor.facts_of(self._envelope, reading, self._destinations)
            else:
                self._wait_for(self._read_and_hand_in())
        except BaseException:
            self._drop()
            raise
        if is_small:
            acceptor.gathering.add(self._hand_in)

    def _hand_in(self) -> None:
        try:
            self._wait_for(self._acceptor.submit(self._facts))
        except Exception as error:  # noqa: BLE001 - whatever the store says, the mails gathered with this one go on
            self._fail(error)

    async def _read_and_hand_in(self) -> None:
        reading = await self._acceptor.read_apart(self._envelope)
        # Hashing and packing megabytes would hold up all sessions, too.
        facts_of = self._acceptor.facts_of
        self._facts = await asyncio.to_thread(facts_of, self._envelope, reading, self._destinations)
        await self._acceptor.submit(self._facts)

    async def _hand_in_unread(self) -> None:
        self._facts = self._acceptor.facts_of(self._envelope, None, self._destinations)
        await self._acceptor.submit(self._facts)

    def _wait_for(self, storing: Awaitable[object]) -> None:
        self._storing = asyncio.ensure_future(storing)
        self._storing.add_done_callback(self._on_end)

    def _on_end(self, storing: asyncio.Future[object]) -> None:
        # A store that stops cancels what waits for it; that must not end the session in silence.
        error = asyncio.CancelledError() if storing.cancelled() else storing.exception()
        if error is None:
            self._end(replies.STORED)
        elif isinstance(error, FactRefusedError) and not self._is_unread:
            # No retry would help: the mail itself is kept instead, for a person to look at.
            log.error("facts refused, mail kept unread", exc_info=error)
            self._is_unread = True
            self._wait_for(self._hand_in_unread())
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._drop()
        self._acceptor.metrics.count("internal_errors")
        log.error("message not stored", exc_info=error, extra={"peer": self._envelope.peer})
        self._answer(replies.INTERNAL)

    def _end(self, reply: Reply) -> None:
        self._acceptor.under_way.discard(self)
        self._acceptor.metrics.count("facts", len(self._facts))
        unmatched = sum([fact.type is FactType.UNMATCHED for fact in self._facts])
        if unmatched:
            self._acceptor.metrics.count("facts_unmatched", unmatched)
        self._answer(reply)

    def _drop(self) -> None:
        self._acceptor.under_way.discard(self)
        self._acceptor.give_shares_back(self._destinations, self._day)

    def _answer(self, reply: Reply) -> None:
        if self._conclude is not None:
            conclude, self._conclude = self._conclude, None
            conclude(reply)


def _share_key(destination: Destination) -> object:
    token = destination.token
    if token is None:
        return destination.address.lower()
    return (destination.kind, token.tenant, token.broadcast, token.recipient)
