"""A file system so small that a test can fill it (D5)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(point: Path, megabytes: int) -> Iterator[Path]:
    """Make the directory ``point`` and mount a file system of this size on it; skips the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", point]
    mounting = subprocess.run(command, capture_output=True)
    if mounting.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounting.stderr.decode().strip()}")
    yield point
    subprocess.run(["umount", "-l", point], check=True)
