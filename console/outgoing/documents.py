"""Small state of a tenant, kept as facts: endpoints, cursors, dead letters, commands, notices.

A document has a kind and a name; of two the later holds. What is put is durable when ``put`` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from model.detail import DocumentSet
from model.fact import DeliveryKey, Fact, FactType
from store.keys import document_key
from store.reader import Reader
from store.writer import Writer

#: Documents of no tenant.
HOUSE = 0


class KeptDocuments(Protocol):
    """Where documents are looked up."""

    def get(self, tenant: int, kind: str, name: str) -> bytes | None:
        """Return a document's JSON; None when there is none. Raises StoreError."""

    def list(self, tenant: int, kind: str, *, after: str = "", limit: int = 50) -> list[tuple[str, bytes]]:
        """Return up to ``limit`` (name, JSON) with names above ``after``, by name. Raises StoreError."""


class Documents(KeptDocuments, Protocol):
    """Where documents are looked up and kept."""

    async def put(self, tenant: int, kind: str, name: str, body: bytes | None, actor: str = "") -> Fact:
        """Keep a document, or delete it with None; returns the fact that says so. Raises StoreError."""


class ReadDocuments:
    """The documents of a store, to look at."""

    def __init__(self, reader: Reader) -> None:
        """``reader`` may be that of a store opened to read only."""
        self._reader = reader

    def get(self, tenant: int, kind: str, name: str) -> bytes | None:
        """See Documents."""
        found = self._reader.document(tenant, kind, name)
        return found.body if found is not None else None

    def list(self, tenant: int, kind: str, *, after: str = "", limit: int = 50) -> list[tuple[str, bytes]]:
        """See Documents."""
        # No name has a NUL: the first key that is above ``after``.
        start = document_key(tenant, kind, after) + b"\0" if after else None
        page = self._reader.documents(tenant, kind, after=start, limit=limit)
        return [(document.name, document.body) for document in page.rows]


class StoreDocuments(ReadDocuments):
    """The documents of a store."""

    def __init__(self, reader: Reader, writer: Writer, stamp: Callable[[], int], node: int = 0) -> None:
        """``stamp`` returns times in microseconds, never the same twice."""
        super().__init__(reader)
        self._writer = writer
        self._stamp = stamp
        self._node = node

    async def put(self, tenant: int, kind: str, name: str, body: bytes | None, actor: str = "") -> Fact:
        """See Documents."""
        fact = document_fact(tenant, kind, name, body, actor, self._stamp(), self._node)
        await self._writer.submit([fact])
        return fact


def document_fact(tenant: int, kind: str, name: str, body: bytes | None, actor: str, at_us: int, node: int = 0) -> Fact:
    """Return the fact that sets or deletes a document."""
    detail = DocumentSet(kind, name, body, actor)
    return Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), at_us, detail, node=node)
