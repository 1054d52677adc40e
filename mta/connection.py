"""One connection: reads lines, writes replies, keeps deadlines, goes over to TLS.

Built on aiosmtpd's protocol class; what it replaces there, and why, is said at each place (reliability M1-M14).
Deadlines are no timers: the server asks every connection once a second (``check_deadline``), so that a command
costs no timer and the stress switch bears on all connections at once (S14).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from enum import Enum
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from mta import replies
from mta.host import Host
from mta.metrics import escaped
from mta.replies import Reply

log = logging.getLogger(__name__)

#: octets read ahead for one connection at most, twice over; also the longest line looked at
READ_AHEAD = 64 * 1024
#: replies waiting to be read before writing pauses (S16)
WRITE_AHEAD = 64 * 1024
#: after a final 5xx: how long and how much to read on, so that a reset does not destroy the reply
_LINGER_S = 2.0
_LINGER_BYTES = 1024 * 1024
#: commands answered in a row before other connections get a turn
_TURN = 50


class ClientGone(Exception):  # noqa: N818 - no error of ours or theirs
    """The client closed or lost the connection. Kept apart from ConnectionError, which the store may raise too."""


class Phase(Enum):
    """What a connection is waiting for."""

    #: for nothing but ourselves
    WORK = "work"
    COMMAND = "command"
    TLS = "tls"
    DATA = "data"
    #: for the store; only the answer's own deadline counts (D16)
    COMMIT = "commit"
    #: for the client to go
    CLOSING = "closing"


class Connection(SMTP):
    """The part of a session that knows nothing of mail."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare one connection of ``host`` on ``loop``."""
        # aiosmtpd's own __init__ looks through all its methods and logs, 0.2 ms for each connection; what we
        # use of it needs only this. Its class-wide command_size_limits (M11) is never touched.
        asyncio.StreamReaderProtocol.__init__(
            self, asyncio.StreamReader(limit=READ_AHEAD, loop=loop), self._cb_client_connected, loop=loop
        )
        self.loop = loop
        self.host = host
        self.transport: asyncio.BaseTransport | None = None
        self.peer = ""
        self.is_tls = False
        self._handler_coroutine: asyncio.Task[None] | None = None
        self._phase = Phase.WORK
        self._since = self._begun = host.monotonic()
        self._received = 0
        self._stuck_since: float | None = None
        self._is_open = True
        self._lingers = False
        self._errors = 0
        self._turn = 0
        self._replies = b""

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the dialogue. Called once: TLS is started by ``loop.start_tls``, which does not call it again."""
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self.transport = transport
        self.peer = peer_of(transport)
        cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=WRITE_AHEAD)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def connection_lost(self, error: Exception | None) -> None:
        """End the dialogue. A message being stored goes on being stored: the host holds that task (M9)."""
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._is_open = False
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self.transport = None
        self.host.leave(self)

    def eof_received(self) -> bool | None:
        """Take the client's half-close: what it sent before is still answered (M9)."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def pause_writing(self) -> None:
        """Note since when replies pile up (S16)."""
        asyncio.StreamReaderProtocol.pause_writing(self)
        self._stuck_since = self.host.monotonic()

    def resume_writing(self) -> None:
        """Note that replies are read again."""
        asyncio.StreamReaderProtocol.resume_writing(self)
        self._stuck_since = None

    # -- the dialogue

    async def _handle_client(self) -> None:
        try:
            await self._converse()
            await self._flush()
            if self._lingers:
                await self._linger()
        except ClientGone:
            log.debug("connection lost", extra={"peer": self.peer})
        finally:
            if self.transport is not None:
                self._close()
                self.transport.close()

    async def _converse(self) -> None:
        if not await self._greet():
            return
        while self._is_open:
            if self.host.is_draining:
                await self._answer(replies.SHUTDOWN)
                return
            if self._replies and not self._has_line():
                await self._flush()
            self._wait_in(Phase.COMMAND)
            line = await self._read_line()
            if line is None:
                # A line of 64 KiB: whoever sends it is no mail server (S11).
                self.host.metrics.count("bad_lines")
                self._lingers = True
                await self._answer(replies.LINE_TOO_LONG)
                return
            self._wait_in(Phase.WORK)
            self._turn += 1
            if self._turn % _TURN == 0:
                await asyncio.sleep(0)
            await self._obey_safely(line)

    async def _greet(self) -> bool:
        """Send the banner, unless the client spoke first (S6)."""
        # Two turns of the loop are enough to see what came together with the connection.
        await asyncio.sleep(self.host.limits.greeting_s)
        await asyncio.sleep(0)
        if self._has_input():
            self.host.metrics.count("early_talkers")
            await self._answer(replies.EARLY_TALKER)
            return False
        await self._answer(self.host.greeting)
        return True

    async def _obey_safely(self, line: bytes) -> None:
        try:
            await self._obey(line)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the mail server's one boundary (style habit 11)
            await self.push(await self.handle_exception(error))

    async def handle_exception(self, error: Exception) -> str:
        """Answer 451 to whatever went wrong, and say nothing of it to the client (M5, M6, S10)."""
        self.host.metrics.count("internal_errors")
        log.error("internal error", exc_info=error, extra={"peer": self.peer})
        self._set_post_data_state()
        if self._phase is Phase.DATA:
            # The rest of the message would be taken for commands (S1).
            self._is_open, self._lingers = False, True
        return str(replies.INTERNAL)

    async def _obey(self, line: bytes) -> None:
        raise NotImplementedError

    def _set_post_data_state(self) -> None:
        raise NotImplementedError

    # -- writing

    async def push(self, status: str | bytes) -> None:
        """Write a reply line given without its end; wait while the client does not read."""
        data = status.encode("ascii") if isinstance(status, str) else status
        await self._send(data + b"\r\n")

    async def _answer(self, reply: Reply) -> None:
        """Send ``reply``; a client that made too many errors gets 421 instead (S5)."""
        if reply.is_error and not reply.closes:
            if self._errors >= self.host.limits.errors:
                reply = replies.TOO_MANY_ERRORS
            self._errors += 1
        if reply.closes:
            self._lingers = reply.is_error
            self._is_open = False
        await self._send(reply.wire)

    async def _send(self, data: bytes) -> None:
        # RFC 2920 3.2: replies to pipelined commands go out together, once no whole command is left unread.
        self._replies += data
        if not self._has_input() or len(self._replies) > WRITE_AHEAD:
            await self._flush()

    async def _flush(self) -> None:
        """Write the replies that wait; wait while the client does not read."""
        data, self._replies = self._replies, b""
        if not data or self.transport is None or self.transport.is_closing():
            return
        self._writer.write(data)
        if self._stuck_since is not None:
            try:
                await self._writer.drain()
            except OSError as error:
                raise ClientGone from error

    # -- reading

    async def _read_line(self) -> bytes | None:
        """Return the next command line with its end, or None when it does not end within READ_AHEAD octets."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            return None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ClientGone from error

    async def _read_some(self) -> bytes:
        """Return what has come, at least one octet."""
        try:
            chunk = await self._reader.read(READ_AHEAD)
        except OSError as error:
            raise ClientGone from error
        if not chunk:
            raise ClientGone
        return chunk

    def _has_input(self) -> bool:
        """Whether octets have come that nobody has read yet."""
        return bool(cast(Any, self._reader)._buffer)

    def _has_line(self) -> bool:
        return b"\n" in cast(Any, self._reader)._buffer

    def _unread(self, data: bytes) -> None:
        """Put ``data`` back to be read next."""
        # StreamReader has no such method; aiosmtpd reaches for the same buffer (its STARTTLS).
        cast(Any, self._reader)._buffer[:0] = data

    def _drop_input(self) -> None:
        """Forget what came and was not read: plaintext sent ahead of TLS (S3, RFC 3207 4.2)."""
        reader = cast(Any, self._reader)
        reader._buffer.clear()
        reader._maybe_resume_transport()

    async def _start_tls(self, context: ssl.SSLContext) -> bool:
        """Go over to TLS; False when the handshake failed and the connection is lost."""
        self._drop_input()
        await self._flush()
        self._drop_input()
        self._wait_in(Phase.TLS)
        old = cast(asyncio.WriteTransport, self.transport)
        try:
            new = await self.loop.start_tls(
                old, self, context, server_side=True, ssl_handshake_timeout=self.host.limits.tls_s
            )
        except (OSError, RuntimeError):  # the latter when the connection is gone already
            new = None
        if new is None:
            self.host.metrics.count("tls_failures")
            self._is_open = False
            return False
        self.transport = new
        for part in (self._reader, self._writer, self):
            cast(Any, part)._transport = new
        # Tells StreamReaderProtocol.eof_received that TLS has no half-close.
        self._over_ssl = self.is_tls = True
        self.host.metrics.count("tls_sessions")
        return True

    # -- deadlines and the end

    def _wait_in(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.host.monotonic()

    def check_deadline(self, now: float) -> None:
        """Cut the connection if what it waits for takes too long. ``now``: ``host.monotonic()``."""
        limits, waited = self.host.limits, now - self._since
        if self._stuck_since is not None and now - self._stuck_since > limits.write_s:
            self.host.metrics.count("slow_readers")
            self._abort()
        elif self._phase is Phase.CLOSING:
            if waited > (_LINGER_S if self._lingers else limits.write_s):
                self._abort()
        elif waited > self._patience():
            self.host.metrics.count("timeouts")
            log.info("deadline", extra={"peer": self.peer, "phase": self._phase.value})
            self._cut(replies.TIMEOUT)
        elif self._phase is Phase.COMMAND and now - self._begun > limits.session_s:
            self._cut(replies.SESSION_OVER)

    def _patience(self) -> float:
        """Return how many seconds the present phase may last."""
        limits, is_stressed = self.host.limits, self.host.is_stressed
        match self._phase:
            case Phase.COMMAND:
                return min(limits.command_s, limits.stress_s) if is_stressed else limits.command_s
            case Phase.TLS:
                return min(limits.tls_s, limits.stress_s) if is_stressed else limits.tls_s
            case Phase.DATA:
                allowed = min(limits.data_s, limits.stress_s) if is_stressed else limits.data_s
                return allowed + self._received / limits.data_rate
            case _:
                return float("inf")

    def drain(self) -> None:
        """Close now if idle; a connection in the middle of a message is told after it (S32)."""
        if self._phase is Phase.COMMAND:
            self._cut(replies.SHUTDOWN)

    def _cut(self, reply: Reply) -> None:
        if self.transport is None:
            return
        if self._phase is Phase.TLS:
            self._abort()
            return
        if self._stuck_since is None and not self.transport.is_closing():
            self._writer.write(self._replies + reply.wire)
            self._replies = b""
        self._close()
        self.transport.close()

    def _close(self) -> None:
        self._is_open = False
        if self._phase is not Phase.CLOSING:
            self._wait_in(Phase.CLOSING)

    def _abort(self) -> None:
        self._is_open = False
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()

    def abort(self) -> None:
        """Cut the connection at once, without a word."""
        self._abort()

    async def _linger(self) -> None:
        """Read on for a little after a final refusal, since closing on unread octets resets the connection."""
        if self.transport is None or self.transport.is_closing():
            return
        self._close()
        if not self.is_tls:
            cast(asyncio.WriteTransport, self.transport).write_eof()
        left = _LINGER_BYTES
        while left > 0:
            left -= len(await self._read_some())


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Return the client's IP address as text; empty when it is not known."""
    name = transport.get_extra_info("peername")
    return escaped(str(name[0]), 64) if name else ""
