"""The mail server against smtp-sink, which discards, and stock aiosmtpd, whose handler does nothing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.comparison import Comparison, Contender, Options, Sample, compare, take_turns
from bench.errors import BenchError, MissingProgramError
from bench.mailings import write_mails
from bench.ours import Ours, running_ours
from bench.processes import Meter, find_program, free_port, output_of, server

_SESSIONS = 20
# Our limit is 1,000 mails a session; every server gets its sessions opened anew at the same pace.
_MAILS_PER_SESSION = 900
#: Mails prepared for each second of a run of ours: far more than we take.
_MAILS_PER_S = 3_000
_PEERS = (("smtp_vs_sink", "smtp-sink"), ("smtp_vs_aiosmtpd", "aiosmtpd"))
_SOURCE = Path(__file__).with_name("smtp_load.c")


def compare_smtp(options: Options) -> list[Comparison]:
    """Compare taking reports: we classify and commit each before 250, the peers do nothing with it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-smtp-")))
        try:
            load = _build_load(folder)
        except MissingProgramError as missing:
            return [Comparison(row, None, None, None, "mails/s", f"not measured: {missing}") for row, _ in _PEERS]
        ours = stack.enter_context(running_ours())
        run_ours = _OurRun(load, ours, folder / "mails")
        contenders = [Contender("yamabiko", run_ours)]
        problems: dict[str, str] = {}
        for row, peer in _PEERS:
            try:
                port, pid = stack.enter_context(_running_peer(peer, folder))
                contenders.append(Contender(peer, _PeerRun(load, port, pid, folder / "mails")))
            except MissingProgramError as missing:
                problems[row] = f"no peer: {missing}; "
        samples = dict(zip((contender.name for contender in contenders), take_turns(contenders, options), strict=True))
        confirmed = run_ours.confirm()
        return [
            compare(row, "mails/s", samples["yamabiko"], samples.get(peer, []), problems.get(row, "") + confirmed)
            for row, peer in _PEERS
        ]


def _build_load(folder: Path) -> Path:
    """Compile the load generator. Raises MissingProgramError when there is no compiler."""
    program = folder / "smtp_load"
    output_of([find_program("gcc"), "-O2", "-o", str(program), str(_SOURCE)], 60)
    return program


@contextmanager
def _running_peer(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a peer; yields its port and process. Raises MissingProgramError."""
    port = free_port()
    if name == "smtp-sink":
        # As root it insists on becoming somebody else.
        command = [find_program(name), *(["-u", "nobody"] if os.geteuid() == 0 else []), f"127.0.0.1:{port}", "1024"]
    else:
        command = [sys.executable, "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l", f"127.0.0.1:{port}"]
    with server(command, port, folder / f"{name}.log") as process:
        yield port, process.pid


class _OurRun:
    """Delivers reports never seen before to our server, and checks each time that the store has them."""

    def __init__(self, load: Path, ours: Ours, mails: Path) -> None:
        self._load, self._ours, self._mails = load, ours, mails
        self._pids = ours.pids("smtp")
        self._port = ours.server.address("smtp")[1]
        self._written = 0
        self._accepted = 0
        self._mean_octets = 0.0

    def __call__(self, seconds: float) -> Sample:
        count = int(seconds * _MAILS_PER_S)
        day = self._ours.today()
        self._mean_octets = write_mails(self._mails, self._ours.mint, day=day, first=self._written, count=count)
        self._written += count
        before = self._ours.facts()
        sample = _deliver(self._load, self._port, self._pids, self._mails, seconds, wraps=False)
        self._ours.check_facts(before, sample.events, 0)
        self._accepted += sample.events
        return sample

    def confirm(self) -> str:
        """Return in words what the store says of all runs. Raises BenchError when mails proved nothing to us."""
        found = self._ours.facts_by_type()
        if sum(found.values()) != self._accepted or found.get("unmatched"):
            raise BenchError(f"{self._accepted} mails accepted, but the store has {found}")
        types = ", ".join(f"{count:,} {name}" for name, count in found.items())
        return f"{self._accepted:,} mails of {self._mean_octets:,.0f} octets accepted, facts: {types}"


@dataclass(frozen=True, slots=True)
class _PeerRun:
    """Delivers the mails of our last run, over and over, to a peer."""

    load: Path
    port: int
    pid: int
    mails: Path

    def __call__(self, seconds: float) -> Sample:
        return _deliver(self.load, self.port, [self.pid], self.mails, seconds, wraps=True)


def _deliver(load: Path, port: int, pids: list[int], mails: Path, seconds: float, *, wraps: bool) -> Sample:
    command = [str(load), str(port), str(_SESSIONS), str(seconds), str(mails), str(int(wraps)), str(_MAILS_PER_SESSION)]
    meter = Meter(pids)
    result: dict[str, Any] = json.loads(output_of(command, seconds + 90))
    if result["refused"] or not result["accepted"]:
        raise BenchError(f"not every mail was accepted: {result}")
    return Sample(result["accepted"], result["seconds"], result["p99_ms"], *meter.read(result["cpu_s"]))
