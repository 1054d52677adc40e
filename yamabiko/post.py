"""A place for a worker to fill. The supervisor writes it to a process that waits, as a line of JSON."""

from __future__ import annotations

import msgspec


class Post(msgspec.Struct, frozen=True):
    """What kind of worker, its number among those, its number in the store (0-7), where it listens."""

    kind: str
    number: int
    slot: int
    host: str
    port: int

    @property
    def name(self) -> str:
        """How logs and metrics call it, e.g. ``smtp-0``."""
        return f"{self.kind}-{self.number}"

    def line(self) -> bytes:
        """Return it as it is written down."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Post:
        """Return what ``line`` says. Raises MsgspecError."""
        return msgspec.json.decode(line, type=cls)
