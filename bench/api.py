"""A client of the JSON API: one connection kept alive, bodies streamed both ways."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from bench.errors import BenchError
from yamabiko.demo.server import Server

_READ = 2**20
_TIMEOUT_S = 120.0


class Api:
    """What a sending system's client does."""

    def __init__(self, server: Server) -> None:
        """Speaks to the console of a running server with its first token."""
        self._address = server.address("console")
        self._headers = {"Authorization": f"Bearer {server.admin_token()}"}
        self._connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, method: str, path: str, body: object = None) -> tuple[Any, float]:
        """Return the answer's JSON and the seconds it took. Raises BenchError unless the status is 2xx."""
        headers = dict(self._headers)
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        began = time.perf_counter()
        self._connection.request(method, path, content, headers)
        reply = self._connection.getresponse()
        text = reply.read()
        took = time.perf_counter() - began
        if not 200 <= reply.status < 300:
            raise BenchError(f"{method} {path}: {reply.status} {text[:500]!r}")
        return (json.loads(text) if text else None), took

    def post_stream(self, path: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, float, float]:
        """Send a body and read the answer at the same time, as the API asks for.

        Returns the lines answered, the seconds, and the CPU seconds this client took.
        """
        cpu, began = time.process_time(), time.perf_counter()
        with closing(http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)) as connection:
            connection.putrequest("POST", path)
            for name, value in {**self._headers, **headers, "Content-Length": str(len(content))}.items():
                connection.putheader(name, value)
            connection.endheaders()
            sender = threading.Thread(target=connection.sock.sendall, args=(content,))
            sender.start()
            reply = connection.getresponse()
            lines, refused = 0, b""
            while chunk := reply.read(_READ):
                lines += chunk.count(b"\n")
                if b'"error"' in chunk or reply.status != 200:
                    refused = refused or chunk[:500]
            sender.join()
        if reply.status != 200 or refused:
            raise BenchError(f"POST {path}: {reply.status} {refused!r}")
        return lines, time.perf_counter() - began, time.process_time() - cpu
