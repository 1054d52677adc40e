"""Every reply the server can give, as constants (reliability S9, S10).

A reply never carries anything a client sent, nor an exception's text: nothing can be injected or leaked.
Greeting, EHLO, HELO and 354 have no enhanced code (RFC 2034 4); all others have one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: three digits (RFC 5321 4.2), enhanced code (RFC 3463) or none, text in ASCII.

    ``closes`` says that the connection ends after it.
    """

    code: int
    enhanced: str | None
    text: str
    closes: bool = False
    #: the octets sent, made once
    wire: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the octets."""
        words = (str(self.code), self.enhanced, self.text)
        object.__setattr__(self, "wire", " ".join(word for word in words if word).encode("ascii") + b"\r\n")

    @property
    def is_error(self) -> bool:
        """Whether it counts against the client's errors: permanent refusals only."""
        return self.code >= 500

    def __str__(self) -> str:
        """Return the line without its end."""
        return self.wire.decode("ascii").rstrip()


# Success.
MAIL_OK = Reply(250, "2.1.0", "Return path taken")
RCPT_OK = Reply(250, "2.1.5", "Recipient taken")
STORED = Reply(250, "2.0.0", "Stored")
RESET = Reply(250, "2.0.0", "Reset")
NOOP_OK = Reply(250, "2.0.0", "OK")
HELP = Reply(214, "2.0.0", "This host only takes back bounces and reports")
VRFY_NEUTRAL = Reply(252, "2.1.5", "Try RCPT")
BYE = Reply(221, "2.0.0", "Bye", closes=True)
TLS_READY = Reply(220, "2.0.0", "Ready to start TLS")
GO_AHEAD = Reply(354, None, "End data with <CR><LF>.<CR><LF>")

# Ours to answer for: always 4xx, so that the sending server keeps the mail (RFC 5321 4.2.1, T30).
INTERNAL = Reply(451, "4.3.0", "Trouble here, try again later")
LATE = Reply(451, "4.4.5", "Storage is slow, try again later")
TOKEN_BUSY = Reply(451, "4.7.1", "Too many messages for this address today")
DISK_LOW = Reply(452, "4.3.1", "Disk space is low, try again later")
MEMORY_LOW = Reply(452, "4.3.1", "Too much mail at once, try again later")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
TLS_UNAVAILABLE = Reply(454, "4.7.0", "TLS is not available")
OVERLOAD = Reply(421, "4.3.2", "Too many connections, try again later", closes=True)
SHUTDOWN = Reply(421, "4.3.2", "Closing down, try again later", closes=True)
TIMEOUT = Reply(421, "4.4.2", "Waited too long", closes=True)
SESSION_OVER = Reply(421, "4.7.0", "This session has lasted long enough", closes=True)
TOO_MUCH_JUNK = Reply(421, "4.7.0", "Too many commands without a message", closes=True)
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors", closes=True)

# The client's to answer for.
BAD_LINE = Reply(500, "5.5.2", "Not a command line")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Unknown command")
BAD_ARGUMENT = Reply(501, "5.5.4", "Malformed argument")
BAD_REVERSE_PATH = Reply(501, "5.1.7", "Malformed return path")
BAD_FORWARD_PATH = Reply(501, "5.1.3", "Malformed recipient")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Not implemented")
NOT_HTTP = Reply(502, "5.7.0", "This is a mail server", closes=True)
HELLO_FIRST = Reply(503, "5.5.1", "Send HELO or EHLO first")
MAIL_FIRST = Reply(503, "5.5.1", "Send MAIL first")
RCPT_FIRST = Reply(503, "5.5.1", "Send RCPT first")
MAIL_TWICE = Reply(503, "5.5.1", "A return path was given already")
TLS_TWICE = Reply(503, "5.5.1", "TLS is in use already")
BARE_NEWLINE = Reply(521, "5.5.2", "Bare CR, LF or NUL in the message", closes=True)
UNKNOWN_RECIPIENT = Reply(550, "5.1.1", "No such recipient here")
TOO_LARGE = Reply(552, "5.3.4", "Message too large")
FAR_TOO_LARGE = Reply(552, "5.3.4", "Message too large", closes=True)
EARLY_TALKER = Reply(554, "5.5.0", "You spoke out of turn", closes=True)
LOOP = Reply(554, "5.4.6", "Too many hops, this mail goes round in circles")

#: Every constant above by its name, for the tests and the documentation.
ALL: dict[str, Reply] = {name: value for name, value in list(globals().items()) if isinstance(value, Reply)}


def greeting(hostname: str) -> Reply:
    """Return the banner (RFC 5321 4.2): the host's name, and no word of what software it is (S10)."""
    return Reply(220, None, f"{hostname} ESMTP")


def helo_answer(hostname: str) -> Reply:
    """Return the reply to HELO."""
    return Reply(250, None, hostname)


def ehlo_answer(hostname: str, message_bytes: int, *, offers_tls: bool) -> bytes:
    """Return the reply to EHLO: SIZE (RFC 1870), PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531).

    No CHUNKING, no AUTH, no VRFY: what is not offered cannot be abused (S8). STARTTLS (RFC 3207) only
    while the connection has none.
    """
    words = [hostname, f"SIZE {message_bytes}", "PIPELINING", "8BITMIME", "SMTPUTF8"]
    if offers_tls:
        words.append("STARTTLS")
    return _several(250, [*words, "ENHANCEDSTATUSCODES"])


def _several(code: int, lines: Iterable[str]) -> bytes:
    *first, last = lines
    return "".join(f"{code}-{line}\r\n" for line in first).encode("ascii") + f"{code} {last}\r\n".encode("ascii")
