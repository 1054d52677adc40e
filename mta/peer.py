"""Who is at the other end of a connection."""

from __future__ import annotations

from asyncio import BaseTransport

from mta.metrics import escaped


def peer_of(transport: BaseTransport) -> str:
    """Return the client's IP address as text, IPv4 as such whatever the socket; empty when it is not known."""
    name = transport.get_extra_info("peername")
    return escaped(str(name[0]).removeprefix("::ffff:"), 64) if name else ""
