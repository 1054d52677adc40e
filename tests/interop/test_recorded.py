"""Reports that a real Postfix wrote, kept as files: they are read the same where no Postfix is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.classify import Classifier
from classifier.rulefile import load_rules

_FOLDER = Path(__file__).parent / "recorded"
_RULES = Path(__file__).parents[2] / "config" / "rules"
#: file -> cause, and the SMTP command that was answered
_EXPECTED = {
    # Only the text for people says which command it was; the Diagnostic-Code has the reply alone (A6).
    "postfix-end-of-data.eml": ("recipient_filtered", "DATA"),
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_rules(_RULES))


def test_each_file_is_expected_to_say_something() -> None:
    assert {path.name for path in _FOLDER.iterdir()} == set(_EXPECTED)


@pytest.mark.parametrize("name", _EXPECTED)
def test_recorded(name: str, classifier: Classifier) -> None:
    (recipient,) = classifier.read((_FOLDER / name).read_bytes()).recipients
    assert recipient.verdict is not None
    assert (recipient.verdict.cause.value, recipient.command) == _EXPECTED[name]
