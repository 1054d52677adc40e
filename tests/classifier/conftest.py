"""The rule pack that ships, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.classify import Classifier
from classifier.rulefile import RuleSet, load_rules

PACK = Path(__file__).parents[2] / "config" / "rules"


@pytest.fixture(scope="session")
def pack() -> RuleSet:
    return load_rules(PACK)


@pytest.fixture(scope="session")
def classifier(pack: RuleSet) -> Classifier:
    return Classifier(pack)
