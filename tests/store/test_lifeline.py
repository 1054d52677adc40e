"""A process ends with the one that began it (D2)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

#: Begins a child that waits, tells its number, and waits itself.
_PARENT = """
import subprocess, sys, os, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
_CHILD = """
import signal, sys, time
from store.lifeline import end_with
assert end_with(int(sys.argv[1]), signal.SIGTERM)
print("asked", flush=True)
time.sleep(60)
"""
#: The control.
_CARELESS = """
import time
print("not asked", flush=True)
time.sleep(60)
"""


def is_there(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("child", "is_asked"), [(_CHILD, True), (_CARELESS, False)])
def test_a_child_ends_with_a_killed_parent_if_it_asked_for_it(child: str, is_asked: bool) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, child], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + (10 if is_asked else 0.5)
        while is_there(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert is_there(pid) is not is_asked
    finally:
        if is_there(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_parent_that_has_ended_already_is_told() -> None:
    asked = "from store.lifeline import end_with; print(end_with({parent}, 0))"
    for parent, answer in ((os.getpid(), b"True"), (1 << 30, b"False")):
        done = subprocess.run([sys.executable, "-c", asked.format(parent=parent)], capture_output=True, check=True)
        assert done.stdout.strip() == answer
