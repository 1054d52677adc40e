"""What a session asks of the server it belongs to."""

from __future__ import annotations

import ssl
from asyncio import BaseProtocol
from collections.abc import Callable
from typing import Protocol

from mta.envelope import Envelope
from mta.gathering import Gathering
from mta.limits import ByteBudget, Limits
from mta.metrics import Metrics
from mta.replies import Reply
from mta.return_path import Destination


class Storing(Protocol):
    """A message on its way to the disk, as the session that took it sees it."""

    def abandon(self) -> None:
        """Do without the reply: the client is gone or was told to come back. The message is stored all the same."""


class Host(Protocol):
    """The server as its sessions see it; mta.server.MtaServer is one, tests have others."""

    limits: Limits
    metrics: Metrics
    #: octets of all messages under way (S12)
    budget: ByteBudget
    #: mails that wait to be stored together; sessions tell it of messages under way
    gathering: Gathering
    #: called when something was received: lets the store finish what it has begun
    make_way: Callable[[], None]
    greeting: Reply
    helo_answer: Reply
    #: the reply to EHLO while STARTTLS is possible, and otherwise
    ehlo_answer_tls: bytes
    ehlo_answer: bytes
    #: None when there is no certificate; replaced whole when it is reloaded
    tls_context: ssl.SSLContext | None

    @property
    def is_stressed(self) -> bool:
        """Whether deadlines are short now (S14)."""

    @property
    def is_draining(self) -> bool:
        """Whether the server is about to stop (S32)."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps."""

    def now_us(self) -> int:
        """Return a time for a new message: microseconds since 1970-01-01 UTC, never the same twice."""

    def is_disk_low(self) -> bool:
        """Whether no mail can be taken now for want of disk space (D5)."""

    def find_destination(self, path: str) -> Destination | None:
        """Return what the forward-path ``path`` is for; None when it is none of ours (S18)."""

    def has_share(self, destination: Destination) -> bool:
        """Whether the destination may still store a message today (S17)."""

    def accept(
        self, envelope: Envelope, destinations: tuple[Destination, ...], conclude: Callable[[Reply], None]
    ) -> Storing:
        """Make a message durable; ``conclude`` is called once with the reply to its dot, now or later.

        May raise anything; then ``conclude`` is not called and the session answers 451.
        """

    def leave(self, connection: BaseProtocol) -> None:
        """Forget a connection that is gone."""
