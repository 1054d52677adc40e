"""How long after kill -9, in the middle of a load, until the first pixel is answered again."""

from __future__ import annotations

import compileall
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from bench.comparison import Comparison, Options, measured, not_measured
from bench.errors import BenchError, MissingProgramError
from bench.grown_store import grown_store, home_in, shape_for
from bench.load import build_load
from bench.ours import Ours, running_ours
from bench.processes import children_of, wait_for_quiet
from bench.visits import PIXEL, Visits
from bench.web_load import load_command
from yamabiko.demo.server import ServerError

#: Size of the store when none is kept to be used again.
_SMALL_FACTS = 1_000_000
_VISITS = 50_000
#: Seconds of load before the kill; one more passes while the server's counters are read.
_LOAD_S = 1.0
#: So few that no pixel waits long enough to be answered before its commit: what is answered must then be there.
_CONNECTIONS = 32
_DEADLINE_S = 30.0
_POLL_S = 0.002
_PACKAGES = ("classifier", "config", "console", "model", "mta", "store", "tracker", "yamabiko")
_AT_RISK = "yamabiko_tracker_total.at_risk"


def measure_recovery(options: Options) -> list[Comparison]:
    """Kill every process of a server under load, start it again, and wait for a pixel; several times."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-recovery-")))
        try:
            load = build_load("web_load", folder)
        except MissingProgramError as missing:
            return [not_measured("recovery", "s", missing)]
        shape = shape_for(options.facts if options.store else min(options.facts, _SMALL_FACTS))
        home = home_in(options.store or folder)
        with grown_store(home / "data", shape):
            pass  # made, or there already
        _compile_ours()
        found: list[float] = []
        ours = stack.enter_context(running_ours(home=home))
        visits = Visits(folder / "visits", _VISITS)
        visits.write(ours, PIXEL)
        answered = lost = 0
        for _ in range(options.runs):
            wait_for_quiet(options.patience_s)
            counts = _kill_under_load(load, ours, visits)
            answered, lost = answered + counts[0], lost + counts[1]
            found.append(_restart(ours, visits))
            print(f"recovery: {found[-1]:.2f} s", file=sys.stderr, flush=True)
        facts, size = ours.facts(), ours.env.info()["used"]
    note = (
        f"from the start of `yamabiko serve` to the first answered pixel; {facts:,} facts, {size / 1e6:,.0f} MB, page "
        f"cache warm; {min(found):.2f}-{max(found):.2f} s; of {answered:,} pixels answered before the kills {lost:,} "
        "were lost" + (", answered before their commit" if lost else "")
    )
    return [measured("recovery", median(found), "s", note)]


def _compile_ours() -> None:
    """Compile our packages, as an installation does.

    Where PYTHONDONTWRITEBYTECODE is set, a checkout's would be compiled anew by each process, at each start.
    """
    root = Path(__file__).parents[1]
    for package in _PACKAGES:
        compileall.compile_dir(root / package, quiet=1)


def _kill_under_load(load: Path, ours: Ours, visits: Visits) -> tuple[int, int]:
    """Kill -9 all processes while they are busy; returns how many pixels were answered, and how many of them are lost.

    Raises BenchError when one is lost that was not answered before its commit, as the server counts them.
    """
    before, risk_before = ours.facts(), ours.counters().get(_AT_RISK, 0)
    port = ours.server.address("tracker")[1]
    command = load_command(load, port, _LOAD_S + 30, visits, 0, PIXEL.status, _CONNECTIONS)
    generator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(_LOAD_S)
        at_risk = ours.counters().get(_AT_RISK, 0) - risk_before
        victims = _descendants(ours.supervisor())
        ours.server.kill()  # the supervisor first: it would start others in their place
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        result = json.loads(generator.communicate(timeout=60)[0])
    finally:
        generator.kill()
        generator.wait()
    answered = int(result["answers"])
    visits.advance(answered + _CONNECTIONS)
    stored = ours.facts() - before
    lost = max(0, answered - stored)
    # A pixel waits for its commit at most 0.25 s (docs/tracking.md); where that was too short some may be gone.
    if lost > at_risk or stored > answered + _CONNECTIONS or not answered:
        raise BenchError(f"{answered} pixels answered before the kill, {at_risk:.0f} of them at risk, {stored} stored")
    return answered, lost


def _descendants(pid: int) -> list[int]:
    try:
        children = children_of(pid)
    except OSError:
        return []
    return [*children, *(grandchild for child in children for grandchild in _descendants(child))]


def _restart(ours: Ours, visits: Visits) -> float:
    """Start the server; returns the seconds until its tracker answers a pixel with an image."""
    before = ours.facts()
    with visits.path.open("rb") as file:
        path = file.readline().partition(b"\t")[0]
    problems: list[ServerError] = []

    def start() -> None:
        try:
            ours.server.start()
        except ServerError as error:
            problems.append(error)

    thread = threading.Thread(target=start)
    began = time.monotonic()
    thread.start()
    while not _is_answered(ours.server.address("tracker"), path):
        if problems or time.monotonic() - began > _DEADLINE_S:
            raise BenchError(f"no pixel {_DEADLINE_S:.0f} s after the start {problems}")
        time.sleep(_POLL_S)
    took = time.monotonic() - began
    thread.join()
    if problems or ours.facts() == before:
        raise BenchError(f"the first pixel was answered but not stored {problems}")
    return took


def _is_answered(address: tuple[str, int], path: bytes) -> bool:
    try:
        with socket.create_connection(address, timeout=_DEADLINE_S) as connection:
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0\r\n\r\n")
            return connection.recv(4_096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
