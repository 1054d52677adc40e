"""Judged header blocks: what a request's headers decide, kept under their very octets.

aiohttp's own parser reads a block that was not seen before, so that there is one opinion on what a request says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDictProxy

from model.detail import Engaged
from tracker.answer import Visit
from tracker.client_address import FORWARDED_HEADER, find_client
from tracker.engagement import make_detail
from tracker.hot.bounded import Bounded
from tracker.settings import MAX_HEADERS, MAX_LINE, TrackerSettings

#: A longer block is none of a mail program, and would cost memory.
MAX_HEAD = 2_048
_MOST_HEADS = 4_096
# A request with one of these is no plain GET: it has a body, or wants more than an answer.
_UNUSUAL = ("Content-Length", "Transfer-Encoding", "Content-Encoding", "Expect", "Upgrade")
_ALIVE = "keep-alive"


class Head:
    """A header block of a plain request by a client we answer.

    ``octets`` begin with the protocol version in the request line and end with the blank line.
    """

    __slots__ = ("clicked", "octets", "opened", "size")

    def __init__(self, octets: bytes, opened: Engaged, clicked: Engaged) -> None:
        """``opened`` and ``clicked`` are what facts will say of who asked."""
        self.octets = octets
        self.size = len(octets)
        self.opened = opened
        self.clicked = clicked


class Heads:
    """Judges header blocks. One per process."""

    def __init__(self, settings: TrackerSettings, knows_host: Callable[[str], bool]) -> None:
        """``knows_host`` is ``Front.knows_host``."""
        self._settings = settings
        self._knows_host = knows_host
        self._heads: Bounded[tuple[bytes, str | None], Head] = Bounded(_MOST_HEADS)

    def find(self, request: bytes, cut: int, peer: str | None) -> Head | None:
        """Return the judged block of ``request``, or None when aiohttp should answer it.

        Arguments: ``request`` is one whole request and nothing more; from ``cut`` on it is Head.octets; ``peer`` is
        the address of the connection.
        """
        octets = request[cut:]
        if len(octets) > MAX_HEAD:
            return None
        key = (octets, peer)
        head = self._heads.get(key)
        if head is None:
            head = self._judge(request, octets, peer)
            if head is not None:
                self._heads.put(key, head)
        return head

    def _judge(self, request: bytes, octets: bytes, peer: str | None) -> Head | None:
        headers = read_headers(request)
        if headers is None or not self._knows_host(headers.get("Host", "")):
            return None
        settings = self._settings
        ip = find_client(peer, headers.getall(FORWARDED_HEADER, ()), settings.trusted_proxies)
        visit = Visit("GET", "", "", headers, ip, 0)
        return Head(
            octets,
            make_detail(visit, settings.open_ip, settings),
            make_detail(visit, settings.click_ip, settings),
        )


def read_headers(request: bytes) -> CIMultiDictProxy[str] | None:
    """Return the headers of a plain GET over HTTP/1.1 that keeps its connection; None for anything else."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(
        BaseProtocol(loop), loop, 2**16, max_line_size=MAX_LINE, max_field_size=MAX_LINE, max_headers=MAX_HEADERS
    )
    try:
        messages, is_upgraded, tail = parser.feed_data(request)
    except HttpProcessingError:
        return None
    if len(messages) != 1 or is_upgraded or tail:
        return None
    message, payload = messages[0]
    is_plain = (
        message.method == "GET"
        and message.version == HttpVersion11
        and payload is EMPTY_PAYLOAD
        and not (message.should_close or message.upgrade or message.chunked or message.compression)
    )
    headers = message.headers
    if not is_plain or any(name in headers for name in _UNUSUAL):
        return None
    return headers if headers.get("Connection", _ALIVE).lower() == _ALIVE else None
