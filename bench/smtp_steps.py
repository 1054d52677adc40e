"""What each step of a message costs our mail server in Python: no sockets, a store that forgets, least of many passes.

``python -m bench.smtp_steps`` prints microseconds; ``--classify`` reads each mail with the real classifier and rules.
The rest of a message's time is the kernel's and the store's (docs/performance.md).
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import uvloop

import config
from bench.mailings import write_mails
from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.cause import Cause, Permanence
from model.fact import Fact
from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint
from model.reading import Kind, Reading, RecipientReading, Verdict
from model.token import day_of
from mta.acceptance import MailReader
from mta.limits import Limits
from mta.server import MtaServer, MtaSettings

_DOMAIN = "bounce.localhost"
_STEPS = ("MAIL", "RCPT", "DATA", "content", "reply")
_KEYS = KeyRing({1: Key(1, b"\x01" * 32, KeyStatus.CURRENT)}, b"\x02" * 32)
_VERDICT = Verdict(Cause.USER_UNKNOWN, Permanence.PERMANENT, "none", "none")
_READING = Reading(Kind.BOUNCE, (RecipientReading(None, status="5.1.1", verdict=_VERDICT),))


class _NoReader:
    def read(self, raw: bytes) -> Reading:
        """Return the same for every mail."""
        return _READING


class _Wire:
    """What a session needs of a transport; counts writes."""

    writes = 0
    last = b""

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.last = data


def _submit(_facts: Sequence[Fact]) -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _mails(count: int) -> list[tuple[bytes, bytes]]:
    """Return RCPT lines and contents of as many reports."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mails"
        mint = Mint(_KEYS, Hosts(_DOMAIN, "https://t.example"))
        write_mails(path, mint, day=day_of(time.time_ns() // 1_000), first=0, count=count)
        raw = path.read_bytes()
    found, at = [], 4
    for _ in range(count):
        recipient, body = struct.unpack_from("=II", raw, at)
        at += 8
        found.append((b"RCPT TO:<" + raw[at : at + recipient] + b">\r\n", raw[at + recipient : at + recipient + body]))
        at += recipient + body
    return found


async def measure(reader: MailReader, passes: int) -> list[float]:
    """Return seconds a message of each step, the least of ``passes`` times five groups of 200 mails."""
    settings = MtaSettings("mx.example", (_DOMAIN,), (), limits=Limits(token_messages_a_day=10**9))
    server = MtaServer(settings, keys=lambda: _KEYS, classifier=lambda: reader, submit=_submit)
    mails, clock = _mails(1_000), time.perf_counter
    least = [float("inf")] * len(_STEPS)
    for at in [*range(0, 1_000, 200)] * passes:
        wire, session = _Wire(), server._make_connection()
        session.connection_made(cast(Any, wire))
        while not wire.writes:
            await asyncio.sleep(0)
        session.data_received(b"EHLO x\r\n")
        sums = [0.0] * len(_STEPS)
        for recipient, content in mails[at : at + 200]:
            times = [clock()]
            for said in (b"MAIL FROM:<>\r\n", recipient, b"DATA\r\n", content):
                writes = wire.writes
                session.data_received(said)
                times.append(clock())
            while wire.writes == writes:
                await asyncio.sleep(0)
            times.append(clock())
            assert wire.last.startswith(b"250 "), wire.last
            sums = [total + end - begin for total, begin, end in zip(sums, times, times[1:], strict=False)]
        least = [min(best, total / 200) for best, total in zip(least, sums, strict=True)]
        session.connection_lost(None)
    return least


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.smtp_steps", description=__doc__)
    parser.add_argument("--classify", action="store_true")
    parser.add_argument("--passes", type=int, default=10)
    options = parser.parse_args()
    rules = Path(config.__file__).parent / "rules"
    reader: MailReader = Classifier(load_rules(rules)) if options.classify else _NoReader()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        least = runner.run(measure(reader, options.passes))
    steps = ", ".join(f"{name} {seconds * 1e6:.1f}" for name, seconds in zip(_STEPS, least, strict=True))
    print(f"us a message: {sum(least) * 1e6:.1f} ({steps})")


if __name__ == "__main__":
    main()
