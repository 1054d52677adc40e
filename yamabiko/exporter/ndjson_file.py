"""NDJSON: one JSON object a line, names as in docs/exports.md, times in RFC 3339 (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Any

import msgspec

from yamabiko.exporter.column import Kind, Table


class NdjsonFile:
    """Writes one NDJSON file."""

    def __init__(self, out: IO[bytes], table: Table) -> None:
        """Rows of ``table`` go to ``out``."""
        self._out = out
        self._table = table
        self._encode = msgspec.json.Encoder().encode_lines
        #: characters no encoding of Unicode has: halves of pairs that came in from outside
        self.replaced = 0

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        columns = self._table.columns_of(rows)
        for place, column in enumerate(self._table.columns):
            if column.kind is Kind.TIME:
                columns[place] = [None if value is None else _time(value) for value in columns[place]]
        names = self._table.names
        lines = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        try:
            octets = self._encode(lines)
        except UnicodeEncodeError:
            octets = self._encode([{name: self._mend(value) for name, value in line.items()} for line in lines])
        self._out.write(octets)

    def close(self) -> None:
        """Nothing is kept back."""

    def _mend(self, value: Any) -> Any:
        mended, replaced = mend(value)
        self.replaced += replaced
        return mended


def mend(value: Any) -> tuple[Any, int]:
    """Return a value with what is no character replaced by U+FFFD, and how often that was done."""
    if isinstance(value, tuple):
        parts = [mend(part) for part in value]
        return tuple(part for part, _ in parts), sum(replaced for _, replaced in parts)
    if not isinstance(value, str) or value.isascii():
        return value, 0
    mended = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if _has_halves(value) else value
    return mended, sum(map(_is_half, value))


def _has_halves(text: str) -> bool:
    return any(map(_is_half, text))


def _is_half(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_us % 1_000_000:06d}Z"
