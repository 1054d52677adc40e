"""Every route there is."""

from __future__ import annotations

from typing import Any

from console import (
    attempts,
    audit,
    blocks,
    broadcasts,
    commands,
    erasures,
    events,
    exemptions,
    exports,
    incidents,
    mail_status,
    notices,
    numbers,
    people,
    policy,
    queues,
    rates,
    reports,
    rewrite,
    schema,
    sends,
    status,
    suppressions,
    tokens,
    unmatched,
    watches,
    webhooks,
)
from console.identity import Scope
from console.route import JSON, NDJSON, Answer, Public, Route, missing, refusal

_NOT_FOUND = missing("thing")

_BASE: tuple[Route, ...] = (
    Route(
        "PUT", "/v1/broadcasts/{id}", Scope.BROADCASTS_WRITE, "putBroadcast",
        "Describe a broadcast, or change what was said of it.", broadcasts.put_broadcast,
        (
            Answer(200, "Changed; durable.", schema.BroadcastOut),
            Answer(201, "Described for the first time; durable.", schema.BroadcastOut),
        ),
        path_type=schema.BroadcastPath, body_type=schema.BroadcastIn,
    ),
    Route(
        "GET", "/v1/broadcasts/{id}", Scope.BROADCASTS_READ, "getBroadcast",
        "One broadcast.", broadcasts.get_broadcast,
        (Answer(200, "The broadcast.", schema.BroadcastOut), _NOT_FOUND), path_type=schema.BroadcastRefPath,
    ),
    Route(
        "GET", "/v1/broadcasts", Scope.BROADCASTS_READ, "listBroadcasts",
        "All broadcasts, the newest first, fifty a page.", broadcasts.list_broadcasts,
        (Answer(200, "A page.", schema.BroadcastPage),), query_type=schema.BroadcastsQuery,
    ),
    Route(
        "POST", "/v1/sends", Scope.SENDS_WRITE, "postSends",
        "List recipients, one JSON object a line; the answer has a line for each, in order, written as soon as it "
        "is durable. Read it while you send.", sends.post_sends,
        (
            Answer(200, "A line a row.", schema.SEND_ANSWERS, NDJSON),
            refusal(408, "The body stopped coming."),
        ),
        body_type=schema.SendRow, body_media_type=NDJSON,
        headers=(("Idempotency-Key", "names the request, so that sending it again lists nobody twice"),),
    ),
    Route(
        "POST", "/v1/rewrite", Scope.SENDS_WRITE, "rewrite",
        "Put tracked links, the pixel and the unsubscribe link into one mail; keeps nothing.", rewrite.rewrite,
        (
            Answer(200, "The mail to send.", rewrite.RewriteOut),
            refusal(422, "The mail may not be sent like this."),
        ),
        body_type=rewrite.RewriteIn, uses_store=False,
    ),
    Route(
        "GET", "/v1/broadcasts/{id}/report", Scope.REPORTS_READ, "getReport",
        "The numbers of a broadcast as they are now.", reports.get_report,
        (Answer(200, "The numbers; null is drawn as a hyphen.", reports.ReportOut), _NOT_FOUND),
        path_type=schema.BroadcastRefPath, query_type=schema.ReportQuery,
    ),
    Route(
        "GET", "/v1/broadcasts/{id}/recipients/{recipient}", Scope.RECIPIENTS_READ, "getDelivery",
        "What happened to one recipient of a broadcast, oldest first.", reports.get_delivery,
        (Answer(200, "The delivery.", schema.DeliveryOut), _NOT_FOUND),
        path_type=schema.RecipientPath, query_type=schema.TimelineQuery,
    ),
    Route(
        "GET", "/v1/unmatched", Scope.RECIPIENTS_READ, "listUnmatched",
        "Mails that came back without proof of ours, fifty a page: shown, never counted.", unmatched.list_unmatched,
        (Answer(200, "A page.", schema.UnmatchedPage),), query_type=schema.PageQuery,
    ),
    Route(
        "GET", "/healthz", Public.YES, "healthz", "Whether the server is well.", status.healthz,
        (Answer(200, "All is well.", schema.HealthOut), Answer(503, "Something is not.", schema.HealthOut)),
        uses_store=False,
    ),
    Route(
        "GET", "/metrics", Public.YES, "metrics", "Counters of all processes, for Prometheus.", status.metrics,
        (Answer(200, "Prometheus text.", None, "text/plain"),), uses_store=False,
    ),
    Route(
        "GET", "/openapi.json", Public.YES, "openapi", "This document.", status.openapi,
        (Answer(200, "OpenAPI 3.1.", dict[str, Any], JSON),), uses_store=False,
    ),
)  # fmt: skip

ROUTES: tuple[Route, ...] = (
    *_BASE,
    *numbers.ROUTES,
    *people.ROUTES,
    *mail_status.ROUTES,
    *attempts.ROUTES,
    *queues.ROUTES,
    *audit.ROUTES,
    *tokens.ROUTES,
    *events.ROUTES,
    *webhooks.ROUTES,
    *commands.ROUTES,
    *watches.ROUTES,
    *notices.ROUTES,
    *exports.ROUTES,
    *suppressions.ROUTES,
    *blocks.ROUTES,
    *exemptions.ROUTES,
    *policy.ROUTES,
    *incidents.ROUTES,
    *erasures.ROUTES,
    *rates.ROUTES,
)
