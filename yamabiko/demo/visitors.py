"""Mail clients, image proxies and scanners that fetch our URLs over real HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from yamabiko.demo.patience import PAUSE_S, TRIES

PERSON = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Accept-Language": "ja,en;q=0.5",
}
GMAIL = {"User-Agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"}
PREFETCH = {"User-Agent": "Mozilla/5.0"}
#: Looks like a person: only what it does together gives it away.
SCANNER = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"}


class Visitors:
    """Fetches URLs. What was surely recorded and what only may have been is counted apart."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        """``http`` must not follow redirects of its own accord, nor keep cookies."""
        self._http = http
        #: hits whose answer came after the commit, by name
        self.sure: Counter[str] = Counter()
        #: hits that may or may not have been recorded: the connection broke, or the answer did not wait
        self.unsure: Counter[str] = Counter()

    async def fetch(self, name: str, url: str, headers: dict[str, str], *, method: str = "GET") -> dict[str, str]:
        """Fetch until it is answered and recorded; returns the headers of the last answer.

        Raises ConnectionError when there is no answer for a long time.
        """
        for _ in range(TRIES):
            try:
                async with self._http.request(method, url, headers=headers, allow_redirects=False) as reply:
                    await reply.read()
                    if reply.status in (200, 302) and reply.headers.get("X-Recorded") != "unsure":
                        self.sure[name] += 1
                        return dict(reply.headers)
                    self.unsure[name] += 1
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.unsure[name] += 1
            await asyncio.sleep(PAUSE_S)
        raise ConnectionError("the tracker does not answer")

    async def post(self, url: str, form: dict[str, str]) -> None:
        """Post a form until it is taken: 200, and nothing else, means it is recorded."""
        for _ in range(TRIES):
            try:
                async with self._http.post(url, data=form, headers=PERSON, allow_redirects=False) as reply:
                    await reply.read()
                    if reply.status == 200:
                        return
                    if reply.status < 500:
                        raise ConnectionError(f"the unsubscribe page answered {reply.status}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if isinstance(error, ConnectionError) and "unsubscribe page" in str(error):
                    raise
            await asyncio.sleep(PAUSE_S)
        raise ConnectionError("the tracker does not answer")

    async def status(self, url: str, *, method: str = "GET") -> int:
        """Return the status of one request, tried again while nobody answers."""
        for _ in range(TRIES):
            try:
                async with self._http.request(method, url, headers=SCANNER, allow_redirects=False) as reply:
                    await reply.read()
                    return reply.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(PAUSE_S)
        raise ConnectionError("the tracker does not answer")
