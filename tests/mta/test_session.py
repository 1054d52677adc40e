"""What a session does with clients that are early, late, lost, slow or endless (S3-S6, S10-S17; M9)."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
import uvloop
from aiosmtpd.smtp import SMTP

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.fact import FactType
from mta import replies
from mta.connection import Connection
from mta.limits import Limits
from mta.metrics import escaped
from mta.replies import Reply
from mta.session import _COMMANDS
from tests.mta.harness import DOMAIN, IS_TORTURE, Peer, Ticker, minted, seeded, serving
from tests.mta.test_data_reader import LEGAL, SMUGGLING, rss
from tests.system_packages import require

REPLY = re.compile(r"(?:[245]\d\d [245]\.\d{1,3}\.\d{1,3} [\x21-\x7e ]+|354 [\x21-\x7e ]+)\Z")


def test_replies_are_constants_with_codes() -> None:
    for name, reply in replies.ALL.items():
        assert reply.wire.endswith(b"\r\n"), name
        assert reply.wire.count(b"\r") == reply.wire.count(b"\n") == 1, name
        assert REPLY.match(str(reply)), name
        assert reply.enhanced is None or reply.enhanced[0] == str(reply.code)[0], name
        assert not re.search(r"(?i)python|aiosmtpd|error:|/|exception", str(reply)), name


# -- S1 over the wire


@pytest.mark.parametrize("sequence", SMUGGLING + LEGAL, ids=repr)
async def test_no_second_message_is_smuggled(sequence: bytes) -> None:
    mail, other = minted(), minted("hanako@example.jp")
    tail = f"MAIL FROM:<>\r\nRCPT TO:<{other.return_path}>\r\nDATA\r\n".encode()
    async with serving() as world:
        peer = await world.call()
        await peer.ready(mail.return_path)
        peer.send(b"Subject: x\r\n\r\none" + sequence + tail + b"Subject: y\r\n\r\ntwo\r\n.\r\n")
        assert (await peer.line()).startswith("250 ")
        await peer.close()
        await asyncio.sleep(0.01)
        assert {fact.key for fact in world.store.all} == {mail.key}
        assert len(world.store.facts) == 1


# -- S4, S5, S6


VERBS = ["GET / HTTP/1.1", "POST / HTTP/1.0", "CONNECT a:25 HTTP/1.1", "HEAD /", "PUT /x", "DELETE /x", "OPTIONS *",
         "TRACE /", "PATCH /", "PRI * HTTP/2.0", "get /", "PROPFIND /", "MKCOL /", "COPY /", "MOVE /", "LOCK /",
         "UNLOCK /", "SEARCH /", "REPORT /", "MERGE /", "SUBSCRIBE /", "NOTIFY * HTTP/1.1", "PURGE /", "LINK /",
         "Host: x", "User-Agent: x", "Accept: */*", "Content-Type: text/plain", "X-Y: z", "Cookie: a"]  # fmt: skip


async def test_http_is_cut_after_one_reply() -> None:
    assert len(VERBS) == 30
    async with serving() as world:
        for verb in VERBS:
            peer = await world.call()
            peer.send(verb.encode() + b"\r\nHost: mx\r\n\r\nMAIL FROM:<>\r\n")
            assert await peer.rest() == ["502 5.7.0 This is a mail server"], verb
            await peer.close()
        assert world.counts.values["internal_errors"] == 0


async def test_session_ends_after_twenty_minutes() -> None:
    ticker = Ticker()
    async with serving(ticker=ticker, limits=Limits(junk_commands=10**6)) as world:
        peer = await world.call()
        for _ in range(25 * 60):
            ticker.now += 1
            world.server.check_deadlines()
            peer.send(b"NOOP\r\n")
            if (reply := await peer.line()) != "250 2.0.0 OK":
                break
        assert reply == str(replies.SESSION_OVER)
        assert abs(ticker.now - 1_000 - 20 * 60) <= 1
        assert await peer.is_closed()


async def test_twenty_first_noop_is_421() -> None:
    async with serving() as world:
        peer = await world.call()
        answers = [await peer.say("NOOP") for _ in range(21)]
        assert answers == [str(replies.NOOP_OK)] * 20 + [str(replies.TOO_MUCH_JUNK)]


async def test_early_talker_is_cut_and_pipelining_is_not() -> None:
    async with serving() as world:
        with socket.create_connection(("127.0.0.1", world.port)) as early:
            early.sendall(b"EHLO x\r\n")  # the server has not run since: both are there when it accepts
            early.setblocking(False)
            loop = asyncio.get_running_loop()
            assert (await loop.sock_recv(early, 1_000)).startswith(b"554 5.5.0")
        mail = minted()
        group = f"MAIL FROM:<>\r\nRCPT TO:<{mail.return_path}>\r\nRSET\r\nNOOP\r\nQUIT\r\n".encode()
        for _ in range(1_000):
            peer = await world.call()
            await peer.say("EHLO x")
            peer.send(group)
            assert [line[:3] for line in await peer.rest()] == ["250", "250", "250", "250", "221"]
            await peer.close()
        assert world.counts.values["early_talkers"] == 1


async def test_random_lines_get_proper_replies() -> None:
    generator = seeded()
    text = 'MAIL FROM:|RCPT TO:|VRFY |HELO |EHLO |<|>|@| |\xff|\0|\r|=|a|"|\\|SIZE=|STARTTLS|'
    text += "\xe3\x81\x82|[|:|..|AUTH PLAIN|\x16\x03\x01"
    atoms = [*text.encode("latin-1").split(b"|"), b"A" * 300]
    async with serving(limits=Limits(errors=10**9, junk_commands=10**9, bad_lines=10**9)) as world:
        peer = await world.call()
        for _ in range(100_000 if IS_TORTURE else 5_000):
            line = b"".join(generator.choice(atoms) for _ in range(generator.randrange(6)))
            reply = await peer.say(line)
            for part in reply.split("/"):
                assert re.match(r"[245]\d\d[ -]", part), (line, reply)
            assert not re.search(r"Error|Exception|\.py|site-packages|aiosmtpd", reply)
            if reply.startswith(("502 5.7.0", "421")):
                assert await peer.is_closed()
                peer = await world.call()
        assert world.counts.values["internal_errors"] == 0


# -- M9, D16: the client goes, or the store is slow


async def test_half_close_after_the_dot_loses_nothing() -> None:
    async with serving() as world:
        peer = await world.call()
        await peer.ready(minted().return_path)
        world.store.before = lambda: asyncio.sleep(0.1)
        peer.send(b"Subject: x\r\n\r\nhi\r\n.\r\n")
        peer.writer.write_eof()
        assert await peer.rest() == ["250 2.0.0 Stored"]
        assert len(world.store.facts) == 1


async def test_reset_after_the_dot_loses_nothing() -> None:
    async with serving() as world:
        peer = await world.call()
        await peer.ready(minted().return_path)
        started = asyncio.Event()

        async def slowly() -> None:
            started.set()
            await asyncio.sleep(0.1)

        world.store.before = slowly
        peer.send(b"Subject: x\r\n\r\nhi\r\n.\r\n")
        await started.wait()
        peer.writer.transport.abort()
        await asyncio.sleep(0.2)
        assert len(world.store.facts) == 1


async def test_cut_before_the_dot_stores_nothing() -> None:
    async with serving() as world:
        peer = await world.call()
        await peer.ready(minted().return_path)
        peer.send(b"Subject: x\r\n\r\nhi\r\n.")
        peer.writer.write_eof()
        assert await peer.rest() == []
        assert world.store.calls == 0
        assert world.server.budget.used == 0


async def test_slow_store_is_451_in_time_and_the_retry_is_one_fact() -> None:
    async with serving(limits=Limits(answer_s=0.3)) as world:
        world.store.before = lambda: asyncio.sleep(0.6)
        peer, content = await world.call(), b"Message-ID: <1@x>\r\n\r\nhi"
        started = time.monotonic()
        assert await peer.deliver(minted().return_path, content) == str(replies.LATE)
        assert 0.25 <= time.monotonic() - started <= 0.55
        await asyncio.sleep(0.5)
        world.store.before = None
        assert await peer.deliver(minted().return_path, content) == str(replies.STORED)
        assert len(world.store.facts) == 1


# -- S11-S17: floods


class Held:
    """How many octets Python objects took at most since this was made; RSS is too dull for that."""

    def __init__(self) -> None:
        tracemalloc.start()
        self.before = tracemalloc.get_traced_memory()[0]

    def most(self) -> int:
        most = tracemalloc.get_traced_memory()[1] - self.before
        tracemalloc.stop()
        return most


async def test_endless_line_is_cut() -> None:
    size = 1024 if IS_TORTURE else 200
    async with serving(limits=Limits(message_bytes=4 * 1024 * 1024)) as world:
        peer = await world.call()
        await peer.ready(minted().return_path)
        chunk, held = b"x" * 1024 * 1024, Held()
        for _ in range(size):
            peer.send(chunk)
            try:
                await asyncio.wait_for(peer.writer.drain(), 5)
            except (ConnectionError, TimeoutError):
                break
        assert held.most() < 2 * 4 * 1024 * 1024
        assert world.server.budget.used == 0
        assert world.store.calls == 0


async def test_stock_aiosmtpd_keeps_an_endless_line() -> None:
    """Negative control for S11 (M1): without our reader the line is kept, whatever the limit."""
    loop = asyncio.get_running_loop()
    made: list[SMTP] = []

    def make() -> SMTP:
        made.append(SMTP(object(), data_size_limit=1024, hostname="x", loop=loop))
        return made[-1]

    server = await loop.create_server(make, "127.0.0.1", 0)
    peer = await Peer.connect(server.sockets[0].getsockname()[1])
    await peer.line()
    for line in ("EHLO x", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"):
        await peer.say(line)
    held = Held()
    for _ in range(40):
        peer.send(b"x" * 1024 * 1024)
        await peer.writer.drain()
    assert held.most() > 16 * 1024 * 1024
    peer.writer.transport.abort()
    server.close()


async def test_endless_command_line_is_cut() -> None:
    async with serving() as world:
        peer = await world.call()
        peer.send(b"NOOP " + b"x" * 300_000)
        assert await peer.rest() == [str(replies.LINE_TOO_LONG)]


async def test_byte_budget_is_shared() -> None:
    limits = Limits(inflight_bytes=1024 * 1024, message_bytes=1024 * 1024)
    async with serving(limits=limits) as world:
        first, second, third = [await world.call() for _ in range(3)]
        await first.ready(minted().return_path)
        first.send(b"x" * 900_000)
        await asyncio.sleep(0.05)
        # The second starts while there is room and outgrows it; the third finds none at once.
        await second.ready(minted().return_path)
        second.send(b"x" * 300_000)
        await asyncio.sleep(0.05)
        assert world.server.budget.used <= limits.inflight_bytes
        assert await third.ready(minted().return_path) in (str(replies.MEMORY_LOW), str(replies.GO_AHEAD))
        assert await second.say("\r\n.") == str(replies.MEMORY_LOW)
        assert await first.say("\r\n.") == str(replies.STORED)
        for peer in (first, second, third):
            await peer.close()
        await asyncio.sleep(0.05)
        assert world.server.budget.used == 0


async def test_connection_flood() -> None:
    kept, asked = (2_000, 5_000) if IS_TORTURE else (100, 250)
    # On a slow machine all this takes longer than a client may be idle under stress.
    async with serving(limits=Limits(connections=kept, stress_s=600, command_s=600)) as world:
        peers = [await Peer.connect(world.port) for _ in range(asked)]
        greetings = [await peer.line() for peer in peers]
        assert sum(line.startswith("220 ") for line in greetings) == kept
        assert sum(line == str(replies.OVERLOAD) for line in greetings) == asked - kept
        assert world.server.is_stressed
        for peer in peers:
            await peer.close()
        async with asyncio.timeout(10):
            while world.server.is_stressed:
                await asyncio.sleep(0.02)
        await (await world.call()).close()


async def test_connections_of_one_peer() -> None:
    async with serving(limits=Limits(exempt_networks=())) as world:
        peers = [await Peer.connect(world.port) for _ in range(21)]
        greetings = [await peer.line() for peer in peers]
        assert greetings[20] == str(replies.OVERLOAD)
        assert all(line.startswith("220 ") for line in greetings[:20])
        for peer in peers:
            await peer.close()


@pytest.mark.parametrize("part", ["command", "data", "silent"])
async def test_trickling_clients_are_cut_fast_under_stress(part: str) -> None:
    count = 1_000 if IS_TORTURE else 40
    ticker = Ticker()
    async with serving(ticker=ticker, limits=Limits(connections=count)) as world:
        peers = [await world.call() for _ in range(count)]
        assert world.server.is_stressed
        for peer in peers:
            if part == "data":
                await peer.ready(minted().return_path)
        for _ in range(15):
            ticker.now += 1
            if part != "silent":
                for peer in peers:
                    peer.send(b"x")
            await asyncio.sleep(0.002)
            world.server.check_deadlines()
        for peer in peers:
            assert (await peer.rest())[-1:] in ([str(replies.TIMEOUT)], [])
            await peer.close()
        assert world.counts.values["timeouts"] >= count * 0.2


async def test_an_error_at_one_deadline_keeps_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = Ticker()
    async with serving(ticker=ticker) as world:
        peers = [await world.call() for _ in range(3)]
        failed: list[Connection] = []

        def cut(self: Connection, reply: Reply) -> None:
            if not failed:
                failed.append(self)
                raise RuntimeError("the first one")
            known(self, reply)

        known = Connection._cut
        monkeypatch.setattr(Connection, "_cut", cut)
        ticker.now += 61
        world.server.check_deadlines()
        ends = sorted([await peer.rest() for peer in peers])
        assert ends == [[], [str(replies.TIMEOUT)], [str(replies.TIMEOUT)]]
        assert world.counts.values["internal_errors"] == 1


async def test_deadlines_without_stress() -> None:
    ticker = Ticker()
    async with serving(ticker=ticker) as world:
        idle, writing = await world.call(), await world.call()
        await writing.ready(minted().return_path)
        ticker.now += 59
        world.server.check_deadlines()
        assert await idle.say("NOOP") == str(replies.NOOP_OK)
        ticker.now += 61
        world.server.check_deadlines()
        assert await idle.rest() == [str(replies.TIMEOUT)]
        ticker.now += 185
        writing.send(b"x")
        await asyncio.sleep(0.01)
        world.server.check_deadlines()
        assert await writing.rest() == [str(replies.TIMEOUT)]


async def test_slow_reader_is_cut() -> None:
    ticker = Ticker()
    async with serving(ticker=ticker, limits=Limits(junk_commands=10**9)) as world:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(("127.0.0.1", world.port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_recv(sock, 100)
        (connection,) = world.server._listener.connections
        before, block, sent = rss(), b"NOOP\r\n" * 10_000, 0
        while connection._stuck_since is None:
            try:
                sent += sock.send(block[sent % len(block) :])
            except BlockingIOError:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            assert sent < 500_000_000
        assert rss() - before < 4 * 1024 * 1024
        ticker.now += 31
        world.server.check_deadlines()
        await asyncio.sleep(0.01)
        assert world.counts.values["slow_readers"] == 1
        sock.close()


async def test_replayed_token() -> None:
    async with serving() as world:
        peer = await world.call()
        await peer.say("EHLO x")
        answers = []
        for number in range(30):
            answers.append(await peer.deliver(minted().return_path, b"Message-ID: <%d@x>\r\n\r\nhi" % number))
        assert answers.count(str(replies.STORED)) == 20
        assert set(answers[20:]) == {str(replies.RCPT_FIRST)}
        assert world.counts.values["recipients_refused"] == 10
        assert len(world.store.facts) == 20


async def test_failed_store_gives_the_share_back() -> None:
    async with serving(limits=Limits(token_messages_a_day=1)) as world:

        def fail() -> None:
            raise OSError

        world.store.before = fail
        peer = await world.call()
        assert await peer.deliver(minted().return_path) == str(replies.INTERNAL)
        world.store.before = None
        assert await peer.deliver(minted().return_path) == str(replies.STORED)


async def test_hops() -> None:
    async with serving() as world:
        peer = await world.call()
        lines = b"".join(b"Received: from a by b; %d\r\n" % number for number in range(101))
        assert await peer.deliver(minted().return_path, lines + b"\r\nhi") == str(replies.LOOP)
        assert await peer.deliver(minted().return_path, lines[lines.index(b"\n") + 1 :] + b"\r\nhi") == str(
            replies.STORED
        )


# -- S32


async def test_shutdown_finishes_what_was_begun() -> None:
    async with serving() as world:
        idle, busy = await world.call(), await world.call()
        await busy.ready(minted().return_path)
        world.store.before = lambda: asyncio.sleep(0.2)
        busy.send(b"Subject: x\r\n\r\nhi\r\n.\r\n")
        await asyncio.sleep(0.02)
        await world.server.stop()
        assert await idle.rest() == [str(replies.SHUTDOWN)]
        assert await busy.rest() == [str(replies.STORED), str(replies.SHUTDOWN)]
        assert len(world.store.facts) == 1


# -- S3, S30


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    require("openssl")
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "mx.example.jp")
    return folder / "cert.pem", folder / "key.pem"


def make_certificate(folder: Path, name: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-subj", f"/CN={name}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def talk_tls(certificate: tuple[Path, Path], tail: int) -> None:
    async with serving(certificate=certificate) as world:
        peer = await world.call()
        assert "250-STARTTLS" in await peer.say("EHLO x")
        await peer.say("MAIL FROM:<>")
        injected = b"RCPT TO:<postmaster>\r\n" * 200
        peer.send(b"STARTTLS\r\n" + injected[:tail])
        assert await peer.line() == "220 2.0.0 Ready to start TLS"
        if tail:
            await asyncio.sleep(0.01)
        transport = await asyncio.wait_for(
            asyncio.get_running_loop().start_tls(
                peer.writer.transport, peer.writer.transport.get_protocol(), client_context()
            ),
            10,
        )
        assert transport is not None
        peer.writer._transport = transport  # type: ignore[attr-defined]
        assert transport.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        assert await peer.say("RCPT TO:<postmaster>") == str(replies.HELLO_FIRST)
        assert "STARTTLS" not in await peer.say("EHLO x")
        assert await peer.say("STARTTLS") == str(replies.TLS_TWICE)
        assert await peer.deliver(minted().return_path) == str(replies.STORED)
        assert await peer.say("QUIT") == str(replies.BYE)
        assert len(world.store.facts) == 1
        assert world.counts.values["tls_sessions"] == 1


@pytest.mark.system("openssl")
@pytest.mark.parametrize("tail", [0, 1, 22, 512, 4_096])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_starttls(certificate: tuple[Path, Path], tail: int, factory: object) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:  # type: ignore[arg-type]
        runner.run(talk_tls(certificate, tail))


@pytest.mark.system("openssl")
async def test_failed_handshake_and_reload(certificate: tuple[Path, Path]) -> None:
    async with serving(certificate=certificate) as world:
        peer = await world.call()
        await peer.say("EHLO x")
        await peer.say("STARTTLS")
        peer.send(b"this is no handshake\r\n" * 10)
        await asyncio.wait_for(peer.reader.read(), 5)
        assert world.counts.values["tls_failures"] == 1
        old = world.server.tls_context
        world.server.reload_tls()
        assert world.server.tls_context is not old
        assert world.server.tls_context is not None
        assert world.server.tls_context.num_tickets == 0


async def test_a_large_message_holds_nobody_up() -> None:
    content = b"Subject: x\r\n\r\n" + b"\r\n" * 4_000_000
    async with serving(limits=Limits(reading_s=10)) as world:
        peer, probe = await world.call(), await world.call()
        await peer.ready(minted().return_path)
        peer.send(content + b"\r\n.\r\n")
        answer = asyncio.create_task(peer.line())
        slowest = 0.0
        while not answer.done():
            started = time.monotonic()
            await asyncio.sleep(0.005)
            slowest = max(slowest, time.monotonic() - started)
        assert answer.result() == str(replies.STORED)
        assert await probe.say("NOOP") == str(replies.NOOP_OK)
        # 50 ms on a machine of our own (S11); client and server share this loop, and others this machine.
        assert slowest < 1.0


# -- seams


def test_no_command_of_aiosmtpd_is_left() -> None:
    """Each smtp_ method of the class below is replaced: its replies echo what clients send (S10)."""
    theirs = {name.removeprefix("smtp_").encode() for name in dir(SMTP) if name.startswith("smtp_")}
    assert theirs == set(_COMMANDS)
    assert all(method.__module__ == "mta.session" for method in _COMMANDS.values())


async def test_a_busy_session_ends_too() -> None:
    ticker = Ticker()
    async with serving(ticker=ticker) as world:
        peer = await world.call()
        assert await peer.deliver(minted().return_path) == str(replies.STORED)
        ticker.now += 1_201
        assert await peer.say("MAIL FROM:<>") == str(replies.SESSION_OVER)


async def test_mail_to_people() -> None:
    async with serving() as world:
        peer = await world.call()
        assert await peer.deliver(f"postmaster@{DOMAIN}", b"X-Kind: not_bounce\r\n\r\nhello") == str(replies.STORED)
        assert [fact.type for fact in world.store.all] == [FactType.UNMATCHED]


def test_log_values_are_harmless() -> None:
    """S31: control octets escaped, short, ASCII."""
    for value in ("a\r\nb", b"\x00\x1b[31m\xff", "\udcff", "日本", "x" * 10_000, "\u2028", "\\n"):
        text = escaped(value)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 256


async def test_unknown_recipients_cost_little() -> None:
    """S18: decided by address and keys, at least 5,000 a second, and the store is never asked."""
    generator = seeded()
    async with serving() as world:
        letters = "abcdefghijklmnopqrstuvwxyz234567"
        addresses = [f"b+{''.join(generator.choices(letters, k=48))}@{DOMAIN}" for _ in range(5_000)]
        started = time.process_time()
        assert not any(world.server.find_destination(address) for address in addresses)
        assert time.process_time() - started < 1.0
        assert world.store.calls == 0


# -- what the envelope tells the classifier


@pytest.mark.parametrize(("sender", "fact"), [("", FactType.FAILED), ("kuro@example.org", FactType.UNMATCHED)])
async def test_the_null_path_of_the_envelope_tells_a_machine(sender: str, fact: FactType) -> None:
    """RFC 5321 4.5.5: words under a subject that tells nothing are a bounce on the null path, and a person's else."""
    classifier = Classifier(load_rules(Path(__file__).parents[2] / "config" / "rules"))
    mail = minted()
    content = (
        b"From: Kuro <kuro@example.org>\r\nSubject: Your mail\r\n\r\n"
        b"We could not deliver your mail.\r\n\r\ncat@example.net: 550 5.1.1 no such user here"
    )
    async with serving(reader=classifier) as world:
        peer = await world.call()
        assert (await peer.deliver(mail.return_path, content, sender)).startswith("250 ")
        await peer.close()
        facts = world.store.all
    assert [found.type for found in facts] == [fact]
