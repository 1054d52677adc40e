"""An explanation names the rule that decides, and what every other rule lost by."""

from __future__ import annotations

from pathlib import Path

import pytest

import mta.intake
from classifier.classify import Classifier
from classifier.evidence import bare_evidence
from classifier.explain import (
    SURE,
    Explanation,
    can_suppress,
    explain,
    hardness,
    policy_text,
    suppression_text,
    views_of,
)
from classifier.rulefile import RuleSet, load_rules
from model.cause import Cause, Permanence, SuppressPolicy
from model.reading import Verdict

RULES = """
source = "test"
[[rule]]
id = "scoped"
cause = "mailbox_full"
pattern = 'mailbox full'
host = "example.jp"
examples = ["mailbox full"]
[[rule]]
id = "everywhere"
cause = "system_full"
pattern = 'full'
examples = ["disk full"]
[[rule]]
id = "later"
cause = "no_reason"
pattern = 'mailbox'
examples = ["mailbox"]
[[rule]]
id = "at-data"
cause = "spam_content"
pattern = 'full'
command = "DATA"
examples = ["full of spam"]
[[rule]]
id = "status"
cause = "user_unknown"
status = "x.1.1"
examples = ["550 5.1.1"]
[[rule]]
id = "reply"
cause = "policy_rejected"
reply_code = "5"
examples = ["550"]
[[rule]]
id = "weak"
cause = "content_rejected"
pattern = 'refused'
priority = 26
examples = ["refused"]
[[rule]]
id = "suspended"
cause = "mailbox_disabled"
pattern = 'suspended'
permanence = "transient"
examples = ["suspended"]
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    directory: Path = tmp_path_factory.mktemp("rules")
    (directory / "10.toml").write_text(RULES, encoding="utf-8")
    return load_rules(directory)


def of(rules: RuleSet, text: str, **known: str) -> Explanation:
    return explain(rules, bare_evidence(text, **known))  # type: ignore[arg-type]


def lost(explanation: Explanation, rule: str) -> str:
    return next(loser.why for loser in (*explanation.losers, *explanation.near) if loser.rule.id == rule)


def test_who_won_and_what_each_loser_lost_by(rules: RuleSet) -> None:
    found = of(rules, "550 5.1.1 mailbox full", host="mx.example.jp")
    assert found.winner is not None
    assert (found.winner.id, found.verdict.rule, found.verdict.cause) == ("scoped", "scoped", Cause.MAILBOX_FULL)
    assert found.why == "It looks at words + host and has priority 80, the strongest of 5 rules that hold."
    assert [loser.rule.id for loser in found.losers] == ["everywhere", "later", "status", "reply"]
    assert lost(found, "everywhere") == "scope: holds everywhere, the other for this host (priority 60 against 80)"
    assert lost(found, "status") == "specificity: only status, where words decide (priority 40 against 80)"
    assert lost(found, "reply").startswith("specificity: only reply code")
    assert [near.rule.id for near in found.near] == ["at-data"]
    assert lost(found, "at-data") == "holds only for command DATA"


def test_order_among_equals(rules: RuleSet) -> None:
    found = of(rules, "mailbox full")
    assert found.winner is not None
    assert found.winner.id == "everywhere"
    assert lost(found, "later") == "order: the same priority 60, and 10.toml:9 comes before 10.toml:14"
    assert lost(found, "scoped") == "holds only for host example.jp"


def test_codes_and_weak_words(rules: RuleSet) -> None:
    found = of(rules, "550 5.1.1 refused")
    assert found.verdict.rule == "status"
    assert (
        lost(found, "weak") == "specificity: its words fit several causes, the code says more (priority 26 against 40)"
    )
    assert lost(found, "reply") == "specificity: a reply code says less than a status (priority 20 against 40)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("550 5.1.1 gone", "the reply code is 550"),
        ("5.1.1 gone", "the status is 5.1.1"),
        ("550 mailbox full", "the cause is transient by nature"),
        ("550 suspended", "the rule says transient"),
        ("451 5.1.1 gone", "the reply code is 451 (reply code and status disagree)"),
        ("refused", "the cause is permanent unless a code says otherwise"),
        ("strange things", "neither reply code nor status tells"),
    ],
)
def test_what_permanence_rests_on(rules: RuleSet, text: str, why: str) -> None:
    assert of(rules, text).permanence_why == why


def test_nothing_holds(rules: RuleSet) -> None:
    found = of(rules, "450 strange things happen")
    assert (found.winner, found.losers, found.verdict.rule) == (None, (), "built-in:unmatched")
    assert found.why.startswith("No rule holds")
    assert of(rules, "oh").why == "No rule holds, and nobody gave a reason in words."


def test_the_explained_verdict_is_the_one_given(pack: RuleSet, classifier: Classifier) -> None:
    for rule in pack.rules[::7]:
        for example in rule.examples:
            host = rule.hosts[0] if rule.hosts else None
            assert explain(pack, bare_evidence(example, host=host)).verdict == classifier.diagnose(example, host=host)


def test_every_view_and_policy_is_named() -> None:
    full = Verdict(Cause.MAILBOX_FULL, Permanence.TRANSIENT, "x", "1")
    assert views_of(full) == {
        "sansan": "disk_full", "engagelab_soft": "other", "engagelab_invalid": "other", "ses": "Transient:MailboxFull",
        "anymail": "deferred/bounced", "sisimai": "mailboxfull",
    }  # fmt: skip
    assert views_of(Verdict(Cause.SUPPRESSED_LIST, Permanence.UNKNOWN, "x", "1"))["sansan"] is None
    assert hardness(full) == "soft"
    assert hardness(Verdict(Cause.USER_UNKNOWN, Permanence.PERMANENT, "x", "1")) == "hard"
    assert all(policy_text(policy) for policy in SuppressPolicy)


@pytest.mark.parametrize(
    ("cause", "permanence", "confidence", "can", "words"),
    [
        (Cause.USER_UNKNOWN, Permanence.PERMANENT, 1.0, True, "ladder: suppressed at once"),
        (Cause.USER_UNKNOWN, Permanence.TRANSIENT, 1.0, False, "suppresses nobody: the failure is not permanent"),
        (Cause.USER_UNKNOWN, Permanence.PERMANENT, 0.4, False, "a confidence of 0.4 is below 0.6 (policy of the cause"),
        (Cause.MAILBOX_FULL, Permanence.TRANSIENT, 1.0, True, "score: adds to the soft score"),
        (Cause.POLICY_REJECTED, Permanence.PERMANENT, 1.0, False, "it says too little by itself"),
        (Cause.IP_BLOCKLISTED, Permanence.TRANSIENT, 0.1, False, "never: suppresses nobody, whatever"),
    ],
)
def test_what_a_verdict_does_to_its_recipient(
    cause: Cause, permanence: Permanence, confidence: float, can: bool, words: str
) -> None:
    verdict = Verdict(cause, permanence, "x", "1", confidence=confidence)
    assert can_suppress(verdict) is can
    assert words in suppression_text(verdict)


def test_the_threshold_is_the_one_of_the_intake() -> None:
    assert mta.intake.SURE == SURE
