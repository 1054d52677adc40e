"""A route as data: what it is called, who may call it, what goes in and out.

The router, the checks of authorisation and the OpenAPI document are all made from this, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
from aiohttp import web

from console.identity import Identity, Scope
from console.problem import MEDIA_TYPE, Problem
from console.services import Services

JSON = "application/json"
NDJSON = "application/x-ndjson"


class Public(Enum):
    """Says that a route needs no token. Written out at each such route, so that none is open by omission."""

    YES = "public"


@dataclass(frozen=True, slots=True)
class Answer:
    """One status a route may answer with. ``body``: the JSON's type, a tuple of several, or None for no JSON."""

    status: int
    text: str
    body: Any = None
    media_type: str = JSON


def refusal(status: int, text: str) -> Answer:
    """Return the description of a problem a route may answer with (RFC 9457)."""
    return Answer(status, text, Problem, MEDIA_TYPE)


def missing(what: str) -> Answer:
    """Return the description of the answer about a thing that is not there or is not the caller's (T21)."""
    return refusal(404, f"There is no such {what}, or it is another tenant's.")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; the application turns it into JSON."""

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: the caller may ask this and the input is of the types the route states."""

    request: web.Request
    services: Services
    #: None on public routes only
    caller: Identity | None
    path: Any
    query: Any
    body: Any

    @property
    def identity(self) -> Identity:
        """Who asks. Only for routes with a scope."""
        if self.caller is None:
            raise LookupError("a public route has no caller")
        return self.caller


Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    #: what a token must allow; Public.YES when none is needed
    access: Scope | Public
    name: str
    summary: str
    handler: Handler
    answers: tuple[Answer, ...]
    #: types of path, query and body; a body with media type NDJSON is read by the handler
    path_type: type[msgspec.Struct] | None = None
    query_type: type[msgspec.Struct] | None = None
    body_type: Any = None
    body_media_type: str = JSON
    #: request headers the route looks at: name, what for
    headers: tuple[tuple[str, str], ...] = field(default=())
    #: whether it needs the store, and so may answer 503
    uses_store: bool = True
