"""docs/reports.md and docs/reports.ja.md say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.profiles.evaluation import PROFILES, definitions_of
from console.profiles.page import BEGIN, END, generated
from console.profiles.settlement import EmptyReason

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {"en": DOCS / "reports.md", "ja": DOCS / "reports.ja.md"}


@pytest.mark.parametrize("language", PAGES)
def test_the_definitions_on_the_page_are_those_of_the_code(language: str) -> None:
    page = PAGES[language].read_text("utf-8")
    start, end = page.index(BEGIN), page.index(END) + len(END)
    assert page[start:end] == generated(language), f"run `python -m console.profiles {language}`"


@pytest.mark.row("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "X10")
@pytest.mark.parametrize("language", PAGES)
def test_the_page_tells_every_contradiction_profile_and_reason(language: str) -> None:
    page = PAGES[language].read_text("utf-8").partition(BEGIN)[0]
    for number in range(1, 11):
        assert f"| X{number} |" in page
    for name in [*PROFILES, *(reason.value for reason in EmptyReason)]:
        assert f"`{name}`" in page
    for line in page.splitlines():
        if line.startswith("| X"):
            for word in line.split("`")[1::2]:
                profile, _, figure = word.partition(".")
                assert profile not in PROFILES or figure in definitions_of(profile), word


@pytest.mark.parametrize("language", PAGES)
def test_every_listed_figure_is_on_the_page(language: str) -> None:
    text = generated(language)
    for profile in PROFILES.values():
        for section in profile.sections:
            for figure in section.figures if section.is_listed else ():
                is_half = figure.id.startswith("code.") and figure.is_detail
                assert is_half or f"`{figure.id}`" in text, figure.id
