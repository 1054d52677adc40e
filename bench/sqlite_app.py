"""The pixel as one would write it with aiohttp and SQLite, and write it well: the peer of ``pixel_vs_sqlite``.

    python -m bench.sqlite_app PORT DATABASE

A row per hit, durable before it is answered (WAL, synchronous=FULL), the hits of 5 ms in one transaction on a
thread of its own, uvloop, no access log. It does less than we do: no token is verified, nothing is counted, no index.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import uvloop
from aiohttp import web

_BATCH_S = 0.005
_GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
_HEADERS = {"Content-Type": "image/gif", "Cache-Control": "no-store"}
_TABLE = "CREATE TABLE IF NOT EXISTS hits (id INTEGER PRIMARY KEY, token TEXT, at_us INTEGER, ip TEXT, user_agent TEXT)"
_INSERT = "INSERT INTO hits (token, at_us, ip, user_agent) VALUES (?, ?, ?, ?)"

_Row = tuple[str, int, str | None, str]


class Hits:
    """Rows on their way to the disk."""

    def __init__(self, path: str) -> None:
        """Open, or make, the database ``path``; used on one event loop."""
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_TABLE)
        self._thread = ThreadPoolExecutor(1)
        self._rows: list[_Row] = []
        self._stored: asyncio.Future[None] | None = None
        self._batch: asyncio.Task[None] | None = None

    def add(self, row: _Row) -> asyncio.Future[None]:
        """Take a row; the future, which is the whole batch's, is done when it is durable."""
        self._rows.append(row)
        if self._stored is None:
            self._stored = asyncio.get_running_loop().create_future()
        if self._batch is None:
            self._batch = asyncio.create_task(self._store())
        return self._stored

    async def _store(self) -> None:
        while self._rows:
            await asyncio.sleep(_BATCH_S)
            rows, stored = self._rows, self._stored
            self._rows, self._stored = [], None
            assert stored is not None
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._insert, rows)
            except sqlite3.Error as error:
                stored.set_exception(error)
            else:
                stored.set_result(None)
        self._batch = None

    def _insert(self, rows: list[_Row]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(_INSERT, rows)
        self._database.execute("COMMIT")


def build_app(path: str) -> web.Application:
    """Return the application with its database at ``path``."""
    hits = Hits(path)

    async def pixel(request: web.Request) -> web.Response:
        agent = request.headers.get("User-Agent", "")
        # Shielded: a visitor who leaves must not cancel the others of the batch.
        row = (request.match_info["token"], time.time_ns() // 1_000, request.remote, agent)
        await asyncio.shield(hits.add(row))
        return web.Response(body=_GIF, headers=_HEADERS)

    app = web.Application()
    app.router.add_get("/o/{token}", pixel)
    return app


async def _serve(port: int, path: str) -> None:
    runner = web.AppRunner(build_app(path), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1_024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2]))
