"""docs/exports.md says what the tables really have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.export_rules import FILTERS
from console.schema_exports import ExportType
from yamabiko.exporter.tables import MAIL_WORDS, STATUS_WORDS, TABLES

PAGE = (Path(__file__).parents[2] / "docs/exports.md").read_text("utf-8")


def part_of(kind: ExportType) -> str:
    """The part of the page about one type."""
    return PAGE.partition(f"### `{kind.value}`\n")[2].partition("\n### ")[0]


@pytest.mark.parametrize("kind", list(ExportType))
def test_every_column_is_there_in_order_and_no_other(kind: ExportType) -> None:
    part = part_of(kind)
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    assert lines == [
        f"| `{column.name}` | {column.kind.value} | {column.ja} | {column.en} |" for column in TABLES[kind].columns
    ]
    said = set(re.findall(r"`(\w+)`", part.partition("Filters: ")[2].partition("\n")[0]))
    assert said == {name.rstrip("_") for name in FILTERS[kind]}


def test_words_are_there() -> None:
    for words in (STATUS_WORDS, MAIL_WORDS):
        for name, (ja, en) in words.items():
            assert f"| `{name}` | {ja} | {en} |" in PAGE


def test_names_are_unique_and_plain() -> None:
    for table in TABLES.values():
        assert len(set(table.names)) == len(table.names)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in table.names)
