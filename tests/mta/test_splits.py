"""Whole dialogues, cut anywhere: the same replies and the same facts as octet by octet, and nothing left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import uvloop

from model.fact import Fact
from mta import replies
from mta.connection import _TURN, READ_AHEAD, Phase
from mta.limits import Limits
from mta.session import SmtpSession
from tests.mta.harness import IS_TORTURE, minted, seeded, serving
from tests.mta.wire import Wire, server_without_sockets

# Tight, so that random dialogues reach them; fixed time, so that two runs are alike.
LIMITS = Limits(message_bytes=3_000, junk_commands=6, errors=5, session_messages=6, greeting_s=0.0)
ADDRESSES = [minted(f"r{number}@example.jp", days_ago=0).return_path for number in range(4)]
COMMANDS = [
    b"EHLO client.example", b"HELO client", b"ehlo [192.0.2.7]", b"EHLO", b"NOOP", b"RSET", b"rset x", b"HELP",
    b"VRFY a", b"EXPN a", b"AUTH PLAIN x", b"STARTTLS", b"ETRN x", b"MAIL FROM:<>", b"mail from:<a@b.example> SIZE=10",
    b"MAIL FROM:<> SIZE=99999999", b"MAIL FROM:a@b", b"MAIL", b"RCPT TO:<nobody@x.example>", b"RCPT TO:<postmaster>",
    b"RCPT TO:<", b"DATA x", b"", b"X" * 600, b"NO\0OP", b"MAIL FROM:<a@b.example> X=" + b"y" * 2_100, b"\xff\xfe",
]  # fmt: skip
RARE = [b"GET / HTTP/1.1", b"Subject: x", b"QUIT", b"Y" * 70_000]
BODIES = [
    b"Subject: one\r\n\r\nhello\r\n", b"X-Kind: auto_reply\r\nSubject: x\r\n\r\nI am away\r\n", b"\r\n", b"",
    b"..a\r\n.\n..\r\nX: y\r\n", b"a\r\n..\r\n..b\r\n.c\r\n", b"bare\nnewline\r\n", b"a\rb\r\n", b"nul\0\r\n",
    b"BROKEN\r\n", b"x" * 2_990 + b"\r\n", b"x" * 3_500 + b"\r\n", b"y" * 7_000 + b"\r\n", b"\r\n\r\n.x\r\n",
    b"X-Kind: not_bounce\r\n\r\nhi\r\n", b"Received: a\r\n" * 101 + b"\r\n\r\n",
]  # fmt: skip


def dialogue(generator: random.Random) -> list[bytes]:
    """Return what a client says, in parts: each but the last ends with a DATA line whose answer it waits for."""
    parts, said = [], b""
    for number in range(generator.randrange(1, 9)):
        if generator.random() < 0.3:
            said += generator.choice(RARE if generator.random() < 0.1 else COMMANDS) + end_of_line(generator)
            continue
        if number == 0 or generator.random() < 0.2:
            said += b"EHLO client.example" + end_of_line(generator)
        said += b"MAIL FROM:<>" + end_of_line(generator)
        said += b"RCPT TO:<" + generator.choice(ADDRESSES).encode() + b">" + end_of_line(generator)
        parts.append(said + b"DATA" + end_of_line(generator))
        said = generator.choice(BODIES) + b".\r\n"
    return [*parts, said + (b"QUIT\r\n" if generator.random() < 0.7 else b"")]


def end_of_line(generator: random.Random) -> bytes:
    return b"\n" if generator.random() < 0.05 else b"\r\n"


@dataclass
class Outcome:
    """What a dialogue came to."""

    replies: bytes
    facts: set[str]
    counts: dict[str, int]
    is_closed: bool


def shown(fact: Fact) -> str:
    return f"{fact.type.name} {fact.key} {fact.detail}"


async def settle(wire: Wire) -> None:
    """Let the server do all it can."""
    connection = wire.protocol
    assert connection is not None
    for _ in range(10_000):
        await asyncio.sleep(0)
        if wire.is_lost or not (connection._phase is Phase.COMMIT or connection._waits_itself()):
            return
    raise AssertionError("the server does not come to rest")


async def feed(wire: Wire, data: bytes) -> None:
    """Deliver one piece as asyncio would: not while reading is paused, and not after the end."""
    for _ in range(1_000):
        if not wire.is_paused or wire.is_closing():
            break
        await asyncio.sleep(0)
    if not wire.is_closing() and wire.protocol is not None:
        assert not wire.is_paused
        wire.protocol.data_received(data)


async def talk(parts: list[bytes], wire: Wire, cuts: random.Random | None) -> None:
    """Say all parts: in single octets, or cut at random; content only after 354."""
    for number, part in enumerate(parts):
        if number and not wire.sent.endswith(replies.GO_AHEAD.wire):
            # Refused: a client does not send the message then, but what it has to say after it.
            part = part.partition(b"\r\n.\r\n")[2] if part.count(b"\r\n.\r\n") else b""
        for piece in pieces_of(part, cuts):
            await feed(wire, piece)
            if cuts is None or cuts.random() < 0.2:
                await asyncio.sleep(0)
        await settle(wire)


def pieces_of(part: bytes, cuts: random.Random | None) -> list[bytes]:
    if cuts is None:
        return [bytes((octet,)) for octet in part]
    places = sorted(cuts.randrange(len(part) + 1) for _ in range(cuts.choice([0, 0, 1, 3, 20])))
    return [part[a:b] for a, b in zip([0, *places], [*places, len(part)], strict=True) if a < b]


async def outcome_of(parts: list[bytes], seed: int, *, is_cut: bool, slowest: int = 0, stalls: float = 0.0) -> Outcome:
    generator = random.Random(seed)
    async with server_without_sockets(generator, LIMITS, slowest=slowest) as bench:
        wire = await bench.connect(stalls=stalls)
        await talk(parts, wire, generator if is_cut else None)
        await settle(wire)
        facts = {shown(fact) for fact in bench.store.facts.values()}
        outcome = Outcome(wire.sent, facts, dict(bench.counts.values), wire.is_closing() or wire.has_eof)
        wire.lose()
    return outcome


def quick(parts: list[bytes]) -> list[bytes]:
    """Leave out the part that takes octet by octet too long."""
    return [part.replace(b"Y" * 70_000, b"GET") for part in parts]


@pytest.mark.timeout(900)
async def test_cut_dialogues_are_as_octet_by_octet() -> None:
    generator = seeded()
    stored = closed = 0
    for _ in range(1_000 if IS_TORTURE else 150):
        parts = quick(dialogue(generator))
        expected = await outcome_of(parts, 0, is_cut=False)
        for _ in range(4):
            seed = generator.randrange(2**32)
            found = await outcome_of(parts, seed, is_cut=True, slowest=generator.choice([0, 5]))
            assert found == expected, (seed, parts)
            slow = await outcome_of(parts, seed, is_cut=True, slowest=3, stalls=0.5)
            assert slow == expected, (seed, parts)
        stored += len(expected.facts)
        closed += expected.is_closed
    assert stored > 50
    assert closed > 20


@pytest.mark.parametrize("fault", ["a line a piece", "the end in one piece", "what follows the dot is lost"])
async def test_faults_in_reading_are_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative controls: three mistakes such code invites, each found by the property above."""
    received, take = SmtpSession.data_received, SmtpSession._take_content

    def lines_only(self: SmtpSession, data: bytes) -> None:
        received(self, data if b"\n" in data or len(data) == 1 else b"")

    def end_in_one_piece(self: SmtpSession, data: bytes) -> None:
        take(self, data.replace(b"\r\n.\r\n", b"\r\n.\r\n\r\n.\r\n") if len(data) > 5 else data)

    def loses_the_rest(self: SmtpSession, data: bytes) -> None:
        take(self, data)
        if len(data) > 1:
            self._input.clear()

    if fault == "a line a piece":
        monkeypatch.setattr(SmtpSession, "data_received", lines_only)
    else:
        broken = end_in_one_piece if fault == "the end in one piece" else loses_the_rest
        monkeypatch.setattr(SmtpSession, "_take_content", broken)
    generator = seeded()
    for _ in range(200):
        parts = quick(dialogue(generator))
        expected = await outcome_of(parts, 0, is_cut=False)
        if await outcome_of(parts, generator.randrange(2**32), is_cut=True, slowest=2) != expected:
            return
    raise AssertionError("nothing found")


@pytest.mark.parametrize("way", ["half-close", "reset"])
async def test_a_client_that_goes_anywhere_loses_no_message_it_finished(way: str) -> None:
    """D15, M9: cut anywhere, the messages whose dot came are stored, no other is, and nothing is held."""
    generator = seeded()
    mail = b"Subject: %d\r\n\r\nhi\r\n.\r\n"
    group = b"MAIL FROM:<>\r\nRCPT TO:<" + ADDRESSES[0].encode() + b">\r\nDATA\r\n"
    parts = [b"EHLO x\r\n" + group, mail % 1 + group, mail % 2 + b"NOOP\r\n" + group, mail % 3 + b"QUIT\r\n"]
    whole = b"".join(parts)
    ends = [whole.index(mail % number) + len(mail % number) for number in (1, 2, 3)]
    async with server_without_sockets(generator, Limits(token_messages_a_day=10**6), slowest=4) as bench:
        for at in range(len(whole)):
            bench.store.facts.clear()
            wire = await bench.connect(stalls=generator.choice([0.0, 0.5]))
            left = at
            for part in parts:
                for piece in pieces_of(part[:left], generator):
                    await feed(wire, piece)
                left -= len(part)
                if left <= 0:
                    break
                await settle(wire)
            assert wire.protocol is not None
            if way == "reset":
                wire.lose()
            elif not wire.is_closing():
                wire.protocol.eof_received()
            for _ in range(30):
                await asyncio.sleep(0)
            finished = sum(end <= at for end in ends)
            assert len(bench.store.facts) == finished, at
            assert wire.is_lost, at
            assert bench.server.budget.used == 0
            if way == "half-close":
                assert wire.sent.count(replies.STORED.wire) == finished, at


async def test_many_lines_at_once_leave_others_their_turn() -> None:
    generator = seeded()
    async with server_without_sockets(generator, Limits(junk_commands=10**6)) as bench:
        wire, other = await bench.connect(), await bench.connect()
        wire.sent = other.sent = b""
        assert wire.protocol is not None
        assert other.protocol is not None
        wire.protocol.data_received(b"NOOP\r\n" * 1_000)
        assert wire.sent == replies.NOOP_OK.wire * _TURN
        other.protocol.data_received(b"NOOP\r\n")
        assert other.sent == replies.NOOP_OK.wire
        for _ in range(1_000 // _TURN + 1):
            await asyncio.sleep(0)
        assert wire.sent == replies.NOOP_OK.wire * 1_000
        assert wire.writes <= 1_000 // _TURN + 2  # replies to a group go out together
        wire.lose()
        other.lose()


async def test_what_comes_while_storing_waits_within_bounds() -> None:
    """A client that sends on while its message is stored is not read beyond READ_AHEAD; then all is answered."""
    release = asyncio.Event()
    async with serving(limits=Limits(junk_commands=10**9)) as world:
        world.store.before = release.wait
        peer = await world.call()
        await peer.ready(minted().return_path)
        peer.send(b"Subject: x\r\n\r\nhi\r\n.\r\n" + b"NOOP\r\n" * 500_000)
        (connection,) = world.server._listener.connections
        while not connection._is_paused:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert READ_AHEAD < len(connection._input) <= READ_AHEAD + 256 * 1024
        release.set()
        assert await peer.line() == str(replies.STORED)
        for _ in range(500_000):
            assert await peer.reader.readline() == replies.NOOP_OK.wire
        await peer.close()


@pytest.mark.parametrize(("behind", "lingers"), [(b"", False), (b"NOOP\r\n", True), (b"NO", True)])
async def test_a_last_reply_survives_what_the_client_sent_behind(behind: bytes, lingers: bool) -> None:
    """Closing a socket with octets unread resets it, and a reset destroys the reply: so those are read first."""
    async with server_without_sockets(seeded(), Limits(errors=0)) as bench:
        for last, reply in ((b"QUIT\r\n", replies.BYE), (b"XYZ\r\n", replies.TOO_MANY_ERRORS)):
            wire = await bench.connect()
            await feed(wire, last + behind)
            assert wire.sent.endswith(reply.wire)
            assert (wire.has_eof, wire.is_closing()) == (lingers, not lingers)
            await feed(wire, b"x" * 2_000_000)
            assert wire.is_closing()
            wire.lose()


async def test_an_early_message_is_refused_however_it_is_cut() -> None:
    """RFC 2920 3.1: what comes with DATA, ahead of 354, is never taken for content."""
    generator = seeded()
    async with server_without_sockets(generator, Limits()) as bench:
        group = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<" + ADDRESSES[0].encode() + b">\r\nDATA\r\nS"
        for at in range(len(group) - 1):
            wire = await bench.connect()
            await feed(wire, group[:at])
            await feed(wire, group[at:])
            assert wire.sent.endswith(replies.EARLY_TALKER.wire)
            wire.lose()
        assert bench.store.facts == {}


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_over_a_socket_too(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Production runs on uvloop; asyncio's own loop must do as well."""
    with asyncio.Runner(loop_factory=factory) as runner:
        for _ in range(20):
            runner.run(talk_over_a_socket(seeded()))


async def talk_over_a_socket(generator: random.Random) -> None:
    """Five messages, cut at random, what follows a dot sent right behind it; 1 reply a line, 1 fact a message."""
    async with serving() as world:
        peer = await world.call()
        said = b"EHLO x\r\n"
        for number in range(5):
            address = ADDRESSES[number % len(ADDRESSES)].encode()
            said += b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<" + address + b">\r\nDATA\r\n"
            for piece in pieces_of(said, generator):
                peer.send(piece)
                await asyncio.sleep(generator.choice([0, 0.0005]))
            while (line := await peer.line()) != str(replies.GO_AHEAD):
                assert line.startswith("250"), line
            said = b"Message-ID: <%d@x>\r\n\r\n" % number + b"line\r\n" * generator.randrange(30_000) + b".\r\n"
        for piece in pieces_of(said + b"QUIT\r\n", generator):
            peer.send(piece)
            await asyncio.sleep(generator.choice([0, 0.0005]))
        assert await peer.rest() == [str(replies.STORED), str(replies.BYE)]
        assert len(world.store.facts) == 5
