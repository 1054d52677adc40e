"""A port for a server that cannot be told to take any: it is kept, so that nobody else is given it too."""

from __future__ import annotations

import socket

# Bound and not listening: connections are refused until the server is there, which may bind beside it.
_kept: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that stays free for whoever binds it with SO_REUSEADDR, as servers do, until this process ends."""
    keeper = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind((host, 0))
    _kept.append(keeper)
    return int(keeper.getsockname()[1])
