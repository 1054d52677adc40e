"""Changed rules are taken when good and refused when bad, without a restart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from classifier.reload import LiveRules
from classifier.rulefile import RuleError
from model.cause import Cause

RULE = """\
source = "test"

[[rule]]
id = "{id}"
cause = "{cause}"
pattern = 'no such cat'
examples = ["550 no such cat"]
"""


def write(directory: Path, *, cause: str = "user_unknown", name: str = "cat", file: str = "10.toml") -> None:
    (directory / file).write_text(RULE.format(id=name, cause=cause), encoding="utf-8")


def cause_of(live: LiveRules) -> Cause:
    return live.classifier.diagnose("550 no such cat").cause


def test_nothing_changed(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    assert live.refresh() is None


def test_a_good_change_replaces(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    before = live.classifier
    write(tmp_path, cause="mailbox_moved")
    result = live.refresh()
    assert result is not None
    assert result.is_taken
    assert result.version == live.classifier.version != before.version
    assert cause_of(live) is Cause.MAILBOX_MOVED
    assert live.refresh() is None
    # Whoever still holds the old one is served by the old rules to the end.
    assert before.diagnose("550 no such cat").cause is Cause.USER_UNKNOWN


def test_a_bad_change_is_refused_and_told_once(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    version = live.classifier.version
    write(tmp_path, cause="nonsense")
    result = live.refresh()
    assert result is not None
    assert not result.is_taken
    assert result.error.startswith("10.toml:5: 'nonsense' is no cause. Use one of:")
    assert result.version == version
    assert cause_of(live) is Cause.USER_UNKNOWN
    assert live.refresh() is None
    write(tmp_path, cause="mailbox_full")
    again = live.refresh()
    assert again is not None
    assert again.is_taken
    assert cause_of(live) is Cause.MAILBOX_FULL


def test_added_and_removed_files(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    (tmp_path / "20.toml").write_text(RULE.format(id="dog", cause="mailbox_full").replace("cat", "dog"))
    added = live.refresh()
    assert added is not None
    assert added.count == 2
    (tmp_path / "20.toml").unlink()
    removed = live.refresh()
    assert removed is not None
    assert removed.count == 1


def test_same_time_and_size_but_other_content(tmp_path: Path) -> None:
    """An editor that writes a new file in place of the old within the clock's grain is noticed by its inode."""
    write(tmp_path, cause="user_unknown")
    live = LiveRules(tmp_path)
    stat = (tmp_path / "10.toml").stat()
    write(tmp_path, cause="mailbox_full", file="new.tmp")
    os.replace(tmp_path / "new.tmp", tmp_path / "10.toml")
    os.utime(tmp_path / "10.toml", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = live.refresh()
    assert result is not None
    assert result.is_taken


def test_a_touched_file_is_no_change(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    os.utime(tmp_path / "10.toml", ns=(1, 1))
    assert live.refresh() is None


def test_all_files_gone_keeps_the_old(tmp_path: Path) -> None:
    write(tmp_path)
    live = LiveRules(tmp_path)
    (tmp_path / "10.toml").unlink()
    result = live.refresh()
    assert result is not None
    assert "no rule file" in result.error
    assert cause_of(live) is Cause.USER_UNKNOWN


def test_bad_at_start_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, cause="nonsense")
    with pytest.raises(RuleError):
        LiveRules(tmp_path)
