"""docs/tracking.md says what there is to count and to set."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from tracker.metrics import Count
from tracker.settings import TrackerSettings

PAGE = (Path(__file__).parents[2] / "docs/tracking.md").read_text("utf-8")


def names_in(heading: str) -> list[str]:
    """The names in the first column of the table below a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_counter_is_there_and_no_other() -> None:
    assert names_in("Counters") == [count.value for count in Count]


def test_every_setting_is_there_and_no_other() -> None:
    assert sorted(names_in("Settings (`TrackerSettings`)")) == sorted(field.name for field in fields(TrackerSettings))
