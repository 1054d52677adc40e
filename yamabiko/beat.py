"""The heartbeat a worker sends its supervisor through a pipe: alive, ready, and what is wrong, one JSON line each."""

from __future__ import annotations

import os

import msgspec

#: Seconds between two beats.
INTERVAL_S = 0.5
_MAX_LINE = 16_384


class Beat(msgspec.Struct, frozen=True, omit_defaults=True):
    """One heartbeat. ``problems`` maps the name of a check to its words; what is in order is not named."""

    ready: bool = False
    problems: dict[str, str] = {}


class BeatReader:
    """Puts beats together from what comes through the pipe."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._rest = b""
        self._decode = msgspec.json.Decoder(Beat).decode

    def feed(self, chunk: bytes) -> Beat | None:
        """Take ``chunk``; returns the newest beat that is complete, None when none became so."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()[:_MAX_LINE]
        for line in reversed(lines):
            try:
                return self._decode(line)
            except msgspec.MsgspecError:
                continue
        return None


def send(descriptor: int, beat: Beat) -> None:
    """Write ``beat``. Raises BrokenPipeError when the supervisor is gone; a full pipe drops the beat."""
    try:
        os.write(descriptor, msgspec.json.encode(beat) + b"\n")
    except BlockingIOError:
        return  # the supervisor is stopped or stalled: it will see us when it reads again
