"""The octets of the hot routes' answers, made of what tracker.answer says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

from tracker.answer import UNSURE


def begin_reply(status: int, headers: Mapping[str, str], length: int) -> bytes:
    """Return the beginning of an answer: all that is the same whenever it is sent.

    ``length`` is how many octets the body has, in a ReplyEnd.
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join((*lines, f"Content-Length: {length}", "")).encode("ascii")


class ReplyEnd:
    """What follows after ``begin_reply``: the date, the blank line, the body."""

    def __init__(self, body: bytes, clock_s: Callable[[], float]) -> None:
        """``clock_s`` returns seconds since 1970-01-01 UTC."""
        self._body = body
        self._clock_s = clock_s
        self._second = -1
        self._recorded = self._unsure = b""

    def now(self, *, is_recorded: bool) -> bytes:
        """Return the end of an answer sent now; the one of a fact that is not known to be durable says so."""
        second = int(self._clock_s())
        if second != self._second:
            self._second = second
            date = f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")
            self._recorded = date + self._body
            name, value = UNSURE
            self._unsure = f"{name}: {value}\r\n".encode("ascii") + self._recorded
        return self._recorded if is_recorded else self._unsure
