"""Entries of the suppression list: why somebody must not be mailed, and until when (mission 4.5).

An entry is judged at reading time by its expiry, never by its mere presence (T06). How evidence becomes entries is
in store.standing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

import msgpack

from model.cause import BY_NUMBER
from store.errors import StoreCorruptError
from store.evidence import SUPPRESSION_KINDS
from store.sealed import pack_value, unpack_value

DAY_US = 86_400_000_000
#: Where ``no_address`` stands among the stored values after the first three.
_NO_ADDRESS = 10


class SuppressionKind(IntEnum):
    """Why somebody is on the list. The order is the order in which a reason is shown (mission 4.5)."""

    UNSUBSCRIBE = SUPPRESSION_KINDS["unsubscribe"]
    COMPLAINT = SUPPRESSION_KINDS["complaint"]
    BLOCK = SUPPRESSION_KINDS["block"]
    BOUNCE = SUPPRESSION_KINDS["bounce"]
    SOFT = SUPPRESSION_KINDS["soft"]
    #: failed with one of the four classes that the first seed keeps out for ever (S31); holds only for tenants
    #: that chose so (store.policy)
    CLASS = SUPPRESSION_KINDS["class"]

    @property
    def public_name(self) -> str:
        """What it is called outside: what a profile makes of a bounce is a bounce."""
        return "bounce" if self is SuppressionKind.CLASS else self.name.lower()


#: The exact words a sender is told (E13, E34, E37, E40).
DENIALS: Mapping[SuppressionKind, str] = {
    SuppressionKind.UNSUBSCRIBE: "購読解除",
    SuppressionKind.COMPLAINT: "Blacklist: Spam Report (worker:address in complaint list)",
    SuppressionKind.BLOCK: "Blacklist: Custom Block (worker:address in block list)",
    SuppressionKind.BOUNCE: "Blacklist: Bounce (worker:address in bounce list)",
    SuppressionKind.SOFT: "Blacklist: Bounce (worker:address in bounce list)",
    SuppressionKind.CLASS: "Blacklist: Bounce (worker:address in bounce list)",
}


class NoAddress(NamedTuple):
    """What of an entry of the bounce list rests on answers of no such address alone (E42): how often, the last one."""

    failures: int
    at_us: int
    expires_at_us: int
    seq: int
    cause: int


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry. ``expires_at_us`` None means until lifted; ``seq`` leads to the fact that caused it."""

    kind: SuppressionKind
    at_us: int
    expires_at_us: int | None
    seq: int
    #: in whose stream it holds; 0 for all streams
    broadcast: int = 0
    #: how many deliveries failed with no such address (N of E42)
    failures: int = 0
    cause: int = 0
    #: for UNSUBSCRIBE: False once resubscribed; the newest of a stream holds
    is_on: bool = True
    everything: bool = False
    #: of the address, empty if unknown
    domain: str = ""
    #: from when on it holds again, though it expired: an address dead for so long may have become a trap (T22)
    returns_at_us: int | None = None
    #: when its host was last not found; 0 if never. Two such addresses make a dead host (store.gate)
    host_at_us: int = 0
    #: of the failures those that count for all tenants (E39): how many, and the number of the last one's fact
    shared: int = 0
    shared_seq: int = 0
    #: for BOUNCE: whether Tencent's hosts refused, whatever the domain (E41)
    is_at_tencent: bool = False
    #: for BOUNCE: see ``of_no_address``; None where all of it or nothing of it is of that sort
    no_address: NoAddress | None = None

    def is_active(self, now_us: int) -> bool:
        """Whether the entry holds at ``now_us``."""
        if not self.is_on:
            return False
        is_back = self.returns_at_us is not None and self.returns_at_us <= now_us
        return self.expires_at_us is None or self.expires_at_us > now_us or is_back

    def expiry(self, now_us: int) -> int | None:
        """Return until when it holds, seen from ``now_us``; None for until it is lifted."""
        is_over = self.expires_at_us is not None and self.expires_at_us <= now_us
        return None if is_over and self.is_active(now_us) else self.expires_at_us

    def of_no_address(self) -> Suppression | None:
        """Return what is left of an entry of the bounce list if only answers of no such address count (E39, E42)."""
        said = self.no_address
        if said is None:
            return replace(self, returns_at_us=None, host_at_us=0) if is_no_address(self.cause) else None
        return replace(
            self, failures=said.failures, at_us=said.at_us, expires_at_us=said.expires_at_us, seq=said.seq,
            cause=said.cause, returns_at_us=None, host_at_us=0, no_address=None,
        )  # fmt: skip

    def pack(self, key: bytes) -> bytes:
        """Return the form stored under ``key``, which holds kind and broadcast."""
        values: tuple[Any, ...] = (
            self.at_us, self.expires_at_us, self.seq, self.failures, self.cause, self.is_on, self.everything,
            self.domain, self.returns_at_us, self.host_at_us, self.shared, self.shared_seq,
        )  # fmt: skip
        if self.is_at_tencent or self.no_address is not None:
            values += (self.is_at_tencent, self.no_address)
        return pack_value(key, values)

    @classmethod
    def unpack(cls, key: bytes, raw: bytes) -> Suppression:
        """Read what ``pack`` wrote. Raises StoreCorruptError when it is not that."""
        try:
            at_us, expires_at_us, seq, *rest = unpack_value(key, raw)
            if rest[_NO_ADDRESS:] and rest[_NO_ADDRESS] is not None:
                rest[_NO_ADDRESS] = NoAddress(*rest[_NO_ADDRESS])
            kind, broadcast = SuppressionKind(key[10]), int.from_bytes(key[11:], "big")
            return cls(kind, at_us, expires_at_us, seq, broadcast, *rest)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise StoreCorruptError(f"a suppression entry cannot be read: {error}") from error


def is_no_address(cause: int) -> bool:
    """Whether the cause with this number says that there is no such address, as the third seed counts them (E39)."""
    spec = BY_NUMBER.get(cause)
    return spec is not None and spec.engagelab_invalid == "address_not_exist"


def choose(entries: Sequence[Suppression], streams: Mapping[int, str], stream: str, now_us: int) -> Suppression | None:
    """Return the entry to tell a sender about to mail ``stream``, or None when the recipient may be mailed.

    ``streams`` gives the stream of each broadcast an entry is of.
    """
    active = [e for e in _active(entries, now_us) if not e.broadcast or _is_of(e, stream, streams)]
    relevant = [e for e in _unsubscribes(entries) if e.everything or _is_of(e, stream, streams)]
    newest = max(relevant, key=_newness, default=None)
    if newest is not None and newest.is_on:
        active.append(newest)
    # Of two reasons of one kind the one that holds longer is told.
    return min(active, key=lambda e: (ORDER[e.kind], -(e.expiry(now_us) or 2**63)), default=None)


def current(entries: Sequence[Suppression], streams: Mapping[int, str], now_us: int) -> list[Suppression]:
    """Return the entries of one recipient that hold at ``now_us`` on any stream, for lists and copies of them."""
    others = _active(entries, now_us)
    found = [entry for entry in others if not entry.broadcast]
    # Of several of one kind and stream the newest is shown.
    of_streams = {
        (entry.kind, streams.get(entry.broadcast, "")): entry
        for entry in sorted((entry for entry in others if entry.broadcast), key=_newness)
    }
    found += of_streams.values()
    unsubscribes = _unsubscribes(entries)
    for entry in unsubscribes:
        stream = streams.get(entry.broadcast, "")
        rivals = [e for e in unsubscribes if e.everything or (not entry.everything and _is_of(e, stream, streams))]
        if entry.is_on and entry is max(rivals, key=_newness):
            found.append(entry)
    return sorted(found, key=lambda e: (ORDER[e.kind], e.broadcast))


def _active(entries: Sequence[Suppression], now_us: int) -> list[Suppression]:
    """Return what holds at ``now_us``, unsubscribes left aside: of those the newest word decides."""
    return [entry for entry in entries if entry.kind is not SuppressionKind.UNSUBSCRIBE and entry.is_active(now_us)]


def _unsubscribes(entries: Sequence[Suppression]) -> list[Suppression]:
    return [entry for entry in entries if entry.kind is SuppressionKind.UNSUBSCRIBE]


def _is_of(entry: Suppression, stream: str, streams: Mapping[int, str]) -> bool:
    return streams.get(entry.broadcast, "") == stream


def _newness(entry: Suppression) -> tuple[int, bool, int]:
    """Sort by time; of two words of one moment the end holds, whatever came first to us."""
    return entry.at_us, entry.is_on, entry.broadcast


#: The first of these that holds is the reason shown (mission 4.5).
ORDER: Mapping[SuppressionKind, int] = {kind: place for place, kind in enumerate(SuppressionKind)}
