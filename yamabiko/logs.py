"""JSON log lines: one formatter, one line an event, nothing in them that a terminal or a collector could obey (S31)."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

#: Octets of one value at most; a line has at most ``_MAX_FIELDS`` of them.
MAX_VALUE = 256
_MAX_FIELDS = 32
_MAX_FRAMES = 8
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Turns a record into one line of ASCII JSON. ``extra=`` values become fields of their own."""

    def __init__(self, worker: str) -> None:
        """``worker`` names the process in every line, e.g. ``smtp-0``."""
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "worker": self._worker,
            "pid": record.process,
            "logger": record.name,
            "event": record.getMessage(),
        }
        extras = (item for item in vars(record).items() if item[0] not in _STANDARD)
        for name, value in extras:
            if len(fields) >= _MAX_FIELDS:
                break
            fields.setdefault(name, value)
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = type(record.exc_info[1]).__name__
            fields["error_text"] = str(record.exc_info[1])
            fields["trace"] = _frames(record.exc_info[1])
        return "{" + ",".join(f"{_escape(name)}:{_encode(value)}" for name, value in fields.items()) + "}"


def set_up(worker: str, level: str, file: Path | None) -> None:
    """Send every log record of this process, as JSON, to ``file`` (appending) or to standard error.

    May be called again: the file is opened anew, which is how logs are rotated. Raises OSError when it cannot be.
    """
    stream: IO[str] = sys.stderr if file is None else file.open("a", encoding="ascii", errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(worker))
    root = logging.getLogger()
    former, root.handlers = root.handlers, [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a full log disk must not fill standard error with tracebacks
    for old in former:
        if isinstance(old, logging.StreamHandler) and old.stream not in (sys.stderr, sys.stdout):
            old.stream.close()


def _encode(value: object) -> str:
    if value is None or isinstance(value, bool | int):
        return json.dumps(value) if not isinstance(value, int) or abs(value) < 2**63 else _escape(str(value))
    if isinstance(value, float):
        return json.dumps(round(value, 6)) if value == value and abs(value) != float("inf") else "null"
    if isinstance(value, list | tuple):
        return (
            "[" + ",".join(_encode(part) if isinstance(part, int) else _escape(str(part)) for part in value[:8]) + "]"
        )
    if isinstance(value, bytes):
        return _escape(value[:MAX_VALUE].decode("ascii", "backslashreplace"))
    return _escape(str(value))


def _escape(text: str) -> str:
    """Return ``text`` as a JSON string of at most 256 octets between its quotes."""
    text = text[:MAX_VALUE].replace("\x7f", "\ufffd")
    escaped = json.dumps(text)
    while len(escaped) > MAX_VALUE + 2:
        text = text[: max(len(text) * MAX_VALUE // len(escaped), 1) if len(text) > 1 else 0]
        escaped = json.dumps(text + "\u2026") if len(text) > 1 else json.dumps(text)
    return escaped


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
