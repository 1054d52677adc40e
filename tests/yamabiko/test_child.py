"""When the supervisor takes a worker for stuck (D8)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from yamabiko import child as child_module
from yamabiko.child import Child
from yamabiko.post import Post
from yamabiko.spares import Spares, Started

#: A worker that says it is ready when told to, and nothing ever after.
_SILENT = "import os, sys, time\nif {is_ready}: os.write({fd}, b'{{\"ready\":true}}\\n')\ntime.sleep(60)"
_POST = Post("tracker", 0, 3, "127.0.0.1", 0)


class _OneWorker(Spares):
    def __init__(self, *, is_ready: bool) -> None:
        super().__init__(Path())
        self._is_ready = is_ready

    def take(self, post: Post) -> Started:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        program = _SILENT.format(is_ready=self._is_ready, fd=write_end)
        process = subprocess.Popen([sys.executable, "-c", program], pass_fds=(write_end,), stdin=subprocess.PIPE)
        os.close(write_end)
        return Started(process, read_end)


@pytest.mark.parametrize("is_ready", [True, False])
async def test_a_worker_that_is_starting_is_given_more_time(is_ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_START_PATIENCE_S", 3.0)
    child = Child(_POST, _OneWorker(is_ready=is_ready))
    end = asyncio.create_task(child.run_once())
    loop = asyncio.get_running_loop()
    began = loop.time()
    while child.is_ready is not is_ready or child.pid is None:
        await asyncio.sleep(0.01)
    while not end.done() and loop.time() - began < 20:
        child.kill_if_stuck(0.5)
        await asyncio.sleep(0.05)
    assert await end == -9
    assert (loop.time() - began > 3.0) is not is_ready
