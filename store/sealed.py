"""Stored values under a checksum that covers their key: a damaged record is refused, never served (D11).

LMDB checks nothing of the kind: of single flipped bits, most go unnoticed (reliability.md M26).
"""

from __future__ import annotations

import zlib
from typing import Any

import msgpack

from store.errors import StoreCorruptError


def pack_value(key: bytes, value: object) -> bytes:
    """Return ``value`` as MessagePack behind a CRC-32 over key and bytes."""
    body: bytes = msgpack.packb(value)
    return zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big") + body


def unpack_value(key: bytes, raw: bytes, *, use_list: bool = True) -> Any:
    """Read what ``pack_value`` wrote under ``key``. Raises StoreCorruptError when the checksum does not fit."""
    body = raw[4:]
    if len(raw) < 5 or zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "big") != raw[:4]:
        raise StoreCorruptError("a stored value does not pass its checksum")
    return msgpack.unpackb(body, use_list=use_list)
