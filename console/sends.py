"""POST /v1/sends: the sender lists recipients, we say what to put into each mail, or why not to send it.

Read and answered in batches: a batch's answers are written only after its facts are durable, while the next
one is being read. A row's facts are identified by the request and the row's number, so a request sent twice
lists nobody twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from console import send_answers
from console.answer_stream import AnswerStream
from console.problem import ProblemError, bad_request, store_busy, too_large
from console.route import NDJSON, Call
from console.send_batch import Taken, take_batch
from console.send_rows import Request
from store.errors import StoreError
from store.fold import Receipt

#: Batches whose commit is under way while the next one is read.
_MAX_UNDER_WAY = 4
#: Octets read from the connection at a time.
_CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch whose commit is awaited."""

    durable: asyncio.Future[Receipt]
    taken: Taken


async def post_sends(call: Call) -> web.StreamResponse:
    """Take the rows of the body, answer each."""
    request = Request(call, _idempotency_key(call))
    stream = AnswerStream(call.request, NDJSON, call.services.limits.stream_idle_s)
    under_way: deque[_UnderWay] = deque()
    refused = b""
    try:
        try:
            async for lines in read_batches(call):
                under_way.append(_take_batch(request, lines))
                if len(under_way) >= _MAX_UNDER_WAY:
                    await _answer_batch(call, stream, under_way.popleft())
                await asyncio.sleep(0)  # others are served between two batches
        except ProblemError as error:
            if not (stream.is_begun or under_way):
                raise
            # Rows before it are listed and durable: they are answered, the rest is told why not.
            refused = send_answers.refused(request.rows, error.detail)
        while under_way:
            await _answer_batch(call, stream, under_way.popleft())
        if refused:
            await stream.write(refused)
        return await stream.finish(and_close=bool(refused))
    finally:
        stream.close()


async def _answer_batch(call: Call, stream: AnswerStream, batch: _UnderWay) -> None:
    """Write a batch's answers once it is durable; if it cannot be, say so of each row, or of the whole request."""
    try:
        answers = batch.taken.answered(call, await batch.durable)
    except StoreError as error:
        if not stream.is_begun:
            raise store_busy() from error
        text = "The store did not take this row; send the request again with the same Idempotency-Key."
        answers = b"".join([send_answers.refused(row, text) for row in batch.taken.rows])
    await stream.write(answers)


def _idempotency_key(call: Call) -> bytes:
    text = call.request.headers.get("Idempotency-Key", "")
    if not text.isascii() or not text.isprintable() or len(text) > 128:
        raise bad_request("Idempotency-Key: at most 128 printable ASCII characters.")
    return text.encode("ascii")


async def read_batches(call: Call) -> AsyncIterator[list[bytes]]:
    """Yield the body's lines, so many at a time as one commit takes.

    Raises ProblemError when the body, or a line of it, is too large, or nothing comes any more.
    """
    limits, content = call.services.limits, call.request.content
    rest, total, lines = b"", 0, []
    while True:
        try:
            async with asyncio.timeout(limits.stream_idle_s):
                chunk = await content.read(_CHUNK)
        except TimeoutError:
            raise ProblemError(408, "timeout", "No more rows came; send the request again.") from None
        total += len(chunk)
        if total > limits.sends_bytes:
            raise too_large(limits.sends_bytes)
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop() if chunk else b""
        if len(rest) > limits.row_bytes:
            raise ProblemError(413, "too-large", f"A row may have at most {limits.row_bytes:,} octets.")
        # A blank line is no row. Left out here, as a body of nothing else is a row's work for each octet.
        lines += [line for line in pieces if line and not line.isspace()]
        whole = len(lines) - len(lines) % limits.batch_rows
        for start in range(0, whole, limits.batch_rows):
            yield lines[start : start + limits.batch_rows]
        lines = lines[whole:]
        if not chunk:
            if lines:
                yield lines
            return


def _take_batch(request: Request, lines: list[bytes]) -> _UnderWay:
    """Submit the facts of some rows."""
    taken = take_batch(request, lines)
    return _UnderWay(request.call.services.writer.submit(taken.facts), taken)
