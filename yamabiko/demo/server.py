"""Start a real ``yamabiko serve`` for the demo, and kill its processes when asked to."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from yamabiko.demo.ports import free_port

_SERVICES = ("smtp", "tracker", "console")


class ServerError(Exception):
    """The server does not start, stop or answer. The text has the end of its log."""


class Server:
    """One ``yamabiko serve`` in a home of its own, on free ports of the loopback."""

    def __init__(self, home: Path) -> None:
        """``home`` is made when it is not there."""
        self.home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, tuple[str, int]] = {}

    def start(self, timeout_s: float = 120.0) -> None:
        """Start, and return when all of it answers. Raises ServerError."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Chosen once: links carry the tracker's port, and after a restart clients come back to the same ones.
        self._ports = self._ports or {name: ("127.0.0.1", free_port()) for name in _SERVICES}
        fixed = {f"YAMABIKO_{name.upper()}_PORT": str(port) for name, (_, port) in self._ports.items()}
        environment = {**os.environ, **fixed, "YAMABIKO_HOME": str(self.home)}
        with (self.home / "serve.log").open("ab") as log:
            command = [sys.executable, "-m", "yamabiko", "serve"]
            self._process = subprocess.Popen(command, env=environment, stderr=log, stdout=log)  # noqa: S603
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"yamabiko serve ended with {self._process.returncode}:\n{self._log_end()}")
            if self._is_ready():
                return
            time.sleep(0.1)
        raise ServerError(f"yamabiko serve does not get ready:\n{self._log_end()}")

    def stop(self) -> None:
        """Ask it to drain and end. Raises ServerError unless it ends well within 40 s."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise ServerError(f"yamabiko serve does not stop:\n{self._log_end()}") from None
        self._process = None
        if code != 0:
            raise ServerError(f"yamabiko serve ended with {code}:\n{self._log_end()}")

    def kill(self) -> None:
        """End it at once if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def address(self, service: str) -> tuple[str, int]:
        """Return host and port of ``smtp``, ``tracker`` or ``console``."""
        return self._ports[service]

    def origin(self, service: str) -> str:
        """Return the http origin of a service."""
        host, port = self._ports[service]
        return f"http://{host}:{port}"

    def admin_token(self) -> str:
        """Return the API token made at the first start."""
        return (self.home / "secrets" / "admin-token").read_text(encoding="ascii").strip()

    def run(self, *arguments: str) -> str:
        """Run a command of the command line in the same home; returns what it prints. Raises ServerError."""
        command = [sys.executable, "-m", "yamabiko", "--home", str(self.home), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
        if done.returncode != 0:
            raise ServerError(f"yamabiko {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    async def kill_at_random(self, times: int, rng: random.Random, is_over: asyncio.Event) -> list[str]:
        """Kill -9 a random process, the supervisor too, ``times`` times; returns who was killed."""
        killed: list[str] = []
        while len(killed) < times:
            await asyncio.sleep(rng.uniform(0.3, 1.0))
            victims = dict(self._workers())
            if self._process is not None and rng.random() < 0.15:
                victims = {"supervisor": self._process.pid}
            if not victims:
                continue
            name = rng.choice(sorted(victims))
            try:
                os.kill(victims[name], signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(name)
            if name == "supervisor":
                assert self._process is not None
                self._process.wait()
                await asyncio.get_running_loop().run_in_executor(None, self.start)
            if is_over.is_set():
                break
        return killed

    def _workers(self) -> list[tuple[str, int]]:
        try:
            status = json.loads((self.home / "run" / "status.json").read_bytes())
        except (OSError, ValueError):
            return []
        return [(worker["name"], worker["pid"]) for worker in status["workers"] if worker["pid"]]

    def _is_ready(self) -> bool:
        try:
            status: dict[str, Any] = json.loads((self.home / "run" / "status.json").read_bytes())
            if self._process is None or status["pid"] != self._process.pid or status["state"] != "running":
                return False
            with urllib.request.urlopen(f"{self.origin('console')}/healthz", timeout=2) as reply:  # noqa: S310
                return bool(reply.status == 200)
        except (OSError, ValueError, KeyError, urllib.error.URLError):
            return False

    def _log_end(self) -> str:
        return (self.home / "serve.log").read_text(encoding="utf-8", errors="replace")[-3_000:]
