"""Facts: whatever happened, said once and never changed (design decision 3).

A fact is about one delivery (tenant, broadcast, recipient), about a broadcast (recipient 0), or about a
recipient wherever mailed (broadcast 0). Its identity is a hash of what it says, so the same report counts once
however often and by whatever way it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from hashlib import blake2b
from struct import unpack
from typing import NamedTuple

from model.detail import (
    Audited,
    AutoReplied,
    BroadcastSet,
    Cancelled,
    Complained,
    Converted,
    Detail,
    DocumentSet,
    Engaged,
    Excluded,
    Planned,
    Released,
    Report,
    Unmatched,
    Unsubscribed,
)

#: Octets of tenant and broadcast, which begin DeliveryKey.pack().
_BROADCAST_SIZE = 8


class FactType(IntEnum):
    """What happened. The numbers are stored; never reuse one."""

    #: a broadcast was described or changed
    BROADCAST_SET = 1
    #: the sender listed a recipient
    PLANNED = 2
    #: a listed recipient is not mailed
    EXCLUDED = 3
    #: the receiving server took it, says the sending side
    ACCEPTED = 4
    #: not yet: a 4xx reply, or a report with Action delayed
    DEFERRED = 5
    #: it failed for good
    FAILED = 6
    #: a success report: delivered, relayed or expanded
    RELAYED = 7
    #: an automatic reply came back (RFC 3834)
    AUTO_REPLIED = 8
    #: a complaint (RFC 5965, or reasons 3 and 4 of the unsubscribe page)
    COMPLAINED = 9
    #: the pixel was fetched
    OPENED = 10
    #: a tracked link was followed
    CLICKED = 11
    #: the recipient wants no more mail
    UNSUBSCRIBED = 12
    #: the recipient wants mail again
    RESUBSCRIBED = 13
    #: the sender or an administrator stopped it
    CANCELLED = 14
    #: a mail came that belongs to no delivery we can prove
    UNMATCHED = 15
    #: an operator lifted a suppression
    RELEASED = 16
    #: configuration or small state of a tenant
    DOCUMENT_SET = 17
    #: somebody did something that must be answerable for
    AUDITED = 18
    #: the sender reports a conversion
    CONVERTED = 19


class DeliveryKey(NamedTuple):
    """Which delivery: what a token names."""

    tenant: int
    broadcast: int
    recipient: int

    def pack(self) -> bytes:
        """Return the 16 octets under which a delivery is stored."""
        return self.tenant.to_bytes(2, "big") + self.broadcast.to_bytes(6, "big") + self.recipient.to_bytes(8, "big")

    @classmethod
    def unpack(cls, raw: bytes) -> DeliveryKey:
        """Read what ``pack`` wrote."""
        number = int.from_bytes
        return cls(number(raw[:2], "big"), number(raw[2:8], "big"), number(raw[8:16], "big"))


#: The detail class each type carries.
DETAILS: dict[FactType, type[Detail]] = {
    FactType.BROADCAST_SET: BroadcastSet,
    FactType.PLANNED: Planned,
    FactType.EXCLUDED: Excluded,
    FactType.ACCEPTED: Report,
    FactType.DEFERRED: Report,
    FactType.FAILED: Report,
    FactType.RELAYED: Report,
    FactType.AUTO_REPLIED: AutoReplied,
    FactType.COMPLAINED: Complained,
    FactType.OPENED: Engaged,
    FactType.CLICKED: Engaged,
    FactType.UNSUBSCRIBED: Unsubscribed,
    FactType.RESUBSCRIBED: Unsubscribed,
    FactType.CANCELLED: Cancelled,
    FactType.UNMATCHED: Unmatched,
    FactType.RELEASED: Released,
    FactType.DOCUMENT_SET: DocumentSet,
    FactType.AUDITED: Audited,
    FactType.CONVERTED: Converted,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened.

    ``at_us`` is microseconds since 1970-01-01 UTC: when we saw it, or when it happened if the source says so
    and is trusted. ``node`` is the machine that saw it. ``is_test`` and ``is_html`` come from the token.
    """

    type: FactType
    key: DeliveryKey
    at_us: int
    detail: Detail
    node: int = 0
    is_test: bool = False
    is_html: bool = False

    @property
    def id(self) -> bytes:
        """16 octets that two facts share exactly when they say the same thing (T18).

        What came by mail is identified by that mail and not by when we saw it; a tracker hit by its time,
        which a UniqueClock makes distinct.
        """
        return blake2b(repr(self._identity()).encode(), digest_size=16).digest()

    def _identity(self) -> tuple[object, ...]:
        detail, base = self.detail, (int(self.type), *self.key)
        match detail:
            case Planned():
                return (*base, detail.row)
            case Excluded():
                return (*base, int(detail.kind))
            case Report():
                return (*base, int(detail.channel), detail.origin, detail.status, detail.final_address)
            case AutoReplied() | Complained() | Unmatched() | Converted():
                return (*base, detail.origin)
            case Engaged():
                return (*base, self.at_us, int(detail.agent), detail.link, detail.links)
            case Unsubscribed(origin=origin) if origin:
                return (*base, origin)
            case Unsubscribed():
                return (*base, self.at_us, int(detail.via), int(detail.reason), detail.everything)
            case BroadcastSet() | Cancelled() | Released() | DocumentSet() | Audited():
                return (*base, self.at_us, *_said(detail))


def _said(detail: Detail) -> tuple[tuple[str, object], ...]:
    """Return the fields that say something, so that a field appended later changes no identity made before."""
    given = ((field.name, getattr(detail, field.name), field.default) for field in fields(detail))
    return tuple((name, value) for name, value, default in given if value != default)


def ids_of_planned(places: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
    """Return Fact.id of PLANNED facts by DeliveryKey.pack() of their deliveries and Planned.row."""
    planned = int(FactType.PLANNED)
    heads: dict[bytes, str] = {}
    for broadcast in {place[:_BROADCAST_SIZE] for place in places}:
        tenant, number, _ = DeliveryKey.unpack(broadcast + bytes(8))
        heads[broadcast] = f"({planned}, {tenant}, {number}, "
    recipients = unpack(f">{len(places)}Q", b"".join([place[_BROADCAST_SIZE:] for place in places]))
    return [
        blake2b(f"{heads[place[:_BROADCAST_SIZE]]}{recipient}, {row!r})".encode(), digest_size=16).digest()
        for place, recipient, row in zip(places, recipients, rows, strict=True)
    ]


class Hit(NamedTuple):
    """An OPENED or CLICKED fact in the form the tracker's fast path can afford to make.

    ``place`` is DeliveryKey.pack() of its delivery, which is octets 2 to 18 of a token. ``detail`` may be shared
    by hits that say the same.
    """

    type: FactType
    place: bytes
    at_us: int
    detail: Engaged
    node: int = 0
    is_test: bool = False
    is_html: bool = False

    def as_fact(self) -> Fact:
        """Return the same as a Fact."""
        return Fact(
            self.type, DeliveryKey.unpack(self.place), self.at_us, self.detail, self.node, self.is_test, self.is_html
        )


class UniqueClock:
    """Turns clock readings into times no two facts of this process share, nor of its siblings.

    The lowest three bits hold the process's slot (0-7); a clock that stands still or steps back is outrun.
    """

    def __init__(self, slot: int) -> None:
        """``slot`` numbers the processes of one machine."""
        self._slot = slot & 7
        self._last = 0

    def stamps(self, now_us: int, count: int) -> range:
        """Return so many times as ``stamp`` would, the first at or a little after ``now_us``."""
        first = self.stamp(now_us)
        self._last = first + 8 * max(count - 1, 0)
        return range(first, first + 8 * count, 8)

    def stamp(self, now_us: int) -> int:
        """Return a time at or a little after ``now_us`` that was never returned before."""
        now_us, earliest = (now_us & ~7) | self._slot, self._last + 8
        self._last = stamp = now_us if now_us > earliest else earliest
        return stamp
