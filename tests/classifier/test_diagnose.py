"""Bare replies, as SMTP logs have them; the ambiguous cases of mission 3.4."""

from __future__ import annotations

import pytest

from classifier.classify import Classifier
from classifier.matcher import codes_of, subject_of
from classifier.rulefile import RuleSet
from model.cause import Cause, Permanence

CASES = [
    ("550 5.7.1 <cat@example.net>: rejected", {}, Cause.POLICY_REJECTED),  # A1
    ("550 5.4.1 Recipient address rejected: Access denied", {}, Cause.USER_UNKNOWN),  # A2
    ("556 5.1.10 null MX", {}, Cause.DOMAIN_NO_MAIL),  # A3
    ("550 5.1.10 Recipient not found", {}, Cause.USER_UNKNOWN),  # A3
    ("550 Unknown user", {"host": "mfsmax.docomo.ne.jp", "command": "RCPT"}, Cause.USER_UNKNOWN),  # A6
    ("550 Unknown user", {"host": "mfsmax.docomo.ne.jp", "command": "DATA"}, Cause.RECIPIENT_FILTERED),  # A6
    ("550 : User unknown", {"host": "lsean.ezweb.ne.jp"}, Cause.RECIPIENT_FILTERED),  # A6
    ("550 <cat@ezweb.ne.jp>: User unknown", {"host": "lsean.ezweb.ne.jp"}, Cause.USER_UNKNOWN),  # A6
    ("550 : User unknown", {"host": "mx.example.net"}, Cause.USER_UNKNOWN),
    ("550-5.2.1 The user you are trying to contact is receiving mail at a rate that", {}, Cause.RECIPIENT_RATE_LIMITED),
    ("550 5.2.1 account is disabled", {}, Cause.MAILBOX_DISABLED),  # A7
    ("550 5.2.1 Mailbox unavailable. Your IP address 192.0.2.1 is blacklisted", {}, Cause.IP_BLOCKLISTED),  # A7
    ("554 5.7.1 blocked using zen.spamhaus.org", {}, Cause.IP_BLOCKLISTED),  # A8
    ("554 5.7.1 URL in body listed at dbl.spamhaus.org", {}, Cause.SPAM_CONTENT),  # A8
    ("452 4.3.1 Insufficient system storage", {}, Cause.SYSTEM_FULL),  # A14
    ("452 4.2.2 over quota", {}, Cause.MAILBOX_FULL),  # A14
    ("554 5.0.0 delivery error: dd This user doesn't have a yahoo.com account", {}, Cause.USER_UNKNOWN),  # A15
    ("550 Mailbox unavailable or access denied", {"host": "mx1.qq.com"}, Cause.RATE_LIMITED),  # A16
    ("550 Mailbox unavailable or access denied", {"host": "mx.example.net"}, Cause.USER_UNKNOWN),  # A16
    ("450 4.2.0 Greylisted, please come back later", {}, Cause.GREYLISTED),  # A21
    ("421 4.7.28 flood", {}, Cause.RATE_LIMITED),  # A22
    ("Unrouteable address", {}, Cause.HOST_UNKNOWN),  # A23
    ("550 relaying denied", {}, Cause.RELAY_DENIED),  # A24
    ("421 closing transmission channel", {}, Cause.SERVER_NOT_ACCEPTING),  # A27
    ("530 5.7.0 Must issue a STARTTLS command first", {}, Cause.TLS_REQUIRED),  # A28
    ("552 5.3.4 Message size exceeds limit", {}, Cause.MESSAGE_TOO_LARGE),  # A29
    ("552 5.2.2 OverQuotaPerm", {}, Cause.MAILBOX_FULL_ABANDONED),  # A32
    ("", {}, Cause.NO_REASON),
    ("550", {"status": "5.1.6"}, Cause.MAILBOX_MOVED),
    ("x", {"reply_code": 552}, Cause.MAILBOX_FULL),
    ("554 flurbled the wug", {}, Cause.UNPARSABLE),
]


@pytest.mark.parametrize(("text", "facts", "cause"), CASES, ids=[case[0][:40] or "empty" for case in CASES])
def test_cause(text: str, facts: dict[str, object], cause: Cause, classifier: Classifier) -> None:
    verdict = classifier.diagnose(text, **facts)  # type: ignore[arg-type]
    assert verdict.cause is cause, verdict.rule
    assert verdict.rules_version == classifier.version


def test_reply_class_decides_permanence_and_conflict_is_told(classifier: Classifier) -> None:
    verdict = classifier.diagnose("550 4.1.1 user unknown")
    assert (verdict.permanence, verdict.conflict) == (Permanence.PERMANENT, True)
    verdict = classifier.diagnose("450 4.1.1 user unknown")
    assert (verdict.permanence, verdict.conflict) == (Permanence.TRANSIENT, False)


def test_our_own_fault_is_never_permanent(classifier: Classifier) -> None:
    verdict = classifier.diagnose("554 5.7.1 Client host [192.0.2.1] blocked using bl.spamcop.net")
    assert verdict.permanence is Permanence.TRANSIENT
    assert not verdict.is_dead


@pytest.mark.parametrize("text", ["\x00", "\ud800", "é" * 70_000, "a" * 1_000_000, "@" * 5_000, "5.1.1" * 9_999])
def test_odd_texts(text: str, classifier: Classifier) -> None:
    assert classifier.diagnose(text).rules_version == classifier.version


def test_a_flood_of_long_replies_fills_no_memory(pack: RuleSet) -> None:
    fresh = Classifier(pack)
    for number in range(300):
        fresh.diagnose(f"550 user unknown {number} " + "x" * 5_000)
    assert fresh.judge._remembered.cache_info().currsize == 0
    fresh.diagnose("550 user unknown")
    assert fresh.judge._remembered.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("reply", "seen", "codes"),
    [
        ("550-5.1.1 The account you tried to 550-5.1.1 reach 550 5.1.1 is not", "reach is not", ("5.1.1", 550)),
        ("550-no such\n550 user", "no such user", ("", 550)),
        ("550-5.0.0 refused\n550 5.7.1 by us", "refused 5.7.1 by us", ("5.7.1", 550)),
        # addresses, days and other codes are no continuation
        ("550-192.0.2.1 and 550 others", "550-192.0.2.1 and 550 others", ("", 550)),
        ("550-first 554 second", "550-first 554 second", ("", 550)),
    ],
)
def test_the_lines_of_one_reply_are_joined(reply: str, seen: str, codes: tuple[str, int]) -> None:
    shown = subject_of(reply)
    assert shown.endswith(seen)
    assert codes_of(shown) == codes


def test_a_reply_split_anywhere_gets_the_same_verdict(classifier: Classifier) -> None:
    words = ["The", "email", "account", "that", "you", "tried", "to", "reach", "does", "not", "exist", "here"]
    whole = classifier.diagnose("550 5.1.1 " + " ".join(words))
    assert whole.cause is Cause.USER_UNKNOWN
    for cut in range(1, len(words)):
        split = f"550-5.1.1 {' '.join(words[:cut])}\n550 5.1.1 {' '.join(words[cut:])}"
        assert classifier.diagnose(split).rule == whole.rule, split


def test_a_status_that_no_rule_knows_falls_back_on_its_subject(classifier: Classifier) -> None:
    for status, cause in (("5.7.977", Cause.POLICY_REJECTED), ("5.1.977", Cause.USER_UNKNOWN)):
        assert classifier.diagnose("", status=status).cause is cause
    # The negative control: a subject that RFC 3463 does not know.
    assert classifier.diagnose("", status="5.9.977").cause is Cause.NO_REASON
