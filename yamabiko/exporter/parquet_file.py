"""Parquet: one schema per table, the same whatever is in it, so that DuckDB, Spark and ClickHouse read it as it is.

Needs pyarrow, which comes with the extra ``analytics``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from yamabiko.exporter.column import Kind, Table
from yamabiko.exporter.ndjson_file import mend

if TYPE_CHECKING:
    import pyarrow as pa

#: What to say where pyarrow is not there.
MISSING = "Parquet needs pyarrow. Install it with `pip install 'yamabiko[analytics]'`, or export as csv or ndjson."
#: Rows of one group: large enough to compress well, small enough to keep memory flat.
_GROUP = 65_536


class ParquetMissingError(Exception):
    """pyarrow is not installed."""


def schema_of(table: Table) -> pa.Schema:
    """Return the schema of a table. Raises ParquetMissingError."""
    arrow = _pyarrow()
    types = {
        Kind.TEXT: arrow.string(),
        Kind.WORD: arrow.string(),
        Kind.TIME: arrow.timestamp("us", tz="UTC"),
        Kind.COUNT: arrow.int64(),
        Kind.FLAG: arrow.bool_(),
        Kind.RATIO: arrow.float64(),
        Kind.TEXTS: arrow.list_(arrow.string()),
    }
    return arrow.schema([arrow.field(column.name, types[column.kind]) for column in table.columns])


class ParquetFile:
    """Writes one Parquet file."""

    def __init__(self, out: IO[bytes], table: Table) -> None:
        """Rows of ``table`` go to ``out``. Raises ParquetMissingError."""
        self._arrow = _pyarrow()
        import pyarrow.parquet as parquet

        self._table = table
        self._schema = schema_of(table)
        self._writer = parquet.ParquetWriter(out, self._schema, compression="zstd")
        self._rows: list[Sequence[Any]] = []
        #: characters no encoding of Unicode has
        self.replaced = 0

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows; a group is written when it is full."""
        self._rows += rows
        if len(self._rows) >= _GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and the footer."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = self._table.columns_of(self._rows)
        self._rows = []
        arrays = [self._array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def _array(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        try:
            return self._arrow.array(values, kind)
        except UnicodeEncodeError:
            mended = [mend(value) for value in values]
            self.replaced += sum(replaced for _, replaced in mended)
            return self._arrow.array([value for value, _ in mended], kind)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ParquetMissingError(MISSING) from error
    return pyarrow
