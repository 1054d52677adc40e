"""How the console has an export made: a child process, told what to do on its standard input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from console.export_tasks import ExportFailedError
from console.schema_exports import ExportDone, ExportJob
from yamabiko.errand import end_in_words, news_of, sent
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
        last, pid = News(), 0
        try:
            async with sent("yamabiko.exporter") as process:
                pid = process.pid
                async for line in news_of(process, order):
                    last = _decode(line)
                    if last.done is None and last.error is None:
                        progress(last.rows, last.share)
                code = await process.wait()
        finally:
            _remove_left_over(path, pid)
        if last.error is not None:
            raise ExportFailedError(last.error)
        if last.done is None:
            raise ExportFailedError(f"The process that made it {end_in_words(code)}. Retry it.")
        return last.done


def _remove_left_over(path: Path, pid: int) -> None:
    """Remove what a process that was killed had begun to write."""
    path.with_name(f".{path.name}.{pid}.new").unlink(missing_ok=True)
