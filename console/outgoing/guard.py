"""Where webhooks may go: no server-side request forgery (T15).

A host is resolved once, every address it has is checked, and connections go to those very addresses: the connector
asks nobody else. It is checked again at each delivery, so a name that starts to lead inwards gets nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from console.outgoing.public_address import Network, is_opted_in, is_reachable, parse

_MAX_URL = 2_048
_MAX_ADDRESSES = 32

#: (host, port) to addresses as text. Raises OSError.
Resolve = Callable[[str, int], Awaitable[list[str]]]


class GuardError(Exception):
    """A webhook may not go there. The text says why; it tells no address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place that was checked just now."""

    url: URL
    host: str
    port: int
    addresses: tuple[str, ...]


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses the system knows of ``host``. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Checks URLs."""

    def __init__(self, opted_in: Sequence[Network] = (), resolve: Resolve = resolve_by_system) -> None:
        """``opted_in``: private networks allowed all the same, and the only ones plain http may go to."""
        self._opted_in = tuple(opted_in)
        self._resolve = resolve

    async def check(self, text: str) -> Target:
        """Return the place ``text`` leads to at this moment. Raises GuardError."""
        url, host, port = _read(text)
        literal = parse(host)
        try:
            found = [str(literal)] if literal is not None else await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise GuardError("the host cannot be resolved") from None
        if not found or len(found) > _MAX_ADDRESSES:
            raise GuardError("the host has no address, or far too many")
        for one in found:
            self.check_address(one, is_plain=url.scheme == "http")
        # A literal is looked at by the connector itself: it must read the same as what was checked.
        return Target(url if literal is None else url.with_host(str(literal)), host, port, tuple(found))

    def check_address(self, text: str, *, is_plain: bool = False) -> None:
        """Raise GuardError unless a webhook may go to this address, with ``is_plain`` without TLS."""
        address = parse(text)
        if address is None or not is_reachable(address, self._opted_in):
            raise GuardError("the host has an address that is not public; see webhooks.private_networks")
        if is_plain and not is_opted_in(address, self._opted_in):
            raise GuardError("plain http is only for networks in webhooks.private_networks; use https")


def _read(text: str) -> tuple[URL, str, int]:
    if len(text) > _MAX_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise GuardError("a URL has printable ASCII characters only, at most 2,048, and no backslash")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise GuardError("this is no URL") from None
    if url.scheme not in ("http", "https") or not host or not port:
        raise GuardError("a URL begins with https:// and a host")
    if url.raw_user is not None or url.raw_password is not None or url.raw_fragment:
        raise GuardError("a URL here has neither user nor password nor #fragment")
    if host.endswith(".") or "%" in host:
        raise GuardError("the host must be a plain name or address")
    if host.replace(".", "").isdigit() and parse(host) is None:
        raise GuardError("the host is no IP address")  # 127.1 and 2130706433 are, to some
    return url, host, port


class PinnedResolver(AbstractResolver):
    """Answers the connector from what was checked, and knows nothing else."""

    def __init__(self) -> None:
        """Know nothing."""
        self._pins: dict[tuple[str, int], tuple[str, ...]] = {}

    def pin(self, target: Target) -> None:
        """Let connections to the target's host go to its addresses."""
        self._pins[target.host, target.port] = target.addresses

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses pinned for ``host``. Raises OSError when there are none."""
        addresses = self._pins.get((host, port), ())
        if not addresses:
            raise OSError("the host was not checked")
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST,
            )
            for one in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Forget everything."""
        self._pins.clear()


def guarded_connector(guard: Guard, resolver: PinnedResolver, *, limit: int) -> TCPConnector:
    """Return a connector that reaches checked addresses only; each is looked at once more as its socket is made."""

    def make_socket(info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        try:
            guard.check_address(str(address[0]))
        except GuardError as error:
            raise OSError(str(error)) from error
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return TCPConnector(
        resolver=resolver, use_dns_cache=False, limit=limit, keepalive_timeout=15.0, socket_factory=make_socket
    )
