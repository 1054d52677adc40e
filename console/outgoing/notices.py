"""Notices: when, who and what of the events somebody wants to hear of, by broadcast (B12, B16).

Nothing is kept but the wish: the feed is read from the log, newest first, so it is complete from the first day.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import msgspec

from console.outgoing.dispatcher import every
from console.outgoing.documents import Documents
from model.detail import Engaged
from model.fact import Fact, FactType
from store.feed import Feed
from store.reader import Reader

#: Kind of the documents that say what somebody wants to hear of; the name is a broadcast's id.
NOTICE_KIND = "notice"
#: The name that stands for every broadcast without a wish of its own.
EVERY = "*"
_LOOKS = 5


class NoticeOf(StrEnum):
    """What there can be notices of."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    REPLY = "reply"


_FACTS = {
    NoticeOf.OPEN: FactType.OPENED,
    NoticeOf.CLICK: FactType.CLICKED,
    NoticeOf.UNSUBSCRIBE: FactType.UNSUBSCRIBED,
    NoticeOf.COMPLAINT: FactType.COMPLAINED,
    NoticeOf.BOUNCE: FactType.FAILED,
    NoticeOf.REPLY: FactType.AUTO_REPLIED,
}
WHAT = {fact_type: what for what, fact_type in _FACTS.items()}


class Wish(msgspec.Struct, frozen=True):
    """What to tell of a broadcast, and its number (0: of every broadcast without a wish of its own)."""

    broadcast: int
    notify_on: tuple[NoticeOf, ...]


class Found(NamedTuple):
    """Facts to tell of, newest first, and where to go on; None at the end."""

    rows: list[tuple[int, Fact]]
    before: int | None


class Notices:
    """The wishes of all tenants, and what they let through. All methods raise StoreError."""

    def __init__(self, documents: Documents, feed: Feed, reader: Reader) -> None:
        """``feed`` is where facts are read from, ``reader`` what is known of the deliveries they are about."""
        self._documents = documents
        self._feed = feed
        self._reader = reader

    async def wish(self, tenant: int, name: str, wish: Wish, actor: str) -> None:
        """Keep a wish under a broadcast's id, or EVERY."""
        await self._documents.put(tenant, NOTICE_KIND, name, msgspec.json.encode(wish), actor)

    def wishes(self, tenant: int) -> list[tuple[str, Wish]]:
        """Return all wishes, by name."""
        rows = every(self._documents, tenant, NOTICE_KIND)
        return [(name, msgspec.json.decode(body, type=Wish)) for name, body in rows]

    async def read(self, tenant: int, before: int | None, limit: int) -> Found:
        """Return what there is to tell, newest first, from below fact ``before``; some 100,000 facts a call at most."""
        wanted = {wish.broadcast: frozenset(wish.notify_on) for _, wish in self.wishes(tenant)}
        types = frozenset(_FACTS[what] for notify_on in wanted.values() for what in notify_on)
        place = self._feed.head() + 1 if before is None else before
        rows: list[tuple[int, Fact]] = []
        for _ in range(_LOOKS if types else 0):
            told, reached = await asyncio.to_thread(self._look, tenant, place, types, wanted, limit - len(rows))
            rows += told
            if len(rows) == limit:
                last = rows[-1][0]
                return Found(rows, last if last > 1 else None)
            if reached in (place, 1):
                return Found(rows, None)
            place = reached
        return Found(rows, place if types else None)

    def _look(
        self, tenant: int, place: int, types: frozenset[FactType], wanted: dict[int, frozenset[NoticeOf]], limit: int
    ) -> tuple[list[tuple[int, Fact]], int]:
        """Return up to ``limit`` of what is told of the 500 facts below ``place``, and how far was looked."""
        machines = cache(self._reader.machine_hits)
        rows: list[tuple[int, Fact]] = []
        found = self._feed.facts_before(tenant, place, 500, types=types)
        for seq, fact in found.rows:
            # A scanner that poses as a person is known by all it fetched (mission 4.8).
            if _is_told(fact, wanted) and not (isinstance(fact.detail, Engaged) and seq in machines(fact.key)):
                rows.append((seq, fact))
                if len(rows) == limit:
                    break
        return rows, found.reached


def _is_told(fact: Fact, wanted: dict[int, frozenset[NoticeOf]]) -> bool:
    if fact.is_test or (isinstance(fact.detail, Engaged) and fact.detail.agent.is_machine):
        return False
    return WHAT[fact.type] in wanted.get(fact.key.broadcast, wanted.get(0, frozenset()))
