"""API tokens: who may do what. Only a system administrator gives rights, and only within the tenant (S36, T17)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from console.audit import audited
from console.identity import ROLES, Role, Scope
from console.problem import bad_request, not_found
from console.route import Answer, Call, Reply, Route, refusal
from console.schema import ShortText, time_of, whole
from console.token_desk import TokenRow

_DAY_S = 86_400


class TokenIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose the token is, and a role, or single scopes, or both."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: Role | None = None
    scopes: tuple[Scope, ...] = ()
    days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


class TokenOut(Struct, frozen=True):
    """A token; ``token`` itself is there only in the answer that made it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    made_at: datetime | None
    expires_at: datetime | None
    token: str | None = None


class TokensOut(Struct, frozen=True):
    """All tokens of the tenant."""

    tokens: list[TokenOut]


class TokenPath(Struct, frozen=True):
    """Path of one token."""

    token: Annotated[str, Meta(pattern=whole(r"[0-9a-f]{8}"), description="its id")]


class RevokeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the audit."""

    reason: ShortText = ""


async def list_tokens(call: Call) -> Reply:
    """Return the tenant's tokens."""
    return Reply(200, TokensOut([_shown(row) for row in call.services.tokens.list(call.identity.tenant)]))


async def create_token(call: Call) -> Reply:
    """Make a token of the caller's tenant and show it this once."""
    body: TokenIn = call.body
    scopes = {*(ROLES[body.role] if body.role else ()), *body.scopes}
    if not scopes:
        raise bad_request("Give `role` or `scopes`: a token without scopes may do nothing.")
    granted = tuple(sorted(scopes))
    lifetime = body.days * _DAY_S if body.days else None
    await _audit(call, "token.create", body.name, {"scopes": granted, "days": body.days})
    row, token = call.services.tokens.create(call.identity.tenant, body.name, granted, lifetime)
    shown = _shown(row)
    return Reply(201, TokenOut(shown.id, shown.name, shown.scopes, shown.made_at, shown.expires_at, token))


async def revoke_token(call: Call) -> Reply:
    """Refuse a token from now on, in all processes within two seconds."""
    await _audit(call, "token.revoke", call.path.token, {"reason": call.query.reason})
    if not call.services.tokens.revoke(call.identity.tenant, call.path.token):
        raise not_found("There is no such token.")
    return Reply(204)


async def _audit(call: Call, action: str, target: str, note: dict[str, object]) -> None:
    """Write down what is about to be done: a deed without its line would be the worse mistake."""
    await call.services.writer.submit([audited(call, action, target, json.dumps(note, ensure_ascii=False))])


def _shown(row: TokenRow) -> TokenOut:
    expires = None if row.expires_at is None else row.expires_at * 1_000_000
    scopes = tuple(map(str, row.scopes))
    return TokenOut(row.id, row.name, scopes, time_of(row.made_at * 1_000_000), time_of(expires))


ROUTES = (
    Route(
        "GET", "/v1/tokens", Scope.TOKENS_WRITE, "listTokens", "All tokens of the tenant, never themselves.",
        list_tokens, (Answer(200, "The tokens.", TokensOut),), uses_store=False,
    ),
    Route(
        "POST", "/v1/tokens", Scope.TOKENS_WRITE, "createToken", "Make a token; it is shown this once.",
        create_token, (Answer(201, "Made.", TokenOut),), body_type=TokenIn,
    ),
    Route(
        "DELETE", "/v1/tokens/{token}", Scope.TOKENS_WRITE, "revokeToken", "Refuse a token from now on.",
        revoke_token, (Answer(204, "Revoked."), refusal(404, "There is no such token.")),
        path_type=TokenPath, query_type=RevokeQuery,
    ),
)  # fmt: skip
