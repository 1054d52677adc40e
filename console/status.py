"""How the server is: /healthz, /metrics, and the API's own description."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from console.route import Call, Reply
from console.schema import HealthOut, HealthRow

#: Where the application keeps the document; made once, from the route table, when it is first asked for.
OPENAPI: web.AppKey[Callable[[], bytes]] = web.AppKey("openapi")


async def healthz(call: Call) -> Reply:
    """Return every check; 503 as soon as one that matters fails."""
    checks = call.services.health()
    ok = not any(check.problem and check.is_fatal for check in checks)
    rows = [HealthRow(check.name, not check.problem, check.problem) for check in checks]
    return Reply(200 if ok else 503, HealthOut(ok, rows))


async def metrics(call: Call) -> web.StreamResponse:
    """Return the counters of all processes."""
    content_type, body = call.services.metrics()
    return web.Response(body=body, headers={"Content-Type": content_type})


async def openapi(call: Call) -> web.StreamResponse:
    """Return the API's description."""
    return web.Response(body=call.request.app[OPENAPI](), content_type="application/json")
