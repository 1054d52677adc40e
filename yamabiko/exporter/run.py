"""Make one export: rows from the store, through a writer, into a file."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from console.schema_exports import ExportDone, ExportFormat, ExportIn, ExportJob, ExportType
from store.environment import Environment
from store.reader import Reader
from yamabiko.exporter import delivery_rows, other_rows, people_rows, suppression_rows
from yamabiko.exporter.column import Table
from yamabiko.exporter.csv_file import CsvFile
from yamabiko.exporter.job import ExportError, Progress, Rows, Source
from yamabiko.exporter.ndjson_file import NdjsonFile
from yamabiko.exporter.parquet_file import ParquetFile, ParquetMissingError
from yamabiko.exporter.tables import TABLES

_SOURCES: Mapping[ExportType, Callable[[Source], Rows]] = {
    ExportType.REPORT: other_rows.report,
    ExportType.RECIPIENTS: people_rows.recipients,
    ExportType.UNACKED_ERRORS: people_rows.unacked_errors,
    ExportType.MAIL_STATUS: delivery_rows.mail_status,
    ExportType.SUPPRESSIONS: suppression_rows.suppressions,
    ExportType.EVENTS: other_rows.events,
    ExportType.CLICKS: delivery_rows.clicks,
    ExportType.DELIVERIES: delivery_rows.deliveries,
    ExportType.LINKS: other_rows.links,
}
_PROGRESS_S = 0.2


class _File(Protocol):
    replaced: int

    def write(self, rows: Any) -> None: ...
    def close(self) -> None: ...


def run_export(
    env: Environment, job: ExportJob, out: IO[bytes], progress: Progress = lambda _rows, _share: None
) -> ExportDone:
    """Write the export ``job`` asks for to ``out``.

    ``progress`` is called several times a second. Raises ExportError when it cannot be made, StoreError when the store
    cannot be read, OSError when ``out`` cannot be written.
    """
    if job.number is not None and Reader(env).broadcast(job.tenant, job.number) is None:
        raise ExportError("There is no such broadcast.")
    table = TABLES[job.request.type]
    try:
        file = _open_file(job.request, table, out)
    except ParquetMissingError as error:
        raise ExportError(str(error)) from error
    written, told_s = 0, 0.0
    source = Source(env, job)
    for batch in _SOURCES[job.request.type](source):
        if batch.rows:
            file.write(batch.rows)
            written += len(batch.rows)
        now_s = time.monotonic()
        if now_s - told_s >= _PROGRESS_S:
            told_s = now_s
            progress(written, batch.share)
    file.close()
    progress(written, 1.0)
    return ExportDone(written, out.tell() if out.seekable() else 0, file.replaced, source.is_restricted)


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave garbage collection aside while the block runs, a fifth of an export's time.

    For processes that make exports and nothing else: rows are in no cycles, so they go by themselves.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _open_file(request: ExportIn, table: Table, out: IO[bytes]) -> _File:
    match request.format:
        case ExportFormat.NDJSON:
            return NdjsonFile(out, table)
        case ExportFormat.PARQUET:
            return ParquetFile(out, table)
    try:
        zone = ZoneInfo(request.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ExportError(f"zone: {request.zone!r} is no time zone such as Asia/Tokyo.") from None
    return CsvFile(out, table, encoding=request.encoding, language=request.lang.value, zone=zone)
