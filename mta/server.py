"""The inbound mail server put together: listener, keys, classifier and store (the composition of this package).

250 is answered only after the store says that the facts are durable (D1). Whatever goes wrong is answered 4xx, so
that the sending server keeps the mail (T30).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from model.fact import UniqueClock
from model.keyring import KeyRing
from mta import replies
from mta.acceptance import Acceptor, MailReader, Submit
from mta.connection import Connection
from mta.envelope import Envelope
from mta.gathering import Gathering
from mta.host import Storing
from mta.intake import IntakeRules
from mta.limits import ByteBudget, ConnectionCounter, Limits, connection_cap
from mta.listener import Listener
from mta.metrics import Counts, Metrics
from mta.replies import Reply
from mta.return_path import Destination, ReturnPaths
from mta.session import SmtpSession
from mta.tls import load_tls_context

log = logging.getLogger(__name__)

_SWEEP_S = 1.0


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
    #: (host, port) pairs where a PROXY header comes first, and the networks it may come from (S29)
    proxied_addresses: tuple[tuple[str, int], ...] = ()
    proxy_networks: tuple[str, ...] = ()
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
        make_way: Callable[[], None] = lambda: None,
    ) -> None:
        """Put a server together; ``start`` makes it listen.

        Arguments: ``keys`` and ``classifier`` are called for each use, so that both can be replaced while
        running; ``submit`` returns an awaitable that ends when the facts are durable, or raises; ``clock``
        returns microseconds since 1970-01-01 UTC; ``is_disk_low`` must be cheap;
        ``make_way`` is called whenever something was received, and may wait a little for the store to get on.
        Raises AddressError when a domain is malformed, OSError or ssl.SSLError for the TLS files.
        """
        limits = self.limits = settings.limits
        self.metrics: Metrics = metrics if metrics is not None else Counts()
        self.make_way = make_way
        self.budget = ByteBudget(limits.inflight_bytes)
        self.gathering = Gathering(limits.gather_s)
        self.greeting = replies.greeting(settings.hostname)
        self.helo_answer = replies.helo_answer(settings.hostname)
        self.ehlo_answer = replies.ehlo_answer(settings.hostname, limits.message_bytes, offers_tls=False)
        self.ehlo_answer_tls = replies.ehlo_answer(settings.hostname, limits.message_bytes, offers_tls=True)
        self.tls_context: ssl.SSLContext | None = None
        self._settings = settings
        self._keys, self._classifier, self._submit = keys, classifier, submit
        self._clock, self.monotonic, self._is_disk_low = clock, monotonic, is_disk_low
        self._unique = UniqueClock(settings.slot)
        self._return_paths = ReturnPaths(settings.return_path_domains, settings.plain_addresses)
        self._counter = ConnectionCounter(
            connection_cap(limits), limits.connections_per_peer, limits.exempt_networks, limits.stress_share
        )
        self._listener = Listener(self._counter, self.metrics, self._make_connection, settings.proxy_networks)
        self._acceptor = self._make_acceptor()
        self._sweeper: asyncio.Task[None] | None = None
        self._is_draining = False
        self.reload_tls()

    def _make_acceptor(self) -> Acceptor:
        settings = self._settings
        return Acceptor(
            keys=lambda: self._keys(),
            classifier=lambda: self._classifier(),
            submit=lambda facts: self._submit(facts),
            clock=lambda: self._clock(),
            rules=IntakeRules(
                node=settings.node, plain_tenant=settings.plain_tenant, shares_bounces=settings.shares_bounces
            ),
            return_paths=self._return_paths,
            limits=self.limits,
            metrics=self.metrics,
            gathering=self.gathering,
        )

    # -- life

    @property
    def ports(self) -> list[int]:
        """The ports listened on."""
        return self._listener.ports

    async def start(self) -> None:
        """Listen. Raises OSError when an address cannot be had."""
        settings = self._settings
        await self._listener.start(
            list(settings.addresses), shares_port=settings.shares_port, proxied=list(settings.proxied_addresses)
        )
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        log.info("listening", extra={"ports": self.ports})

    async def stop(self) -> None:
        """Stop in order: no new clients, 421 to idle ones, messages under way finished (S32).

        Takes ``drain_s`` seconds at most.
        """
        self._is_draining = True
        end = self.monotonic() + self.limits.drain_s
        await self._listener.stop(self.limits.drain_s)
        # A client that is gone, or was told to come back, may have left a message that is still being stored.
        await self._acceptor.finish(end - self.monotonic())
        if self._sweeper is not None:
            self._sweeper.cancel()

    def reload_tls(self) -> None:
        """Read the certificate anew; sessions that run keep theirs.

        Raises OSError or ssl.SSLError when the files cannot be used; then the old context stays.
        """
        if self._settings.tls_certificate is not None and self._settings.tls_key is not None:
            self.tls_context = load_tls_context(self._settings.tls_certificate, self._settings.tls_key)

    def check_deadlines(self) -> None:
        """Cut every connection that is late; called once a second."""
        now = self.monotonic()
        for connection in self._listener.connections:
            try:
                connection.check_deadline(now)
            except Exception as error:
                self.metrics.count("internal_errors")
                log.error("deadline not kept, connection cut", exc_info=error, extra={"peer": connection.peer})
                connection.abort()

    async def _sweep(self) -> None:
        # Once a second is enough for every deadline in use; a shorter one for the store is kept to a quarter.
        every_s = min(_SWEEP_S, self.limits.answer_s / 4)
        while True:
            await asyncio.sleep(every_s)
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
        return self._acceptor.has_share(destination)

    def leave(self, connection: asyncio.BaseProtocol) -> None:
        """Forget a connection that is gone."""
        self._listener.leave(connection)

    def accept(
        self, envelope: Envelope, destinations: tuple[Destination, ...], conclude: Callable[[Reply], None]
    ) -> Storing:
        """Make a message durable and conclude with the reply to its dot."""
        return self._acceptor.accept(envelope, destinations, conclude)
