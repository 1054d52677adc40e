"""The generator of visits counts what happened, and charges a server that stands still with all who waited."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system("gcc")

_CONNECTIONS = 4


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, before_answer: Callable[[int], int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.before_answer = before_answer
        self.seen: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.seen.append((self.path, self.headers["User-Agent"]))
            number = len(self.server.seen)
            status = self.server.before_answer(number)  # under the lock: a pause is one for everybody
        if status == 0:
            self.close_connection = True
            return
        self.wfile.write(b"HTTP/1.1 %d X\r\ncontent-length: 3\r\n\r\nabc" % status)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def _serving(before_answer: Callable[[int], int]) -> Iterator[_Server]:
    with _Server(before_answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _run(load: Path, server: _Server, *, seconds: float, rate: float = 0, skip: int = 0, lines: int = 3) -> Any:
    requests = load.parent / "requests"
    requests.write_text("".join(f"/o/{n}.gif\tAgent {n}\n" for n in range(lines)), encoding="ascii")
    port = server.server_address[1]
    command = [load, port, _CONNECTIONS, seconds, requests, skip, rate, 200]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=30)
    return json.loads(done.stdout)


def test_every_request_begun_is_finished_and_counted(web_load: Path) -> None:
    with _serving(lambda number: 200) as server:
        result = _run(web_load, server, seconds=0.3)
    assert result["answers"] == len(server.seen) > _CONNECTIONS
    assert (result["bad_status"], result["lost"]) == (0, 0)


def test_lines_are_taken_in_turn_from_the_place_given(web_load: Path) -> None:
    with _serving(lambda number: 200) as server:
        _run(web_load, server, seconds=0.2, rate=50, skip=2)
    # Slower than the server answers: one after another, in order.
    assert server.seen[:4] == [(f"/o/{n}.gif", f"Agent {n}") for n in (2, 0, 1, 2)]


def test_a_fixed_rate_is_kept(web_load: Path) -> None:
    with _serving(lambda number: 200) as server:
        result = _run(web_load, server, seconds=1, rate=100)
    assert result["answers"] == 100
    assert 0.9 < result["seconds"] < 3


def test_wrong_answers_are_told(web_load: Path) -> None:
    with _serving(lambda number: 404 if number % 2 else 200) as server:
        result = _run(web_load, server, seconds=0.2, rate=100)
    assert result["bad_status"] == 10 and result["answers"] == 20


def test_lost_connections_are_told(web_load: Path) -> None:
    with _serving(lambda number: 0 if number == 5 else 200) as server:
        result = _run(web_load, server, seconds=0.2, rate=100)
    assert result["lost"] == 1 and result["answers"] == 19


def _pause_at(number: int, at: int, seconds: float) -> int:
    if number == at:
        time.sleep(seconds)
    return 200


def test_a_pause_counts_for_all_who_would_have_come_meanwhile(web_load: Path) -> None:
    """With 4 connections only 4 requests are under way in a pause, but 100 were due: two fifths of all waited."""
    with _serving(lambda number: _pause_at(number, 100, 1.0)) as server:
        paused = _run(web_load, server, seconds=2.5, rate=100)
    with _serving(lambda number: 200) as server:
        smooth = _run(web_load, server, seconds=2.5, rate=100)
    assert paused["answers"] == smooth["answers"] == 250
    assert paused["p99_ms"] > 900
    assert paused["p99_ms"] > 2 * smooth["p99_ms"]  # the negative control
    # Without a rate the same pause hits the few that are under way, and no percentile sees it.
    with _serving(lambda number: _pause_at(number, 100, 1.0)) as server:
        blind = _run(web_load, server, seconds=2.5)
    assert blind["max_ms"] > 900 > 2 * blind["p99_ms"]
