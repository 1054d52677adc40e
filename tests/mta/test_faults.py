"""Whatever goes wrong on our side is 4xx, never 5xx, never silence (S9, T30); and says nothing of itself (S10)."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Callable

import pytest

from model.keyring import KeyRing
from mta import replies
from mta.data_reader import DataReader
from mta.limits import Limits
from mta.replies import Reply
from store import errors
from tests.mta.harness import KEYS, Peer, World, minted, serving

SECRET = "/var/lib/yamabiko/data.mdb"


def fails(error: BaseException) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        def before() -> None:
            raise error

        world.store.before = before

    return prepare


def misreads(error: BaseException) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        def act(raw: bytes) -> None:
            raise error

        world.reader.act = act

    return prepare


def stalls(world: World) -> None:
    world.store.before = lambda: asyncio.sleep(1)


def gives_up(world: World) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    world.store.before = cancelled


def no_disk(world: World) -> None:
    world.server._is_disk_low = lambda: True


def broken_disk_check(world: World) -> None:
    world.server._is_disk_low = lambda: bool(1 / 0)


def broken_keys(world: World) -> None:
    def keys() -> KeyRing:
        raise OSError(errno.EACCES, "Permission denied", SECRET)

    world.server._keys = keys


def keys_break_later(world: World) -> None:
    calls = 0

    def keys() -> KeyRing:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError(SECRET)
        return KEYS

    world.server._keys = keys


def broken_clock(world: World) -> None:
    world.server.now_us = lambda: int(1 / 0)  # type: ignore[method-assign]


def no_memory(world: World) -> None:
    world.server.budget.used = 10**12


FAULTS: dict[str, tuple[Callable[[World], None], Reply]] = {
    **{
        f"store-{error.__name__}": (fails(error(SECRET)), replies.INTERNAL)
        for error in (
            errors.StoreError,
            errors.StoreBusyError,
            errors.StoreFullError,
            errors.MapFullError,
            errors.StoreFailedError,
            errors.StoreClosedError,
            errors.FactRefusedError,
            errors.StoreCorruptError,
        )
    },
    **{
        f"disk-{errno.errorcode[number]}": (fails(OSError(number, "x", SECRET)), replies.INTERNAL)
        for number in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE)
    },
    "reply-injection": (fails(RuntimeError("x\r\n250 fake\r\n")), replies.INTERNAL),
    "out-of-memory": (fails(MemoryError()), replies.INTERNAL),
    "store-timeout": (fails(TimeoutError()), replies.INTERNAL),
    "store-key-error": (fails(KeyError("x")), replies.INTERNAL),
    "store-connection": (fails(BrokenPipeError(errno.EPIPE, "x", SECRET)), replies.INTERNAL),
    "store-cancelled": (gives_up, replies.INTERNAL),
    "store-stalls": (stalls, replies.LATE),
    "parser-value": (misreads(ValueError(SECRET)), replies.INTERNAL),
    "parser-recursion": (misreads(RecursionError()), replies.INTERNAL),
    "parser-unicode": (misreads(UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET)), replies.INTERNAL),
    "disk-low": (no_disk, replies.DISK_LOW),
    "disk-check-broken": (broken_disk_check, replies.INTERNAL),
    "keys-unreadable": (broken_keys, replies.INTERNAL),
    "keys-unreadable-later": (keys_break_later, replies.INTERNAL),
    "clock-broken": (broken_clock, replies.INTERNAL),
    "memory-low": (no_memory, replies.MEMORY_LOW),
}


async def first_trouble(peer: Peer) -> str:
    """Deliver a message; return the first reply that is not as it should be, or the last."""
    for line, wanted in (
        ("EHLO x", "250"),
        ("MAIL FROM:<>", "250"),
        (f"RCPT TO:<{minted().return_path}>", "250"),
        ("DATA", "354"),
        ("Subject: x\r\n\r\nhi\r\n.", "250"),
    ):
        reply = await peer.say(line)
        if not reply.startswith(wanted):
            break
    return reply


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 25


@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str) -> None:
    prepare, expected = FAULTS[name]
    async with serving(limits=Limits(answer_s=0.2)) as world:
        before = world.server.budget.used
        peer = await world.call()
        prepare(world)
        reply = await first_trouble(peer)
        assert reply == str(expected)
        assert not re.search(r"(?i)var|error|fake|permission|exception", reply)
        assert world.store.facts == {}
        # The session lives on, and the fault leaves nothing behind.
        world.server.budget.used = before
        assert await peer.say("RSET") == str(replies.RESET)
        assert await peer.say("QUIT") == str(replies.BYE)


async def test_without_a_fault_it_is_stored() -> None:
    """Control: the same dialogue, nothing broken."""
    async with serving() as world:
        assert await first_trouble(await world.call()) == str(replies.STORED)
        assert len(world.store.facts) == 1


async def test_a_mail_that_takes_too_long_to_read_is_kept_raw() -> None:
    import time
    import zlib

    from model.detail import Unmatched

    async with serving(limits=Limits(reading_s=0.1, inline_bytes=100)) as world:
        world.reader.act = lambda raw: time.sleep(0.3)
        content = b"Subject: bomb\r\n\r\n" + b"x" * 200
        assert await (await world.call()).deliver(minted().return_path, content) == str(replies.STORED)
        (fact,) = world.store.all
        assert isinstance(fact.detail, Unmatched)
        assert (fact.detail.kind, fact.detail.why) == ("unparsed", "unparsed")
        assert fact.detail.raw is not None
        assert zlib.decompress(fact.detail.raw) == content + b"\r\n"
        assert world.counts.values["messages_unparsed"] == 1


async def test_one_fault_does_not_touch_the_next_message() -> None:
    async with serving() as world:
        peer = await world.call()
        fails(OSError(errno.ENOSPC, "x"))(world)
        assert await peer.deliver(minted().return_path) == str(replies.INTERNAL)
        world.store.before = None
        assert await peer.deliver(minted().return_path) == str(replies.STORED)
        assert world.counts.values["internal_errors"] == 1


async def test_a_fault_within_the_message_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the message must not be taken for commands."""

    def feed(self: DataReader, chunk: bytes) -> bool:
        raise MemoryError

    monkeypatch.setattr("mta.data_reader.DataReader.feed", feed)
    async with serving() as world:
        peer = await world.call()
        await peer.ready(minted().return_path)
        peer.send(b"Subject: x\r\nRSET\r\nNOOP\r\n.\r\nNOOP\r\n")
        assert await peer.rest() == [str(replies.INTERNAL)]
        await peer.close()
        assert world.server.budget.used == 0


async def test_a_mail_whose_facts_are_refused_is_kept_unread() -> None:
    """No retry would help, so the sender is not told to try again for days."""

    async with serving() as world:

        def refuse_once() -> None:
            world.store.before = None
            raise errors.FactRefusedError("a fact nobody can store")

        world.store.before = refuse_once
        assert await (await world.call()).deliver(minted().return_path) == str(replies.STORED)
        (fact,) = world.store.all
        assert (fact.type.name, world.store.calls) == ("UNMATCHED", 2)
