"""A real ``yamabiko serve`` with real workers, on free ports, in a home of its own."""

from __future__ import annotations

import atexit
import json
import os
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stopwatch import Stopwatch

SERVICES = ("smtp", "tracker", "console")
#: For tests of something else than reading mails and replacing workers: without spares and with a handful of rules a
#: server takes half the processor time to start.
LEAN = {
    "YAMABIKO_PROCESSES_SPARES": "0",
    "YAMABIKO_RULES_DIRECTORY": str(Path(__file__).with_name("few_rules")),
}


class Server:
    """Start with ``start``, look with ``status``, end with ``stop``."""

    def __init__(self, home: Path, **environment: str) -> None:
        """``environment`` is set beside the home and free ports."""
        self.home = home
        self.log = home.parent / f"{home.name}.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YAMABIKO_")},
            "YAMABIKO_HOME": str(home),
            **{f"YAMABIKO_{name.upper()}_PORT": "0" for name in SERVICES},
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """Run ``serve`` without waiting."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "yamabiko", "serve"], env=self.environment, stdout=log, stderr=log
            )

    def start(self) -> Server:
        """Run ``serve`` and wait until it is ready."""
        self.process = self.spawn()
        atexit.register(self.kill)  # whatever becomes of the test
        wait_for(self.is_ready, 20, self.log_text)
        return self

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        """End it whatever happens."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run another command in the same home."""
        command = [sys.executable, "-m", "yamabiko", *arguments]
        return subprocess.run(command, env=self.environment, input=stdin, capture_output=True, timeout=60, check=False)

    def status(self) -> dict[str, Any]:
        """What the supervisor says; empty when nothing."""
        try:
            found: dict[str, Any] = json.loads((self.home / "run" / "status.json").read_bytes())
        except OSError:
            return {}
        return found

    def is_ready(self) -> bool:
        """Whether all workers of this process are."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(self.log_text())
        status = self.status()
        return bool(status and status["pid"] == self.process.pid and status["state"] == "running")

    def worker(self, name: str) -> dict[str, Any]:
        """One worker's status."""
        return next(worker for worker in self.status()["workers"] if worker["name"] == name)

    def port(self, service: str) -> int:
        """Where a service listens."""
        return int(json.loads((self.home / "run" / f"{service}.json").read_bytes())["port"])

    def token(self) -> str:
        """The administrator's API token."""
        return (self.home / "secrets" / "admin-token").read_text().strip()

    def get(self, path: str, *, service: str = "console", token: str | None = None) -> tuple[int, str]:
        """GET; returns status and body."""
        return self.ask("GET", path, service=service, token=token)

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, service: str = "console", token: str | None = None,
        media: str = "application/json",
    ) -> tuple[int, str]:  # fmt: skip
        """Ask; returns status and body."""
        headers = {"Content-Type": media} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"http://127.0.0.1:{self.port(service)}{path}"
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def health(self) -> dict[str, str]:
        """The problems /healthz tells, by name."""
        checks = json.loads(self.get("/healthz")[1])["checks"]
        return {check["name"]: check["problem"] for check in checks if not check["ok"]}

    def send_row(self, **fields: Any) -> dict[str, Any]:
        """List one recipient; returns the answer."""
        body = json.dumps({"broadcast": "spring", **fields}).encode()
        status, text = self.ask("POST", "/v1/sends", body, token=self.token(), media="application/x-ndjson")
        assert status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def rcpt(self, address: str) -> int:
        """The reply code to RCPT TO this address."""
        with smtplib.SMTP("127.0.0.1", self.port("smtp"), timeout=10) as client:
            client.ehlo("mx.example.jp")
            client.mail("")
            return client.rcpt(address)[0]

    def deliver(self, address: str, content: bytes) -> int:
        """The reply code to a mail to this address."""
        with smtplib.SMTP("127.0.0.1", self.port("smtp"), timeout=20) as client:
            client.ehlo("mx.example.jp")
            client.mail("")
            client.rcpt(address)
            return client.data(content)[0]

    def log_lines(self) -> list[dict[str, Any]]:
        """The JSON lines logged so far."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    def log_text(self) -> str:
        """Everything written to standard output and error."""
        return self.log.read_text("utf-8", "replace")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Do not follow."""
        return None


def wait_for(condition: Callable[[], Any], within_s: float, explain: Callable[[], str] = str) -> float:
    """Wait until ``condition`` holds; returns how long that took. Fails when it takes too long.

    Waiting for a processor that other programs have does not count, see tests/stopwatch.py.
    """
    watch = Stopwatch()
    while not condition():
        assert watch.seconds() < within_s, f"not within {within_s} s: {explain()[-3000:]}"
        time.sleep(0.02)
    return watch.seconds()


def fastest(take: Callable[[], float], bound_s: float, tries: int = 3) -> float:
    """Return the least of a few ``tries``, in seconds; the first within the bound will do.

    A bound that holds on a machine of one's own may be missed once on one that is shared.
    """
    took = [take()]
    while took[-1] > bound_s and len(took) < tries:
        took.append(take())
    return min(took)


def slowness() -> float:
    """How much longer work takes because other programs share the processors: 1.0 where there is one for each."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
