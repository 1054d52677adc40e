"""Errors an operator has seen: up to which failure, when and by whom (R19, R22, R25, W14).

A document of kind "ack" for each broadcast, named by its number in twelve hexadecimal digits: a JSON list of what was
acknowledged, each up to a number. What failed later has a higher number and is not among it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from store.errors import StoreCorruptError

ACK_KIND = "ack"


@dataclass(frozen=True, slots=True)
class Ack:
    """All failures of a broadcast up to number ``until_seq`` were seen."""

    until_seq: int
    at_us: int
    actor: str


def read_acks(body: bytes | None) -> list[Ack]:
    """Return what a document says, in ascending order. Raises StoreCorruptError when it is none."""
    if body is None:
        return []
    try:
        return sorted((Ack(**row) for row in json.loads(body)), key=lambda ack: (ack.until_seq, ack.at_us))
    except (ValueError, TypeError) as error:
        raise StoreCorruptError(f"acknowledgements cannot be read: {error}") from error


def write_acks(acks: Sequence[Ack]) -> bytes:
    """Return the body of the document."""
    return json.dumps([asdict(ack) for ack in acks]).encode()


def acked_us(acks: Sequence[Ack], failure_seq: int) -> int | None:
    """Return when the failure with this number was seen first; None if it was not."""
    return min((ack.at_us for ack in acks if ack.until_seq >= failure_seq), default=None)


def acked_until(acks: Sequence[Ack]) -> int:
    """Return the number up to which all failures were seen; 0 when none was."""
    return max((ack.until_seq for ack in acks), default=0)


def ack_name(broadcast: int) -> str:
    """Return the name of a broadcast's document."""
    return f"{broadcast:012x}"
