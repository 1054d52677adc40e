"""Ports: reserved by the supervisor, so that they stay ours while a worker is started again.

The workers of one service listen on its port side by side by SO_REUSEPORT; connections go to those that listen,
never to the socket that only reserves.
"""

from __future__ import annotations

import errno
import resource
import socket
import time
from collections.abc import Callable

#: Descriptors a worker needs beside its connections.
_RESERVED_DESCRIPTORS = 200


class ListenError(Exception):
    """A port cannot be listened on. The text says why and what to do."""


def reserve(
    name: str, host: str, port: int, *, patience_s: float = 5.0, sleep: Callable[[float], None] = time.sleep
) -> socket.socket:
    """Return a socket bound to the address, which keeps it ours; it does not listen.

    Arguments: ``name`` is the section of the settings to name in errors, ``port`` 0 picks a free one,
    ``patience_s`` is how long a port may stay taken: the workers of a killed supervisor need a moment to go.
    Raises ListenError.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ListenError(f"{name}.host: {host} cannot be resolved: {error.strerror}.") from error
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _bind(family, (str(address[0]), int(address[1])))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                sleep(0.1)
                continue
            raise ListenError(_explain(name, host, port, error)) from error


def raise_descriptor_limit() -> int:
    """Raise this process's limit of open files as far as allowed; children inherit it. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cap_connections(wanted: int) -> int:
    """Return how many connections a worker may have: ``wanted``, or what the limit of open files leaves (S13)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, soft - _RESERVED_DESCRIPTORS), 16)


def _bind(family: int, address: tuple[str, int]) -> socket.socket:
    # SO_REUSEPORT would let two installations share a port without a word: look first without it.
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)
        bound = probe.getsockname()
    keeper = socket.socket(family, socket.SOCK_STREAM)
    try:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind((bound[0], bound[1]))
    except OSError:
        keeper.close()
        raise
    return keeper


def _explain(name: str, host: str, port: int, error: OSError) -> str:
    remedy = {
        errno.EADDRINUSE: f"another process listens there. Stop it, or set {name}.port.",
        errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE; docs/operating.md shows the unit file.",
        errno.EADDRNOTAVAIL: f"this machine has no such address. Set {name}.host.",
    }
    return f"{name}: cannot listen on {host}:{port}: {remedy.get(error.errno or 0, error.strerror or str(error))}"
