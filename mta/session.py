"""The SMTP commands (RFC 5321 4.1.1) on top of a Connection: from MAIL to the answer to the dot.

aiosmtpd's names (mail_from, rcpt_tos) stop here; from here on it is reverse_path and forward_paths.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable

from mta import replies
from mta.arguments import ArgumentError, parse_forward_path, parse_reverse_path
from mta.connection import READ_AHEAD, Connection, Phase
from mta.data_reader import DataReader, has_bare_newline
from mta.envelope import Envelope
from mta.headers import count_hops
from mta.metrics import escaped
from mta.replies import Reply
from mta.return_path import Destination

log = logging.getLogger(__name__)

#: commands that bring no message nearer (S5)
_JUNK = frozenset({"NOOP", "RSET", "HELP", "VRFY", "EXPN", "HELO", "EHLO", "ETRN", "AUTH"})
#: commands whose lines may be longer (RFC 3461 5.4, RFC 6531 3.4)
_WITH_PATH = frozenset({"MAIL", "RCPT"})
# S4: what a browser or a proxy sends first; a header line in case the first line was lost.
_HTTP_VERBS = frozenset({
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "PROPFIND", "PROPPATCH",
    "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "MERGE", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE",
    "LINK", "UNLINK", "BIND", "ACL", "NOTIFY", "SOURCE", "MKCALENDAR",
})  # fmt: skip
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9\-]*:")


class SmtpSession(Connection):
    """One SMTP session."""

    helo: str = ""
    _is_extended = False
    _messages = 0
    _junk = 0
    _bad_lines = 0
    #: octets of the byte budget that this session holds
    _borrowed = 0
    #: None before MAIL; empty for the null reverse-path
    _reverse_path: str | None = None
    _destinations: tuple[Destination, ...] = ()

    def _set_post_data_state(self) -> None:
        self._reverse_path = None
        self._destinations = ()

    # -- one command line

    async def _obey(self, line: bytes) -> None:
        verb, argument, is_bare = _take_apart(line)
        limits = self.host.limits
        if is_bare:
            self.host.metrics.count("bare_lf_commands")
        if b"\0" in line or len(line) > (limits.path_line_bytes if verb in _WITH_PATH else limits.command_line_bytes):
            await self._refuse_line(replies.BAD_LINE if b"\0" in line else replies.LINE_TOO_LONG)
        elif verb in _HTTP_VERBS or _HEADER_LINE.match(line):
            self.host.metrics.count("http_clients")
            await self._answer(replies.NOT_HTTP)
        elif verb in _JUNK and self._is_junk_used_up():
            await self._answer(replies.TOO_MUCH_JUNK)
        else:
            command = _COMMANDS.get(verb)
            if command is None:
                await self._answer(replies.UNKNOWN_COMMAND if verb else replies.BAD_LINE)
            else:
                await command(self, argument)

    async def _refuse_line(self, reply: Reply) -> None:
        self.host.metrics.count("bad_lines")
        self._bad_lines += 1
        log.info("bad line", extra={"peer": self.peer, "bad_lines": self._bad_lines})
        await self._answer(reply if self._bad_lines < self.host.limits.bad_lines else replies.TOO_MANY_ERRORS)

    def _is_junk_used_up(self) -> bool:
        self._junk += 1
        return self._junk > self.host.limits.junk_commands

    # -- hello and TLS

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.1."""
        await self._hello(hostname, self.host.helo_answer.wire, is_extended=False)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.1; the extensions are constants, not grown per call (M11)."""
        offers_tls = self.host.tls_context is not None and not self.is_tls
        await self._hello(
            hostname, self.host.ehlo_answer_tls if offers_tls else self.host.ehlo_answer, is_extended=True
        )

    async def _hello(self, hostname: str, answer: bytes, *, is_extended: bool) -> None:
        if not hostname:
            await self._answer(replies.BAD_ARGUMENT)
            return
        self._set_post_data_state()
        self.helo = escaped(hostname, 255)
        self._is_extended = is_extended
        await self._send(answer)

    async def smtp_STARTTLS(self, argument: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 3207; afterwards the session knows nothing of what was said before (S3)."""
        if argument:
            await self._answer(replies.BAD_ARGUMENT)
        elif self.is_tls:
            await self._answer(replies.TLS_TWICE)
        elif self.host.tls_context is None:
            await self._answer(replies.TLS_UNAVAILABLE)
        elif not self._is_extended:
            await self._answer(replies.HELLO_FIRST)
        else:
            await self._answer(replies.TLS_READY)
            self._set_post_data_state()
            self.helo, self._is_extended = "", False
            await self._start_tls(self.host.tls_context)

    # -- a message

    async def smtp_MAIL(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.2, with any parameters (S7)."""
        if not self.helo:
            await self._answer(replies.HELLO_FIRST)
        elif self._reverse_path is not None:
            await self._answer(replies.MAIL_TWICE)
        elif self._messages >= self.host.limits.session_messages or self._is_over():
            await self._answer(replies.SESSION_OVER)
        elif self.host.is_disk_low():
            await self._answer(replies.DISK_LOW)
        else:
            try:
                parsed = parse_reverse_path(argument or "")
            except ArgumentError as error:
                await self._answer(error.reply)
                return
            if parsed.size is not None and parsed.size > self.host.limits.message_bytes:
                await self._answer(replies.TOO_LARGE)
                return
            self._reverse_path = parsed.path
            await self._answer(replies.MAIL_OK)

    def _is_over(self) -> bool:
        # Idle sessions are cut by the sweep; a busy one it may never meet between two commands.
        return self._since - self._begun > self.host.limits.session_s

    async def smtp_RCPT(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.3; looks at the address and the keys, at no disk (S18)."""
        if self._reverse_path is None:
            await self._answer(replies.MAIL_FIRST if self.helo else replies.HELLO_FIRST)
            return
        try:
            parsed = parse_forward_path(argument or "")
        except ArgumentError as error:
            await self._answer(error.reply)
            return
        limits = self.host.limits
        most = limits.recipients if self._reverse_path else min(limits.recipients, limits.null_path_recipients)
        destination = self.host.find_destination(parsed.path)
        if destination is None:
            self.host.metrics.count("recipients_unknown")
            await self._answer(replies.UNKNOWN_RECIPIENT)
        elif len(self._destinations) >= most:
            self.host.metrics.count("recipients_refused")
            await self._answer(replies.TOO_MANY_RECIPIENTS)
        elif not self.host.has_share(destination):
            self.host.metrics.count("recipients_refused")
            await self._answer(replies.TOKEN_BUSY)
        else:
            self._destinations += (destination,)
            await self._answer(replies.RCPT_OK)

    async def smtp_DATA(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.4; answered only after the message is durable (D1)."""
        if argument:
            await self._answer(replies.BAD_ARGUMENT)
        elif self._reverse_path is None:
            await self._answer(replies.MAIL_FIRST)
        elif not self._destinations:
            await self._answer(replies.RCPT_FIRST)
        elif self._has_input():
            # RFC 2920 3.1: DATA ends a group; what follows before our 354 is an attack or a broken client.
            self.host.metrics.count("early_talkers")
            await self._answer(replies.EARLY_TALKER)
        elif not self._borrow(READ_AHEAD):
            self._set_post_data_state()
            await self._answer(replies.MEMORY_LOW)
        else:
            try:
                await self._answer(replies.GO_AHEAD)
                reader = DataReader(self.host.limits.message_bytes)
                is_kept = await self._receive(reader)
                reply = await self._judge(reader, is_kept=is_kept)
            finally:
                self.host.budget.give_back(self._borrowed)
                self._borrowed = 0
            await self._conclude(reply)

    def _borrow(self, amount: int) -> bool:
        """Take ``amount`` octets of the byte budget (S12); False when they are not there."""
        if not self.host.budget.take(amount):
            return False
        self._borrowed += amount
        return True

    async def _receive(self, reader: DataReader) -> bool:
        """Read a message to its end; False when there was no memory to keep it.

        Raises ClientGone when the client goes before the dot: then there was no message.
        """
        await self._flush()
        self._received = 0
        self._wait_in(Phase.DATA)
        is_kept = True
        while True:
            chunk = await self._read_some()
            self._received += len(chunk)
            if reader.feed(chunk):
                self._unread(reader.unused)
                break
            if reader.is_overrun:
                break
            if is_kept and reader.stored > self._borrowed:
                is_kept = self._borrow(max(READ_AHEAD, reader.stored - self._borrowed))
                if not is_kept:
                    reader.discard()
        self._wait_in(Phase.COMMIT)
        return is_kept

    async def _judge(self, reader: DataReader, *, is_kept: bool) -> Reply:
        """Return the answer to the dot."""
        if reader.is_overrun:
            return replies.FAR_TOO_LARGE
        if not is_kept:
            return replies.MEMORY_LOW
        if reader.is_too_large:
            return replies.TOO_LARGE
        content = reader.content()
        is_bare = has_bare_newline(content)
        if is_bare:
            self.host.metrics.count("bare_newline_messages")
            # S1: what follows such a message may be smuggled in, so this is the session's last one.
            self._is_open, self._lingers = False, True
            if self.host.limits.rejects_bare_newlines:
                return replies.BARE_NEWLINE
        if count_hops(content) > self.host.limits.hops:
            return replies.LOOP
        envelope = Envelope(
            reverse_path=self._reverse_path or "",
            forward_paths=tuple(destination.address for destination in self._destinations),
            content=content,
            peer=self.peer,
            helo=self.helo,
            received_at_us=self.host.now_us(),
            has_bare_newline=is_bare,
            is_tls=self.is_tls,
        )
        return await self.host.accept(envelope, self._destinations)

    async def _conclude(self, reply: Reply) -> None:
        self._wait_in(Phase.WORK)
        self._set_post_data_state()
        self._messages += 1
        if reply.code < 300:
            self._junk = self._errors = 0
            self.host.metrics.count("messages_stored")
        else:
            self.host.metrics.count("messages_refused" if reply.code >= 500 else "messages_deferred")
        await self._answer(reply)

    # -- the rest

    async def smtp_RSET(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.5."""
        self._set_post_data_state()
        await self._answer(replies.BAD_ARGUMENT if argument else replies.RESET)

    async def smtp_NOOP(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.9."""
        await self._answer(replies.NOOP_OK)

    async def smtp_QUIT(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.10."""
        await self._answer(replies.BAD_ARGUMENT if argument else replies.BYE)

    async def smtp_HELP(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.8; the same for every argument."""
        await self._answer(replies.HELP)

    async def smtp_VRFY(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 3.5.3: neither confirms nor denies."""
        await self._answer(replies.VRFY_NEUTRAL)

    async def smtp_EXPN(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 3.5.2: there are no lists."""
        await self._answer(replies.NOT_IMPLEMENTED)

    async def smtp_AUTH(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 4954: there is nobody to authenticate (M12)."""
        await self._answer(replies.NOT_IMPLEMENTED)


_COMMANDS: dict[str, Callable[[SmtpSession, str], Awaitable[None]]] = {
    name.removeprefix("smtp_"): getattr(SmtpSession, name) for name in dir(SmtpSession) if name.startswith("smtp_")
}


def _take_apart(line: bytes) -> tuple[str, str, bool]:
    """Return verb in upper case, argument, and whether the line ended in a bare LF (S2)."""
    is_bare = not line.endswith(b"\r\n")
    verb, _, argument = line.rstrip(b"\r\n").partition(b" ")
    text = verb.decode("ascii", "replace").upper()
    return text, argument.strip(b" \t").decode("utf-8", "surrogateescape"), is_bare
