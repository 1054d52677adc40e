"""nginx as a peer of the tracker: one worker, logging what we store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.processes import Clock, children_of, clock_of, find_program, server
from yamabiko.demo.ports import free_port

_CONFIG = """
worker_processes 1;
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    access_log {folder}/access.log combined buffer=64k flush=1s;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /o/ {{ empty_gif; }}
        location /c/ {{ return 302 "https://shop.example/new?utm_source=mail&item=1"; }}
    }}
}}
"""


@contextmanager
def running_nginx(folder: Path) -> Iterator[tuple[int, dict[str, Clock]]]:
    """Run nginx with all its files in ``folder``; yields its port and clocks. Raises MissingProgramError."""
    program = find_program("nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port), encoding="ascii")
    command = [program, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
    with server(command, port, folder / "start.log") as process:
        yield port, {"worker": clock_of(*_wait_for_worker(process.pid)), "master": clock_of(process.pid)}


def _wait_for_worker(pid: int) -> list[int]:
    # The port is open before the worker is there.
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if workers := children_of(pid):
            return workers
        time.sleep(0.05)
    raise BenchError("nginx starts no worker")
