"""Open suspect stores in a process of their own: damaged pages can kill whoever reads them (M20).

One server process imports everything once and forks for each store; it never opens one itself.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any

from tests.store import children

_SERVER = "from tests.torture.checker import serve; serve()"
_SECONDS = 30


class Checker:
    """Runs ``module:function`` with keyword arguments in a fork of a clean process; a context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._server: subprocess.Popen[str] = children.start(_SERVER)

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(10)
        assert self._server.stdout is not None
        self._server.stdout.close()

    def __call__(self, **arguments: object) -> dict[str, Any]:
        """Return what the function returned, or ``{"died": text}``."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps([self._name, arguments]) + "\n")
        self._server.stdin.flush()
        answer: dict[str, Any] = json.loads(children.line(self._server))
        return answer


def serve() -> None:
    """Answer one line of JSON for each line of JSON."""
    for text in sys.stdin:
        name, arguments = json.loads(text)
        module, _, function = name.partition(":")
        check = getattr(importlib.import_module(module), function)
        print(json.dumps(_in_fork(check, arguments)), flush=True)


def _in_fork(check: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(_SECONDS)
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        try:
            answer = check(**arguments)
        except Exception as error:  # noqa: BLE001 - whatever a damaged store makes of it is the answer
            answer = {"died": f"{type(error).__name__}: {error}"}
        with os.fdopen(write_end, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return {"died": signal.Signals(os.WTERMSIG(status)).name}
    found: dict[str, Any] = json.loads(text)
    return found
