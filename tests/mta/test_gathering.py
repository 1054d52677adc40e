"""Mails that end together go to the store together, none waits for long, and one that is refused takes none along."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from model.fact import Fact
from mta import replies
from mta.limits import Limits
from store.errors import FactRefusedError
from tests.mta.harness import World, minted, serving

#: far longer than any of these dialogues takes
LONG_S = 20.0
#: how long a server waits at its end for a message that does not
DRAIN_S = 0.5
CONTENT = b"Subject: x\r\n\r\nhello\r\n.\r\n"


class Turns:
    """Notes in which turn of the loop each mail was handed to the store."""

    def __init__(self, world: World) -> None:
        self.made: list[int] = []
        self._now = 0
        self._submit = world.store.submit
        self.refused: Sequence[Fact] | None = None
        world.server._submit = self.submit

    def submit(self, facts: Sequence[Fact]) -> asyncio.Future[None]:
        if not self.made or self.made[-1] != self._now:
            self._now += 1
            asyncio.get_running_loop().call_soon(self._next)
        self.made.append(self._now)
        if len(self.made) == 2 and self.refused is not None:
            raise FactRefusedError("this one cannot be stored")
        return asyncio.ensure_future(self._submit(facts))

    def _next(self) -> None:
        self._now += 1


async def test_mails_under_way_are_handed_in_together() -> None:
    async with serving(limits=Limits(gather_s=LONG_S)) as world:
        turns = Turns(world)
        peers = [await world.call() for _ in range(5)]
        for number, peer in enumerate(peers):
            assert (await peer.ready(minted(f"r{number}@example.jp").return_path)).startswith("354")
        for peer in peers[:-1]:
            peer.send(CONTENT)
        await asyncio.sleep(0.2)
        assert turns.made == []
        peers[-1].send(CONTENT)
        assert [await peer.reply() for peer in peers] == [str(replies.STORED)] * 5
        assert len(set(turns.made)) == 1
        assert len(world.store.all) == 5


async def test_a_mail_alone_waits_for_nobody() -> None:
    async with serving(limits=Limits(gather_s=LONG_S)) as world:
        idle = await world.call()
        await idle.say("EHLO client.example")
        peer = await world.call()
        started = time.monotonic()
        for number in range(3):
            assert await peer.deliver(minted(f"r{number}@example.jp").return_path) == str(replies.STORED)
        assert time.monotonic() - started < LONG_S / 2


async def test_nobody_waits_long_for_a_message_that_does_not_end() -> None:
    async with serving(limits=Limits(gather_s=0.05, drain_s=DRAIN_S)) as world:
        slow = await world.call()
        await slow.ready(minted("slow@example.jp").return_path)
        peer = await world.call()
        assert await peer.deliver(minted().return_path) == str(replies.STORED)


async def test_messages_given_up_are_waited_for_no_more() -> None:
    """Whatever way a message ends, the next mail finds none under way."""
    async with serving(limits=Limits(gather_s=LONG_S, message_bytes=200, hops=1)) as world:
        path = minted("gone@example.jp").return_path
        for how in (b"RSET\r\n", b"EHLO x\r\n", b"QUIT\r\n", b"DATA\r\n" + b"x" * 300, b""):
            peer = await world.call()
            await peer.say("EHLO client.example")
            await peer.say("MAIL FROM:<>")
            await peer.say(f"RCPT TO:<{path}>")
            peer.send(how)
            await asyncio.sleep(0.01)
            if how[:4] not in (b"RSET", b"EHLO"):
                await peer.close()
        too_large, looping = await world.call(), await world.call()
        assert (await too_large.deliver(path, b"x" * 300)).startswith("552")
        assert (await looping.deliver(path, b"Received: x\r\n" * 3)).startswith("554")
        await asyncio.sleep(0.05)
        last, started = await world.call(), time.monotonic()
        assert await last.deliver(minted().return_path) == str(replies.STORED)
        assert time.monotonic() - started < LONG_S / 2


async def test_one_that_is_refused_takes_none_along() -> None:
    async with serving(limits=Limits(gather_s=LONG_S)) as world:
        turns = Turns(world)
        turns.refused = ()
        peers = [await world.call() for _ in range(3)]
        for number, peer in enumerate(peers):
            await peer.ready(minted(f"r{number}@example.jp").return_path)
        for peer in peers:
            peer.send(CONTENT)
            await asyncio.sleep(0.02)
        said = [await peer.reply() for peer in peers]
        assert said == [str(replies.STORED), str(replies.INTERNAL), str(replies.STORED)]
        assert len(world.store.all) == 2


async def test_a_mail_that_waits_is_stored_though_its_client_is_gone() -> None:
    async with serving(limits=Limits(gather_s=0.1, drain_s=DRAIN_S)) as world:
        slow = await world.call()
        await slow.ready(minted("slow@example.jp").return_path)
        peer = await world.call()
        await peer.ready(minted().return_path)
        peer.send(CONTENT)
        await asyncio.sleep(0.02)
        peer.writer.transport.abort()
        await asyncio.sleep(0.3)
        assert len(world.store.all) == 1
