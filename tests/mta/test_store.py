"""The mail server with the real store and the real classifier: 250 means durable, whatever happens to the client."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.fact import Fact
from mta import replies
from mta.limits import Limits
from store.environment import Environment
from store.reader import Reader
from store.writer import Writer, next_seq
from tests.mta.harness import IS_TORTURE, MINT, Peer, minted, seeded, serving
from tests.mta.mails import complaint, delivery_report, plain, vacation

RULES = Path(__file__).parents[2] / "config" / "rules"


async def test_mails_of_every_kind_are_stored_once(env: Environment) -> None:
    writer = Writer(env)
    writer.start()
    mail = minted()
    dialogue = [
        (mail.return_path, delivery_report()),
        (mail.return_path, delivery_report()),
        (mail.return_path, delivery_report(message_id="<2@x>", action="delayed", status="4.2.2")),
        (mail.return_path, vacation()),
        (MINT.feedback_address(1), complaint(original=f"X-Yamabiko-Token: {mail.message_token}")),
        (mail.unsubscribe_address, plain("unsubscribe")),
        ("postmaster", plain("hello")),
    ]
    async with serving(reader=Classifier(load_rules(RULES))) as world:
        world.server._submit = writer.submit
        peer = await world.call()
        first = next_seq(env)
        for address, content in dialogue:
            before = next_seq(env)
            assert await peer.deliver(address, content) == str(replies.STORED)
            # The fact is there when 250 is read, not a little later.
            assert next_seq(env) == before + 1 or content == dialogue[0][1]
        assert next_seq(env) - first == len(dialogue) - 1
    writer.stop()


async def test_cut_connections_and_retries_lose_and_double_nothing(env: Environment) -> None:
    """D15, M9: the client is cut before the commit, after it, or within 250, and sends the mail again."""
    writer, generator = Writer(env), seeded()
    writer.start()
    count = 1_000 if IS_TORTURE else 60
    async with serving(reader=Classifier(load_rules(RULES)), limits=Limits(answer_s=5)) as world:

        async def submit(facts: Sequence[Fact]) -> None:
            await asyncio.sleep(generator.choice([0, 0.002]))
            await writer.submit(facts)
            await asyncio.sleep(generator.choice([0, 0.002]))

        world.server._submit = submit
        for number in range(count):
            address = f"r{number}@example.jp"
            content = delivery_report(address, message_id=f"<{number}@x>")
            peer = await world.call()
            await peer.ready(minted(address).return_path)
            peer.send(content + b"\r\n.\r\n")
            await asyncio.sleep(generator.choice([0, 0.001, 0.003, 0.006]))
            peer.writer.transport.abort()
            again = await world.call()
            assert await again.deliver(minted(address).return_path, content) == str(replies.STORED)
            await again.close()
        await asyncio.sleep(0.05)
        keys = [minted(f"r{number}@example.jp").key for number in range(count)]
        assert [len(Reader(env).timeline(key)) for key in keys] == [1] * count
    writer.stop()


async def test_a_stopped_store_is_451(env: Environment) -> None:
    writer = Writer(env)
    writer.start()
    writer.stop()
    async with serving(reader=Classifier(load_rules(RULES))) as world:
        world.server._submit = writer.submit
        peer: Peer = await world.call()
        assert await peer.deliver(minted().return_path, delivery_report()) == str(replies.INTERNAL)
