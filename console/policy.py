"""How a tenant wants failures to become suppression: a profile and what guards it (X5, X10, N03, S26, E39)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from console.audit import audited
from console.identity import Scope
from console.kept import kept
from console.route import Answer, Call, Reply, Route
from console.schema_suppressions import PolicyIn, PolicyOut
from store.policy import POLICY_KIND, POLICY_NAME, Policy

_SCOPES = {
    "unsubscribe": "stream: the broadcasts of one subscription stream, or all where the recipient said so",
    "complaint": "tenant: all of your streams",
    "block": "tenant: all of your streams",
    "bounce": "tenant: all of your streams",
    "soft": "tenant: all of your streams",
}
_SHARED = "global_hash: yours, and what other tenants that share heard of the same address, known by a keyed mark only"
_OF_STREAM = "stream: the broadcasts of the stream in which it bounced"
#: One change at a time: each is written from the policy before.
_lock = asyncio.Lock()


async def get_policy(call: Call) -> Reply:
    """Return the policy in force."""
    return Reply(200, _shown(call.services.suppression.policy(call.identity.tenant)))


async def put_policy(call: Call) -> Reply:
    """Change the policy; it counts for whoever is asked about from now on, and rewrites nothing."""
    body: PolicyIn = call.body
    changes = {
        "profile": body.profile.value if body.profile else None,
        "has_sender_guard": body.sender_guard,
        "has_breaker": body.breaker,
        "shares_bounces": body.share_bounces,
        "pauses_senders": body.pause_senders,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    async with _lock:
        policy = replace(call.services.suppression.policy(call.identity.tenant), **given)  # type: ignore[arg-type]
        fact = kept(call, POLICY_KIND, POLICY_NAME, policy.body())
        await call.services.writer.submit([fact, audited(call, "policy.put", "suppression", policy.body().decode())])
    return Reply(200, _shown(policy))


def _shown(policy: Policy) -> PolicyOut:
    own = {"bounce": _OF_STREAM} if policy.keeps_projects else {}
    shared = {"bounce": _SHARED} if policy.shares_bounces else {}
    return PolicyOut(
        policy.profile,
        sender_guard=policy.has_sender_guard,
        breaker=policy.has_breaker,
        share_bounces=policy.shares_bounces,
        pause_senders=policy.pauses_senders,
        scopes=_SCOPES | own | shared,
    )


ROUTES = (
    Route(
        "GET", "/v1/policy", Scope.SUPPRESSIONS_READ, "getPolicy", "How failures become suppression.", get_policy,
        (Answer(200, "The policy in force.", PolicyOut),),
    ),
    Route(
        "PUT", "/v1/policy", Scope.SUPPRESSIONS_WRITE, "putPolicy",
        "Change how failures become suppression; what is left out stays.", put_policy,
        (Answer(200, "In force; durable.", PolicyOut),), body_type=PolicyIn,
    ),
)  # fmt: skip
