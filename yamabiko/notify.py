"""Tell systemd how we are (sd_notify), when it listens."""

from __future__ import annotations

import os
import socket


def tell(state: str) -> None:
    """Send ``state``, e.g. ``READY=1``, to NOTIFY_SOCKET; does nothing when there is none or it does not answer."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(state.encode(), address.replace("@", "\0", 1))
        except OSError:
            return
