"""Child processes of a comparison: start, wait for their port, CPU seconds, end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError, MissingProgramError

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: Cores in use at most on a machine that is called quiet.
_QUIET_CORES = 0.1
#: CPU seconds of a process, or of several, so far.
Clock = Callable[[], float]
# Debian keeps servers where an ordinary user's PATH does not lead.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"


def find_program(name: str) -> str:
    """Return the path of a program. Raises MissingProgramError."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise MissingProgramError(f"{name} is not installed")
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU seconds, user and system, that processes have used so far. Raises BenchError if one is gone."""
    ticks = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            raise BenchError(f"process {pid} ended during the comparison") from None
        fields = stat.rpartition(")")[2].split()  # the name before may hold spaces
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def clock_of_tree(*roots: int) -> Clock:
    """Return the clock of processes and all their descendants, those that ended and were waited for included."""
    return lambda: sum(map(_tree_ticks, roots)) / _TICKS_PER_S


def _tree_ticks(pid: int) -> int:
    """Return the ticks of a tree. A process that ends meanwhile is counted by its parent the next time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        children = children_of(pid)
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15]) + sum(_tree_ticks(child) for child in children)


def busy_seconds() -> float:
    """Return the CPU seconds this machine has spent on anything so far; other guests of its host count too."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = fields
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS_PER_S


def wait_for_quiet(patience_s: float) -> None:
    """Return when nobody else has used the machine for a second, or when patience is at its end."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        busy = busy_seconds()
        time.sleep(1)
        if busy_seconds() - busy < _QUIET_CORES:
            return


def clock_of(*pids: int) -> Clock:
    """Return the clock of processes that live as long as the run."""
    return lambda: cpu_seconds(pids)


class Meter:
    """Measures what a run costs, from its making on."""

    def __init__(self, measured: Mapping[str, Clock] | Iterable[int] = ()) -> None:
        """``measured``: clocks by the name of a process, or just processes, which are then together ``server``."""
        self._clocks = dict(measured) if isinstance(measured, Mapping) else {"server": clock_of(*measured)}
        self._cpu = {role: clock() for role, clock in self._clocks.items()}
        self._busy = busy_seconds()
        self._started = time.monotonic()

    def read(self, load_cpu_s: float) -> tuple[dict[str, float], float]:
        """Return CPU seconds by process, and how many cores others have used meanwhile.

        Arguments: ``load_cpu_s``: CPU seconds of the load generator, as it says itself.
        """
        took = time.monotonic() - self._started
        cpu = {role: clock() - self._cpu[role] for role, clock in self._clocks.items()}
        cpu["load"] = load_cpu_s
        return cpu, max(0.0, (busy_seconds() - self._busy - sum(cpu.values())) / took)


def children_of(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads began them."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that ended meanwhile
            found += map(int, path.read_text(encoding="ascii").split())
    return found


@contextmanager
def server(command: Sequence[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; begins when its port answers. Raises BenchError when it never does."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _wait_for_port(process, port, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def output_of(command: Sequence[str], timeout_s: float) -> str:
    """Run a command to its end; returns what it prints. Raises BenchError when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {done.stderr[-1_000:]}")
    return done.stdout


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise BenchError(f"a peer does not start: {log.read_text(encoding='utf-8', errors='replace')[-1_000:]}")
