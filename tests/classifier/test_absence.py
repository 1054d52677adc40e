"""What automatic replies say of return, leaving, new address and substitute; every text is invented."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from classifier.absence import read_absence
from model.reading import Absence

CASES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "absences.toml").read_text(encoding="utf-8")
)["case"]


def said_by(case: dict[str, Any]) -> Absence:
    return read_absence(case["text"], case["sent"], subject=case.get("subject", ""), author="me@example.com") or Absence()


def test_there_are_enough() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["text"].split())[:40])
def test_case(case: dict[str, Any]) -> None:
    said = said_by(case)
    shown = {
        "back_on": said.back_on,
        "has_left": said.has_left,
        "new": list(said.new_addresses),
        "contacts": list(said.contacts),
    }
    expected = {key: case.get(key, empty) for key, empty in
                (("back_on", None), ("has_left", False), ("new", []), ("contacts", []))}  # fmt: skip
    assert shown == expected, said.sentences
    assert bool(said.sentences) == any(expected.values())
