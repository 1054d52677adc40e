"""Errors as RFC 9457 problem details: every one has a text that says what to do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True):
    """The body of every error (RFC 9457 3.1)."""

    type: str
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """A request cannot be answered as asked; becomes a Problem. ``detail`` is ours, never a traceback."""

    def __init__(
        self, status: int, slug: str, detail: str, *,
        retry_after_s: int | None = None, headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """``slug`` names the kind of problem, e.g. ``not-found``; docs/api.md lists them."""
        super().__init__(detail)
        self.status, self.slug, self.detail = status, slug, detail
        self._headers = dict(headers or {})
        if retry_after_s is not None:
            self._headers["Retry-After"] = str(retry_after_s)

    def response(self) -> web.Response:
        """Return it as a response."""
        title = self.slug.replace("-", " ").capitalize()
        body = Problem(f"urn:yamabiko:problem:{self.slug}", title, self.status, self.detail)
        headers = dict(self._headers)
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="yamabiko"'
        return web.Response(
            status=self.status, body=msgspec.json.encode(body), content_type=MEDIA_TYPE, headers=headers
        )


def bad_request(detail: str) -> ProblemError:
    """Return the error for a request that is not what the API document says."""
    return ProblemError(400, "bad-request", detail)


def not_found(detail: str) -> ProblemError:
    """Return the error for a thing that is not there, or not this tenant's: the two look the same (T21)."""
    return ProblemError(404, "not-found", detail)


def too_large(limit: int) -> ProblemError:
    """Return the error for a body over its limit, in octets."""
    return ProblemError(413, "too-large", f"The body may have at most {limit:,} octets. Send it in parts.")


def store_busy() -> ProblemError:
    """Return the error for facts that could not be made durable: nothing is lost if the request comes again."""
    return ProblemError(
        503,
        "store-unavailable",
        "The store did not take the data in time; nothing was promised. Send the same request again.",
        retry_after_s=5,
    )
