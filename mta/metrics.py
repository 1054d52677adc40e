"""What the mail server counts, and how its log values are made safe."""

from __future__ import annotations

from typing import Protocol

#: Every counter's name and what it counts; docs/smtp.md lists them.
COUNTERS: dict[str, str] = {
    "connections": "connections taken",
    "connections_refused": "connections answered 421 4.3.2 at accept",
    "proxies_refused": "connections to the proxies' port from elsewhere, or without a PROXY header",
    "early_talkers": "clients that spoke before the greeting or before 354",
    "http_clients": "clients that spoke HTTP",
    "bad_lines": "command lines with a NUL, too long, or no command",
    "bare_lf_commands": "command lines that ended in a bare LF",
    "recipients_unknown": "RCPT answered 550 5.1.1",
    "recipients_refused": "RCPT answered 4xx: too many, or the token's daily share is used up",
    "messages_stored": "messages answered 250",
    "messages_refused": "messages answered 5xx after the dot",
    "messages_deferred": "messages answered 4xx after the dot",
    "messages_late": "messages answered 451 4.4.5 whose facts may still be stored",
    "messages_unparsed": "messages whose reading took too long; kept raw",
    "bare_newline_messages": "messages with a bare CR, LF or NUL",
    "facts": "facts handed to the store",
    "facts_unmatched": "those of them that proved nothing",
    "tls_sessions": "sessions that went over to TLS",
    "tls_failures": "TLS handshakes that failed",
    "timeouts": "sessions cut by a deadline",
    "slow_readers": "sessions cut because they did not read replies",
    "internal_errors": "exceptions answered 451 4.3.0",
    "stress_on": "times the stress switch went on",
}


class Metrics(Protocol):
    """Receives counts. Must be fast and must not raise."""

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to the counter ``name``, a key of COUNTERS."""


class Counts:
    """The simplest Metrics: a dictionary."""

    def __init__(self) -> None:
        """Start all counters at zero."""
        self.values: dict[str, int] = dict.fromkeys(COUNTERS, 0)

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to the counter ``name``. Raises KeyError for a name that is not in COUNTERS."""
        self.values[name] += amount


def escaped(value: str | bytes, size: int = 256) -> str:
    """Return ``value`` for a log record: printable ASCII, control octets escaped, at most ``size`` long (S31)."""
    text = value[:size] if isinstance(value, str) else value[:size].decode("ascii", "surrogateescape")
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")[:size]
