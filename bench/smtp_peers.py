"""The peers of the mail server, each as something that takes the same mails in runs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.comparison import Sample
from bench.errors import BenchError
from bench.mailings import first_mails
from bench.postfix import Postfix, running_postfix
from bench.processes import Clock, Meter, clock_of, find_program, output_of, server
from yamabiko.demo.ports import free_port

_SESSIONS = 20
# Our limit is 1,000 mails a session; every server gets its sessions opened anew at the same pace.
_MAILS_PER_SESSION = 900
#: Mails a second handed to Postfix with a pipe: some more than it gets through.
_PIPE_MAILS_PER_S = 25
_DRAIN_S = 120.0

Run = Callable[[float], Sample]


@dataclass(frozen=True, slots=True)
class Peer:
    """A row's peer: ``start`` runs it, given the load generator, the file of mails and a directory."""

    row: str
    name: str
    start: Callable[[Path, Path, Path], AbstractContextManager[Run]]


def deliver(load: Path, port: int, clocks: Mapping[str, Clock], mails: Path, seconds: float, *, wraps: bool) -> Sample:
    """Deliver mails for so many seconds; without ``wraps`` at most those of the file. All of them must be accepted."""
    meter = Meter(clocks)
    result = _load(load, port, mails, seconds, wraps=wraps)
    return Sample(result["accepted"], result["seconds"], result["p99_ms"], *meter.read(result["cpu_s"]))


def _load(load: Path, port: int, mails: Path, seconds: float, *, wraps: bool) -> dict[str, Any]:
    command = [str(load), str(port), str(_SESSIONS), str(seconds), str(mails), str(int(wraps)), str(_MAILS_PER_SESSION)]
    result: dict[str, Any] = json.loads(output_of(command, seconds + 90))
    if result["refused"] or not result["accepted"]:
        raise BenchError(f"not every mail was accepted: {result}")
    return result


@contextmanager
def _sink(load: Path, mails: Path, folder: Path) -> Iterator[Run]:
    port = free_port()
    # As root it insists on becoming somebody else.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [find_program("smtp-sink"), *user, f"127.0.0.1:{port}", "1024"]
    with server(command, port, folder / "smtp-sink.log") as process:
        yield partial(deliver, load, port, {"server": clock_of(process.pid)}, mails, wraps=True)


@contextmanager
def _aiosmtpd(load: Path, mails: Path, folder: Path) -> Iterator[Run]:
    port = free_port()
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l", f"127.0.0.1:{port}"]
    with server(command, port, folder / "aiosmtpd.log") as process:
        yield partial(deliver, load, port, {"server": clock_of(process.pid)}, mails, wraps=True)


@contextmanager
def _postfix(transport: str, load: Path, mails: Path, folder: Path) -> Iterator[Run]:
    with running_postfix(folder / f"postfix-{transport}", transport) as postfix:
        yield PostfixRun(load, postfix, mails, is_piped=transport == "parser")


@dataclass(frozen=True, slots=True)
class PostfixRun:
    """Delivers mails to Postfix and waits until they have left its queue: then they are as far as with us at 250."""

    load: Path
    postfix: Postfix
    mails: Path
    is_piped: bool

    def __call__(self, seconds: float) -> Sample:
        """Run once. Raises BenchError when mails stay in the queue or a parser was not run for one."""
        mails = self.mails
        if self.is_piped:
            mails = first_mails(self.mails, self.mails.with_suffix(".few"), int(seconds * _PIPE_MAILS_PER_S))
        sent, parsed = self.postfix.delivered(), self._parsed()
        meter, started = Meter({"postfix": self.postfix.clock}), time.monotonic()
        # A pipe gets so many mails, however long they take.
        load_s = _DRAIN_S if self.is_piped else seconds
        result = _load(self.load, self.postfix.port, mails, load_s, wraps=not self.is_piped)
        accepted = int(result["accepted"])
        while self.postfix.delivered() - sent < accepted:
            if time.monotonic() - started > seconds + _DRAIN_S:
                raise BenchError(f"Postfix delivered {self.postfix.delivered() - sent} of {accepted} mails")
            time.sleep(0.01)
        took = time.monotonic() - started
        if self.is_piped and self._parsed() - parsed != accepted:
            raise BenchError(f"{accepted} mails accepted, but {self._parsed() - parsed} parsed")
        return Sample(accepted, took, result["p99_ms"], *meter.read(result["cpu_s"]))

    def _parsed(self) -> int:
        return self.postfix.results.read_bytes().count(b"\n")


PEERS = (
    Peer("smtp_vs_sink", "smtp-sink", _sink),
    Peer("smtp_vs_aiosmtpd", "aiosmtpd", _aiosmtpd),
    Peer("smtp_vs_postfix_pipe", "Postfix and a pipe", partial(_postfix, "parser")),
    Peer("smtp_vs_postfix_discard", "Postfix and discard", partial(_postfix, "discard")),
)
