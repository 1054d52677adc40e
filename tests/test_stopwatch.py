"""The watch that other tests measure with: it leaves out waiting for a processor, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.stopwatch import Stopwatch

_BUSY = "import time\nwhile time.process_time() < {}: pass"


def _start(processor: int, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _BUSY.format(seconds)], preexec_fn=lambda: os.sched_setaffinity(0, [processor])
    )


def test_a_pause_counts() -> None:
    watch = Stopwatch()
    time.sleep(0.3)
    assert watch.seconds() > 0.25


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this system does not tell of such waits")
def test_waiting_for_a_processor_does_not() -> None:
    """Four processes want one processor: in four seconds of the clock each has worked for one."""
    processor = min(os.sched_getaffinity(0))
    others = [_start(processor, 30) for _ in range(3)]
    try:
        began, watch = time.monotonic(), Stopwatch()
        worker = _start(processor, 0.5)
        while worker.poll() is None:
            watch.seconds()
            time.sleep(0.01)
        took, measured = time.monotonic() - began, watch.seconds()
    finally:
        for other in others:
            other.kill()
            other.wait()
    print(f"{took:.2f} s by the clock, {measured:.2f} s by the watch")
    assert took > 1.3, "the control: it had to wait"
    assert 0.2 < measured < 0.5 * took
