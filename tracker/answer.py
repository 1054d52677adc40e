"""What the tracker answers with: plain data and the constant headers, free of any HTTP library (T7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from model.fact import Fact
from tracker.metrics import Count

#: A transparent GIF of one pixel, 43 octets.
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

# A shared cache that kept an answer would hide later opens and clicks.
_COMMON = {
    "Cache-Control": "no-store, private, max-age=0",
    "X-Robots-Tag": "noindex, nofollow",
    # else the HTTP library tells its own name and version
    "Server": "yamabiko",
}
PIXEL_HEADERS = {"Content-Type": "image/gif", "X-Content-Type-Options": "nosniff", **_COMMON}
REDIRECT_HEADERS = {"Referrer-Policy": "no-referrer", **_COMMON}
TEXT_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    **_COMMON,
}
RETRY_AFTER_S = 60
#: The header that tells whoever measures us that an answer did not wait for the disk (T4).
UNSURE = ("X-Recorded", "unsure")


class Visit(NamedTuple):
    """One request: what the handlers need of it."""

    #: upper case
    method: str
    #: percent-decoded, without the query
    path: str
    query: str
    headers: Mapping[str, str]
    #: the client's address, proxies taken off
    ip: str | None
    #: when it came, made distinct by a UniqueClock
    at_us: int


class Promise(Enum):
    """How an answer depends on its facts becoming durable (design decision 5)."""

    #: nothing to store
    NONE = "none"
    #: waits a bounded time, then is sent anyway
    PIXEL = "pixel"
    #: the same, with less patience
    REDIRECT = "redirect"
    #: 503 unless durable
    STRICT = "strict"


class Answer(NamedTuple):
    """A reply and the facts it states."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    facts: Sequence[Fact] = ()
    promise: Promise = Promise.NONE
    #: what to say instead when the promise is STRICT and could not be kept
    otherwise: Answer | None = None
    #: the token of the request did not verify
    is_forged: bool = False
    #: what to count once this was sent
    tally: Count | None = None


LIMITED = Answer(
    429, {**TEXT_HEADERS, "Retry-After": str(RETRY_AFTER_S), "Connection": "close"}, b"Too many requests\n"
)
BROKEN = Answer(503, {**TEXT_HEADERS, "Retry-After": str(RETRY_AFTER_S)}, b"Try again later\n")
TOO_SLOW = Answer(408, {**TEXT_HEADERS, "Connection": "close"}, b"Request timeout\n")
TOO_LARGE = Answer(413, {**TEXT_HEADERS, "Connection": "close"}, b"Too large\n")
FORGED_PIXEL = Answer(200, PIXEL_HEADERS, PIXEL, is_forged=True, tally=Count.PIXELS)

# RFC 3986 2.2 and 2.3, and "%" since the target is encoded already.
_KEPT_IN_LOCATION = "".join(map(chr, range(0x21, 0x7F)))
# IDNA 2003, which Python has, reads these otherwise than browsers do.
_DEVIATIONS = frozenset("ßς\u200c\u200d")


def location_of(target: str) -> str:
    """Return ``target`` as a header value: unchanged if ASCII, else its host as A-labels, the rest encoded (T3).

    A host that Python's IDNA cannot write is percent-encoded instead, which browsers read the same.
    """
    if target.isascii():
        return target
    host = urlsplit(target).netloc
    if not host.isascii() and _DEVIATIONS.isdisjoint(host):
        name, colon, port = host.partition(":")
        with suppress(UnicodeError):  # else percent-encoded below
            target = target.replace(host, name.encode("idna").decode("ascii") + colon + port, 1)
    return quote(target, safe=_KEPT_IN_LOCATION)
