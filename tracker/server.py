"""The tracker's server: one process, one event loop, its port shared with its siblings by SO_REUSEPORT (decision 8)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tracker.app import TRACKER
from tracker.hot.protocol import HotRunner, fits_aiohttp
from tracker.settings import MAX_HEADERS, MAX_LINE, TrackerSettings

_log = logging.getLogger("tracker")
_BACKLOG = 1_024
# How long the rest of a body nobody wants may keep its connection open.
_LINGER_S = 2.0


class _OwnErrorsOnly(logging.Filter):
    """Drops what aiohttp logs of malformed requests: a traceback with the octets sent, addresses included (T8)."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether ``record`` is to be logged."""
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _make_logger() -> logging.Logger:
    logger = logging.getLogger("tracker.http")
    if not logger.filters:
        logger.addFilter(_OwnErrorsOnly())
    return logger


class TrackerServer:
    """A running tracker: ``start``, then ``stop``, which drains."""

    def __init__(self, app: web.Application, settings: TrackerSettings, *, is_fast: bool = True) -> None:
        """``app`` comes from tracker.app.build_app with the same ``settings``.

        ``is_fast`` answers pixels and clicks on the fast path (tracker.hot); the answers are the same without it.
        """
        make_runner: Callable[..., web.AppRunner] = web.AppRunner
        if is_fast and not fits_aiohttp():
            _log.warning("this aiohttp is not one the fast path knows; tracking works, but slower")
        elif is_fast and not settings.logs_requests:  # only aiohttp's side writes a line for each request
            make_runner = partial(HotRunner, hot=app[TRACKER].hot_requests())
        self._runner = make_runner(
            app,
            logger=_make_logger(),
            access_log=None,  # it would write addresses and whole tokens (T8)
            keepalive_timeout=settings.keepalive_s,
            shutdown_timeout=settings.drain_s,
            lingering_time=_LINGER_S,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
            # The store must hear of a visit though the visitor has left.
            handler_cancellation=False,
        )

    async def start(self, host: str, port: int) -> int:
        """Listen on ``host`` and ``port`` (0: any free one). Return the port. Raises OSError if it is taken."""
        await self._runner.setup()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        await web.SockSite(self._runner, listener, backlog=_BACKLOG).start()
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, finish the requests under way and their facts, then close."""
        await self._runner.cleanup()
