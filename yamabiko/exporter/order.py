"""What passes between the console and the process that makes an export: one order, then lines of news."""

from __future__ import annotations

import msgspec

from console.schema_exports import ExportDone, ExportJob


class Order(msgspec.Struct, frozen=True):
    """Written to the child's standard input as JSON, on one line."""

    job: ExportJob
    #: the directory of the store
    data: str
    map_size: int
    #: where the file is to be once it is whole
    path: str
    log_level: str = "info"
    #: empty: standard error
    log_file: str = ""


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the child's standard output. The last one has ``done`` or ``error``."""

    rows: int = 0
    share: float = 0.0
    done: ExportDone | None = None
    #: why it cannot be made, for whoever asked
    error: str | None = None
