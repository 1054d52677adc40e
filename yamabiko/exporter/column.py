"""What a table to export is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a column's values are."""

    #: text from outside, or None
    TEXT = "text"
    #: one of our own identifiers, or None
    WORD = "word"
    #: microseconds since 1970-01-01 UTC, or None
    TIME = "time"
    #: an integer, or None
    COUNT = "count"
    #: yes or no
    FLAG = "flag"
    #: a share from 0 to 1, or None where undefined
    RATIO = "ratio"
    #: a tuple of texts
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in NDJSON, Parquet and SQL, its headings in CSV, and what CSV calls its words, if so."""

    name: str
    kind: Kind
    ja: str
    en: str
    #: identifier -> (Japanese, English)
    words: Mapping[str, tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns in order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    def columns_of(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return the values of ``rows`` column by column."""
        return list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)


def text(name: str, ja: str, en: str) -> Column:
    """Return a column of text from outside."""
    return Column(name, Kind.TEXT, ja, en)


def word(name: str, ja: str, en: str, words: Mapping[str, tuple[str, str]] | None = None) -> Column:
    """Return a column of our own words."""
    return Column(name, Kind.WORD, ja, en, words)


def time(name: str, ja: str, en: str) -> Column:
    """Return a column of times."""
    return Column(name, Kind.TIME, ja, en)


def count(name: str, ja: str, en: str) -> Column:
    """Return a column of integers."""
    return Column(name, Kind.COUNT, ja, en)


def flag(name: str, ja: str, en: str) -> Column:
    """Return a column of yes and no."""
    return Column(name, Kind.FLAG, ja, en)
