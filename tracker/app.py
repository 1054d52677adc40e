"""The tracker as an aiohttp application: reads a request, lets Front answer, keeps the promise, sends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from model.fact import UniqueClock
from model.keyring import KeyRing
from tracker.answer import BROKEN, PIXEL, TEXT_HEADERS, TOO_LARGE, TOO_SLOW, UNSURE, Answer, Promise, Visit
from tracker.client_address import FORWARDED_HEADER, find_client
from tracker.front import Front, decode_path
from tracker.hot.batch import Batches, HotRoute
from tracker.hot.heads import Heads
from tracker.hot.replies import ReplyEnd
from tracker.hot.requests import HotRequests
from tracker.metrics import Count, Metrics
from tracker.pending import Pending, Submit
from tracker.redact import redact_path
from tracker.settings import TrackerSettings

_log = logging.getLogger("tracker")
_access_log = logging.getLogger("tracker.access")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tracker:
    """One tracker process's HTTP side."""

    def __init__(
        self,
        settings: TrackerSettings,
        keys: Callable[[], KeyRing],
        submit: Submit,
        clock: Callable[[], int],
        metrics: Metrics,
        make_way: Callable[[], None],
    ) -> None:
        """See ``build_app``."""
        self._make_way = make_way
        self._settings = settings
        self._clock = clock
        self._stamp = UniqueClock(settings.slot).stamp
        self._keys = keys
        self._metrics = metrics
        self.front = Front(settings, keys)
        self.pending = Pending(submit, metrics, settings.max_pending)
        self._batches: list[Batches] = []
        self._waits = {Promise.PIXEL: settings.pixel_wait_s, Promise.REDIRECT: settings.click_wait_s}

    def hot_requests(self) -> HotRequests:
        """Return what a server needs to answer pixels and clicks by itself."""
        settings = self._settings
        heads = Heads(settings, self.front.knows_host)
        pixel = HotRoute(settings.pixel_wait_s, Count.PIXELS, ReplyEnd(PIXEL, time.time))
        click = HotRoute(settings.click_wait_s, Count.REDIRECTS, ReplyEnd(b"", time.time))
        batches = (
            Batches(pixel, self.pending, self._metrics, self._make_way),
            Batches(click, self.pending, self._metrics, self._make_way),
        )
        self._batches += batches
        return HotRequests(settings, self._keys, heads, self._clock, self._stamp, batches)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. The boundary where an error of ours becomes 503 and a line in the log."""
        started = time.monotonic()
        try:
            answer = await self._answer(request)
        except Exception:  # noqa: BLE001 - the boundary
            _log.exception("%s %s failed", request.method, redact_path(request.raw_path))
            self._metrics.add(Count.ERRORS)
            answer = BROKEN
        if self._settings.logs_requests:
            took_ms = (time.monotonic() - started) * 1_000
            _access_log.info(
                "%s %s %d %.1fms", request.method[:10], redact_path(request.raw_path), answer.status, took_ms
            )
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _answer(self, request: web.Request) -> Answer:
        path, query = decode_path(request.raw_path)
        if path == "/healthz":
            return self._health()
        if not self.front.knows_host(request.headers.get("Host", "")):
            return self.front.not_found
        visit = Visit(
            method=request.method,
            path=path,
            query=query,
            headers=request.headers,
            ip=find_client(
                request.remote, request.headers.getall(FORWARDED_HEADER, ()), self._settings.trusted_proxies
            ),
            at_us=self._stamp(self._clock()),
        )
        if visit.method == "POST":
            answer = await self._take_post(request, visit)
        else:
            answer = self.front.answer(visit)
        if answer.is_forged:
            self._metrics.add(Count.FORGED)
            answer = self.front.limit(answer, visit, time.monotonic())
            if answer.status == 429:
                self._metrics.add(Count.LIMITED)
        return await self._keep_promise(answer)

    async def _take_post(self, request: web.Request, visit: Visit) -> Answer:
        token = self.front.open_post(visit)
        body = b""
        # The body of a request that cannot succeed is not read.
        if token is not None:
            try:
                # aiohttp itself would wait for a stalled body for ever (reliability.md M16).
                body = await asyncio.wait_for(request.read(), self._settings.body_wait_s)
            except web.HTTPRequestEntityTooLarge:
                return TOO_LARGE
            except TimeoutError:
                return TOO_SLOW
        return self.front.answer_post(visit, token, body)

    async def _keep_promise(self, answer: Answer) -> Answer:
        if answer.promise is Promise.STRICT:
            wait_s = self._settings.unsubscribe_wait_s
            if not await self.pending.keep(answer.facts, wait_s, is_strict=True):
                self._metrics.add(Count.REFUSED)
                return answer.otherwise or BROKEN
        elif answer.promise is not Promise.NONE and not await self.pending.keep(
            answer.facts, self._waits[answer.promise]
        ):
            answer = answer._replace(headers=dict((*answer.headers.items(), UNSURE)))
        if answer.tally is not None:
            self._metrics.add(answer.tally)
        return answer

    def _health(self) -> Answer:
        # Still 200 when the store stalls: pixels and redirects work, so taking us off the network would only hurt.
        return Answer(200, TEXT_HEADERS, b"store stalled\n" if self.pending.is_stalled else b"ok\n")

    async def drain(self, _app: web.Application) -> None:
        """Wait for facts under way when the application stops."""
        for batches in self._batches:
            batches.hand_over()
        left = await self.pending.drain(self._settings.drain_s)
        if left:
            _log.error("stopped with %d submissions still open", left)


#: Where ``build_app`` puts its Tracker, for a server that answers hot routes by itself.
TRACKER: web.AppKey[Tracker] = web.AppKey("tracker", Tracker)


def build_app(
    settings: TrackerSettings,
    keys: Callable[[], KeyRing],
    submit: Submit,
    clock: Callable[[], int],
    metrics: Metrics,
    make_way: Callable[[], None] = lambda: None,
) -> web.Application:
    """Return the tracker as an aiohttp application.

    Arguments: ``keys`` returns the key ring of the moment; ``submit`` resolves when the facts it was given are
    durable and raises StoreError when they will not be; ``clock`` returns microseconds since 1970-01-01 UTC;
    ``metrics`` counts; ``make_way`` is store.writer.Writer.make_way where that is what ``submit`` hands to.
    """
    tracker = Tracker(settings, keys, submit, clock, metrics, make_way)

    # What no route takes (a path without a slash, ``OPTIONS *``) would be answered by aiohttp in its own words.
    @web.middleware
    async def answer_all(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await tracker.handle(request)

    app = web.Application(middlewares=[answer_all], client_max_size=settings.body_limit)
    # Front has the routes. This one spares the router making an error for each request.
    app.router.add_route("*", "/{path:.*}", tracker.handle)
    app[TRACKER] = tracker
    app.on_shutdown.append(tracker.drain)
    return app
