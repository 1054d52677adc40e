"""A mail server to talk to, a fake store behind it, and a client that speaks in octets."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model.cause import Cause, Permanence
from model.fact import Fact
from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint, MintedMail
from model.reading import Action, AutoReplyKind, Kind, Reading, RecipientReading, Returned, Verdict
from model.token import day_of
from mta.acceptance import MailReader
from mta.limits import Limits
from mta.metrics import Counts
from mta.server import MtaServer, MtaSettings

KEYS = KeyRing(
    {
        1: Key(1, b"\x01" * 32, KeyStatus.OLD),
        2: Key(2, b"\x02" * 32, KeyStatus.CURRENT),
        3: Key(3, b"\x03" * 32, KeyStatus.REVOKED),
    },
    b"\x10" * 32,
)
DOMAIN = "bounce.example.jp"
MINT = Mint(KEYS, Hosts(DOMAIN, "https://t.example.jp"))
VICTIM = "taro@example.jp"
#: heavier sizes for ``make torture``
IS_TORTURE = os.environ.get("TEST_TORTURE") == "1"


def today() -> int:
    """Return the day number of now."""
    return day_of(time.time_ns() // 1_000)


def seeded() -> random.Random:
    """Return a generator whose seed is printed; TEST_SEED replays it."""
    seed = int(os.environ.get("TEST_SEED", str(random.SystemRandom().randrange(2**32))))
    print(f"TEST_SEED={seed}")
    return random.Random(seed)


def minted(address: str = VICTIM, *, tenant: int = 1, days_ago: int = 0, is_test: bool = False) -> MintedMail:
    """Return what the mail to ``address`` carried."""
    return MINT.mail(tenant=tenant, broadcast_id="spring", address=address, day=today() - days_ago, is_test=is_test)


def dead(confidence: float = 1.0) -> Verdict:
    """Return a verdict that would suppress."""
    return Verdict(Cause.USER_UNKNOWN, Permanence.PERMANENT, "test", "v1", confidence, is_dead=True)


class FakeReader:
    """Reads the few words the tests write; the header ``X-Kind`` says what a mail is."""

    def __init__(self) -> None:
        self.act: Callable[[bytes], None] = lambda raw: None

    def read(self, raw: bytes) -> Reading:
        self.act(raw)
        head = raw[:4_000].decode("latin-1")
        words = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
        kind = Kind(words.get("X-Kind", "bounce"))
        action = Action(words.get("X-Action", "failed"))
        block = RecipientReading(words.get("X-Failed", VICTIM), action=action, status="5.1.1", verdict=dead())
        returned = (
            Returned(token_headers=(("X-Yamabiko-Token", words["X-Returned"]),))
            if "X-Returned" in words
            else Returned()
        )
        return Reading(
            kind,
            (block,) if kind in (Kind.BOUNCE, Kind.DELAY_WARNING, Kind.DELIVERED_NOTICE) else (),
            message_id=words.get("Message-ID"),
            subject=words.get("Subject", ""),
            feedback_type=words.get("X-Feedback"),
            auto_reply=AutoReplyKind.VACATION if kind is Kind.AUTO_REPLY else None,
            returned=returned,
        )


@dataclass
class FakeStore:
    """Keeps facts by id, as the real one; ``before`` may fail or wait first."""

    facts: dict[bytes, Fact] = field(default_factory=dict)
    calls: int = 0
    before: Callable[[], object] | None = None

    async def submit(self, facts: Sequence[Fact]) -> None:
        self.calls += 1
        if self.before is not None:
            outcome = self.before()
            if asyncio.iscoroutine(outcome):
                await outcome
        for fact in facts:
            self.facts[fact.id] = fact

    @property
    def all(self) -> list[Fact]:
        return list(self.facts.values())


class Ticker:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A running server and all around it."""

    server: MtaServer
    store: FakeStore
    reader: FakeReader
    counts: Counts
    ticker: Ticker | None

    @property
    def port(self) -> int:
        return self.server.ports[0]

    async def call(self) -> Peer:
        """Connect and read the banner."""
        peer = await Peer.connect(self.port)
        assert (await peer.line()).startswith("220 ")
        return peer


@asynccontextmanager
async def serving(
    *,
    limits: Limits | None = None,
    ticker: Ticker | None = None,
    reader: MailReader | None = None,
    is_disk_low: Callable[[], bool] = lambda: False,
    certificate: tuple[Path, Path] | None = None,
) -> AsyncIterator[World]:
    """Run a server on a free port of 127.0.0.1."""
    store, fake, counts = FakeStore(), FakeReader(), Counts()
    settings = MtaSettings(
        hostname="mx.example.jp",
        return_path_domains=(DOMAIN,),
        addresses=(("127.0.0.1", 0),),
        limits=limits or Limits(),
        tls_certificate=certificate[0] if certificate else None,
        tls_key=certificate[1] if certificate else None,
    )
    server = MtaServer(
        settings,
        keys=lambda: KEYS,
        classifier=lambda: reader or fake,
        submit=store.submit,
        metrics=counts,
        is_disk_low=is_disk_low,
        monotonic=ticker or time.monotonic,
    )
    await server.start()
    try:
        yield World(server, store, fake, counts, ticker)
    finally:
        await asyncio.wait_for(server.stop(), 40)


class Peer:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))

    def send(self, data: bytes) -> None:
        if not self.writer.is_closing():
            self.writer.write(data)

    async def line(self) -> str:
        """Return the next line without its end; empty at the end of the connection."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), 20)
        except ConnectionError:
            return ""
        assert not line or line.endswith(b"\r\n"), line
        return line.decode("ascii").rstrip("\r\n")

    async def reply(self) -> str:
        """Return the next reply: its lines joined by a slash."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "/".join(lines)

    async def say(self, text: str | bytes) -> str:
        """Send one line, return the reply."""
        self.send((text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")) + b"\r\n")
        return await self.reply()

    async def ready(self, *recipients: str, sender: str = "") -> str:
        """Go up to DATA; return its reply."""
        await self.say("EHLO client.example")
        await self.say(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            await self.say(f"RCPT TO:<{recipient}>")
        return await self.say("DATA")

    async def deliver(self, recipient: str, content: bytes = b"Subject: x\r\n\r\nhello", sender: str = "") -> str:
        """Send one message, return the reply to the dot."""
        reply = await self.ready(recipient, sender=sender)
        if not reply.startswith("354"):
            return reply
        return await self.say(content + b"\r\n.")

    async def is_closed(self) -> bool:
        """Whether the server ends the connection, having said nothing more."""
        try:
            return await asyncio.wait_for(self.reader.read(), 10) == b""
        except ConnectionError:
            return True

    async def rest(self) -> list[str]:
        """Return all further lines."""
        lines = []
        while line := await self.line():
            lines.append(line)
        return lines

    async def close(self) -> None:
        self.writer.close()
