"""The machine and the versions of everything that takes part: figures mean nothing without them."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.errors import MissingProgramError
from bench.processes import find_program

_PACKAGES = ("aiohttp", "aiosmtpd", "uvloop", "lmdb", "msgpack", "google-re2", "flufl.bounce")
# Program, and the arguments that make it tell its version.
_PROGRAMS = (("nginx", "-v"), ("postconf", "-d", "mail_version"), ("gcc", "-dumpfullversion"))
_NUMBER = re.compile(r"\d+\.\d+(?:\.\d+)?")


def describe_machine() -> list[str]:
    """Return lines that name processor, kernel, file system and versions."""
    packages = ", ".join(f"{name} {_package(name)}" for name in _PACKAGES)
    programs = ", ".join(f"{'postfix' if call[0] == 'postconf' else call[0]} {_program(call)}" for call in _PROGRAMS)
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return [
        f"{os.cpu_count()} × {_processor()}, Linux {platform.release()}, load {load}",
        f"data on {_file_system(Path(tempfile.gettempdir()))}",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}",
        programs,
    ]


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(path: Path) -> str:
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        device, mounted, kind = line.split()[:3]
        if path.is_relative_to(mounted) and len(mounted) >= len(best[0]):
            best = (mounted, f"{kind} ({device})")
    in_memory = best[1].startswith("tmpfs")
    return best[1] + (": IN MEMORY, commits cost nothing here; set TMPDIR to a disk" if in_memory else "")


def _program(call: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            [find_program(call[0]), *call[1:]], capture_output=True, text=True, check=False, timeout=10
        )
    except (MissingProgramError, OSError, subprocess.TimeoutExpired):
        return "missing"
    found = _NUMBER.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"
