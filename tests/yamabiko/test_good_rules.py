"""Rules at a start: read once, again when anything of them changed, and never taken as good when they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import config
from classifier import rulefile
from config.settings import Settings, load
from yamabiko import exits, run_files
from yamabiko.good_rules import check_rules
from yamabiko.operator_error import OperatorError


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with rules of their own."""
    rules, run = tmp_path / "rules", tmp_path / "home" / "run"
    shutil.copytree(Path(config.__file__).parent / "rules", rules)
    run.mkdir(parents=True)
    return load(None, {"YAMABIKO_HOME": str(tmp_path / "home"), "YAMABIKO_RULES_DIRECTORY": str(rules)})


def test_good_rules_are_read_once_and_again_when_they_changed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load_rules = rulefile.load_rules
    monkeypatch.setattr(rulefile, "load_rules", lambda directory: (read.append(directory), load_rules(directory)))
    check_rules(settings)
    check_rules(settings)
    assert len(read) == 1
    mine = settings.rules_directory / "99-mine.toml"
    mine.write_text("", "utf-8")
    check_rules(settings)
    assert len(read) == 2
    mine.write_text("[[rule]]\n", "utf-8")
    for _ in range(2):  # what is bad stays bad
        with pytest.raises(OperatorError, match="99-mine") as caught:
            check_rules(settings)
        assert caught.value.exit_code == exits.CONFIG
    mine.unlink()
    (settings.run / run_files.GOOD_RULES).write_bytes(b"\xff")
    check_rules(settings)
    assert len(read) == 5
