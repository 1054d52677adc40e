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


def test_an_alternative_that_another_rule_has_makes_it_unreachable(tmp_path: Path) -> None:
    wide = "id = 'wide'\ncause = 'mailbox_full'\npattern = 'over quota|full'\nexamples = ['over quota']"
    (finding,) = check_rules(rules_of(tmp_path, wide, FULL))
    assert (finding.severity, finding.rule.id) == (Severity.ERROR, "full")
    assert "unreachable: wide already has 'full'" in finding.problem
    assert "Delete the shared alternative" in finding.remedy


def test_one_of_several_examples_decided_elsewhere(tmp_path: Path) -> None:
    other = "id = 'disk'\ncause = 'system_full'\npattern = 'disk'\nexamples = ['no disk space', 'disk full']"
    findings = [f for f in check_rules(rules_of(tmp_path, FULL, other)) if f.severity is not Severity.NOTE]
    (finding,) = findings
    assert (finding.severity, finding.rule.id) == (Severity.WARNING, "disk")
    assert finding.problem == "an example is decided by full (mailbox_full, 10.toml:2)"
    assert finding.remedy.startswith("Raise the priority of this rule, narrow the other")


def test_overlapping_rules_are_a_note_with_both_names(tmp_path: Path) -> None:
    narrow = "id = 'narrow'\ncause = 'system_full'\npattern = 'disk full'\nexamples = ['disk full']\npriority = 61"
    (finding,) = check_rules(rules_of(tmp_path, FULL, narrow))
    assert (finding.severity, finding.problem) == (Severity.NOTE, "its examples also match full")
    assert finding.remedy


def test_a_host_that_is_no_suffix_never_holds(tmp_path: Path) -> None:
    for host in (".example.jp", "*.example.jp", "example.jp.", "x@example.jp"):
        (finding,) = check_rules(rules_of(tmp_path, f"{FULL}\nhost = '{host}'"))
        assert (finding.severity, finding.rule.id) == (Severity.ERROR, "full"), host
        assert f"host '{host}' never holds" in finding.problem
        assert "bare suffix" in finding.remedy
    assert check_rules(rules_of(tmp_path, f"{FULL}\nhost = ['example.jp', 'xn--zckzah.jp']")) == []


def test_a_pattern_for_what_rules_never_see(tmp_path: Path) -> None:
    for words, why in (
        ("mailbox  full", "one space"),
        (r"quota\nreached", "one space"),
        ("postmaster@example", "x@x"),
        ("https://example.com/full", "scheme and host"),
    ):
        (finding,) = check_rules(rules_of(tmp_path, FULL.replace("pattern = 'full'", f"pattern = '{words}|full'")))
        assert (finding.severity, finding.rule.id) == (Severity.ERROR, "full")
        assert why in finding.problem
    assert check_rules(rules_of(tmp_path, FULL.replace("pattern = 'full'", "pattern = 'x@x full|full'"))) == []
