"""Write answers while rows still come, also to a client that reads nothing before it has sent everything.

Such a client and a server that waits for it would wait for each other for ever. So when a client does not read for
a moment, answers go to a temporary file, and from there to the client once its own sending is over.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO

from aiohttp import web

#: How long a write may wait before the client is taken to read later.
_PATIENCE_S = 1.0
_MAX_SPOOLED = 16 * 1024**3
_IN_MEMORY = 1024**2
_CHUNK = 262_144


class AnswerStream:
    """The answer to one request, begun with its first octets."""

    def __init__(self, request: web.Request, media_type: str, idle_s: float) -> None:
        """``idle_s``: a client that takes nothing for so long, after it sent everything, is cut."""
        self._request = request
        self._response = web.StreamResponse(headers={"Content-Type": media_type})
        self._idle_s = idle_s
        self._spool: IO[bytes] | None = None

    @property
    def is_begun(self) -> bool:
        """Whether the status is on its way, so that an error can only be told in the body."""
        return self._response.prepared

    async def write(self, answers: bytes) -> None:
        """Send ``answers`` now, or keep them for later. Raises ConnectionResetError when the client is gone."""
        if not self._response.prepared:
            await self._response.prepare(self._request)
        if self._spool is not None:
            self._keep(self._spool, answers)
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._response.write(answers)
        except TimeoutError:
            # They are in the connection's buffer; only what follows is kept aside.
            self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="yamabiko-answers-")  # noqa: SIM115

    async def finish(self, *, and_close: bool = False) -> web.StreamResponse:
        """Send what was kept and end the answer; ``and_close`` ends the connection with it."""
        if not self._response.prepared:
            await self._response.prepare(self._request)
        if and_close:
            self._response.force_close()
        try:
            if self._spool is not None:
                self._spool.seek(0)
                while chunk := self._spool.read(_CHUNK):
                    async with asyncio.timeout(self._idle_s):
                        await self._response.write(chunk)
            async with asyncio.timeout(self._idle_s):
                await self._response.write_eof()
        except TimeoutError:
            raise ConnectionResetError("the client does not read its answers") from None
        return self._response

    def close(self) -> None:
        """Let go of what was kept."""
        if self._spool is not None:
            self._spool.close()

    def _keep(self, spool: IO[bytes], answers: bytes) -> None:
        if spool.tell() + len(answers) > _MAX_SPOOLED:
            raise ConnectionResetError("the client does not read its answers")
        spool.write(answers)
