"""Two rule sets over the same mails: what flips, and what only changes its rule."""

from __future__ import annotations

from pathlib import Path

from classifier.classify import Classifier
from classifier.diff import compare
from classifier.rulefile import load_rules
from model.cause import Cause

CASES = Path(__file__).parent / "cases"
RULE = "[[rule]]\nid = '{}'\ncause = '{}'\nsource = 'x'\npattern = '{}'\nexamples = ['{}']\n"


def classifier_of(directory: Path, *rules: tuple[str, str, str]) -> Classifier:
    directory.mkdir()
    text = "".join(RULE.format(name, cause, words, words) for name, cause, words in rules)
    (directory / "10.toml").write_text(text, encoding="utf-8")
    return Classifier(load_rules(directory))


def test_flips(tmp_path: Path) -> None:
    old = classifier_of(tmp_path / "old", ("a", "mailbox_full", "full"), ("b", "user_unknown", "unknown"))
    new = classifier_of(tmp_path / "new", ("a", "system_full", "full"), ("c", "user_unknown", "unknown"))
    replies = [("r:1", "552 full"), ("r:2", "552 full"), ("r:3", "550 unknown"), ("r:4", "450 later")]
    mails = [(path.name, path.read_bytes()) for path in sorted(CASES.glob("001*.eml"))]
    found = compare(old, new, mails, replies)
    assert (found.mails, found.replies) == (len(mails), 4)
    assert found.recipients == 5
    of_replies = [flip for flip in found.flips if flip.name.startswith("r:")]
    assert [(flip.name, flip.is_in_meaning, flip.suppression) for flip in of_replies] == [
        ("r:1", True, "ends"), ("r:2", True, "ends"), ("r:3", False, ""),
    ]  # fmt: skip
    assert all(not flip.is_in_meaning for flip in found.flips if flip.name not in ("r:1", "r:2"))
    assert found.changes == of_replies[:2]
    ((was, now, _, _, count),) = found.summary
    assert (was, now, count) == (Cause.MAILBOX_FULL, Cause.SYSTEM_FULL, 2)


def test_the_same_rules_flip_nothing(classifier: Classifier) -> None:
    mails = [(path.name, path.read_bytes()) for path in sorted(CASES.glob("*.eml"))]
    found = compare(classifier, classifier, mails)
    assert (found.flips, found.changes, found.summary) == ([], [], [])
    assert found.recipients > 40


def test_a_flip_names_its_recipient(tmp_path: Path) -> None:
    old = classifier_of(tmp_path / "old", ("a", "no_reason", "unknown"))
    new = classifier_of(tmp_path / "new", ("a", "user_unknown", "unknown"))
    path = CASES / "001-rfc3464-user-unknown.eml"
    (flip,) = compare(old, new, [(path.name, path.read_bytes())]).changes
    assert (flip.address, flip.old.cause, flip.new.cause) == ("cat@example.net", Cause.NO_REASON, Cause.USER_UNKNOWN)
    assert flip.suppression == "begins"
