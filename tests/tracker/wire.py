"""Octets of requests, and what a server makes of them, to be compared."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

from tests.tracker.edge import BROWSER

#: Ends a conversation: the server answers it and closes.
LAST = b"GET /healthz HTTP/1.1\r\nHost: t.example.jp\r\nConnection: close\r\n\r\n"


def get(path: str, *lines: str, host: str = "t.example.jp") -> bytes:
    """A GET as a browser sends it; ``lines`` are further headers."""
    head = (f"GET {path} HTTP/1.1", f"Host: {host}", f"User-Agent: {BROWSER}", "Accept: */*", *lines, "", "")
    return "\r\n".join(head).encode("latin-1")


class Answered(NamedTuple):
    """One answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Ear(asyncio.Protocol):
    """Keeps what a server sends, also when the connection ends in a reset."""

    def __init__(self) -> None:
        self.heard = b""
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.begun.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.begun.set()
        self.ended.set()


async def converse(
    port: int, pieces: Sequence[bytes], *, pause_s: float = 0.0, waits: bool = False, limit_s: float = 20.0
) -> bytes:
    """Send ``pieces`` one after the other, and return what comes until the server closes, its dates taken out.

    ``waits``: go on after the first piece only when an answer to it has begun to come.
    """
    transport, ear = await asyncio.get_running_loop().create_connection(_Ear, "127.0.0.1", port)
    try:
        for piece in pieces:
            if ear.ended.is_set():
                break
            transport.write(piece)
            if waits:
                await asyncio.wait_for(ear.begun.wait(), limit_s)
            await asyncio.sleep(pause_s)
        await asyncio.wait_for(ear.ended.wait(), limit_s)
    finally:
        transport.abort()
    return re.sub(rb"\r\nDate: [^\r\n]* GMT", b"", ear.heard)


def split_answers(raw: bytes) -> list[Answered]:
    """Cut what a server sent into its answers."""
    answers: list[Answered] = []
    while raw:
        head, end, rest = raw.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/\d\.\d (\d{3})", head)
        assert status and end, raw
        lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        assert len(headers) == len(lines), head
        length = int(headers.get("content-length", "0"))
        answers.append(Answered(int(status.group(1)), headers, rest[:length]))
        raw = rest[length:]
    return answers
