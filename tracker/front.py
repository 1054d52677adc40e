"""From a request to its answer: the routes, and one 404 for everything that is not one of them.

Pure but for the counters: no socket, no clock, no store. The HTTP server around it is tracker.app; a faster one may
call ``Front`` just as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from urllib.parse import unquote

from model.errors import RemoteError, TokenError
from model.keyring import KeyRing
from model.token import Token
from tracker.answer import FORGED_PIXEL, LIMITED, TEXT_HEADERS, Answer, Visit
from tracker.client_address import apply_policy
from tracker.engagement import PIXEL_SUFFIX, answer_click, answer_pixel
from tracker.forgery import ForgeryLimit
from tracker.metrics import Count
from tracker.pages import Pages
from tracker.settings import IpPolicy, TrackerSettings
from tracker.unsubscribe import UnsubscribeDesk, open_unsubscribe

_READING = ("GET", "HEAD")
_ROBOTS = Answer(200, TEXT_HEADERS, b"User-agent: *\nDisallow: /\n")
# No picture: browsers ask for one beside the page, and 204 keeps them from asking for ever.
_NO_ICON = Answer(204, {**TEXT_HEADERS, "Cache-Control": "public, max-age=604800"}, b"")


class Front:
    """Answers requests. One per process."""

    def __init__(self, settings: TrackerSettings, keys: Callable[[], KeyRing]) -> None:
        """``keys`` returns the key ring of the moment, so that keys can be changed while running."""
        self._settings = settings
        self._keys = keys
        self._limit = ForgeryLimit(settings.forged_per_minute)

    @cached_property
    def not_found(self) -> Answer:
        """What is answered whatever is wrong: route, method, token (T2)."""
        return Answer(404, self._pages.headers, self._pages.missing(), tally=Count.NOT_FOUND)

    @cached_property
    def _forged(self) -> Answer:
        return self.not_found._replace(is_forged=True)

    @cached_property
    def _desk(self) -> UnsubscribeDesk:
        return UnsubscribeDesk(self._settings, self._pages)

    @cached_property
    def _pages(self) -> Pages:
        """Made when it is first needed: pixels and links need no page, and a start is not to wait for it."""
        return Pages()

    def warm(self) -> None:
        """Make the pages now, so that nobody waits for them. For a thread of its own."""
        self._pages.warm()

    def knows_host(self, host: str) -> bool:
        """Return whether a Host header names us (T11). Without configured names every host does."""
        if not self._settings.hosts:
            return True
        name = host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host.lower()
        return name.rstrip(".") in self._settings.hosts

    def answer(self, visit: Visit) -> Answer:
        """Return the answer to any request without a body to read."""
        if visit.method not in _READING:
            return self.not_found
        match visit.path.split("/"):
            case ["", "o", name]:
                return self._pixel(visit, name)
            case ["", "c", token, place, target]:
                try:
                    return answer_click(visit, (token, place, target), self._keys(), self._settings)
                except RemoteError:
                    return self._forged
            case ["", "u", _]:
                opened = self.open_post(visit)
                return self._desk.show(visit, opened) if opened else self._forged
            case ["", "robots.txt"]:
                return _ROBOTS
            case ["", "favicon.ico"]:
                return _NO_ICON
        return self.not_found

    def open_post(self, visit: Visit) -> Token | None:
        """Return the token of an unsubscribe URL; None when the path is none or does not verify."""
        match visit.path.split("/"):
            case ["", "u", token_text]:
                try:
                    return open_unsubscribe(token_text, self._keys())
                except TokenError:
                    return None
        return None

    def answer_post(self, visit: Visit, token: Token | None, body: bytes) -> Answer:
        """Return the answer to a POST whose ``token`` open_post found, None being a forged one."""
        return self._desk.take(visit, token, body) if token else self._forged

    def limit(self, answer: Answer, visit: Visit, now_s: float) -> Answer:
        """Return 429 in place of a 404 for a forged token if the client tried too many (T9).

        The pixel stays a pixel whatever happens. ``now_s`` is any clock that does not step back.
        """
        client = visit.ip
        if client and ":" in client:
            client = apply_policy(client, IpPolicy.TRUNCATE)  # a home has 2**64 addresses and more
        if self._limit.is_over(client, now_s) and answer.status == 404:
            return LIMITED
        return answer

    def _pixel(self, visit: Visit, name: str) -> Answer:
        if not name.endswith(PIXEL_SUFFIX):
            return self.not_found
        try:
            return answer_pixel(visit, name.removesuffix(PIXEL_SUFFIX), self._keys(), self._settings)
        except TokenError:
            return FORGED_PIXEL


def decode_path(target: str) -> tuple[str, str]:
    """Split a request target into its percent-decoded path and its query.

    The absolute form is accepted (RFC 9112 3.2.2). Some gateways percent-encode ``-``, ``_`` or ``.``; what the
    decoded text then says is for the MAC to judge.
    """
    if not target.startswith("/"):
        scheme, separator, rest = target.partition("://")
        if not separator or scheme.lower() not in ("http", "https"):
            return "", ""
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("?")
    path = path.partition("#")[0]
    return (unquote(path) if "%" in path else path), query
