"""Documents: a tenant's configuration and small state, each under a kind and a name, the latest word holding.

They come as DOCUMENT_SET facts, so they are as durable, as ordered and as easy to audit as all else.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgpack

from model.detail import DocumentSet
from model.fact import Fact
from store import keys
from store.errors import FactRefusedError, StoreCorruptError
from store.sealed import pack_value, unpack_value

_MAX_NAME = 256
_MAX_BODY = 256 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """One document; ``body`` is JSON, ``seq`` the number of the fact that set it."""

    kind: str
    name: str
    body: bytes
    at_us: int
    seq: int
    actor: str


def document_row(fact: Fact, seq: int, known: bytes | None) -> tuple[bytes, bytes] | None:
    """Return (key, value) to store for a DOCUMENT_SET fact; None when what is ``known`` is later.

    A deleted one stays as a mark without a body, so that an older word that comes after cannot bring it back.
    Raises FactRefusedError when kind, name or body cannot be stored.
    """
    detail = fact.detail
    assert isinstance(detail, DocumentSet)
    if not detail.kind or "\0" in detail.kind + detail.name or len((detail.kind + detail.name).encode()) > _MAX_NAME:
        raise FactRefusedError("a document's kind and name have at most 256 octets and no NUL")
    if detail.body is not None and len(detail.body) > _MAX_BODY:
        raise FactRefusedError("a document has at most 256 KiB")
    key = keys.document_key(fact.key.tenant, detail.kind, detail.name)
    if known is not None:
        at_us, body, *_ = unpack_value(key, known)
        if (at_us, body or b"") >= (fact.at_us, detail.body or b""):
            return None
    return key, pack_value(key, (fact.at_us, detail.body, seq, detail.actor))


def read_document(key: bytes, value: bytes) -> Document | None:
    """Return a stored document; None for one that was deleted. Raises StoreCorruptError when it is none."""
    try:
        at_us, body, seq, actor = unpack_value(key, value)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise StoreCorruptError(f"a document cannot be read: {error}") from error
    if body is None:
        return None
    kind, _, name = key[2:].partition(b"\0")
    return Document(kind.decode(), name.decode(), body, at_us, seq, actor)
