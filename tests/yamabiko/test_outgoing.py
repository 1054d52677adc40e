"""Webhooks and lookups of a real server: through kills of its console, and a stop, without a loss (D18)."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from console.outgoing.signature import verify
from tests.yamabiko.serving import LEAN, Server, wait_for
from yamabiko.demo.ports import free_port


class Hook:
    """A receiver that keeps what comes."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def addresses(self) -> list[str]:
        """The addresses told of, in order, each as often as it came."""
        return [json.loads(body)["data"]["detail"]["address"] for _, body in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.mark.row("D18")
def test_a_webhook_outlives_kills_and_a_stop(tmp_path: Path, hook: Hook) -> None:
    few_rules = {"YAMABIKO_RULES_DIRECTORY": LEAN["YAMABIKO_RULES_DIRECTORY"]}
    server = Server(tmp_path / "home", YAMABIKO_WEBHOOKS_PRIVATE_NETWORKS="127.0.0.0/8", **few_rules).start()
    token = server.token()
    made = json.loads(
        server.ask(
            "POST", "/v1/webhooks", json.dumps({"url": hook.url, "events": ["planned"]}).encode(), token=token
        )[1]
    )  # fmt: skip
    wanted = []
    for round_ in range(4):
        for n in range(5):
            address = f"r{round_}-{n}@example.jp"
            server.send_row(address=address)
            wanted.append(address)
        if round_ < 3:
            os.kill(server.worker("console-0")["pid"], signal.SIGKILL)
            wait_for(lambda: server.is_ready() and _answers(server), 20, server.log_text)
    wait_for(lambda: set(wanted) <= set(hook.addresses()), 20, server.log_text)
    assert server.stop() == 0
    server.start()
    server.send_row(address="last@example.jp")
    wait_for(lambda: "last@example.jp" in hook.addresses(), 20, server.log_text)
    assert list(dict.fromkeys(hook.addresses())) == [*wanted, "last@example.jp"]
    assert hook.addresses().count("last@example.jp") == 1
    ids = {(headers["webhook-id"], json.loads(body)["data"]["detail"]["address"]) for headers, body in hook.got}
    assert len(ids) == len(wanted) + 1  # what came twice had the same id
    for headers, body in hook.got:
        verify([made["secret"]], headers, body, time.time())
    (row,) = [json.loads(line) for line in server.run("webhooks", "list").stdout.splitlines()]
    assert (row["tenant"], row["url"], row["standing"]) == (1, hook.url, "active")
    assert server.stop() == 0
    (row,) = [json.loads(line) for line in server.run("webhooks", "list").stdout.splitlines()]
    assert row["last_status"] == 200 and "whsec_" not in str(row)
    assert b"sound" in server.run("store", "verify").stdout
    assert made["secret"] not in server.log_text()


def _answers(server: Server) -> bool:
    try:
        return server.get("/healthz")[0] == 200
    except OSError:
        return False


def test_a_loopback_webhook_is_refused_without_the_setting(tmp_path: Path, hook: Hook) -> None:
    """Negative control of the setting above."""
    server = Server(tmp_path / "home", **LEAN).start()
    status, text = server.ask("POST", "/v1/webhooks", json.dumps({"url": hook.url}).encode(), token=server.token())
    assert status == 422, text
    assert server.stop() == 0
    assert hook.got == []


def test_lookups_are_answered_where_they_are_set_to_be(tmp_path: Path) -> None:
    port = free_port()
    server = Server(tmp_path / "home", YAMABIKO_LOOKUP_PORT=str(port), **LEAN).start()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"get taro@example.jp\n")
        assert client.recv(100) == b"500 not%20found\n"
    wait_for(lambda: 'yamabiko_lookups_total{result="passed"} 1.0' in server.get("/metrics")[1], 5)
    assert server.stop() == 0


def test_a_port_that_is_taken_stops_the_start_with_a_word(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(tmp_path / "home", YAMABIKO_LOOKUP_PORT=str(taken.getsockname()[1]), **LEAN)
        assert server.spawn().wait(30) == 78
    assert "lookup.port" in server.log_text()
