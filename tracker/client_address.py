"""Who is asking: the client's IP address behind proxies, and how much of it is kept (T8, T11). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from tracker.settings import IpPolicy

#: The one header that is read. A second one (Forwarded, X-Real-IP) would be free for a client to set wherever
#: the proxy sets only this one.
FORWARDED_HEADER = "X-Forwarded-For"
_MAX_HOPS = 32
_MAX_HOP_LENGTH = 64

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def find_client(peer: str | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> str | None:
    """Return the address of the right-most hop that is not a trusted proxy.

    Arguments: ``peer`` is the address of the connection, ``forwarded`` the values of every X-Forwarded-For
    header in order, ``trusted`` the proxies whose word counts. Without trusted proxies the header is not looked
    at. A hop that is no address ends the walk: what stands left of it was not written by a proxy of ours.
    Returns None only when the peer has no IP address (a unix socket).
    """
    if not trusted:
        return peer
    client = parse_hop(peer or "")
    if client is None or not _is_trusted(client, trusted):
        return peer
    hops = [hop for value in forwarded for hop in value.split(",")]
    for hop in reversed(hops[-_MAX_HOPS:]):
        address = parse_hop(hop)
        if address is None:
            break
        client = address
        if not _is_trusted(address, trusted):
            break
    return str(client)


def parse_hop(text: str) -> Ip | None:
    """Read one hop: IPv4, IPv6, in brackets or not, with or without a port or zone; None if it is none."""
    text = text.strip(' \t"')
    if not text or len(text) > _MAX_HOP_LENGTH:
        return None
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or not _is_port(port):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4_096)
def apply_policy(address: str | None, policy: IpPolicy) -> str | None:
    """Return what of ``address`` may be kept: all, its /24 or /48 network's first address, or None."""
    parsed = parse_hop(address or "")
    if parsed is None or policy is IpPolicy.DROP:
        return None
    if policy is IpPolicy.KEEP:
        return str(parsed)
    prefix = 24 if parsed.version == 4 else 48
    return str(ip_network((parsed, prefix), strict=False).network_address)


def _is_port(text: str) -> bool:
    return not text or (text.startswith(":") and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6)


def _is_trusted(address: Ip, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
