"""One request to one receiver: bounded in time and size, no redirects; of the reply only its status is kept."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from console.outgoing.guard import Guard, GuardError, PinnedResolver, guarded_connector

TIMEOUT_S = 10.0
REPLY_BYTES = 65_536
_LINE = 8_190


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. ``problem`` is in our own words: a receiver's are never shown."""

    #: None when no reply came
    status: int | None
    problem: str
    took_s: float = 0.0
    #: how long the receiver asks us to wait
    retry_after_s: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has it."""
        return not self.problem

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more, ever (410)."""
        return self.status == 410


class Sender:
    """Sends webhooks. Use on one event loop; ``close`` at the end."""

    def __init__(
        self, guard: Guard, *, version: str = "0", connections: int = 16, timeout_s: float = TIMEOUT_S,
        trust: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        """``connections`` is how many may be open at once; ``trust`` decides on certificates, else the system's."""
        self._guard = guard
        self._resolver = PinnedResolver()
        self._connections = connections
        self._timeout_s = timeout_s
        self._trust = trust
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Yamabiko/{version} (webhooks)",
            "Accept-Encoding": "identity",
        }
        self._session: aiohttp.ClientSession | None = None

    @property
    def guard(self) -> Guard:
        """What decides where requests may go."""
        return self._guard

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send ``body`` and wait for the reply. Never raises for what the other side does."""
        began = time.monotonic()
        status: int | None = None
        retry_after_s = 0.0
        try:
            async with asyncio.timeout(self._timeout_s):
                status, retry_after_s = await self._exchange(url, headers, body)
            problem = _judge(status)
        except GuardError as error:
            problem = f"not sent: {error}"
        except TimeoutError:
            problem = f"no whole reply within {self._timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = _words(error)
        return Outcome(status, problem, time.monotonic() - began, retry_after_s)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, float]:
        target = await self._guard.check(url)
        self._resolver.pin(target)
        async with self._open().post(
            target.url,
            data=body,
            headers={**self._headers, **headers},
            allow_redirects=False,
            ssl=self._trust if self._trust is not None else True,
        ) as response:
            left = REPLY_BYTES
            while left > 0:
                chunk = await response.content.read(min(left, 16_384))
                if not chunk:
                    break
                left -= len(chunk)
            if left <= 0:
                response.close()  # it goes on talking: hang up, the status is what counts
            return response.status, _retry_after(response.headers.get("Retry-After", ""))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=guarded_connector(self._guard, self._resolver, limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                trust_env=False,  # no proxy: it would resolve the name by itself
                auto_decompress=False,
                max_line_size=_LINE,
                max_field_size=_LINE,
            )
        return self._session


def _judge(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}; redirects are not followed"
    return f"answered {status}"


def _words(error: Exception) -> str:
    """Return our own words for an error: its text may hold what the other side sent."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return "the certificate of the host is not trusted"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "cannot connect"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError):
        return "the connection broke"
    return "the reply is not HTTP"


def _retry_after(text: str) -> float:
    """Return the seconds of a Retry-After header (RFC 9110 10.2.3); 0.0 when there is none we understand."""
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
