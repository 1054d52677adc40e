"""A connection that answers hot requests by itself and leaves all others to aiohttp.

What is relied on in aiohttp.web_protocol.RequestHandler (3.14; tests/tracker/test_aiohttp.py fails when it changes):

- ``_waiter`` is a future not done exactly while ``start()`` waits for the next message;
- ``_request_in_progress`` makes ``shutdown()`` wait for ``_handler_waiter``;
- ``_next_keepalive_close_time`` is what ``_process_keepalive()`` goes by, and its timer runs from the beginning;
- ``_close`` and ``_force_close`` say that no more requests are taken;
- ``transport`` is None once the client has left.
"""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from tracker.hot.heads import Head
from tracker.hot.requests import HotRequest, HotRequests

_log = logging.getLogger("tracker")
#: Attributes of aiohttp's class that are used here.
RELIED_ON = (
    "_buffer_paused",
    "_close",
    "_force_close",
    "_handler_waiter",
    "_keepalive_timeout",
    "_message_tail",
    "_messages",
    "_next_keepalive_close_time",
    "_pause_transport_reading",
    "_paused",
    "_payload_parser",
    "_process_keepalive",
    "_reading_paused",
    "_request_in_progress",
    "_resume_transport_reading",
    "_upgraded",
    "_waiter",
    "transport",
)
_END = b"\r\n\r\n"


class HotHandler(RequestHandler):
    """One connection. At any time either a hot request is under way, or aiohttp is at work, or nothing is."""

    __slots__ = ("_fed", "_head", "_is_ours", "_peer", "_read_hot", "_rest")

    def __init__(self, manager: web.Server, hot: HotRequests, **options: Any) -> None:
        """``options`` are aiohttp's."""
        super().__init__(manager, **options)
        self._read_hot = hot.read
        self._head: Head | None = None
        self._peer: str | None = None
        #: whether aiohttp has not been given anything, or has answered all it was given
        self._is_ours = True
        #: the last octets that aiohttp was given
        self._fed = b""
        #: what came while a hot request was under way; reading is paused when there is any
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        # As aiohttp's request.remote: a socket of another family has a name, or none.
        self._peer = str(peer[0] if isinstance(peer, list | tuple) else peer) if peer is not None else None

    def data_received(self, data: bytes) -> None:
        """Take a hot request, or pass ``data`` on to aiohttp; see asyncio.Protocol."""
        if self._close or self._force_close:
            return
        if not self._is_ours and not self._is_free_again():
            self._pass_on(data)
        elif self._request_in_progress:
            if data:
                self._rest += data
                self._pause_transport_reading()
        elif self._paused or (request := self._read(data)) is None:
            self._pass_on(data)
        else:
            batches, hit, reply, self._head, size = request
            self._request_in_progress = True
            if size < len(data):
                self._rest = data[size:]
                self._pause_transport_reading()
            batches.add(self, hit, reply)

    def answer(self, octets: bytes, now_s: float) -> None:
        """Send the answer of the hot request under way; see tracker.hot.batch.Visitor."""
        self._request_in_progress = False
        self._next_keepalive_close_time = now_s + self._keepalive_timeout
        if self.transport is not None:
            self.transport.write(octets)
        if self._rest or self._close or self._force_close:
            self._go_on()

    def _read(self, data: bytes) -> HotRequest | None:
        try:
            return self._read_hot(data, self._head, self._peer)
        except Exception:  # noqa: BLE001 - the boundary: aiohttp's side answers all the same
            _log.exception("the fast path failed")
            return None

    def _pass_on(self, data: bytes) -> None:
        if data:  # aiohttp itself calls with none, to go on with what its parser holds
            self._is_ours = False
            self._fed = (self._fed + data)[-len(_END) :]
        super().data_received(data)

    def _is_free_again(self) -> bool:
        """Return whether aiohttp has answered all that it was given, and holds no piece of a request.

        While it waits for the next message its parser is at the end of one, or inside a header block, whose last
        octets so far cannot be those that end it.
        """
        waiter = self._waiter
        self._is_ours = (
            waiter is not None
            and not waiter.done()
            and self._fed == _END
            and not self._messages
            and not self._request_in_progress
            and not (self._reading_paused or self._buffer_paused or self._upgraded or self._message_tail)
            and self._payload_parser is None
        )
        return self._is_ours

    def _go_on(self) -> None:
        """After an answer: close, if that was asked for meanwhile, or take what came meanwhile."""
        if self._handler_waiter is not None:
            if not self._handler_waiter.done():
                self._handler_waiter.set_result(None)
        elif self._close and self.transport is not None:
            self.transport.close()
        elif self.transport is not None:
            data, self._rest = self._rest, b""
            self._resume_transport_reading()
            self.data_received(data)

    def _process_keepalive(self) -> None:
        """Close the connection if it is idle. A hot request under way is nothing that aiohttp knows of."""
        if self._is_ours and self._request_in_progress:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()


class HotServer(web.Server):
    """Makes a HotHandler for each connection."""

    def __init__(self, server: web.Server, hot: HotRequests) -> None:
        """``server`` is what aiohttp made for the application; this one takes its place."""
        super().__init__(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **server._kwargs,
        )
        self._hot = hot

    def __call__(self) -> HotHandler:
        """Return the protocol of a new connection."""
        return HotHandler(self, self._hot, loop=self._loop, **self._kwargs)


class HotRunner(web.AppRunner):
    """Runs an application with a HotServer."""

    def __init__(self, app: web.Application, hot: HotRequests, **options: Any) -> None:
        """``options`` are aiohttp's."""
        super().__init__(app, **options)
        self._hot = hot

    async def _make_server(self) -> web.Server:
        return HotServer(await super()._make_server(), self._hot)


def fits_aiohttp() -> bool:
    """Return whether the aiohttp that is installed has what is relied on here."""
    return all(hasattr(RequestHandler, name) for name in RELIED_ON)
