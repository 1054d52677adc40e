"""The header a proxy puts before a connection to say who the client is: PROXY protocol, versions 1 and 2. Pure.

HAProxy's specification, "The PROXY protocol", sections 2.1 and 2.2. Whoever may say such a thing is decided elsewhere
(mta.listener): the header itself proves nothing (S29).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from model.errors import RemoteError

#: a version 1 header with its line end (section 2.1)
_MAX_TEXT = 107
#: a version 2 header with its extensions; they may hold 64 KiB, but no proxy needs that to say who the client is
_MAX_BINARY = 2_048
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_TEXT = b"PROXY "
_TCP = re.compile(rb"PROXY (TCP[46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})\Z")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [\x20-\x7e]*)?\Z")


class ProxyHeaderError(RemoteError):
    """What came is no PROXY header."""


class ProxyHeader(NamedTuple):
    """``peer`` is the client's address as text, None where the proxy speaks for itself; ``size`` in octets."""

    peer: str | None
    size: int


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """Return the header ``data`` begins with, or None while it is not all there.

    Raises ProxyHeaderError when it can be none any more.
    """
    if data.startswith(_SIGNATURE[: len(data)]):
        return _parse_binary(data) if len(data) >= 16 else None
    if data.startswith(_TEXT[: len(data)]):
        return _parse_text(data)
    raise ProxyHeaderError("no PROXY header")


def _parse_text(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _MAX_TEXT)
    if end < 0:
        if len(data) >= _MAX_TEXT:
            raise ProxyHeaderError("the PROXY line does not end")
        return None
    line = data[:end]
    if _UNKNOWN.match(line):
        return ProxyHeader(None, end + 2)
    match = _TCP.match(line)
    if match is None or int(match[4]) > 65_535 or int(match[5]) > 65_535:
        raise ProxyHeaderError("the PROXY line is malformed")
    version = 4 if match[1] == b"TCP4" else 6
    try:
        source, target = ip_address(match[2].decode("ascii")), ip_address(match[3].decode("ascii"))
    except ValueError:
        raise ProxyHeaderError("the PROXY line has a malformed address") from None
    if source.version != version or target.version != version:
        raise ProxyHeaderError("the PROXY line has an address of another family")
    return ProxyHeader(str(source), end + 2)


def _parse_binary(data: bytes) -> ProxyHeader | None:
    """Section 2.2: signature 12, version and command 1, family and transport 1, length 2, addresses, extensions."""
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21) or 16 + length > _MAX_BINARY:
        raise ProxyHeaderError("the PROXY header has an unknown version or command, or is too long")
    if len(data) < 16 + length:
        return None
    size = 16 + length
    if command == 0x20 or family == 0x00:  # LOCAL, as a health check is, or UNSPEC
        return ProxyHeader(None, size)
    if family == 0x11 and length >= 12:
        return ProxyHeader(str(IPv4Address(data[16:20])), size)
    if family == 0x21 and length >= 36:
        return ProxyHeader(str(IPv6Address(data[16:32])), size)
    raise ProxyHeaderError("the PROXY header is for another transport, or too short")
