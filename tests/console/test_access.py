"""Who may do what: a matrix made from the route table, so that a new route cannot be forgotten (T17, T21)."""

from __future__ import annotations

import pytest

from console.identity import ROLES, Identity, Role, Scope
from console.route import NDJSON, Public, Route
from console.table import ROUTES
from tests.console.api import Api

PUBLIC = {"healthz", "metrics", "openapi"}
#: Every route with what it needs, written down a second time by hand: a new route without a row here fails.
NEEDS = {
    "putBroadcast": "broadcasts:write",
    "getBroadcast": "broadcasts:read",
    "listBroadcasts": "broadcasts:read",
    "postSends": "sends:write",
    "rewrite": "sends:write",
    "preflight": "suppressions:read",
    "getReport": "reports:read",
    "getDelivery": "recipients:read",
    "listSuppressions": "suppressions:read",
    "releaseSuppression": "suppressions:write",
    "listUnmatched": "recipients:read",
    "getPeriod": "reports:read",
    "getSeries": "reports:read",
    "getDomains": "reports:read",
    "getLinks": "reports:read",
    "getMessages": "reports:read",
    "getAgents": "reports:read",
    "getProject": "reports:read",
    "getProjectLinks": "reports:read",
    "getUsage": "reports:read",
    "listPeople": "recipients:read",
    "listErrors": "recipients:read",
    "ackErrors": "errors:ack",
    "findRecipient": "recipients:read",
    "listMailStatus": "recipients:read",
    "listEngagement": "recipients:read",
    "postAttempts": "attempts:write",
    "postConversions": "attempts:write",
    "putQueues": "attempts:write",
    "listQueues": "reports:read",
    "listAudit": "audit:read",
    "listTokens": "tokens:write",
    "createToken": "tokens:write",
    "revokeToken": "tokens:write",
    "listEvents": "events:read",
    "makeWebhook": "webhooks:write",
    "listWebhooks": "webhooks:write",
    "getWebhook": "webhooks:write",
    "deleteWebhook": "webhooks:write",
    "testWebhook": "webhooks:write",
    "renewWebhookSecret": "webhooks:write",
    "enableWebhook": "webhooks:write",
    "listWebhookAttempts": "webhooks:write",
    "listDeadLetters": "webhooks:write",
    "replayWebhook": "webhooks:write",
    "postCommand": "commands:write",
    "listCommands": "commands:read",
    "getCommand": "commands:read",
    "acknowledgeCommand": "commands:ack",
    "putNotices": "notices:write",
    "getNotices": "notices:read",
    "getNoticeFeed": "notices:read",
    "makeWatch": "commands:write",
    "listWatches": "commands:read",
    "deleteWatch": "commands:write",
    "listAlerts": "commands:read",
    "createExport": "exports:write",
    "listExports": "exports:read",
    "getExport": "exports:read",
    "retryExport": "exports:write",
    "cancelExport": "exports:write",
    "getExportFile": "contacts:download",
    "listSuppressionChanges": "suppressions:read",
    "releaseSuppressions": "suppressions:write",
    "addBlock": "suppressions:write",
    "listBlocks": "suppressions:read",
    "deleteBlock": "suppressions:write",
    "importBlocks": "suppressions:write",
    "putExemption": "suppressions:write",
    "getExemption": "suppressions:read",
    "listExemptions": "suppressions:read",
    "deleteExemption": "suppressions:write",
    "getPolicy": "suppressions:read",
    "putPolicy": "suppressions:write",
    "listIncidents": "suppressions:read",
    "confirmIncident": "suppressions:write",
    "undoIncident": "suppressions:write",
    "resendList": "recipients:read",
    "wishErasure": "erasures:write",
    "listErasures": "erasures:write",
    "getRetention": "erasures:write",
    "putRetention": "erasures:write",
    "listRates": "reports:read",
}
#: Asked for beside a route's own scope, by what the data is: see tests/console/test_exports.py.
BESIDE = {"exports:addressbook"}
_VIEWER = {
    "getBroadcast", "listBroadcasts", "getReport", "getPeriod", "getSeries", "getDomains", "getLinks", "getMessages",
    "getAgents", "getProject", "getProjectLinks", "getUsage", "listQueues", "listRates",
}  # fmt: skip
_SENDER = _VIEWER | {
    "putBroadcast", "postSends", "rewrite", "preflight", "listSuppressions", "postAttempts", "postConversions",
    "putQueues",
    "listCommands", "getCommand", "acknowledgeCommand", "listWatches", "listAlerts", "listSuppressionChanges",
    "listBlocks", "getExemption", "listExemptions", "getPolicy", "listIncidents",
}  # fmt: skip
_OPERATOR = _SENDER | {
    "getDelivery", "listUnmatched", "listPeople", "listErrors", "ackErrors", "findRecipient", "listMailStatus",
    "listEngagement", "postCommand", "listEvents", "putNotices", "getNotices", "getNoticeFeed", "makeWatch",
    "deleteWatch", "createExport", "listExports", "getExport", "retryExport", "cancelExport", "getExportFile",
    "resendList",
}  # fmt: skip
_TOKENS = {"listTokens", "createToken", "revokeToken"}
MAY = {
    Role.VIEWER: _VIEWER,
    Role.SENDER: _SENDER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: set(NEEDS) - _TOKENS,
    Role.SYSTEM_ADMIN: set(NEEDS),
}


_PERIOD = "?from=2026-04-01T00:00:00Z&to=2026-04-02T00:00:00Z"


def sample(route: Route) -> tuple[str, dict[str, object]]:
    """A path and what goes with it, good enough to reach the handler."""
    identity = (
        "0123456789abcdef"
        if route.path.startswith(("/v1/webhooks", "/v1/commands", "/v1/watches", "/v1/exports"))
        else "spring"
    )
    path = (
        route.path.format(id=identity, recipient="00" * 8, kind="bounce", token="0" * 8,
                          block="domain:a.example", incident="sender.1")
        + {
            "releaseSuppression": "?reason=asked", "deleteBlock": "?reason=asked", "deleteExemption": "?reason=asked",
            "findRecipient": "?address=a@example.jp",
            "getPeriod": _PERIOD, "getSeries": _PERIOD, "getProject": _PERIOD, "listMailStatus": _PERIOD,
        }.get(route.name, "")
    )  # fmt: skip
    bodies: dict[str, dict[str, object]] = {
        "putBroadcast": {"json": {}},
        "postSends": {"data": b"", "Content_Type": NDJSON},
        "rewrite": {"json": {"broadcast": "spring", "address": "a@example.jp", "text": "x"}},
        "preflight": {"json": {"addresses": ["a@example.jp"]}},
        "ackErrors": {"json": {"until": 0}},
        "postAttempts": {"data": b"", "Content_Type": NDJSON},
        "postConversions": {"data": b"", "Content_Type": NDJSON},
        "putQueues": {"json": {"queues": [{"domain": "example.jp"}]}},
        "createToken": {"json": {"name": "one more", "role": "viewer"}},
        "makeWebhook": {"json": {"url": "https://[::1]/"}},
        "replayWebhook": {"json": {"from_seq": 1}},
        "postCommand": {"json": {"command": "queue.resume"}},
        "makeWatch": {"json": {"name": "spike", "threshold": 5}},
        "acknowledgeCommand": {"json": {"state": "done"}},
        "putNotices": {"json": {"notify_on": ["open"]}},
        "createExport": {"json": {"type": "report"}},
        "releaseSuppressions": {"json": {"reason": "x", "entries": [{"recipient": "00" * 8, "kind": "bounce"}]}},
        "addBlock": {"json": {"kind": "domain", "value": "a.example"}},
        "importBlocks": {"data": b"a.example", "Content_Type": "text/csv"},
        "putExemption": {"json": {"reason": "x"}},
        "putPolicy": {"json": {}},
        "confirmIncident": {"json": {"reason": "x"}},
        "undoIncident": {"json": {"reason": "x"}},
        "wishErasure": {"json": {"recipient": "00" * 8, "reason": "x"}},
        "putRetention": {"json": {}},
    }
    return path, bodies.get(route.name, {})


def test_every_route_has_a_row() -> None:
    assert {route.name for route in ROUTES} == set(NEEDS) | PUBLIC
    for route in ROUTES:
        wanted = Public.YES if route.name in PUBLIC else Scope(NEEDS[route.name])
        assert route.access is wanted, route.name


def test_every_role_and_scope_has_a_row() -> None:
    assert set(MAY) == set(Role) == set(ROLES)
    assert {str(scope) for scope in Scope} == set(NEEDS.values()) | BESIDE


@pytest.mark.row("T17")
async def test_every_route_with_every_identity(api: Api) -> None:
    identities: dict[str | None, set[str]] = {None: set(), "ymb_unknown": set(), "ymb_nothing": set()}
    api.tokens["ymb_nothing"] = Identity("nothing", 1, frozenset())
    for role in Role:
        for tenant in (1, 2):
            api.tokens[f"ymb_{role}{tenant}"] = Identity(f"{role}{tenant}", tenant, frozenset(ROLES[role]))
            identities[f"ymb_{role}{tenant}"] = MAY[role]
    tried = 0
    for route in ROUTES:
        path, sent = sample(route)
        for token, may in identities.items():
            answer = await api.call(route.method, path, token=token, **sent)  # type: ignore[arg-type]
            if route.name in PUBLIC:
                assert answer.status in (200, 503)
            elif token in (None, "ymb_unknown"):
                assert answer.status == 401, (route.name, token)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            elif route.name in may:
                assert answer.status not in (401, 403), (route.name, token)
            else:
                assert answer.status == 403, (route.name, token)
            tried += 1
    assert tried == len(ROUTES) * (3 + 2 * len(Role))


async def test_tenants_do_not_see_each_other(api: Api) -> None:
    api.tokens["ymb_other"] = Identity("other", 2, frozenset(ROLES[Role.ADMIN]))
    await api.call("PUT", "/v1/broadcasts/spring", json={"name": "ours"})
    row = (await api.sends([{"broadcast": "spring", "address": "a@example.jp"}])).lines[0]
    number = (await api.call("GET", "/v1/broadcasts/spring")).json["number"]
    for path in ("spring", f"~{number}"):
        for rest in ("", "/report", f"/recipients/{row['recipient']}"):
            answer = await api.call("GET", f"/v1/broadcasts/{path}{rest}", token="ymb_other")
            assert answer.status == 404, (path, rest)
    assert (await api.call("GET", "/v1/broadcasts", token="ymb_other")).json["broadcasts"] == []


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic ymb_admin", "ymb_admin", "Bearer ymb_admin x", "Bearer \u00e9"]
)
async def test_other_forms_of_authorisation_are_nobody(api: Api, header: str) -> None:
    answer = await api.call("GET", "/v1/broadcasts", token=None, Authorization=header)
    assert answer.status == 401
    assert "ymb_admin" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8026", "127.0.0.1.evil.example", "[::1]", "localhost"])
async def test_other_hosts_are_not_answered(api: Api, host: str) -> None:
    for path in ("/v1/broadcasts", "/healthz", "/nowhere"):
        assert (await api.call("GET", path, Host=host)).status == 421
