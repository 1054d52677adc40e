"""Facts to bytes and back, and the checksummed chunks in which the log keeps them.

A fact is a msgpack array: type, delivery key, time, node, flags, then its detail's fields in the order of the
class, trailing defaults left out. Fields may be appended to a detail class, never moved or removed.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from itertools import accumulate
from operator import attrgetter
from typing import Any

import msgpack
import msgspec

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
    Hit,
)
from store.errors import FactRefusedError, StoreCorruptError
from store.keys import seq_key

_IS_TEST, _IS_HTML = 1, 2
#: Half the time of msgpack's, for what holds no lone surrogates.
_encode = msgspec.msgpack.Encoder().encode
#: zlib's: higher levels cost more time than they save room
_LEVEL = 3
#: Two chunks fit into one 4 kB page of LMDB; larger values would take pages of their own.
CHUNK_BYTES = 1_980
#: Octets of facts that make a chunk; compressed, facts of one sort take a third to an eighth of that.
_CHUNK_FACTS = 7_000
#: Percent of a chunk that is aimed at, as no two facts are quite alike.
_FILLED = 95
_PERMANENCES = tuple(Permanence)

#: Facts of one chunk compressed: how many, and the octets.
Compressed = tuple[int, bytes]
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


def _one_of(name: str) -> Callable[[Any], tuple[Any]]:
    """Return what gets one attribute as a tuple."""
    return lambda detail: (getattr(detail, name),)


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


#: For writing: how to get all values at once, which to convert, and the defaults from the end.
_WRITERS: dict[type[Detail], tuple[Callable[[Any], Any], list[tuple[int, Callable[[Any], Any]]], list[object]]] = {
    cls: (
        attrgetter(*(name for name, _, _ in layout)) if len(layout) > 1 else _one_of(layout[0][0]),
        [(place, pair[0]) for place, (_, pair, _) in enumerate(layout) if pair is not None],
        [default for _, _, default in layout],
    )
    for cls, layout in _LAYOUTS.items()
}


def pack_fact(fact: Fact) -> bytes:
    """Return the bytes of a fact. Raises FactRefusedError when a value cannot be stored."""
    detail = fact.detail
    get, conversions, defaults = _WRITERS[type(detail)]
    values = list(get(detail))
    length = len(values)
    while length and defaults[length - 1] is not MISSING and values[length - 1] == defaults[length - 1]:
        length -= 1
    for place, convert in conversions:
        values[place] = convert(values[place])
    flags = flags_of(is_test=fact.is_test, is_html=fact.is_html)
    try:
        return bytes(
            msgpack.packb(
                [int(fact.type), fact.key.pack(), fact.at_us, fact.node, flags, *values[:length]],
                unicode_errors="surrogatepass",
            )
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise FactRefusedError(f"a {fact.type.name.lower()} fact cannot be stored: {error}") from error


def pack_hit(hit: Hit, target: str | None) -> bytes:
    """Return the bytes of a hit, the same as ``pack_fact`` makes of it as a fact with this target."""
    fact_type, place, at_us, detail, node, is_test, is_html = hit
    if target is None and detail.user_agent is not None:
        flags = flags_of(is_test=is_test, is_html=is_html)
        values = (
            fact_type, place, at_us, node, flags, detail.agent, detail.link, detail.links, detail.ip, detail.user_agent,
        )  # fmt: skip
        try:
            return _encode(values)
        except (UnicodeError, OverflowError):
            pass  # as a fact it can be stored, or is refused
    return pack_fact(replace(hit.as_fact(), detail=replace(detail, target=target)))


def flags_of(*, is_test: bool, is_html: bool) -> int:
    """Return the octet of flags in a packed fact."""
    return (_IS_TEST if is_test else 0) | (_IS_HTML if is_html else 0)


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


def pack_chunks(first_seq: int, packed: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Return (seq of the first fact, value) of the chunks that hold ``packed`` facts from ``first_seq`` on.

    A value is a CRC-32 over key and rest, then the zlib form of a MessagePack array.
    """
    return seal_chunks(first_seq, compress_facts(packed))


def compress_facts(packed: Sequence[bytes]) -> list[Compressed]:
    """Return ``packed`` facts compressed, as many together as a chunk takes."""
    compressed: list[Compressed] = []
    ends = list(accumulate(map(len, packed)))
    start, limit = 0, _CHUNK_FACTS
    while start < len(packed):
        before = ends[start - 1] if start else 0
        end = max(bisect_right(ends, before + limit), start + 1)
        body = zlib.compress(msgpack.packb(packed[start:end]), _LEVEL)
        # Facts that follow each other are much alike, so this one tells how many fit into the next chunk, or this one.
        limit = min((ends[end - 1] - before) * CHUNK_BYTES * _FILLED // len(body) // 100, _CHUNK_FACTS)
        if len(body) > CHUNK_BYTES and end - start > 1:
            continue
        compressed.append((end - start, body))
        start = end
    return compressed


def seal_chunks(first_seq: int, compressed: Sequence[Compressed]) -> list[tuple[int, bytes]]:
    """Return what ``pack_chunks`` does, of facts that are compressed already."""
    chunks: list[tuple[int, bytes]] = []
    seq = first_seq
    for count, body in compressed:
        chunks.append((seq, zlib.crc32(body, zlib.crc32(seq_key(seq))).to_bytes(4, "big") + body))
        seq += count
    return chunks


def uncompress_facts(body: bytes) -> list[bytes]:
    """Return the packed facts that ``compress_facts`` put together. Raises StoreCorruptError when it is not that."""
    try:
        facts: list[bytes] = msgpack.unpackb(zlib.decompress(body))
    except (ValueError, zlib.error, msgpack.UnpackException) as error:
        raise StoreCorruptError(f"a chunk of the log cannot be read: {error}") from error
    return facts


def unpack_chunk(first_seq: int, value: bytes) -> list[bytes]:
    """Return the packed facts of the chunk stored under ``first_seq``.

    Raises StoreCorruptError when the checksum, which covers that number too, does not fit (D11).
    """
    body = value[4:]
    if zlib.crc32(body, zlib.crc32(seq_key(first_seq))).to_bytes(4, "big") != value[:4]:
        raise StoreCorruptError("a chunk of the log does not pass its checksum")
    return uncompress_facts(body)
