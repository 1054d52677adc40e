"""The prefilter may name too many rules, never too few."""

from __future__ import annotations

from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.literals import arms_of
from classifier.matcher import MAX_SUBJECT, evidence_of
from classifier.rulefile import RuleSet

CASES = Path(__file__).parent / "cases"

READ = {
    "user unknown": [[("user unknown",)]],
    "(?:a|b)cd|ef+g?h": [[("cd",)], [("ef",)]],
    r"\bfoo\.bar\b": [[("foo.bar",)]],
    "x?yz{2}": [[("yz",)]],
    "(?:un)?known": [[("known",)]],
    "(?:user|alias) (?:not found|unknown)": [[("not found", "unknown"), ("user", "alias")]],
    "容量": [[("容量",)]],
}
ALWAYS_ASKED = [
    r"\w",
    "a|bcd*|[^x]",
    "(?i)abc",
    "(?P<n>abc)",
    r"a\pLb",
    "[[:alpha:]]bc",
    r"\Qabc\E",
    "a{,3}bc",
    "(?:ab)?",
]


@pytest.mark.parametrize("pattern", READ)
def test_literals(pattern: str) -> None:
    found = [[set(clause) for clause in clauses] for clauses, *_ in arms_of(pattern)]
    assert found == [[set(clause) for clause in clauses] for clauses in READ[pattern]]


@pytest.mark.parametrize("pattern", ALWAYS_ASKED)
def test_what_is_not_understood_is_always_asked(pattern: str) -> None:
    assert [] in [arm.clauses for arm in arms_of(pattern)]


def test_no_rule_is_passed_over_in_examples_and_cases(pack: RuleSet) -> None:
    options = re2.Options()
    options.case_sensitive = False
    patterns = {rule.id: re2.compile(rule.pattern, options) for rule in pack.rules if rule.pattern}

    def every_match(text: str) -> list[str]:
        """What a search of each pattern by itself finds: without any prefilter."""
        evidence = evidence_of(text)
        subject = evidence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
        rules = (rule for rule in pack.rules if rule.pattern and rule.applies(evidence))
        return [rule.id for rule in rules if patterns[rule.id].search(subject)]

    texts = [example for rule in pack.rules for example in rule.examples]
    texts += [path.read_bytes().decode("utf-8", "replace") for path in sorted(CASES.glob("*.eml"))]
    texts += [text.upper() for text in texts[:100]]
    for text in texts:
        found = [rule.id for rule in pack.matcher.matching(evidence_of(text)) if rule.pattern]
        assert found == every_match(text), text


@given(st.text(alphabet="abKkSsſK.éÉ界 ", max_size=30))
@settings(max_examples=300, deadline=None, database=None)
def test_folding_is_that_of_re2(text: str) -> None:
    """A literal may match as what folds to it: the Kelvin sign is a k, the long s an s."""
    from classifier.matcher import Matcher
    from classifier.rule import Rule
    from model.cause import Cause

    rules = tuple(Rule(id=name, cause=Cause.USER_UNKNOWN, pattern=name) for name in ("ks", "bk", "é界", "Sa"))
    options = re2.Options()
    options.case_sensitive = False
    evidence = evidence_of(text)
    expected = [rule.id for rule in rules if evidence.text and re2.compile(rule.pattern, options).search(evidence.text)]
    assert [rule.id for rule in Matcher(rules).matching(evidence)] == expected
