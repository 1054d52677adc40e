"""Which IP addresses a webhook may reach: public ones, and private networks the operator opted in (T15)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Not for us, though ``is_global`` says yes in some version of Python or for some of them.
_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' NAT; some clouds keep their metadata here
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local; most clouds keep their metadata here
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
#: Global unicast. All else of IPv6 is refused, but for NAT64 below.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address inside, and nobody uses it any more
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
#: The well-known prefix of NAT64: an IPv4 address in the last 32 bits, which is what counts.
_NAT64 = IPv6Network("64:ff9b::/96")
#: Bits 64 to 95 of ISATAP: an IPv4 address follows.
_ISATAP = (0x00005EFE, 0x02005EFE)


def parse(text: str) -> Address | None:
    """Return ``text`` as an address, None when it is none; IPv4 in an IPv6 coat becomes what it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return _unwrapped(address)


def is_reachable(address: Address, opted_in: Sequence[Network] = ()) -> bool:
    """Whether a webhook may go to ``address``: it is public, or in a network opted in."""
    return is_opted_in(address, opted_in) or _is_public(_unwrapped(address))


def is_opted_in(address: Address, opted_in: Sequence[Network]) -> bool:
    """Whether ``address`` is in one of the networks."""
    plain = _unwrapped(address)
    return any(plain in network for network in opted_in if network.version == plain.version)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    if address in _NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _GLOBAL_V6 or address.scope_id is not None or not address.is_global:
        return False
    if any(address in network for network in _REFUSED_V6):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped if mapped is not None else address
