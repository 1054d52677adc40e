"""How much of everything a client may use (reliability 3.2), and the counters that hold it to that."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of the mail server. Times are seconds (``_s``), sizes octets (``_bytes``)."""

    #: largest message; the SIZE we announce (RFC 1870)
    message_bytes: int = 32 * 1024 * 1024
    #: recipients of one message; RFC 5321 4.5.3.1.8 asks for 100
    recipients: int = 100
    #: recipients of a message with the null reverse-path: a bounce has one (S15)
    null_path_recipients: int = 1
    #: longest command line (RFC 5321 4.5.3.1.4), line end included
    command_line_bytes: int = 512
    #: longest MAIL or RCPT line; RFC 3461 and RFC 6531 allow them to be longer
    path_line_bytes: int = 2_048
    #: bad lines (NUL, too long) before the session ends (S2)
    bad_lines: int = 3
    #: commands that lead nowhere, for each stored message (S5)
    junk_commands: int = 20
    #: permanent refusals, for each stored message (S5)
    errors: int = 10
    #: longest session (S5); a message under way is finished
    session_s: float = 1_200.0
    #: messages of one session; generous, since real servers keep connections open
    session_messages: int = 1_000
    #: waiting for one whole command line (S14)
    command_s: float = 60.0
    #: the TLS handshake (S14)
    tls_s: float = 15.0
    #: one whole message: this, and a second for each ``data_rate`` octets (S14)
    data_s: float = 300.0
    data_rate: int = 500
    #: a client that does not read our replies (S16)
    write_s: float = 30.0
    #: from the final dot to our answer (D16)
    answer_s: float = 60.0
    #: replaces command_s, tls_s and data_s under stress (S14)
    stress_s: float = 10.0
    #: share of the connection limit at which stress begins (S14)
    stress_share: float = 0.8
    #: connections of this process (S13); ``connection_cap`` lowers it to what the open-file limit allows
    connections: int = 2_000
    #: connections of one IPv4 address or IPv6 /64 (S13)
    connections_per_peer: int = 20
    #: networks whose clients are not held to connections_per_peer
    exempt_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    #: message octets held in memory at once, all sessions together (S12)
    inflight_bytes: int = 256 * 1024 * 1024
    #: stored messages of one return-path or unsubscribe token a day (S17)
    token_messages_a_day: int = 20
    #: stored messages of one plain address a day
    plain_messages_a_day: int = 1_000
    #: Received lines before a mail is taken to go round in circles (S27)
    hops: int = 100
    #: delay of the greeting, to catch clients that do not wait for it (S6); 0 catches what came with the connection
    greeting_s: float = 0.0
    #: messages up to this size are read at once, larger ones in a thread
    inline_bytes: int = 64 * 1024
    #: longest wait of a message that was read for others under way, to be stored together with them
    gather_s: float = 0.01
    #: longest reading of one message, after which it is kept unread (S19)
    reading_s: float = 2.0
    #: at shutdown, for messages under way (S32)
    drain_s: float = 30.0
    #: answer 521 and close on a bare CR, LF or NUL, instead of taking the message without trust (S1)
    rejects_bare_newlines: bool = False


def connection_cap(limits: Limits, *, used_files: int = 64) -> int:
    """Return how many connections this process may hold: half of its free open files at most (S13).

    ``used_files``: open files the process needs for other things.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits.connections
    return max(1, min(limits.connections, (soft - used_files) // 2))


class ConnectionCounter:
    """Who is connected how often (S13), and whether that is too close to the limit for comfort (S14)."""

    def __init__(self, total: int, per_peer: int, exempt: Iterable[str], stress_share: float) -> None:
        """``exempt``: networks as text. Raises ValueError when one is malformed."""
        self._total = total
        self._per_peer = per_peer
        self._exempt: tuple[Network, ...] = tuple(ip_network(text) for text in exempt)
        self._stress_at = total * stress_share
        # Once on, stress stays on until a tenth of the limit is free again, so that it does not flutter.
        self._calm_at = total * stress_share - total * 0.1
        self._peers: dict[str, int] = {}
        self.count = 0
        self.is_stressed = False

    def enter(self, peer: str) -> bool:
        """Count one connection of ``peer`` (an IP address as text); False when it is one too many."""
        slot = self._slot(peer)
        if self.count >= self._total or self._peers.get(slot, 0) >= self._per_peer:
            return False
        self.count += 1
        if slot:
            self._peers[slot] = self._peers.get(slot, 0) + 1
        if self.count >= self._stress_at:
            self.is_stressed = True
        return True

    def leave(self, peer: str) -> None:
        """Uncount one connection of ``peer``."""
        slot = self._slot(peer)
        self.count -= 1
        if slot:
            left = self._peers.get(slot, 0) - 1
            if left > 0:
                self._peers[slot] = left
            else:
                self._peers.pop(slot, None)
        if self.count < self._calm_at:
            self.is_stressed = False

    def _slot(self, peer: str) -> str:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return ""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._exempt):
            return ""
        if isinstance(address, IPv6Address):
            # One customer usually has a whole /64, so that is what counts as one peer.
            return str(IPv6Address(int(address) >> 64 << 64))
        return str(address)


class ByteBudget:
    """A number of octets that sessions share (S12)."""

    def __init__(self, total: int) -> None:
        """``total``: octets to give out at most."""
        self._total = total
        self.used = 0

    def take(self, amount: int) -> bool:
        """Reserve ``amount`` octets; False, and nothing reserved, when they are not there."""
        if self.used + amount > self._total:
            return False
        self.used += amount
        return True

    def give_back(self, amount: int) -> None:
        """Return ``amount`` octets."""
        self.used -= amount


class DailyCounter:
    """Counts per key and day (S17). Keeps one day only, and a bounded number of keys."""

    def __init__(self, keys: int = 200_000) -> None:
        """``keys``: how many to remember; beyond it all are forgotten, which errs on the client's side."""
        self._keys = keys
        self._day = -1
        self._counts: dict[object, int] = {}

    def count_of(self, key: object, day: int) -> int:
        """Return how often ``key`` was counted on ``day``."""
        return self._counts.get(key, 0) if day == self._day else 0

    def add(self, key: object, day: int) -> None:
        """Count ``key`` once on ``day``."""
        if day != self._day or len(self._counts) >= self._keys:
            self._day = day
            self._counts = {}
        self._counts[key] = self._counts.get(key, 0) + 1

    def take_back(self, key: object, day: int) -> None:
        """Uncount ``key`` once, since what it was counted for did not happen."""
        if day == self._day and self._counts.get(key, 0) > 0:
            self._counts[key] -= 1
