"""A tracker on a real socket, a store that can be told to misbehave, and a client that sends exact octets."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.fact import Fact, FactType, Hit
from model.keyring import KeyRing
from model.mint import Mint, MintedMail
from store.errors import StoreFullError
from tracker.app import TRACKER, build_app
from tracker.hot.protocol import HotRunner
from tracker.hot.requests import HotRequests
from tracker.metrics import Tally
from tracker.pending import Pending
from tracker.server import TrackerServer
from tracker.settings import TrackerSettings

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


class FakeStore:
    """Takes facts at once, never, or with an error."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        #: how many of the facts came by the fast path, which alone makes hits
        self.hits = 0
        self.submissions = 0
        #: facts of each submission, as they were handed over
        self.handed: list[int] = []
        self.is_frozen = False
        self.error: Exception | None = None
        self.delay_s = 0.0
        self._thaw = asyncio.Event()

    async def submit(self, facts: Sequence[Fact | Hit]) -> None:
        self.handed.append(len(facts))
        if self.error is not None:
            raise self.error
        if self.is_frozen:
            await self._thaw.wait()
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        self.submissions += 1
        self.hits += sum(isinstance(fact, Hit) for fact in facts)
        self.facts.extend(fact.as_fact() if isinstance(fact, Hit) else fact for fact in facts)

    def thaw(self) -> None:
        self.is_frozen = False
        self._thaw.set()

    def of(self, kind: FactType) -> list[Fact]:
        return [fact for fact in self.facts if fact.type is kind]


@dataclass
class Reply:
    """One HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, found
        return found[0] if found else None


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, raw: bytes, *, is_head: bool = False) -> Reply:
        """Send octets as they are and read one answer. Raises EOFError when the connection was closed instead."""
        for attempt in (1, 2):
            if self._pair is None:
                self._pair = await asyncio.open_connection("127.0.0.1", self.port)
                attempt = 2
            reader, writer = self._pair
            try:
                writer.write(raw)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                return await self._finish(head, reader, is_head=is_head)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                await self.close()
                if attempt == 2:
                    raise EOFError("closed") from error
        raise AssertionError

    async def _finish(self, head: bytes, reader: asyncio.StreamReader, *, is_head: bool) -> Reply:
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines)]
        fields = {key.lower(): value for key, value in headers}
        length = int(fields.get("content-length", "0"))
        body = b"" if is_head or first[9:12] == "204" else await reader.readexactly(length)
        if fields.get("connection", "").lower() == "close":
            await self.close()
        return Reply(int(first[9:12]), headers, body)

    async def close(self) -> None:
        if self._pair is not None:
            self._pair[1].close()
            self._pair = None


class Edge:
    """A running tracker."""

    def __init__(self, keys: KeyRing, mint: Mint, settings: TrackerSettings, *, is_fast: bool = True) -> None:
        self.keys = keys
        self.mint = mint
        self.settings = settings
        self.store = FakeStore()
        self.tally = Tally()
        self.app = app = build_app(
            settings, lambda: self.keys, self.store.submit, lambda: time.time_ns() // 1_000, self.tally
        )
        self.server = TrackerServer(app, settings, is_fast=is_fast)
        self.port = 0
        self.client = Client(0)

    @property
    def pending(self) -> Pending:
        return self.app[TRACKER].pending

    @property
    def hot(self) -> HotRequests:
        runner = self.server._runner
        assert isinstance(runner, HotRunner)
        return runner._hot

    @property
    def connections(self) -> int:
        server = self.server._runner.server
        assert server is not None
        return len(server.connections)

    async def start(self) -> None:
        self.port = await self.server.start("127.0.0.1", 0)
        self.client = Client(self.port)

    async def stop(self) -> None:
        await self.client.close()
        self.store.thaw()
        await self.server.stop()

    def mail(self, address: str = "taro@example.jp", **options: bool) -> MintedMail:
        return self.mint.mail(tenant=7, broadcast_id="spring", address=address, day=20_500, **options)

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send one request. ``path`` may be a whole URL of ours."""
        path = re.sub(r"^https://t\.example\.jp", "", path)
        fields = {"Host": "t.example.jp", "User-Agent": BROWSER, **(headers or {})}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        lines = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
        raw = f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + (body or b"")
        return await self.client.send(raw, is_head=method == "HEAD")

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, {key.replace("_", "-"): value for key, value in headers.items()})

    async def post(self, path: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> Reply:
        return await self.ask("POST", path, {"Content-Type": kind}, body)


def path_of(url: str) -> str:
    return url.removeprefix("https://t.example.jp")


def changed(settings: TrackerSettings, **values: object) -> TrackerSettings:
    return replace(settings, **values)  # type: ignore[arg-type]


FULL = StoreFullError("the disk is full")
