"""One connection: takes lines from what comes, writes replies, keeps deadlines, goes over to TLS.

Built on aiosmtpd's protocol class; what it replaces there, and why, is said at each place (reliability M1-M14).
Everything but TLS happens within asyncio's calls: a whole line is answered where it is received, with no task and
no stream in between, which is what made a message slow (docs/performance.md). A message waits for the store in a
phase of its own, and what the client sends meanwhile waits with it.
Deadlines are no timers: the server asks every connection once a second (``check_deadline``), so that a command
costs no timer and the stress switch bears on all connections at once (S14).
"""

# aiosmtpd's ``handle_exception`` is a coroutine; ours answers within the call.
# mypy: disable-error-code="override"

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from enum import Enum
from typing import cast

from aiosmtpd.smtp import SMTP

from mta import replies
from mta.host import Host
from mta.peer import peer_of
from mta.replies import Reply

log = logging.getLogger(__name__)

#: octets of one connection that wait to be looked at, about; also the longest line looked at
READ_AHEAD = 64 * 1024
#: replies waiting to be read before writing pauses (S16)
WRITE_AHEAD = 64 * 1024
#: after a final 5xx: how long and how much to read on, so that a reset does not destroy the reply
_LINGER_S = 2.0
_LINGER_BYTES = 1024 * 1024
#: commands answered in a row before other connections get a turn
_TURN = 50
#: turns of the loop after which what came together with the connection has been seen (S6)
_GREETING_TURNS = 3


class Phase(Enum):
    """What a connection is waiting for."""

    #: for nothing but ourselves: to send the greeting
    WORK = "work"
    COMMAND = "command"
    TLS = "tls"
    DATA = "data"
    #: for the store (D16)
    COMMIT = "commit"
    #: for the client to go
    CLOSING = "closing"


class Connection(SMTP):
    """The part of a session that knows nothing of mail."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare one connection of ``host`` on ``loop``."""
        # aiosmtpd's own __init__ looks through all its methods and logs, 0.2 ms for each connection, and builds a
        # StreamReader that nobody would read. Its class-wide command_size_limits (M11) is never touched.
        self.loop = loop
        self.host = host
        #: IP address of the client; set before by whoever knows better than the socket
        self.peer = ""
        self.is_tls = False
        #: the going over to TLS, while that lasts
        self._handler_coroutine: asyncio.Task[None] | None = None
        #: None before and after
        self._wire: asyncio.Transport | None = None
        self._phase = Phase.WORK
        self._since = self._begun = host.monotonic()
        #: octets of the message being received
        self._received = 0
        self._stuck_since: float | None = None
        self._is_open = True
        self._is_eof = False
        self._is_paused = False
        #: whether lines wait for other connections to have their turn
        self._is_held = False
        self._lingers = False
        self._linger_left = _LINGER_BYTES
        self._errors = 0
        #: what came and was not looked at yet
        self._input = bytearray()
        #: what goes out next
        self._replies = b""

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the dialogue. Called once: TLS is started by ``loop.start_tls``, which does not call it again."""
        self._wire = cast(asyncio.Transport, transport)
        self.peer = self.peer or peer_of(transport)
        self._wire.set_write_buffer_limits(high=WRITE_AHEAD)
        if self.host.limits.greeting_s > 0:
            self.loop.call_later(self.host.limits.greeting_s, self._greet, _GREETING_TURNS)
        else:
            self._greet(_GREETING_TURNS)

    def data_received(self, data: bytes) -> None:
        """Take what came: lines are obeyed at once unless something is awaited."""
        self.host.make_way()
        phase = self._phase
        if phase is Phase.DATA:
            self._safely(self._take_content, data)
        elif phase is Phase.CLOSING:
            self._linger_left -= len(data)
            if self._linger_left <= 0 and self._wire is not None:
                self._wire.close()
        else:
            self._input += data
            if phase is Phase.COMMAND and not self._waits_itself():
                self._go_on()
            elif len(self._input) > READ_AHEAD and phase is not Phase.TLS:
                self._pause()

    def eof_received(self) -> bool:
        """Take the client's half-close: what it sent before is still answered (M9). TLS has no half-close."""
        self._is_eof = True
        if self._phase is Phase.COMMAND and not self._waits_itself():
            self._go_on()
        elif self._phase in (Phase.DATA, Phase.CLOSING):
            # Before the dot there is no message.
            self._close()
        return not self.is_tls

    def connection_lost(self, error: Exception | None) -> None:
        """End the dialogue. A message being stored goes on being stored: the host holds it (M9)."""
        if self._phase is not Phase.CLOSING:
            log.debug("connection lost", extra={"peer": self.peer, "phase": self._phase.value})
        self._is_open = False
        self._phase = Phase.CLOSING
        self._wire = None
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self._set_post_data_state()
        self.host.leave(self)

    def pause_writing(self) -> None:
        """Note since when replies pile up (S16)."""
        self._stuck_since = self.host.monotonic()

    def resume_writing(self) -> None:
        """Go on answering, since replies are read again."""
        self._stuck_since = None
        self._hold()

    # -- the dialogue

    def _greet(self, turns: int) -> None:
        """Send the banner after so many turns of the loop, unless the client spoke first (S6)."""
        if self._wire is None:
            return
        if turns:
            self.loop.call_soon(self._greet, turns - 1)
            return
        self._wait_in(Phase.COMMAND)
        if self._input:
            self.host.metrics.count("early_talkers")
            self._answer(replies.EARLY_TALKER)
        else:
            self._answer(self.host.greeting)
        self._go_on()

    def _go_on(self) -> None:
        """Obey every whole line that has come, then write the replies to them in one piece (RFC 2920 3.2)."""
        if self.host.is_draining and self._is_open:
            self._answer(replies.SHUTDOWN)
        now, left, taken = self.host.monotonic(), _TURN, self._input
        while taken and self._is_open and self._phase is Phase.COMMAND and self._stuck_since is None:
            end = taken.find(b"\n") + 1
            if end > READ_AHEAD or (not end and len(taken) >= READ_AHEAD):
                # A line of 64 KiB: whoever sends it is no mail server (S11).
                self.host.metrics.count("bad_lines")
                self._is_open, self._lingers = False, True
                self._answer(replies.LINE_TOO_LONG)
            elif not end:
                break
            elif not left:
                self._hold()
                break
            else:
                left -= 1
                line = bytes(taken[:end])
                del taken[:end]
                self._since = now
                self._safely(self._obey, line)
        if self._replies:
            self._flush()
        if not self._is_open:
            self._finish()
        elif self._is_eof:
            if self._phase is Phase.DATA or (self._phase is Phase.COMMAND and not self._waits_itself()):
                self._close()
        elif self._is_paused and len(taken) <= READ_AHEAD:
            self._unpause()

    def _waits_itself(self) -> bool:
        """Whether it is not the client that is waited for."""
        return self._is_held or self._stuck_since is not None

    def _hold(self) -> None:
        """Go on with the lines that wait at the next turn of the loop."""
        if not self._is_held:
            self._is_held = True
            self.loop.call_soon(self._let_go)

    def _let_go(self) -> None:
        self._is_held = False
        if self._phase is Phase.COMMAND:
            self._go_on()

    def _safely(self, step: Callable[[bytes], None], data: bytes) -> None:
        try:
            step(data)
        except Exception as error:  # noqa: BLE001 - the mail server's one boundary (style habit 11)
            self.handle_exception(error)

    def handle_exception(self, error: Exception) -> None:
        """Answer 451 to whatever went wrong, and say nothing of it to the client (M5, M6, S10)."""
        self.host.metrics.count("internal_errors")
        log.error("internal error", exc_info=error, extra={"peer": self.peer})
        is_within = self._phase is Phase.DATA
        self._set_post_data_state()
        self._answer(replies.INTERNAL)
        if is_within:
            # The rest of the message would be taken for commands (S1).
            self._is_open, self._lingers = False, True
        if self._phase is not Phase.COMMAND:
            self._wait_in(Phase.COMMAND)
            self._go_on()

    def _obey(self, line: bytes) -> None:
        """Answer one command line, or enter another phase. May raise anything."""
        raise NotImplementedError

    def _take_content(self, data: bytes) -> None:
        """Take a piece of a message, in phase DATA. May raise anything."""
        raise NotImplementedError

    def _answer_late(self) -> None:
        """Answer a message whose storing takes too long, in phase COMMIT."""
        raise NotImplementedError

    def _set_post_data_state(self) -> None:
        raise NotImplementedError

    # -- reading and writing

    def _pause(self) -> None:
        if not self._is_paused and self._wire is not None:
            self._is_paused = True
            self._wire.pause_reading()

    def _unpause(self) -> None:
        self._is_paused = False
        if self._wire is not None:
            self._wire.resume_reading()

    def _answer(self, reply: Reply) -> None:
        """Have ``reply`` go out with the others of this turn; a client that made too many errors gets 421 (S5)."""
        if reply.is_error and not reply.closes:
            if self._errors >= self.host.limits.errors:
                reply = replies.TOO_MANY_ERRORS
            self._errors += 1
        if reply.closes:
            self._lingers = reply.is_error
            self._is_open = False
        self._replies += reply.wire

    def _flush(self) -> None:
        """Write the replies that wait."""
        if self._replies:
            data, self._replies = self._replies, b""
            if self._wire is not None and not self._wire.is_closing():
                self._wire.write(data)

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        """Go over to TLS once the replies are out; then the dialogue goes on."""
        self._flush()
        self._wait_in(Phase.TLS)
        self._handler_coroutine = self.loop.create_task(self._go_over_to_tls(context))

    async def _go_over_to_tls(self, context: ssl.SSLContext) -> None:
        # Plaintext sent ahead of TLS is forgotten (S3, RFC 3207 4.2): from here until start_tls has taken over the
        # wire, nothing else runs.
        self._input.clear()
        if self._wire is None:
            return
        if self._is_paused:
            self._unpause()
        try:
            new = await self.loop.start_tls(
                self._wire, self, context, server_side=True, ssl_handshake_timeout=self.host.limits.tls_s
            )
        except (OSError, RuntimeError):  # the latter when the connection is gone already
            new = None
        if new is None:
            self.host.metrics.count("tls_failures")
            self._close()
            return
        self._wire = new
        self.is_tls = True
        self.host.metrics.count("tls_sessions")
        self._wait_in(Phase.COMMAND)
        self._go_on()

    # -- deadlines and the end

    def _wait_in(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.host.monotonic()

    def check_deadline(self, now: float) -> None:
        """Cut the connection if what it waits for takes too long. ``now``: ``host.monotonic()``."""
        limits, waited = self.host.limits, now - self._since
        if self._stuck_since is not None and now - self._stuck_since > limits.write_s:
            self.host.metrics.count("slow_readers")
            self.abort()
        elif self._phase is Phase.CLOSING:
            if waited > (_LINGER_S if self._lingers else limits.write_s):
                self.abort()
        elif self._phase is Phase.COMMIT:
            if waited > limits.answer_s:
                self._answer_late()
        elif waited > self._patience():
            self.host.metrics.count("timeouts")
            log.info("deadline", extra={"peer": self.peer, "phase": self._phase.value})
            self._cut(replies.TIMEOUT)
        elif self._phase is Phase.COMMAND and now - self._begun > limits.session_s:
            self._cut(replies.SESSION_OVER)

    def _patience(self) -> float:
        """Return how many seconds the present phase may last."""
        limits, is_stressed = self.host.limits, self.host.is_stressed
        if self._phase is Phase.DATA:
            allowed = min(limits.data_s, limits.stress_s) if is_stressed else limits.data_s
            return allowed + self._received / limits.data_rate
        if self._phase is Phase.TLS:
            return min(limits.tls_s, limits.stress_s) if is_stressed else limits.tls_s
        if self._phase is Phase.COMMAND and not self._waits_itself():
            return min(limits.command_s, limits.stress_s) if is_stressed else limits.command_s
        return float("inf")

    def drain(self) -> None:
        """Close now if idle; a connection in the middle of a message is told after it (S32)."""
        if self._phase is Phase.COMMAND:
            self._cut(replies.SHUTDOWN)

    def _cut(self, reply: Reply) -> None:
        if self._phase is Phase.TLS:
            self.abort()
            return
        if self._stuck_since is None:
            self._replies += reply.wire
            self._flush()
        self._close()

    def _close(self) -> None:
        """End the connection as soon as the client has read what was written."""
        self._is_open = False
        if self._phase is not Phase.CLOSING:
            self._wait_in(Phase.CLOSING)
        if self._wire is not None:
            self._wire.close()

    def _finish(self) -> None:
        """End the connection after a last reply."""
        wire = self._wire
        # After a refusal, or if more has come: read on for a little, as closing on unread octets destroys the reply.
        self._lingers = self._lingers or bool(self._input)
        if not self._lingers or self._is_eof or wire is None or wire.is_closing():
            self._close()
            return
        self._wait_in(Phase.CLOSING)
        self._input.clear()
        if self._is_paused:
            self._unpause()
        if not self.is_tls:
            wire.write_eof()

    def abort(self) -> None:
        """Cut the connection at once, without a word."""
        self._is_open = False
        if self._wire is not None:
            self._wire.abort()
