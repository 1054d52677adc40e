"""The octets after DATA: finds the end, in chunks of any size (RFC 5321 4.1.1.4, 4.5.2). Pure.

Only CRLF.CRLF ends a message (S1): no bare LF, no bare CR, no NUL stands for a line end anywhere. One buffer and
searches at C speed: a line that never ends or eight million empty lines cost no more than other octets (M1-M4).
"""

from __future__ import annotations

_END = b"\r\n.\r\n"
#: octets of the end mark that may still lie at the end of what was read
_TAIL = len(_END) - 1
_DOT = ord(".")


class DataReader:
    """Reads one message. Feed it until ``feed`` returns True or ``is_overrun`` is set.

    Past ``limit`` octets nothing more is kept (``is_too_large``); past twice the limit it gives up
    (``is_overrun``): the client goes on sending for ever (S11).
    """

    def __init__(self, limit: int) -> None:
        """``limit``: octets to keep at most, transparency dots included."""
        self._limit = limit
        # The line end of the DATA command counts as the one before the first line (RFC 5321 4.1.1.4).
        self._buffer = bytearray(b"\r\n")
        self._dropped = 0
        self._whole: bytes | None = None
        self._end: int | None = None
        self.is_too_large = False
        self.is_overrun = False
        #: what came after the end mark
        self.unused = b""

    @property
    def stored(self) -> int:
        """Octets held in memory."""
        return len(self._buffer)

    @property
    def received(self) -> int:
        """Octets seen so far."""
        return self._dropped + len(self._buffer) - 2

    def discard(self) -> None:
        """Stop keeping the message, as when it is too large; its end is still looked for."""
        self.is_too_large = True
        self._trim()

    def feed(self, chunk: bytes | bytearray) -> bool:
        """Take ``chunk``; True once the end was in it. What follows the end is then in ``unused``."""
        if len(self._buffer) == 2 and chunk.endswith(_END) and self._is_ordinary(chunk):
            self._whole = bytes(chunk[:-3])
            return True
        start = max(0, len(self._buffer) - _TAIL)
        self._buffer += chunk
        at = self._buffer.find(_END, start)
        if at >= 0:
            self.unused = bytes(self._buffer[at + len(_END) :])
            del self._buffer[at + 2 :]
            self._end = at
            self._measure(self._dropped + at)
            return True
        # The last two may be the dot and the CR of the end mark, which count for nothing.
        self._measure(self.received - 2)
        if self.is_too_large:
            self._trim()
        return False

    def content(self) -> bytes:
        """Return the message without transparency dots, each line with its end. Call once ``feed`` said True."""
        if self.is_too_large:
            return b""
        if self._whole is not None:
            return self._whole
        raw = bytes(memoryview(self._buffer)[2:])
        self._buffer.clear()
        if raw.startswith(b"."):
            raw = raw[1:]
        # RFC 5321 4.5.2: a leading dot is deleted; a line of one dot alone would have been the end.
        return raw.replace(b"\r\n.", b"\r\n") if b"\r\n." in raw else raw

    def _measure(self, size: int) -> None:
        if size > self._limit:
            self.is_too_large = True
            self.is_overrun = size > 2 * self._limit

    def _is_ordinary(self, chunk: bytes | bytearray) -> bool:
        """Whether ``chunk``, the first one, is a whole message without any transparency dots: one search tells."""
        size = len(chunk) - len(_END)
        return chunk.find(b"\r\n.") == size and chunk[0] != _DOT and size + 2 <= self._limit and not self._dropped

    def _trim(self) -> None:
        surplus = len(self._buffer) - _TAIL
        if surplus > 0:
            self._dropped += surplus
            # A new buffer: shortening the old one would keep its memory.
            self._buffer = self._buffer[surplus:]


def has_bare_newline(content: bytes) -> bool:
    """Whether ``content`` has a CR or LF that is no part of a CRLF, or a NUL (RFC 5321 2.3.8; S1)."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs or b"\0" in content
