"""Bare replies, as SMTP logs have them; the ambiguous cases of mission 3.4."""

from __future__ import annotations

import pytest

from classifier.classify import Classifier
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
    ("554 flurbled the wug entirely", {}, Cause.UNPARSABLE),
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
