"""The listener for both protocols: a connection that begins with a digit speaks netstrings, any other lines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from console.lookup import socketmap, tcp_table
from console.lookup.answer import Ask

_log = logging.getLogger("yamabiko.lookup")
_BACKLOG = 128
#: Digits of the longest length a netstring may announce.
_LENGTH_DIGITS = 6


@dataclass(frozen=True, slots=True)
class LookupLimits:
    """What clients may take. Times in seconds."""

    #: Postfix has one for each smtpd process
    connections: int = 500
    #: longer than Postfix keeps an smtpd process that has nothing to do (max_idle, 100 s)
    idle_s: float = 300.0
    #: once a request has begun, the rest of it, and our answer being taken
    request_s: float = 10.0


class LookupServer:
    """Answers on one address until stopped."""

    def __init__(
        self, ask: Ask, *, limits: LookupLimits | None = None, observe: Callable[[str], None] = lambda _: None
    ) -> None:
        """``observe`` hears ``suppressed``, ``passed``, ``trouble`` for each answer, ``refused`` for a connection."""
        self._ask = ask
        self._limits = limits or LookupLimits()
        self._observe = observe
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, for ``port`` 0 the one that was free. Raises OSError."""
        self._server = await asyncio.start_server(
            self._serve, host, port, backlog=_BACKLOG, limit=tcp_table.MAX_LINE, reuse_address=True
        )
        bound: socket.socket = self._server.sockets[0]
        return int(bound.getsockname()[1])

    async def stop(self) -> None:
        """Listen no more and end all connections; Postfix asks again, or answers 4xx."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) > self._limits.connections:
                self._observe("refused")
                _log.warning("too many lookup connections", extra={"limit": self._limits.connections})
                return  # Postfix takes a closed connection for a temporary error
            await self._talk(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.debug("lookup connection ended", extra={"problem": type(error).__name__})
        except asyncio.CancelledError:
            pass  # only stop() cancels
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._limits.idle_s):
                first = await reader.read(1)
            if not first:
                return
            async with asyncio.timeout(self._limits.request_s):
                if first.isdigit():
                    payload = await self._read_netstring(first, reader)
                    if payload is None:
                        return
                    said = socketmap.reply(payload, self._ask)
                    self._count(said[:2] == b"OK", said[:8] == b"NOTFOUND")
                    writer.write(socketmap.netstring(said))
                else:
                    line = first + await reader.readuntil(b"\n")
                    said = tcp_table.reply(line.rstrip(b"\r\n"), self._ask)
                    self._count(said[:3] == b"200", said[:3] == b"500")
                    writer.write(said + b"\n")
                await writer.drain()

    async def _read_netstring(self, first: bytes, reader: asyncio.StreamReader) -> bytes | None:
        """Return the payload; None when what comes is no netstring, or too long: nothing after it can be read."""
        digits = first
        while (one := await reader.readexactly(1)) != b":":
            digits += one
            if not one.isdigit() or len(digits) > _LENGTH_DIGITS:
                return None
        if int(digits) > socketmap.MAX_PAYLOAD:
            return None
        payload = await reader.readexactly(int(digits))
        return payload if await reader.readexactly(1) == b"," else None

    def _count(self, is_found: bool, is_not_found: bool) -> None:
        self._observe("suppressed" if is_found else "passed" if is_not_found else "trouble")
