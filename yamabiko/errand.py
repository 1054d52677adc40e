"""A process that the console sends to do one thing: one order on its standard input, then lines of news on its output.

Both ends of that, for yamabiko.exporter and yamabiko.scrubber. The process ends when the console does: news that nobody
reads any more stop it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, TypeVar

import msgspec

_Order = TypeVar("_Order")

# The console's end


@asynccontextmanager
async def sent(module: str) -> AsyncIterator[Process]:
    """Start ``python -m module``; after the block it has ended, by itself or because it was killed. Raises OSError."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, limit=1 << 20)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def news_of(process: Process, order: object) -> AsyncIterator[bytes]:
    """Give the order, and yield each line of news as it comes."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended before it was told anything; its exit code says how
    async for line in process.stdout:
        yield line


def end_in_words(code: int) -> str:
    """Return how a process ended that did not say so itself."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"


# The process's own end


def take_order(kind: type[_Order], niceness: int) -> _Order | None:
    """Wait for the order, at a lower priority; None when there is none to come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    line = sys.stdin.buffer.readline()
    return msgspec.json.decode(line, type=kind) if line else None


def tell(news: IO[bytes], said: object) -> None:
    """Write one line of news. Raises BrokenPipeError when nobody reads them any more."""
    news.write(msgspec.json.encode(said) + b"\n")
    news.flush()
