"""Child processes for the fault tests: started afresh, never forked, so that each opens its own store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(code: str, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Run ``code`` in a new interpreter with ``sys.argv[1:]`` as ``arguments``; talk to it by its pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


def run(code: str, *arguments: object, env: Mapping[str, str] | None = None, timeout_s: float = 60) -> str:
    """Run ``code`` to its end and return what it printed. Raises AssertionError when it fails."""
    child = start(code, *arguments, env=env)
    out, _ = child.communicate(timeout=timeout_s)
    assert child.returncode == 0, f"exit code {child.returncode}: {out}"
    return out


def line(child: subprocess.Popen[str]) -> str:
    """Wait for a line of a child."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def kill(child: subprocess.Popen[str]) -> None:
    """End a child for certain."""
    child.kill()
    child.communicate()


def compile_preload(source: Path, target: Path) -> Path:
    """Compile a library for LD_PRELOAD."""
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", str(target), str(source), "-ldl"], check=True, capture_output=True
    )
    return target
