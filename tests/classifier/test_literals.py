"""The prefilter may name too many rules, never too few."""

from __future__ import annotations

from pathlib import Path
from random import Random, randrange

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.literals import arms_of
from classifier.matcher import MAX_SUBJECT, evidence_of
from classifier.prefilter import sentences_of
from classifier.rulefile import RuleSet

CASES = Path(__file__).parent / "cases"

READ = {
    "user unknown": [[("user unknown",)]],
    "(?:a|b)cd|ef+g?h": [[("acd", "bcd")], [("ef",)]],
    r"\bfoo\.bar\b": [[("foo.bar",)]],
    "x?yz{2}": [[("yz",)]],
    "(?:un)?known": [[("known",)]],
    "(?:user|alias) (?:not found|unknown)": [
        [("user not found", "user unknown", "alias not found", "alias unknown")],
    ],
    "no (?:such )?(?:user|alias)s?": [[("no user", "no alias", "no such user", "no such alias")]],
    "recogni[sz]ed (?:[^.;])*user": [[("recognised ", "recognized "), ("user",)]],
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


WITHIN = ["user unknown", r"no(?:[^.;]|\.\w)*such", r"a\.?b", r"\w+\.?", "d.?a", r"\bfull\b", r"x(?: y)+\."]
CROSSING = [r"a\.? ", r"a[^;]*b", r"a \S+ b", "^a", r"a$", "a..c", r"[.] x", r"a(?:\.| )*b", r"a\W+b", r"a.\s*b"]


def join_some(texts: list[str], random: Random, count: int) -> list[str]:
    """Return texts of several sentences, as notifications are: cut from ``texts`` and joined."""
    joins = (". ", ".  ", " ", ". . ", ".", "\n\n")
    return [
        random.choice(joins).join(
            random.choice(texts)[: random.randrange(5, 200)] for _ in range(random.randrange(2, 9))
        )
        for _ in range(count)
    ]


def test_what_may_match_beyond_a_sentence_is_told() -> None:
    for pattern in WITHIN:
        assert not arms_of(pattern)[0].shape.crosses, pattern
    for pattern in [*CROSSING, *ALWAYS_ASKED[2:-2]]:
        assert arms_of(pattern)[0].shape.crosses, pattern


def test_no_match_of_the_others_goes_beyond_a_sentence(pack: RuleSet) -> None:
    seed = randrange(1_000_000)
    print(f"seed {seed}")
    options = re2.Options()
    options.case_sensitive = False
    examples = [example for rule in pack.rules for example in rule.examples]
    texts = [evidence_of(text).text for text in join_some(examples, Random(seed), 150)]
    arms = [arm for rule in pack.rules if rule.pattern for arm in arms_of(rule.pattern)]
    crossing = matches = 0
    for arm in arms:
        pattern = re2.compile(arm.source, options)
        for text in texts:
            match = pattern.search(text)
            if match is None:
                continue
            matches += 1
            if arm.shape.crosses:
                crossing += 1
            else:
                assert any(pattern.search(sentence) for sentence in sentences_of(text)), (arm.source, text)
    # Most stay within one, or nothing would be won.
    assert matches > 1_000 and 0 < crossing < matches / 2


def test_sentences_are_the_text() -> None:
    for text in ("", "a", "a. b", ". ", "a.. b. ", ". . .", "a. " * 500):
        assert "".join(sentences_of(text)) == text
    assert sentences_of("One. Two.three. ") == ["One.", " Two.three.", " "]


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
    seed = randrange(1_000_000)
    print(f"seed {seed}")
    texts += join_some(texts[:-100], Random(seed), 400)
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
