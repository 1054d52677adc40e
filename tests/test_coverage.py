"""Every row of the mission that is the product's own work keeps a test that shows it."""

from __future__ import annotations

import pytest

from tests.coverage import markers
from tests.coverage.markers import PAGE, Row, rows_of_page, write_page


def test_every_row_has_a_test() -> None:
    rows = rows_of_page()
    assert len([row for row in rows if row.id[0] in "SREKB"]) == 131
    tests = markers.tests_by_row()
    assert [row.id for row in rows if not tests.get(row.id)] == []


def test_the_page_is_true() -> None:
    assert PAGE.read_text("utf-8") == write_page(rows_of_page()), "run `python -m tests.coverage`"


def test_a_row_without_a_test_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    page = write_page([*rows_of_page(), Row("S99", "nobody's")])
    assert "| S99 | nobody's | **nothing yet** |" in page and f"of {len(rows_of_page()) + 1} rows" in page
