"""A disk that is full: what needs no room goes on, a start succeeds, and all is there with room again (D5)."""

from __future__ import annotations

import os
import signal
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.small_disk import mounted
from tests.yamabiko.serving import LEAN, SERVICES, Server, wait_for
from yamabiko.demo.ports import free_port

_ONE_CLICK = b"List-Unsubscribe=One-Click"
_FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    with mounted(tmp_path / "disk", megabytes=24) as point:
        yield point


def fill(disk: Path) -> None:
    """Leave not an octet."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        for size in (65_536, 1):
            try:
                while ballast.write(bytes(size)) == size:
                    continue
            except OSError:
                continue


class ServerOnDisk(Server):
    """One that is asked nothing of what it could not write down."""

    def __init__(self, disk: Path) -> None:
        """Its home is on ``disk``; what it logs is elsewhere."""
        ports = {f"YAMABIKO_{name.upper()}_PORT": str(free_port()) for name in SERVICES}
        limits = {"YAMABIKO_STORE_MIN_FREE_BYTES": str(2**20), "YAMABIKO_STORE_SCRUB_HOURS": "0"}
        super().__init__(disk / "home", **LEAN, **ports, **limits)
        self.log = disk.parent / "serve.log"

    def port(self, service: str) -> int:
        """Where a service listens."""
        return int(self.environment[f"YAMABIKO_{service.upper()}_PORT"])

    def is_ready(self) -> bool:
        """Whether all workers of this process are."""
        assert self.process is not None and self.process.poll() is None, self.log_text()
        return any(line["event"] == "ready" and line["pid"] == self.process.pid for line in self.log_lines())

    def workers(self) -> list[int]:
        """Return the process of each worker that was the last to be ready."""
        found = {line["worker"]: line["pid"] for line in self.log_lines() if line["event"] == "worker ready"}
        return list(found.values())


def ask_everything(server: Server, row: dict[str, Any]) -> dict[str, int]:
    """Ask for one of each thing that needs no room, often enough that each is counted; returns the last answers."""
    pixel, token = urlsplit(row["pixel_url"]).path, server.token()
    paths = ["/v1/broadcasts", "/v1/broadcasts/spring/report", "/v1/suppressions", "/v1/nothing", "/metrics"]
    paths += [f"/v1/broadcasts/spring/recipients/{row['recipient']}", "/v1/exports", "/v1/webhooks", "/v1/audit"]
    found = {path: server.get(path, token=token)[0] for path in paths}
    found["pixel"] = server.get(pixel, service="tracker")[0]
    found["forged"] = server.get("/c/forged/1.1/forged", service="tracker")[0]
    return found


def mail_reply(server: Server) -> int:
    """The reply code to MAIL."""
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as client:
        client.ehlo("mx.example.jp")
        return client.mail("")[0]


def deaths(server: Server) -> list[str]:
    """The deaths of workers that were logged."""
    return [line["event"] for line in server.log_lines() if line["event"].startswith("worker died")]


@pytest.mark.row("D5")
def test_a_server_on_a_full_disk(disk: Path) -> None:
    server = ServerOnDisk(disk).start()
    try:
        row = server.send_row(address="taro@example.jp")
        unsubscribe = urlsplit(row["unsubscribe_url"]).path
        fill(disk)
        assert os.statvfs(disk).f_bavail == 0, "the control: it is full"
        wait_for(lambda: mail_reply(server) == 452, 5)
        answers = ask_everything(server, row)
        assert set(answers.values()) <= {200, 404} and answers["pixel"] == 200, answers
        assert server.ask("POST", unsubscribe, _ONE_CLICK, service="tracker", media=_FORM)[0] == 503
        assert deaths(server) == [], "nobody died of it"

        # Whoever dies meanwhile comes back, and so does the whole server.
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(deaths(server)) == 3, 10)
        wait_for(lambda: is_there(server, row), 20, server.log_text)
        assert server.stop() == 0
        fill(disk)
        assert server.start().is_ready()
        assert ask_everything(server, row)["pixel"] == 200
        assert len(deaths(server)) == 3, "only those that were killed"

        (disk / "ballast").unlink()
        wait_for(lambda: mail_reply(server) == 250, 10)
        assert server.ask("POST", unsubscribe, _ONE_CLICK, service="tracker", media=_FORM)[0] == 200
        assert server.stop() == 0
        assert server.run("store", "verify").returncode == 0
    finally:
        server.kill()


def is_there(server: Server, row: dict[str, Any]) -> bool:
    """Whether all workers answer."""
    try:
        return ask_everything(server, row)["pixel"] == 200 and mail_reply(server) in (250, 452)
    except OSError:
        return False
