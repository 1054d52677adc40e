"""What the tracker can be told: frozen values with defaults. Reading them from a file is not done here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

#: octets of a request line, and of one header line
MAX_LINE = 8_190
#: header lines of a request
MAX_HEADERS = 64


class IpPolicy(StrEnum):
    """How much of a client's IP address a fact keeps (T8)."""

    #: all of it
    KEEP = "keep"
    #: the network only: /24 of IPv4, /48 of IPv6
    TRUNCATE = "truncate"
    #: nothing
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """All settings of one tracker process. Durations end in ``_s`` and are seconds; sizes are octets."""

    #: number of this machine, written into every fact
    node: int = 0
    #: number of this process on its machine, 0-7: keeps the times of facts distinct
    slot: int = 0
    #: host names that are answered, lower case, without port; empty answers any (T11)
    hosts: frozenset[str] = frozenset()
    #: proxies whose X-Forwarded-For is believed (T11)
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    open_ip: IpPolicy = IpPolicy.TRUNCATE
    #: the engagement report shows the address of a click (E29)
    click_ip: IpPolicy = IpPolicy.KEEP
    #: False keeps the verdict only (N10)
    keeps_user_agent: bool = True
    #: how long a pixel waits for its fact to be durable, then it is sent anyway (T4)
    pixel_wait_s: float = 0.25
    #: the same for a redirect
    click_wait_s: float = 0.05
    #: how long an unsubscribe waits before it is answered 503 (T4)
    unsubscribe_wait_s: float = 5.0
    #: facts handed to the store and not yet durable; more are dropped and counted
    max_pending: int = 20_000
    #: invalid tokens one client address may try in a minute before 429 (T9)
    forged_per_minute: int = 120
    keepalive_s: float = 15.0
    body_limit: int = 65_536
    body_wait_s: float = 10.0
    #: how long ``stop`` waits for running requests and pending facts
    drain_s: float = 10.0
    #: names shown on the unsubscribe page, by tenant number
    sender_names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    #: one line per request, tokens cut to 8 characters, no address (T8)
    logs_requests: bool = False
