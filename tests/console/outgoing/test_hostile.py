"""Odd requests to everything that goes out: answered as documented, never with a fault of ours."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

from console.route import Route
from console.table import ROUTES
from tests.console.api import Api
from tests.console.outgoing.world import Receiver
from tests.interop.world import seeded

OURS = ("/v1/events", "/v1/webhooks", "/v1/commands", "/v1/watches", "/v1/alerts", "/v1/notices")
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 50, 2**53 - 1, 2**53, 2**64, 1.5, "", "x",
    "0123456789abcdef", "spring", "~0123456789ab", "\0",
    "failed", "failed,opened", "command", "open", "queue.pause", "done", "https://127.0.0.1:9/", "https://[::1/",
    "(?P<x",
    "a" * 3_000, "山彦", [], ["failed"],
    ["open", "open"], ["command", "alert"], [None], {}, {"a": 1}, ["x"] * 100,
)  # fmt: skip


def request_to(route: Route, chance: random.Random, webhook: str) -> tuple[str, dict[str, Any]]:
    identity = chance.choice((webhook, webhook, "0123456789abcdef", "x", "%00"))
    path = route.path.replace("{id}", identity)
    if route.query_type is not None and chance.random() < 0.8:
        names = [*route.query_type.__struct_fields__, "nonsense"]
        chosen = {chance.choice(names): chance.choice(_VALUES) for _ in range(chance.randrange(4))}
        if chosen.get("wait") not in (None, 0, -1):
            chosen["wait"] = 0
        path += "?" + "&".join(f"{name}={quote(str(value), safe=',')}" for name, value in chosen.items())
    sent: dict[str, Any] = {}
    if route.body_type is not None:
        names = [*route.body_type.__struct_fields__, "nonsense"]
        body = {name: chance.choice(_VALUES) for name in names if chance.random() < 0.5}
        if route.name == "makeWebhook":
            body.setdefault("url", "https://10.0.0.1/")
        sent["json"] = chance.choice((body, body, body, [], "x"))
    return path, sent


async def test_odd_requests(api: Api, hook: Receiver) -> None:
    chance = seeded()
    made = (await api.call("POST", "/v1/webhooks", json={"url": hook.url, "events": ["command"]})).json
    routes = [route for route in ROUTES if route.path.startswith(OURS) and route.method != "DELETE"]
    statuses: dict[int, int] = {}
    for _ in range(1_500):
        route = chance.choice(routes)
        path, sent = request_to(route, chance, made["webhook"]["id"])
        answer = await api.call(route.method, path, **sent)
        assert answer.status < 500, (route.method, path, sent, answer.text)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    print(statuses)
    assert statuses[200] > 50 and statuses[400] > 200
