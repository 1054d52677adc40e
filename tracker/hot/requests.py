"""From the octets of a connection to a hit and the beginning of its answer. Whatever is not plain is None."""

from __future__ import annotations

import re
from collections.abc import Callable

from model.detail import Engaged
from model.errors import RemoteError
from model.fact import FactType, Hit
from model.keyring import KeyRing
from model.mint import Click, bound_to, open_click
from model.token import TokenFlag, TokenType, UrlTokens
from tracker.answer import PIXEL, PIXEL_HEADERS
from tracker.engagement import name_link, redirect_headers
from tracker.hot.batch import Batches
from tracker.hot.bounded import Bounded
from tracker.hot.heads import Head, Heads
from tracker.hot.replies import begin_reply
from tracker.settings import TrackerSettings

_VERSION = b" HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_PIXEL, _SUFFIX = b"GET /o/", b".gif"
_CLICK, _SLASH = b"GET /c/", ord("/")
_TOKEN_AT = len(_PIXEL)
_TOKEN_END = _TOKEN_AT + 40
_PIXEL_END = _TOKEN_END + len(_SUFFIX)
#: A longer target is left to aiohttp, so that the targets kept take 10 MB at most.
_MAX_LINK = 1_024
_MAX_LINE = _TOKEN_END + 1 + _MAX_LINK + len(_VERSION)
_PLAIN_LINK = re.compile(rb"[0-9]+\.[0-9]+/[A-Za-z0-9_-]+")
_MOST_LINKS = 2_048
_MOST_DETAILS = 4_096
# Looking them up in their classes would take a good part of the time that a hit has.
_TEST, _HTML, _HONEYPOT = TokenFlag.TEST.value, TokenFlag.HTML.value, TokenFlag.HONEYPOT.value
_OPENED, _CLICKED = FactType.OPENED, FactType.CLICKED

#: Where a hit goes, the hit, the beginning of its answer, its header block, and how many octets the request has.
HotRequest = tuple[Batches, Hit, bytes, Head, int]


class _Link:
    """The part of a click's URL after the token, its target checked."""

    __slots__ = ("bound", "click", "reply")

    def __init__(self, click: Click, place: str) -> None:
        self.click = click
        self.bound = bound_to(place, click.target)
        self.reply = begin_reply(302, redirect_headers(click.target), 0)


class HotRequests:
    """Reads requests. One per process."""

    def __init__(
        self,
        settings: TrackerSettings,
        keys: Callable[[], KeyRing],
        heads: Heads,
        clock: Callable[[], int],
        stamp: Callable[[int], int],
        batches: tuple[Batches, Batches],
    ) -> None:
        """Arguments: ``keys`` returns the key ring of the moment; ``batches`` take pixels and clicks.

        ``clock`` returns microseconds since 1970-01-01 UTC, and ``stamp`` makes of it a time that no other fact has.
        """
        self._node = settings.node
        self._keys = keys
        self._heads = heads
        self._clock = clock
        self._stamp = stamp
        self._pixels, self._clicks = batches
        self._pixel_reply = begin_reply(200, PIXEL_HEADERS, len(PIXEL))
        self._details: Bounded[tuple[Head, bytes], Engaged] = Bounded(_MOST_DETAILS)
        self._take_keys(keys())

    def read(self, data: bytes, head: Head | None, peer: str | None) -> HotRequest | None:
        """Return the hot request that ``data`` begins with; None if that is anything else, or not whole.

        Arguments: ``head`` is the block of the last request on this connection, likely to come again; ``peer`` the
        connection's address.
        """
        if (ring := self._keys()) is not self._ring:
            self._take_keys(ring)
        cut = data.find(_VERSION, 0, _MAX_LINE)
        if cut == _PIXEL_END and data.startswith(_PIXEL) and data.startswith(_SUFFIX, _TOKEN_END):
            link = None
            opened = self._open_pixel(data[_TOKEN_AT:_TOKEN_END])
        elif cut > _TOKEN_END and data.startswith(_CLICK) and data[_TOKEN_END] == _SLASH:
            rest = data[_TOKEN_END + 1 : cut]
            link = self._links.get(rest) or self._open_link(data[_TOKEN_AT:_TOKEN_END], rest)
            if link is None:
                return None
            opened = self._open_click(data[_TOKEN_AT:_TOKEN_END], link.bound)
        else:
            return None
        if opened is None or opened[1] & _HONEYPOT:
            return None
        size = len(data)
        if head is None or size != cut + head.size or not data.endswith(head.octets):
            # Looked for from the version on: a request without headers ends with it.
            size = data.find(_END, cut) + len(_END)
            head = self._heads.find(data[:size], cut, peer) if size >= len(_END) else None
            if head is None:
                return None
        place, flags = opened
        if link is None:
            hit = make_hit(_OPENED, place, self._stamp(self._clock()), head.opened, self._node, flags)
            return self._pixels, hit, self._pixel_reply, head, size
        detail = self._details.get((head, rest)) or self._details.put((head, rest), name_link(head.clicked, link.click))
        hit = make_hit(_CLICKED, place, self._stamp(self._clock()), detail, self._node, flags)
        return self._clicks, hit, link.reply, head, size

    def _open_link(self, token: bytes, rest: bytes) -> _Link | None:
        """Check a target not seen before. Only one that a token proves is kept."""
        if not _PLAIN_LINK.fullmatch(rest):
            return None
        try:
            place, _, target = rest.decode("ascii").partition("/")
            click = open_click(token.decode("ascii"), place, target, self._ring)
        except (RemoteError, UnicodeError):
            return None
        return self._links.put(rest, _Link(click, place))

    def _take_keys(self, ring: KeyRing) -> None:
        self._ring = ring
        self._open_pixel = UrlTokens(ring, TokenType.OPEN).open
        self._open_click = UrlTokens(ring, TokenType.CLICK).open
        self._links: Bounded[bytes, _Link] = Bounded(_MOST_LINKS)


def make_hit(kind: FactType, place: bytes, at_us: int, detail: Engaged, node: int, flags: int) -> Hit:
    """Return a Hit. ``flags`` are the token's."""
    # The constructor that a NamedTuple is given takes twice as long.
    return tuple.__new__(Hit, (kind, place, at_us, detail, node, flags & _TEST != 0, flags & _HTML != 0))
