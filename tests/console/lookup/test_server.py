"""The lookup listener over real sockets: many questions a connection, limits, and trouble that only defers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from console.lookup.ask import ask_suppressions
from console.lookup.server import LookupLimits, LookupServer
from console.lookup.socketmap import netstring
from model.address import Address
from model.fact import DeliveryKey, Fact
from model.keyring import KeyRing
from store.environment import Environment
from store.reader import Reader
from store.writer import write_now
from tests.console.lookup.test_protocols import ask
from tests.store.world import T0_US, failed, planned

NOT_FOUND = b"500 not%20found\n"


@asynccontextmanager
async def serving(question=ask, **limits: float) -> AsyncIterator[tuple[int, list[str]]]:  # type: ignore[no-untyped-def]
    observed: list[str] = []
    server = LookupServer(question, limits=LookupLimits(**limits), observe=observed.append)  # type: ignore[arg-type]
    port = await server.start("127.0.0.1", 0)
    try:
        yield port, observed
    finally:
        await server.stop()


async def talk(port: int, sent: bytes, *, wait_s: float = 5.0) -> bytes:
    """Send, close our side, return all that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    got = await asyncio.wait_for(reader.read(), wait_s)
    writer.close()
    return got


async def test_many_questions_on_one_connection_in_both_protocols() -> None:
    async with serving() as (port, observed):
        got = await talk(port, b"get alive@example.jp\nget dead@example.jp\r\nget example.jp\n")
        assert got.split(b"\n")[0] + b"\n" == NOT_FOUND
        assert got.startswith(NOT_FOUND + b"200 550%205.7.1") and got.endswith(NOT_FOUND)
        got = await talk(port, netstring(b"suppressed alive@example.jp") + netstring(b"suppressed dead@example.jp"))
        assert got.startswith(b"9:NOTFOUND ,62:OK 550 5.7.1 Blacklist: Bounce")
        assert observed == ["passed", "suppressed", "passed", "passed", "suppressed"]


async def test_octet_by_octet() -> None:
    async with serving() as (port, _):
        for sent, wanted in (
            (b"get alive@example.jp\n", NOT_FOUND),
            (netstring(b"suppressed a@b.jp"), b"9:NOTFOUND ,"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for place in range(len(sent)):
                writer.write(sent[place : place + 1])
                await writer.drain()
                await asyncio.sleep(0.001)
            assert await asyncio.wait_for(reader.readexactly(len(wanted)), 5) == wanted
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"get " + b"a" * 10_000 + b"\n",
        b"get " + b"a" * 100_000, b"9999999:x", b"100001:" + b"a" * 10, b"12x:", b"3:abcX",
        b"99:too short,",
    ],
)  # fmt: skip
async def test_what_is_too_long_or_no_netstring_ends_the_connection_unanswered(sent: bytes) -> None:
    """Postfix takes that for a temporary error."""
    async with serving(request_s=0.5) as (port, _):
        with suppress(ConnectionResetError):
            assert await talk(port, sent) == b""
        assert await talk(port, b"get alive@example.jp\n") == NOT_FOUND


async def test_who_says_nothing_or_half_is_let_go() -> None:
    async with serving(idle_s=0.2, request_s=0.2) as (port, _):
        for sent in (b"", b"get al", b"12:supp"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 3) == b""
            writer.close()


async def test_too_many_connections_are_closed_and_the_others_live_on() -> None:
    async with serving(connections=3) as (port, observed):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        assert observed == ["refused"]
        writer.close()
        for reader, writer in opened:
            writer.write(b"get alive@example.jp\n")
            assert await asyncio.wait_for(reader.readline(), 3) == NOT_FOUND
            writer.close()
        await asyncio.sleep(0.1)
        assert await talk(port, b"get alive@example.jp\n") == NOT_FOUND


async def test_stop_ends_open_connections_at_once() -> None:
    async with serving() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


@pytest.mark.row("S31")
async def test_the_suppression_list_of_the_store_answers(env: Environment, keys: KeyRing) -> None:
    def number(text: str) -> int:
        return keys.recipient_number(1, Address.parse(text).folded)

    dead = number("dead@example.jp")
    write_now(env, [planned(dead), failed(dead)])
    other = failed(number("other@example.jp"))
    key = DeliveryKey(2, other.key.broadcast, other.key.recipient)
    write_now(env, [Fact(other.type, key, other.at_us, other.detail)])
    now = [T0_US + 1]
    question = ask_suppressions(Reader(env), lambda: keys, 1, lambda: now[0])
    async with serving(question) as (port, _):
        wanted = b"200 550%205.7.1%20Blacklist:%20Bounce%20(worker:address%20in%20bounce%20list)\n"
        assert await talk(port, b"get dead@example.jp\n") == wanted
        assert await talk(port, b"get DEAD@Example.JP\n") == wanted  # one mailbox, whatever its spelling
        assert await talk(port, b"get other@example.jp\n") == NOT_FOUND  # another tenant's
        now[0] += 40 * 86_400_000_000  # the entry has run out
        assert await talk(port, b"get dead@example.jp\n") == NOT_FOUND
