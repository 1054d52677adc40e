"""One mail as it was handed over: who to, from where, and its octets (RFC 5321 2.3.1)."""

from __future__ import annotations

from typing import NamedTuple


class Envelope(NamedTuple):
    """Reverse-path, forward-paths and content of one SMTP transaction.

    ``reverse_path`` is empty for the null reverse-path. Octets of a path that are no UTF-8 are kept as
    surrogates. ``content`` has CRLF line ends and no transparency dots.
    """

    reverse_path: str
    forward_paths: tuple[str, ...]
    content: bytes
    #: IP address of the client
    peer: str
    #: what it called itself
    helo: str
    #: microseconds since 1970-01-01 UTC, unique in this process
    received_at_us: int
    #: a bare CR, a bare LF or a NUL is in the content: never proof of anything (S1)
    has_bare_newline: bool = False
    is_tls: bool = False

    @property
    def is_null(self) -> bool:
        """Whether the reverse-path is null, as every bounce's is (RFC 5321 4.5.5)."""
        return not self.reverse_path

    @property
    def delivered(self) -> bytes:
        """The content as final delivery leaves it, below a Return-Path (RFC 5321 4.4): a null one tells a machine."""
        return b"Return-Path: <%s>\r\n%s" % (self.reverse_path.encode("utf-8", "surrogateescape"), self.content)
