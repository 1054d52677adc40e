"""Tests of the benchmark: those that compile its load generators need gcc, see tests/system_packages.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load import build_load
from tests.system_packages import pytest_runtest_setup
from tests.yamabiko.serving import LEAN

__all__ = ["pytest_runtest_setup"]


@pytest.fixture(autouse=True)
def few_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What servers of these tests know of mails does not matter: they start with a handful of rules."""
    monkeypatch.setenv("YAMABIKO_RULES_DIRECTORY", LEAN["YAMABIKO_RULES_DIRECTORY"])


@pytest.fixture
def web_load(tmp_path: Path) -> Path:
    """The compiled generator of visits; only in tests marked ``system("gcc")``."""
    return build_load("web_load", tmp_path)


@pytest.fixture
def smtp_load(tmp_path: Path) -> Path:
    """The compiled generator of mails; only in tests marked ``system("gcc")``."""
    return build_load("smtp_load", tmp_path)
