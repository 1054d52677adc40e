"""The operator's own cases: what may be written, and what a failure says."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.case import CaseError, parse_cases, run_case
from classifier.classify import Classifier

CASES = Path(__file__).parent / "cases"


def run(text: str, classifier: Classifier) -> list[tuple[tuple[str, str, str], ...]]:
    return [run_case(case, classifier, lambda name: (CASES / name).read_bytes()).wrong
            for case in parse_cases(text, "t.toml")]  # fmt: skip


def test_replies_and_mails(classifier: Classifier) -> None:
    text = """
    [[case]]
    text = "550 5.1.1 user unknown"
    expect = { cause = "user_unknown", reason = "user_unknown", permanence = "permanent", is_dead = true }
    [[case]]
    text = "nobody understands this wombat"
    status = "4.2.2"
    expect = { cause = "mailbox_full", fault = "recipient" }
    [[case]]
    mail = "001-rfc3464-user-unknown.eml"
    expect = { kind = "bounce", address = "cat@example.net", cause = "user_unknown" }
    [[case]]
    mail = "043-challenge.eml"
    expect = { kind = "auto_reply", auto_reply = "challenge" }
    """
    assert run(text, classifier) == [(), (), (), ()]


def test_what_is_wrong_is_named(classifier: Classifier) -> None:
    text = """
    [[case]]
    text = "550 5.1.1 user unknown"
    expect = { cause = "mailbox_full", permanence = "permanent" }
    [[case]]
    mail = "001-rfc3464-user-unknown.eml"
    expect = { address = "dog@example.net" }
    [[case]]
    mail = "050-human-mail.eml"
    expect = { cause = "user_unknown" }
    """
    assert run(text, classifier) == [
        (("cause", "mailbox_full", "user_unknown"),),
        (("address", "dog@example.net", "cat@example.net"),),
        (("cause", "user_unknown", "None"),),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Start each with [[case]]"),
        ("x = 1", "Start each with [[case]]"),
        ("[[case]\n", "not valid TOML"),
        ("case = [1]", "case 1 is no table"),
        ("[[case]]\nexpect = {cause='mailbox_full'}", "needs either text or mail"),
        ("[[case]]\ntext='a'\nmail='b'\nexpect = {cause='mailbox_full'}", "needs either text or mail"),
        ("[[case]]\ntext='a'", "expects nothing"),
        ("[[case]]\ntext='a'\nexpect={}", "expects nothing"),
        ("[[case]]\ntext='a'\nexpect={cause='full'}", "'full' is no cause. Use one of: user_unknown"),
        ("[[case]]\ntext='a'\nexpect={is_dead='yes'}", "Use one of: true, false"),
        ("[[case]]\ntext='a'\nexpect={kind='bounce'}", '"kind" cannot be expected. Use: cause'),
        ("[[case]]\ntext='a'\nexpect={weather='mild'}", '"weather" cannot be expected'),
        ("[[case]]\ntext='a'\nreply_code='550'\nexpect={cause='mailbox_full'}", "Give a number"),
        ("[[case]]\ntext='a'\nhots='550'\nexpect={cause='mailbox_full'}", '"hots" is not known'),
    ],
)
def test_what_may_not_be_written(text: str, problem: str) -> None:
    with pytest.raises(CaseError, match="^t.toml") as caught:
        parse_cases(text, "t.toml")
    assert problem in str(caught.value)
