"""The inbound mail server put together: listener, keys, classifier and store (the composition of this package).

250 is answered only after the store says that the facts are durable (D1). Whatever goes wrong is answered 4xx, so
that the sending server keeps the mail (T30).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from model.fact import (
    Fact,
    FactType,
    UniqueClock,
)
from model.keyring import KeyRing
from model.reading import Reading
from model.token import day_of
from mta import replies
from mta.connection import Connection
from mta.envelope import Envelope
from mta.intake import IntakeRules, take_in
from mta.limits import ByteBudget, ConnectionCounter, DailyCounter, Limits, connection_cap
from mta.listener import Listener
from mta.metrics import Counts, Metrics
from mta.replies import Reply
from mta.return_path import Destination, DestinationKind, ReturnPaths
from mta.session import SmtpSession
from mta.tls import load_tls_context
from store.errors import FactRefusedError

log = logging.getLogger(__name__)

_SWEEP_S = 1.0


class MailReader(Protocol):
    """What reads mails; classifier.classify.Classifier is one."""

    def read(self, raw: bytes) -> Reading:
        """Return what the mail says. Must not raise on any octets."""


Submit = Callable[[Sequence[Fact]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class MtaSettings:
    """What an operator decides. ``addresses`` are (host, port) pairs; ``slot`` numbers sibling processes, 0-7."""

    hostname: str
    return_path_domains: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...] = (("0.0.0.0", 25),)  # noqa: S104 - a mail server is public
    #: whole addresses taken besides postmaster@ and abuse@
    plain_addresses: tuple[str, ...] = ()
    #: whose the mail at plain addresses is
    plain_tenant: int = 0
    limits: Limits = field(default_factory=Limits)
    #: PEM files; without them STARTTLS is not offered
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    shares_port: bool = True
    #: whether a tenant shares with others which addresses do not exist (E39)
    shares_bounces: Callable[[int], bool] = lambda _tenant: False
    node: int = 0
    slot: int = 0


class MtaServer:
    """One process's mail server; also the Host of its sessions."""

    def __init__(
        self,
        settings: MtaSettings,
        *,
        keys: Callable[[], KeyRing],
        classifier: Callable[[], MailReader],
        submit: Submit,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        monotonic: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
        is_disk_low: Callable[[], bool] = lambda: False,
    ) -> None:
        """Put a server together; ``start`` makes it listen.

        Arguments: ``keys`` and ``classifier`` are called for each use, so that both can be replaced while
        running; ``submit`` returns an awaitable that ends when the facts are durable, or raises; ``clock``
        returns microseconds since 1970-01-01 UTC; ``is_disk_low`` must be cheap.
        Raises AddressError when a domain is malformed, OSError or ssl.SSLError for the TLS files.
        """
        limits = self.limits = settings.limits
        self.metrics: Metrics = metrics if metrics is not None else Counts()
        self.budget = ByteBudget(limits.inflight_bytes)
        self.greeting = replies.greeting(settings.hostname)
        self.helo_answer = replies.helo_answer(settings.hostname)
        self.ehlo_answer = replies.ehlo_answer(settings.hostname, limits.message_bytes, offers_tls=False)
        self.ehlo_answer_tls = replies.ehlo_answer(settings.hostname, limits.message_bytes, offers_tls=True)
        self.tls_context: ssl.SSLContext | None = None
        self._settings = settings
        self._keys, self._classifier, self._submit = keys, classifier, submit
        self._clock, self._monotonic, self._is_disk_low = clock, monotonic, is_disk_low
        self._unique = UniqueClock(settings.slot)
        self._return_paths = ReturnPaths(settings.return_path_domains, settings.plain_addresses)
        self._rules = IntakeRules(
            node=settings.node, plain_tenant=settings.plain_tenant, shares_bounces=settings.shares_bounces
        )
        self._counter = ConnectionCounter(
            connection_cap(limits), limits.connections_per_peer, limits.exempt_networks, limits.stress_share
        )
        self._shares = DailyCounter()
        self._listener = Listener(self._counter, self.metrics, self._make_connection)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="mta-reader")
        self._commits: set[asyncio.Task[Reply]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._is_draining = False
        self.reload_tls()

    # -- life

    @property
    def ports(self) -> list[int]:
        """The ports listened on."""
        return self._listener.ports

    async def start(self) -> None:
        """Listen. Raises OSError when an address cannot be had."""
        await self._listener.start(list(self._settings.addresses), shares_port=self._settings.shares_port)
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        log.info("listening", extra={"ports": self.ports})

    async def stop(self) -> None:
        """Stop in order: no new clients, 421 to idle ones, messages under way finished (S32).

        Takes ``drain_s`` seconds at most.
        """
        self._is_draining = True
        end = self._monotonic() + self.limits.drain_s
        await self._listener.stop(self.limits.drain_s)
        # A client that is gone, or was told to come back, may have left a message that is still being stored.
        left = end - self._monotonic()
        if self._commits and left > 0:
            await asyncio.wait(self._commits, timeout=left)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def reload_tls(self) -> None:
        """Read the certificate anew; sessions that run keep theirs.

        Raises OSError or ssl.SSLError when the files cannot be used; then the old context stays.
        """
        if self._settings.tls_certificate is not None and self._settings.tls_key is not None:
            self.tls_context = load_tls_context(self._settings.tls_certificate, self._settings.tls_key)

    def check_deadlines(self) -> None:
        """Cut every connection that is late; called once a second."""
        now = self._monotonic()
        for connection in self._listener.connections:
            connection.check_deadline(now)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.check_deadlines()

    def _make_connection(self) -> Connection:
        return SmtpSession(self, asyncio.get_running_loop())

    # -- what sessions ask (mta.host.Host)

    @property
    def is_stressed(self) -> bool:
        """Whether deadlines are short now (S14)."""
        return self._counter.is_stressed

    @property
    def is_draining(self) -> bool:
        """Whether the server is about to stop."""
        return self._is_draining

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps."""
        return self._monotonic()

    def now_us(self) -> int:
        """Return a time for a new message, never the same twice."""
        return self._unique.stamp(self._clock())

    def is_disk_low(self) -> bool:
        """Whether no mail can be taken now for want of disk space (D5)."""
        return self._is_disk_low()

    def find_destination(self, path: str) -> Destination | None:
        """Return what a forward-path is for; None when it is none of ours."""
        return self._return_paths.find(path, self._keys())

    def has_share(self, destination: Destination) -> bool:
        """Whether the destination may still store a message today (S17)."""
        most = self._share_of(destination)
        return most is None or self._shares.count_of(_share_key(destination), day_of(self._clock())) < most

    def leave(self, connection: asyncio.BaseProtocol) -> None:
        """Forget a connection that is gone."""
        self._listener.leave(connection)

    async def accept(self, envelope: Envelope, destinations: tuple[Destination, ...]) -> Reply:
        """Make a message durable and return the reply to its dot.

        Runs apart from the session: a client that goes away loses nothing (M9), and one that would wait too
        long is told to come back; should the facts be stored after all, they are the same ones again (D16).
        """
        task = asyncio.get_running_loop().create_task(self._store(envelope, destinations))
        self._commits.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait({task}, timeout=self.limits.answer_s)
        if not done:
            self.metrics.count("messages_late")
            log.error("store is slow", extra={"peer": envelope.peer, "waited_s": self.limits.answer_s})
            return replies.LATE
        if task.cancelled():
            # A store that stops cancels what waits for it; that must not end the session in silence.
            log.error("store gave up", extra={"peer": envelope.peer})
            return replies.INTERNAL
        return task.result()

    # -- one message

    async def _store(self, envelope: Envelope, destinations: tuple[Destination, ...]) -> Reply:
        day = day_of(self._clock())
        open_to = tuple(destination for destination in destinations if self._take_share(destination, day))
        if not open_to:
            return replies.TOKEN_BUSY
        is_stored = False
        try:
            facts = await self._facts_of(envelope, open_to)
            try:
                await self._submit(facts)
            except FactRefusedError:
                # No retry would help: the mail itself is kept instead, for a person to look at.
                log.exception("facts refused, mail kept unread")
                facts = take_in(envelope, None, open_to, self._keys(), self._rules)
                await self._submit(facts)
            is_stored = True
        finally:
            if not is_stored:
                for destination in open_to:
                    self._shares.take_back(_share_key(destination), day)
        self.metrics.count("facts", len(facts))
        self.metrics.count("facts_unmatched", sum(fact.type is FactType.UNMATCHED for fact in facts))
        return replies.STORED

    async def _facts_of(self, envelope: Envelope, destinations: tuple[Destination, ...]) -> list[Fact]:
        reading = await self._read(envelope.content)
        proof = (envelope, reading, destinations, self._keys(), self._rules, self._return_paths)
        if len(envelope.content) <= self.limits.inline_bytes:
            return take_in(*proof)
        # Hashing and packing megabytes would hold up all sessions.
        return await asyncio.to_thread(take_in, *proof)

    async def _read(self, content: bytes) -> Reading | None:
        """Have the mail read: small ones at once, large ones in a thread and for a bounded time (S19)."""
        classifier = self._classifier()
        if len(content) <= self.limits.inline_bytes:
            return classifier.read(content)
        reading = asyncio.get_running_loop().run_in_executor(self._pool, classifier.read, content)
        done, _ = await asyncio.wait({reading}, timeout=self.limits.reading_s)
        if done:
            return reading.result()
        self.metrics.count("messages_unparsed")
        log.warning("mail not read in time", extra={"octets": len(content)})
        return None

    def _forget(self, task: asyncio.Task[Reply]) -> None:
        self._commits.discard(task)
        # A session that is gone, or was answered LATE, no longer asks; so that nothing goes unseen:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("message not stored", extra={"error": type(error).__name__})

    def _share_of(self, destination: Destination) -> int | None:
        match destination.kind:
            case DestinationKind.FEEDBACK:
                return None  # one address takes all of a tenant's complaints
            case DestinationKind.PLAIN:
                return self.limits.plain_messages_a_day
            case _:
                return self.limits.token_messages_a_day

    def _take_share(self, destination: Destination, day: int) -> bool:
        most, key = self._share_of(destination), _share_key(destination)
        if most is not None and self._shares.count_of(key, day) >= most:
            return False
        self._shares.add(key, day)
        return True


def _share_key(destination: Destination) -> object:
    token = destination.token
    if token is None:
        return destination.address.lower()
    return (destination.kind, token.tenant, token.broadcast, token.recipient)
