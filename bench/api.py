"""A client of the JSON API: one connection kept alive, bodies streamed both ways."""

from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError
from yamabiko.demo.server import Server

_READ = 2**20
_TIMEOUT_S = 120.0
_ERROR = b'"error":'


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a request of many rows: how many were answered, how many are to be sent again, the first why."""

    lines: int
    refused: int
    why: str
    seconds: float
    #: CPU seconds this client took
    cpu_s: float


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

    def post_rows(self, path: str, content: bytes, key: str) -> Posted:
        """Send rows and read the answers at the same time, as the API asks for; ``key`` names the request.

        Raises BenchError when the request as a whole is refused.
        """
        # Opened anew by the next question: this may take longer than a server keeps an idle connection.
        self._connection.close()
        cpu, began = time.process_time(), time.perf_counter()
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key, "Content-Length": str(len(content))}
        lines, refused, why, rest = 0, 0, b"", b""
        with closing(http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)) as connection:
            connection.putrequest("POST", path)
            for name, value in {**self._headers, **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            sender = threading.Thread(target=connection.sock.sendall, args=(content,))
            sender.start()
            reply = connection.getresponse()
            while chunk := reply.read(_READ):
                lines += chunk.count(b"\n")
                text = rest + chunk  # an error may stand across two pieces
                refused += text.count(_ERROR)
                if _ERROR in text and not why:
                    why = text[text.index(_ERROR) :][:200]
                rest = chunk[1 - len(_ERROR) :]
            sender.join()
        if reply.status == 503:  # the store is busy, and all of it is to be sent again
            lines = refused = content.count(b"\n")
            why = b"503"
        elif reply.status != 200:
            raise BenchError(f"POST {path}: {reply.status} {rest!r}")
        return Posted(
            lines, refused, why.decode(errors="replace"), time.perf_counter() - began, time.process_time() - cpu
        )
