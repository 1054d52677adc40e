"""The sender's side of the demo: it speaks to the API as any sending system would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from yamabiko.demo.links import find_links
from yamabiko.demo.mails import Original
from yamabiko.demo.world import Person

#: Four links, as the scanner's truth says; the third is what people without images click.
HTML = """<!doctype html>
<html lang="ja"><body>
<p>春の新商品のご案内です。</p>
<p><a href="https://shop.example/new?utm_source=mail&amp;item=1">新商品</a>
<a href="https://shop.example/sale">セール</a>
<a href="https://shop.example/%E5%BA%97%E8%88%97#map">店舗</a>
<a href="https://shop.example/contact">お問い合わせ</a></p>
<p>{{Unsubscribe:配信停止はこちら}}</p>
</body></html>
"""


class ApiError(Exception):
    """The API answered with something else than expected."""


@dataclass(frozen=True, slots=True)
class Minted:
    """What the API gave for one person's mail."""

    person: Person
    recipient: str
    original: Original
    pixel_url: str
    unsubscribe_url: str
    unsubscribe_address: str
    clicks: tuple[str, ...] = ()


class Sender:
    """A client of the API with one token."""

    def __init__(self, http: aiohttp.ClientSession, origin: str, token: str) -> None:
        """``origin`` is that of the console, without a slash at its end."""
        self._http = http
        self._origin = origin
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        """Return what the API has at ``path``. Raises ApiError unless it answers 200."""
        return await self._ask("GET", path)

    async def describe(self, broadcast: str, **fields: str) -> None:
        """Describe a broadcast."""
        await self._ask("PUT", f"/v1/broadcasts/{broadcast}", json=fields)

    async def send(self, broadcast: str, people: Sequence[Person], *, key: str, test: bool = False) -> list[Any]:
        """List people; returns the API's answer to each row, in order. The same ``key`` lists nobody twice."""
        rows = [
            {"broadcast": broadcast, "address": p.address, "last_name": p.last_name, "first_name": p.first_name,
             "company": p.company, "contact_ref": f"c{p.row}", "test": test}
            for p in people
        ]  # fmt: skip
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        text = await self._ask("POST", "/v1/sends", data=body.encode(), headers=headers, as_text=True)
        answers = sorted((json.loads(line) for line in text.splitlines()), key=lambda a: a["row"])
        if len(answers) != len(rows) or any("error" in answer for answer in answers):
            raise ApiError(f"of {len(rows)} rows {len(answers)} were answered, some with an error")
        return answers

    async def rewrite(self, broadcast: str, address: str) -> tuple[str, ...]:
        """Return the tracked links of the mail to ``address``, in their order."""
        answer = await self._ask("POST", "/v1/rewrite", json={"broadcast": broadcast, "address": address, "html": HTML})
        return find_links(answer["html"], "/c/")

    async def _ask(self, method: str, path: str, *, as_text: bool = False, **options: Any) -> Any:
        """Ask, and ask again while the console is being restarted: all of this is idempotent."""
        headers = self._headers | options.pop("headers", {})
        for attempt in range(40):
            try:
                async with self._http.request(method, self._origin + path, headers=headers, **options) as reply:
                    text = await reply.text()
                    if reply.status in (502, 503):
                        raise aiohttp.ClientError(f"status {reply.status}")
                    if reply.status >= 300:
                        raise ApiError(f"{method} {path} answered {reply.status}: {text[:500]}")
                    return text if as_text else json.loads(text)
            except (aiohttp.ClientError, TimeoutError, OSError):
                if attempt == 39:
                    raise
                await asyncio.sleep(0.25)
        raise AssertionError("unreachable")


def minted(person: Person, answer: dict[str, Any]) -> Minted:
    """Return what one accepted row gave."""
    original = Original(person.address, answer["return_path"], tuple(answer["headers"].items()))
    return Minted(
        person, answer["recipient"], original, answer["pixel_url"], answer["unsubscribe_url"],
        answer["unsubscribe_address"],
    )  # fmt: skip
