"""The aiohttp application: the route table, and before each handler the same checks in the same order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import cache

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from console import mistake
from console.identity import Identity
from console.instants import far_time
from console.openapi import document
from console.problem import ProblemError, bad_request, store_busy, too_large
from console.route import JSON, Call, Public, Reply, Route
from console.schema import encode
from console.services import Services
from console.status import OPENAPI
from console.table import ROUTES
from store.errors import StoreError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger("yamabiko.console")
_CALLER = web.RequestKey("caller", Identity)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def build_app(services: Services) -> web.Application:
    """Return the application that answers with ``services``."""
    app = web.Application(middlewares=[_boundary(services), _host_check(services)])
    # Made when it is first asked for: it takes longer than all else at a start.
    describe: Callable[[], bytes] = cache(lambda: msgspec.json.encode(document(ROUTES, services.version or "0")))
    app[OPENAPI] = describe
    app.on_response_prepare.append(_add_headers)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _guarded(route, services), name=route.name)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "yamabiko"


def _boundary(services: Services) -> Middleware:
    """The one place where whatever goes wrong becomes an answer; also logs and measures every request."""

    @web.middleware
    async def boundary(request: web.Request, handler: _Handler) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            response = await handler(request)
        except ProblemError as error:
            if isinstance(error.__cause__, StoreError):
                _log.error("store failed", exc_info=error.__cause__)
            response = error.response()
        except web.HTTPException as error:
            response = _from_router(error).response()
        except web.RequestPayloadError:
            response = bad_request("The body is not encoded as its Content-Encoding or its chunks say.").response()
            # The rest cannot be found in it: without these aiohttp would look for it, and log a traceback.
            response.force_close()
            request.content.feed_eof()
        except StoreError as error:
            _log.error("store failed", exc_info=error)
            response = store_busy().response()
        except (ConnectionResetError, asyncio.CancelledError):
            _log.info("client left", extra={"route": _name_of(request)})
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of this server
            _log.error("request failed", exc_info=error, extra={"route": _name_of(request)})
            response = ProblemError(500, "internal-error", "A fault of ours; it is in the log.").response()
        seconds = time.perf_counter() - began
        route = _name_of(request)
        services.observe(route, response.status, seconds)
        level = logging.DEBUG if route in ("healthz", "metrics") else logging.INFO
        _log.log(level, "request", extra=_log_fields(request, route, response.status, seconds))
        return response

    return boundary


def _log_fields(request: web.Request, route: str, status: int, seconds: float) -> dict[str, object]:
    """Return what is logged of a request: no query, no body, no token, since they may name people (T8)."""
    caller = request.get(_CALLER)
    return {
        "method": request.method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1_000, 1),
        "token_name": caller.name if caller else None,
        "tenant": caller.tenant if caller else None,
        "peer": request.remote,
    }


def _name_of(request: web.Request) -> str:
    return request.match_info.route.name or "unknown"


def _from_router(error: web.HTTPException) -> ProblemError:
    if error.status == 404:
        return ProblemError(404, "not-found", "There is no such path. GET /openapi.json lists them.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        takes = ", ".join(sorted(error.allowed_methods))
        return ProblemError(405, "method-not-allowed", f"This path takes {takes}.", headers={"Allow": takes})
    return ProblemError(error.status, "bad-request", "The request cannot be read.")


def _host_check(services: Services) -> Middleware:
    @web.middleware
    async def host_check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse names that are not ours: a page elsewhere could have its own name point here."""
        host = request.host.lower()
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        if name not in services.allowed_hosts:
            raise ProblemError(
                421,
                "misdirected",
                "This server does not answer to that Host. See console.allowed_hosts in docs/settings.md.",
            )
        return await handler(request)

    return host_check


def _guarded(route: Route, services: Services) -> _Handler:
    """Return the route's handler behind its checks: who asks, what for, and whether the input is as stated."""
    decoder = msgspec.json.Decoder(route.body_type) if route.body_type and route.body_media_type == JSON else None

    async def guarded(request: web.Request) -> web.StreamResponse:
        caller = None if isinstance(route.access, Public) else _authorise(request, route, services)
        path = _convert(dict(request.match_info), route.path_type)
        query = _convert(_query(request), route.query_type)
        if route.body_type is not None and request.content_type != route.body_media_type:
            raise ProblemError(
                415, "unsupported-media-type", f"Send the body with `Content-Type: {route.body_media_type}`."
            )
        body = await _read_body(request, decoder, services) if decoder else None
        for given in (query, body):
            wrong = far_time(given)
            if wrong is not None:
                raise bad_request(f"{wrong}.")
        reply = await route.handler(Call(request, services, caller, path, query, body))
        if not isinstance(reply, Reply):
            return reply
        if reply.body is None:
            return web.Response(status=reply.status)
        return web.Response(status=reply.status, body=encode(reply.body), content_type=JSON)

    return guarded


def _authorise(request: web.Request, route: Route, services: Services) -> Identity:
    """Return who asks. Raises ProblemError 401 for nobody we know, 403 for somebody who may not."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    caller = services.identify(token.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise ProblemError(401, "unauthorized", "Send `Authorization: Bearer ymb_...` with a token that is valid.")
    request[_CALLER] = caller
    if route.access not in caller.scopes:
        raise ProblemError(403, "forbidden", f"This token lacks the scope {route.access.value}.")
    return caller


def _query(request: web.Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise bad_request(f"{name[:64]!r} is given twice.")
        values[name] = value
    return values


def _convert(values: dict[str, str], kind: type[msgspec.Struct] | None) -> msgspec.Struct | None:
    if kind is None:
        if values:
            raise bad_request("This path takes no parameters.")
        return None
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad_request(f"{mistake.of_parameters(error, kind)}.") from None


async def _read_body(
    request: web.Request, decoder: msgspec.json.Decoder[msgspec.Struct], services: Services
) -> msgspec.Struct:
    """Return the body, read within the limits of size and time (T9)."""
    limits = services.limits
    if (request.content_length or 0) > limits.body_bytes:
        raise too_large(limits.body_bytes)
    chunks: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in request.content.iter_any():
                total += len(chunk)
                if total > limits.body_bytes:
                    raise too_large(limits.body_bytes)
                chunks.append(chunk)
    except TimeoutError:
        raise ProblemError(408, "timeout", f"The body did not come within {limits.body_s:.0f} s.") from None
    try:
        return decoder.decode(b"".join(chunks))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        text = mistake.of_body(error, decoder.type)
        raise bad_request(f"The body is not what this path takes: {text}.") from None
