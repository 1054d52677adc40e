"""The SMTP commands (RFC 5321 4.1.1) on top of a Connection: from MAIL to the answer to the dot.

aiosmtpd's names (mail_from, rcpt_tos) stop here; from here on it is reverse_path and forward_paths.
"""

# aiosmtpd's commands are coroutines; ours answer within the call, so that a line costs no task.
# mypy: disable-error-code="override"

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from mta import replies
from mta.arguments import ArgumentError, parse_forward_path, parse_reverse_path
from mta.connection import READ_AHEAD, Connection, Phase
from mta.data_reader import DataReader, has_bare_newline
from mta.envelope import Envelope
from mta.headers import count_hops
from mta.host import Storing
from mta.metrics import escaped
from mta.replies import Reply
from mta.return_path import Destination

log = logging.getLogger(__name__)

#: commands that bring no message nearer (S5)
_JUNK = frozenset((b"NOOP", b"RSET", b"HELP", b"VRFY", b"EXPN", b"HELO", b"EHLO", b"ETRN", b"AUTH"))
#: commands whose lines may be longer (RFC 3461 5.4, RFC 6531 3.4)
_WITH_PATH = frozenset((b"MAIL", b"RCPT"))
# S4: what a browser or a proxy sends first; a header line in case the first line was lost.
_HTTP_VERBS = frozenset((
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI", b"PROPFIND",
    b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"REPORT", b"MERGE", b"SUBSCRIBE",
    b"UNSUBSCRIBE", b"PURGE", b"LINK", b"UNLINK", b"BIND", b"ACL", b"NOTIFY", b"SOURCE", b"MKCALENDAR",
))  # fmt: skip
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
    #: whether the host counts on a message: from MAIL to the end of its content
    _is_expected = False
    #: None before MAIL; empty for the null reverse-path
    _reverse_path: str | None = None
    _destinations: tuple[Destination, ...] = ()
    #: the message being received, in phase DATA
    _content: DataReader | None = None
    _is_kept = True
    #: the message being stored, in phase COMMIT
    _storing: Storing | None = None

    def _set_post_data_state(self) -> None:
        self._expect_no_more()
        self._reverse_path = None
        self._destinations = ()
        self._content = None
        if self._storing is not None:
            self._storing.abandon()
            self._storing = None
        if self._borrowed:
            self.host.budget.give_back(self._borrowed)
            self._borrowed = 0

    def _expect_no_more(self) -> None:
        if self._is_expected:
            self._is_expected = False
            self.host.gathering.end_message()

    # -- one command line

    def _obey(self, line: bytes) -> None:
        verb, _, argument = line.rstrip(b"\r\n").partition(b" ")
        verb = verb.upper()
        command = _COMMANDS.get(verb)
        limits = self.host.limits
        if not line.endswith(b"\r\n"):
            self.host.metrics.count("bare_lf_commands")  # S2
        if b"\0" in line or len(line) > (limits.path_line_bytes if verb in _WITH_PATH else limits.command_line_bytes):
            self._refuse_line(replies.BAD_LINE if b"\0" in line else replies.LINE_TOO_LONG)
        elif command is None and (verb in _HTTP_VERBS or _HEADER_LINE.match(line)):
            self.host.metrics.count("http_clients")
            self._answer(replies.NOT_HTTP)
        elif verb in _JUNK and self._is_junk_used_up():
            self._answer(replies.TOO_MUCH_JUNK)
        elif command is None:
            self._answer(replies.UNKNOWN_COMMAND if verb else replies.BAD_LINE)
        else:
            command(self, argument.strip(b" \t").decode("utf-8", "surrogateescape"))

    def _refuse_line(self, reply: Reply) -> None:
        self.host.metrics.count("bad_lines")
        self._bad_lines += 1
        log.info("bad line", extra={"peer": self.peer, "bad_lines": self._bad_lines})
        self._answer(reply if self._bad_lines < self.host.limits.bad_lines else replies.TOO_MANY_ERRORS)

    def _is_junk_used_up(self) -> bool:
        self._junk += 1
        return self._junk > self.host.limits.junk_commands

    # -- hello and TLS

    def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.1."""
        self._hello(hostname, self.host.helo_answer.wire, is_extended=False)

    def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.1; the extensions are constants, not grown per call (M11)."""
        offers_tls = self.host.tls_context is not None and not self.is_tls
        self._hello(hostname, self.host.ehlo_answer_tls if offers_tls else self.host.ehlo_answer, is_extended=True)

    def _hello(self, hostname: str, answer: bytes, *, is_extended: bool) -> None:
        if not hostname:
            self._answer(replies.BAD_ARGUMENT)
            return
        self._set_post_data_state()
        self.helo = escaped(hostname, 255)
        self._is_extended = is_extended
        self._replies += answer

    def smtp_STARTTLS(self, argument: str) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 3207; afterwards the session knows nothing of what was said before (S3)."""
        if argument:
            self._answer(replies.BAD_ARGUMENT)
        elif self.is_tls:
            self._answer(replies.TLS_TWICE)
        elif self.host.tls_context is None:
            self._answer(replies.TLS_UNAVAILABLE)
        elif not self._is_extended:
            self._answer(replies.HELLO_FIRST)
        else:
            self._answer(replies.TLS_READY)
            self._set_post_data_state()
            self.helo, self._is_extended = "", False
            self._begin_tls(self.host.tls_context)

    # -- a message

    def smtp_MAIL(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.2, with any parameters (S7)."""
        if not self.helo:
            self._answer(replies.HELLO_FIRST)
        elif self._reverse_path is not None:
            self._answer(replies.MAIL_TWICE)
        elif self._messages >= self.host.limits.session_messages or self._is_over():
            self._answer(replies.SESSION_OVER)
        elif self.host.is_disk_low():
            self._answer(replies.DISK_LOW)
        else:
            try:
                parsed = parse_reverse_path(argument or "")
            except ArgumentError as error:
                self._answer(error.reply)
                return
            if parsed.size is not None and parsed.size > self.host.limits.message_bytes:
                self._answer(replies.TOO_LARGE)
                return
            self._reverse_path = parsed.path
            self._is_expected = True
            self.host.gathering.begin_message()
            self._answer(replies.MAIL_OK)

    def _is_over(self) -> bool:
        # Idle sessions are cut by the sweep; a busy one it may never meet between two commands.
        return self._since - self._begun > self.host.limits.session_s

    def smtp_RCPT(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.3; looks at the address and the keys, at no disk (S18)."""
        if self._reverse_path is None:
            self._answer(replies.MAIL_FIRST if self.helo else replies.HELLO_FIRST)
            return
        try:
            parsed = parse_forward_path(argument or "")
        except ArgumentError as error:
            self._answer(error.reply)
            return
        limits = self.host.limits
        most = limits.recipients if self._reverse_path else min(limits.recipients, limits.null_path_recipients)
        destination = self.host.find_destination(parsed.path)
        if destination is None:
            self.host.metrics.count("recipients_unknown")
            self._answer(replies.UNKNOWN_RECIPIENT)
        elif len(self._destinations) >= most:
            self.host.metrics.count("recipients_refused")
            self._answer(replies.TOO_MANY_RECIPIENTS)
        elif not self.host.has_share(destination):
            self.host.metrics.count("recipients_refused")
            self._answer(replies.TOKEN_BUSY)
        else:
            self._destinations += (destination,)
            self._answer(replies.RCPT_OK)

    def smtp_DATA(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.4; answered only after the message is durable (D1)."""
        if argument:
            self._answer(replies.BAD_ARGUMENT)
        elif self._reverse_path is None:
            self._answer(replies.MAIL_FIRST)
        elif not self._destinations:
            self._answer(replies.RCPT_FIRST)
        elif self._input:
            # RFC 2920 3.1: DATA ends a group; what follows before our 354 is an attack or a broken client.
            self.host.metrics.count("early_talkers")
            self._answer(replies.EARLY_TALKER)
        elif not self._borrow(READ_AHEAD):
            self._set_post_data_state()
            self._answer(replies.MEMORY_LOW)
        else:
            self._answer(replies.GO_AHEAD)
            self._content, self._is_kept, self._received = DataReader(self.host.limits.message_bytes), True, 0
            self._wait_in(Phase.DATA)

    def _borrow(self, amount: int) -> bool:
        """Take ``amount`` octets of the byte budget (S12); False when they are not there."""
        if not self.host.budget.take(amount):
            return False
        self._borrowed += amount
        return True

    def _take_content(self, data: bytes) -> None:
        reader = self._content
        assert reader is not None
        self._received += len(data)
        if reader.feed(data):
            self._input += reader.unused
            self._finish_message(reader)
        elif reader.is_overrun:
            self._finish_message(reader)
        elif self._is_kept and reader.stored > self._borrowed:
            self._is_kept = self._borrow(max(READ_AHEAD, reader.stored - self._borrowed))
            if not self._is_kept:
                reader.discard()

    def _finish_message(self, reader: DataReader) -> None:
        """Hand over the message, or answer the dot at once when it cannot be taken."""
        self._wait_in(Phase.COMMIT)
        self._expect_no_more()
        if reader.is_overrun:
            self._conclude(replies.FAR_TOO_LARGE)
        elif not self._is_kept:
            self._conclude(replies.MEMORY_LOW)
        elif reader.is_too_large:
            self._conclude(replies.TOO_LARGE)
        else:
            content = reader.content()
            is_bare = has_bare_newline(content)
            if is_bare:
                self.host.metrics.count("bare_newline_messages")
                # S1: what follows such a message may be smuggled in, so this is the session's last one.
                self._is_open, self._lingers = False, True
            if is_bare and self.host.limits.rejects_bare_newlines:
                self._conclude(replies.BARE_NEWLINE)
            elif count_hops(content) > self.host.limits.hops:
                self._conclude(replies.LOOP)
            else:
                self._store(content, is_bare=is_bare)

    def _store(self, content: bytes, *, is_bare: bool) -> None:
        envelope = Envelope(
            reverse_path=self._reverse_path or "",
            forward_paths=tuple([destination.address for destination in self._destinations]),
            content=content,
            peer=self.peer,
            helo=self.helo,
            received_at_us=self.host.now_us(),
            has_bare_newline=is_bare,
            is_tls=self.is_tls,
        )
        storing = self.host.accept(envelope, self._destinations, self._conclude)
        if self._phase is Phase.COMMIT:
            self._storing = storing

    def _answer_late(self) -> None:
        self.host.metrics.count("messages_late")
        log.error("store is slow", extra={"peer": self.peer, "waited_s": self.host.limits.answer_s})
        self._conclude(replies.LATE)

    def _conclude(self, reply: Reply) -> None:
        """Answer the dot and go on with what the client has sent meanwhile."""
        self._set_post_data_state()
        self._messages += 1
        if reply.code < 300:
            self._junk = self._errors = 0
            self.host.metrics.count("messages_stored")
        else:
            self.host.metrics.count("messages_refused" if reply.code >= 500 else "messages_deferred")
        self._answer(reply)
        self._wait_in(Phase.COMMAND)
        self._go_on()

    # -- the rest

    def smtp_RSET(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.5."""
        self._set_post_data_state()
        self._answer(replies.BAD_ARGUMENT if argument else replies.RESET)

    def smtp_NOOP(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.9."""
        self._answer(replies.NOOP_OK)

    def smtp_QUIT(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.10."""
        self._answer(replies.BAD_ARGUMENT if argument else replies.BYE)

    def smtp_HELP(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 4.1.1.8; the same for every argument."""
        self._answer(replies.HELP)

    def smtp_VRFY(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 3.5.3: neither confirms nor denies."""
        self._answer(replies.VRFY_NEUTRAL)

    def smtp_EXPN(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 5321 3.5.2: there are no lists."""
        self._answer(replies.NOT_IMPLEMENTED)

    def smtp_AUTH(self, argument: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 4954: there is nobody to authenticate (M12)."""
        self._answer(replies.NOT_IMPLEMENTED)


_COMMANDS: dict[bytes, Callable[[SmtpSession, str], None]] = {
    name.removeprefix("smtp_").encode("ascii"): getattr(SmtpSession, name)
    for name in dir(SmtpSession)
    if name.startswith("smtp_")
}
