"""A process that does nothing but deliver to one URL: ``python -m tests.console.outgoing.consumer DATA URL SECRET``.

Ends only by being killed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from ipaddress import ip_network
from pathlib import Path

from console.outgoing.dispatcher import Dispatcher
from console.outgoing.documents import StoreDocuments
from console.outgoing.outgoing import Outgoing
from model.fact import UniqueClock
from store.environment import Environment
from store.feed import Feed
from store.reader import Reader
from store.suppression_desk import SuppressionDesk
from store.writer import Writer


async def main(data: str) -> None:
    env = Environment(Path(data), map_size=256 * 2**20)
    writer = Writer(env)
    writer.start()
    clock, feed, reader = UniqueClock(7), Feed(env), Reader(env)

    def stamp() -> int:
        return clock.stamp(time.time_ns() // 1_000)

    outgoing = Outgoing(
        feed=feed, reader=reader, desk=SuppressionDesk(env), documents=StoreDocuments(reader, writer, stamp),
        stamp=stamp, opted_in=[ip_network("127.0.0.0/8")],
    )  # fmt: skip
    await outgoing.start()
    dispatcher: Dispatcher = outgoing.dispatcher
    await dispatcher.is_loaded.wait()
    print("delivering", flush=True)
    await asyncio.sleep(3_600)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
