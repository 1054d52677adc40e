"""The linter finds what can never decide; the pack that ships is clean."""

from __future__ import annotations

from pathlib import Path

from classifier.check import Severity, check_rules
from classifier.rulefile import RuleSet, load_rules


def rules_of(directory: Path, *rules: str) -> RuleSet:
    text = "source = 'test'\n" + "".join(f"[[rule]]\n{rule}\n" for rule in rules)
    (directory / "10.toml").write_text(text, encoding="utf-8")
    return load_rules(directory)


FULL = "id = 'full'\ncause = 'mailbox_full'\npattern = 'full'\nexamples = ['mailbox full']"


def test_the_pack_has_no_errors(pack: RuleSet) -> None:
    findings = [finding for finding in check_rules(pack) if finding.severity is not Severity.NOTE]
    assert [(finding.rule.id, finding.problem) for finding in findings] == []


def test_the_pack_is_large_and_every_rule_has_a_source(pack: RuleSet) -> None:
    assert len(pack.rules) >= 250
    assert all(rule.source and rule.examples for rule in pack.rules)


def test_a_clean_set(tmp_path: Path) -> None:
    assert check_rules(rules_of(tmp_path, FULL)) == []


def test_duplicate(tmp_path: Path) -> None:
    (finding,) = [f for f in check_rules(rules_of(tmp_path, FULL, FULL.replace("'full'", "'again'", 1)))]
    assert finding.severity is Severity.ERROR
    assert finding.rule.id == "again"
    assert "unreachable: full (10.toml:2)" in finding.problem


def test_shared_alternative(tmp_path: Path) -> None:
    other = "id = 'other'\ncause = 'mailbox_full'\npattern = 'over quota|full'\nexamples = ['over quota']"
    (finding,) = check_rules(rules_of(tmp_path, FULL, other))
    assert finding.severity is Severity.WARNING
    assert "'full'" in finding.problem


def test_unreachable_by_a_stronger_rule(tmp_path: Path) -> None:
    narrow = "id = 'narrow'\ncause = 'system_full'\npattern = 'disk full'\nexamples = ['disk full']"
    findings = check_rules(rules_of(tmp_path, FULL, narrow))
    assert [(f.severity, f.rule.id) for f in findings if f.severity is Severity.ERROR] == [(Severity.ERROR, "narrow")]
    # Negative control: with its own priority it is reachable.
    findings = check_rules(rules_of(tmp_path, FULL, narrow + "\npriority = 61"))
    assert [f for f in findings if f.severity is Severity.ERROR] == []
    assert [f.rule.id for f in findings if f.severity is Severity.NOTE] == ["narrow"]
