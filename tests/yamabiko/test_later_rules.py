"""Rules that are read when somebody needs them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from classifier.rulefile import RuleError
from yamabiko.later_rules import LaterRules

_FEW = Path(__file__).with_name("few_rules")


def test_they_are_read_when_first_needed_and_only_once(tmp_path: Path) -> None:
    directory = tmp_path / "rules"
    rules = LaterRules(directory)
    rules.refresh()  # nothing to follow yet
    shutil.copytree(_FEW, directory)
    classifier = rules.classifier
    assert classifier.diagnose("550 5.1.1 user unknown").rule
    rules.warm()
    assert rules.classifier is classifier


def test_a_change_is_followed(tmp_path: Path) -> None:
    directory = tmp_path / "rules"
    shutil.copytree(_FEW, directory)
    rules = LaterRules(directory)
    rules.warm()
    before = rules.classifier
    with next(directory.glob("*.toml")).open("a") as file:
        file.write("# touched\n")
    rules.refresh()
    assert rules.classifier is not before


def test_bad_rules_are_told_and_read_again_once_they_are_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "rules"
    shutil.copytree(_FEW, directory)
    bad = directory / "10-bad.toml"
    bad.write_text("[[rule]]\nid = 'x'\n", "utf-8")
    rules = LaterRules(directory)
    with caplog.at_level(logging.ERROR):
        rules.warm()
    assert "10-bad.toml" in caplog.records[0].__dict__["problem"]
    with pytest.raises(RuleError):
        _ = rules.classifier
    bad.unlink()
    assert rules.classifier.diagnose("550 5.1.1 user unknown").rule
