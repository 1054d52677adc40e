"""Facts to bytes and back, and the checksummed chunks in which the log keeps them.

A fact is a msgpack array: type, delivery key, time, node, flags, then its detail's fields in the order of the
class, trailing defaults left out. Fields may be appended to a detail class, never moved or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from typing import Any

import msgpack

from model.cause import BY_NUMBER, SPECS, Channel, Permanence
from model.detail import (
    Agent,
    Detail,
    ExcludedKind,
    Trust,
    UnsubscribeReason,
    UnsubscribeVia,
)
from model.fact import (
    DETAILS,
    DeliveryKey,
    Fact,
    FactType,
)
from store.errors import FactRefusedError, StoreCorruptError
from store.keys import seq_key
from store.sealed import pack_value, unpack_value

_IS_TEST, _IS_HTML = 1, 2
#: Two chunks fit into one 4 kB page of LMDB; larger values would take pages of their own.
CHUNK_BYTES = 1_900
_PERMANENCES = tuple(Permanence)

_Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]
_CODECS: dict[str, _Pair] = {
    "cause": (
        lambda cause: None if cause is None else SPECS[cause].number,
        lambda number: None if number is None else BY_NUMBER[number].cause,
    ),
    "permanence": (_PERMANENCES.index, _PERMANENCES.__getitem__),
    "channel": (int, Channel),
    "trust": (int, Trust),
    "agent": (int, Agent),
    "via": (int, UnsubscribeVia),
    "tags": (list, tuple),
}
_KINDS: dict[tuple[str, str], _Pair] = {
    ("Excluded", "kind"): (int, ExcludedKind),
    ("Unsubscribed", "reason"): (int, UnsubscribeReason),
}
_Layout = tuple[tuple[str, _Pair | None, object], ...]
_LAYOUTS: dict[type[Detail], _Layout] = {
    cls: tuple(
        (
            field.name,
            _KINDS.get((cls.__name__, field.name)) or _CODECS.get(field.name),
            field.default if field.default is not MISSING else MISSING,
        )
        for field in fields(cls)
    )
    for cls in set(DETAILS.values())
}


def pack_fact(fact: Fact) -> bytes:
    """Return the bytes of a fact. Raises FactRefusedError when a value cannot be stored."""
    detail = fact.detail
    values: list[Any] = [
        int(fact.type),
        fact.key.pack(),
        fact.at_us,
        fact.node,
        (_IS_TEST if fact.is_test else 0) | (_IS_HTML if fact.is_html else 0),
    ]
    length = len(values)
    for name, pair, default in _LAYOUTS[type(detail)]:
        value = getattr(detail, name)
        is_default = value == default and default is not MISSING
        values.append(value if pair is None else pair[0](value))
        if not is_default:
            length = len(values)
    try:
        return bytes(msgpack.packb(values[:length], unicode_errors="surrogatepass"))
    except (TypeError, ValueError, OverflowError) as error:
        raise FactRefusedError(f"a {fact.type.name.lower()} fact cannot be stored: {error}") from error


def unpack_fact(raw: bytes) -> Fact:
    """Read what ``pack_fact`` wrote. Raises StoreCorruptError when it is not that."""
    try:
        number, key, at_us, node, flags, *values = msgpack.unpackb(raw, unicode_errors="surrogatepass")
        fact_type = FactType(number)
        cls = DETAILS[fact_type]
        arguments = {
            name: value if pair is None else pair[1](value)
            for (name, pair, _), value in zip(_LAYOUTS[cls], values, strict=False)
        }
        return Fact(
            fact_type, DeliveryKey.unpack(key), at_us, cls(**arguments), node, bool(flags & _IS_TEST),
            bool(flags & _IS_HTML),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
        raise StoreCorruptError(f"a fact cannot be read: {error}") from error


def type_of(raw: bytes) -> FactType:
    """Return the type of a packed fact without reading the rest. Raises StoreCorruptError for an unknown one."""
    try:
        # An array of up to 15 values has a header of one octet, a longer one of three (msgpack: array 16).
        return FactType(raw[3] if raw[0] == 0xDC else raw[1])
    except (IndexError, ValueError) as error:
        raise StoreCorruptError(f"a fact cannot be read: {error}") from error


def pack_chunks(first_seq: int, packed: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """Return (seq of the first fact, value) of the chunks that hold ``packed`` facts from ``first_seq`` on."""
    chunks: list[tuple[int, bytes]] = []
    current: list[bytes] = []
    size, seq = 0, first_seq
    for raw in packed:
        if current and size + len(raw) > CHUNK_BYTES:
            chunks.append((seq, pack_value(seq_key(seq), current)))
            seq += len(current)
            current, size = [], 0
        current.append(raw)
        size += len(raw) + 3
    if current:
        chunks.append((seq, pack_value(seq_key(seq), current)))
    return chunks


def unpack_chunk(first_seq: int, value: bytes) -> list[bytes]:
    """Return the packed facts of the chunk stored under ``first_seq``.

    Raises StoreCorruptError when the checksum, which covers that number too, does not fit (D11).
    """
    facts: list[bytes] = unpack_value(seq_key(first_seq), value)
    return facts
