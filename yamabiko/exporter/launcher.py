"""How the console has an export made: a child process, told what to do on its standard input."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from console.export_tasks import ExportFailedError
from console.schema_exports import ExportDone, ExportJob
from yamabiko.exporter.order import News, Order

_decode = msgspec.json.Decoder(News).decode


@dataclass(frozen=True, slots=True)
class ChildLauncher:
    """Makes exports of one store; see console.export_tasks.Launcher."""

    data: Path
    map_size: int
    log_level: str = "info"
    log_file: str = ""

    async def run(self, job: ExportJob, path: Path, progress: Callable[[int, float], None]) -> ExportDone:
        """See console.export_tasks.Launcher.run."""
        order = Order(job, str(self.data), self.map_size, str(path), self.log_level, self.log_file)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "yamabiko.exporter", stdin=PIPE, stdout=PIPE, limit=1 << 20
        )
        try:
            last = await _talk(process, order, progress)
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            _remove_left_over(path, process.pid)
        if last.error is not None:
            raise ExportFailedError(last.error)
        if last.done is None:
            what = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise ExportFailedError(f"The process that made it {what}. Retry it.")
        return last.done


async def _talk(process: Process, order: Order, progress: Callable[[int, float], None]) -> News:
    """Give the order, pass progress on, and return the last news."""
    assert process.stdin is not None and process.stdout is not None
    last = News()
    try:
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return last  # it ended before it was told anything; its exit code says how
    async for line in process.stdout:
        last = _decode(line)
        if last.done is None and last.error is None:
            progress(last.rows, last.share)
    return last


def _remove_left_over(path: Path, pid: int) -> None:
    """Remove what a process that was killed had begun to write."""
    path.with_name(f".{path.name}.{pid}.new").unlink(missing_ok=True)
