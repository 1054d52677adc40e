"""The crosswalk: 45 causes, each in every vocabulary, as mission 3.1 says."""

from __future__ import annotations

import pytest

from model.cause import (
    BY_NUMBER,
    SPECS,
    Cause,
    CausePermanence,
    Fault,
    Permanence,
    Reason,
    SansanClass,
    SuppressPolicy,
    is_hard,
)


def test_there_are_45_and_none_twice() -> None:
    assert len(SPECS) == len(BY_NUMBER) == len(Cause) == 45
    assert sorted(BY_NUMBER) == list(range(1, 46))
    assert [spec.cause for spec in SPECS.values()] == list(Cause), "the table is in the order of the enumeration"


#: number, cause, fault, permanence, Sansan, EngageLab soft, EngageLab invalid, Sisimai, Anymail event, reject
ROWS = [
    (1, "user_unknown", "R", "P", "user_unknown", "address_not_exist", "address_not_exist", "userunknown", "bounced"),
    (5, "address_syntax", "R", "P", "address_syntax", "other", "address_format", "syntaxerror", "rejected"),
    (6, "host_unknown", "D", "P", "host_unknown", "service_unreachable", "server_unreachable", "hostunknown",
     "bounced"),
    (8, "mailbox_full", "R", "T", "disk_full", "other", "other", "mailboxfull", "deferred"),
    (11, "recipient_filtered", "R", "P", "rejected", "sender_recipient_rejected", "sender_recipient_rejected",
     "filtered", "bounced"),
    (14, "message_too_large", "C", "M", "rejected", "other", "other", "emailtoolarge", "bounced"),
    (18, "spam_content", "C", "M", "rejected", "spam_rejected", "spam", "spamdetected", "bounced"),
    (21, "ip_blocklisted", "S", "T", "rejected", "ip_domain_rejected", "spam", "blocked", "bounced"),
    (24, "ptr_missing", "S", "T", "rejected", "ip_domain_rejected", "sender_recipient_rejected", "requireptr",
     "bounced"),
    (26, "relay_denied", "S", "P", "relay_error", "other", "other", "norelaying", "bounced"),
    (29, "tls_required", "N", "T", "server_config", "other", "server_unreachable", "failedstarttls", "bounced"),
    (32, "system_full", "N", "T", "disk_full", "service_unreachable", "server_unreachable", "systemfull", "deferred"),
    (35, "dns_temp_failure", "N", "T", "timeout", "service_unreachable", "server_unreachable", "networkerror",
     "deferred"),
    (37, "delivery_expired", "N", "M", "timeout", "service_unreachable", "server_unreachable", "expired", "bounced"),
    (39, "suppressed_list", "L", "V", None, None, "blacklist", "suppressed", "rejected"),
    (40, "suppressed_unsubscribed", "L", "V", None, None, "unsubscribed", None, "rejected"),
    (41, "suppressed_upstream", "L", "P", "user_unknown", None, "blacklist", "suppressed", "rejected"),
    (43, "render_failed", "L", "M", "other", None, "other", None, "failed"),
    (45, "unparsable", "?", "V", "unparsable", "other", "other", "undefined", "unknown"),
]  # fmt: skip
FAULTS = {"R": Fault.RECIPIENT, "D": Fault.DOMAIN, "C": Fault.CONTENT, "S": Fault.SENDER, "N": Fault.NETWORK,
          "L": Fault.LOCAL, "?": Fault.UNKNOWN}  # fmt: skip
PERMANENCES = {"P": CausePermanence.PERMANENT, "T": CausePermanence.TRANSIENT, "M": CausePermanence.MESSAGE,
               "V": CausePermanence.EITHER}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_row_is_as_the_mission_says(row: tuple[object, ...]) -> None:
    number, cause, fault, permanence, *views = row
    spec = BY_NUMBER[int(str(number))]
    assert (spec.cause, spec.fault, spec.permanence) == (cause, FAULTS[str(fault)], PERMANENCES[str(permanence)])
    assert [spec.sansan, spec.engagelab_soft, spec.engagelab_invalid, spec.sisimai, spec.anymail[0]] == views


#: The corpus's classes, where they differ from the name or the Sansan class.
REASONS = {
    Cause.MAILBOX_DISABLED: Reason.USER_UNKNOWN,
    Cause.ADDRESS_SYNTAX: Reason.ADDRESS_SYNTAX_ERROR,
    Cause.DOMAIN_NO_MAIL: Reason.REJECTED,
    Cause.MAILBOX_FULL_ABANDONED: Reason.MAILBOX_FULL,
    Cause.RECIPIENT_RATE_LIMITED: Reason.REJECTED,
    Cause.MAILBOX_CONFIG_ERROR: Reason.USER_CONFIG_ERROR,
    Cause.RELAY_DENIED: Reason.RELAY_ERROR,
    Cause.RATE_LIMITED: Reason.REJECTED,
    Cause.GREYLISTED: Reason.REJECTED,
    Cause.SYSTEM_FULL: Reason.MAILBOX_FULL,
    Cause.ROUTING_LOOP: Reason.RELAY_ERROR,
    Cause.DNS_TEMP_FAILURE: Reason.HOST_UNKNOWN,
    Cause.CONNECTION_FAILED: Reason.TIMEOUT,
    Cause.NO_REASON: Reason.OTHER,
    Cause.UNPARSABLE: Reason.UNPARSABLE,
}


@pytest.mark.parametrize(("cause", "reason"), REASONS.items())
def test_the_corpus_class_of_a_cause(cause: Cause, reason: Reason) -> None:
    assert SPECS[cause].reason is reason


def test_every_class_of_a_vocabulary_can_be_reached() -> None:
    reached = {spec.reason for spec in SPECS.values()}
    assert reached == set(Reason) - {Reason.AUTO_REPLY}, "an automatic reply is no failure"
    assert {spec.sansan for spec in SPECS.values()} - {None} == set(SansanClass) - {SansanClass.AUTO_REPLY}
    assert len({spec.engagelab_soft for spec in SPECS.values()} - {None}) == 6
    assert len({spec.engagelab_invalid for spec in SPECS.values()}) == 8


def test_what_is_our_own_fault_suppresses_nobody() -> None:
    """N03, mission 0.2."""
    for spec in SPECS.values():
        if spec.fault is Fault.SENDER:
            assert spec.suppress in (SuppressPolicy.NEVER, SuppressPolicy.NO)
        if spec.suppress not in (SuppressPolicy.NEVER, SuppressPolicy.NO):
            assert spec.fault in (Fault.RECIPIENT, Fault.DOMAIN, Fault.UNKNOWN)
    assert {spec.number for spec in SPECS.values() if spec.suppress is SuppressPolicy.NEVER} == {21, 22, 23, 24, 25, 27}
    assert {spec.number for spec in SPECS.values() if spec.suppress is SuppressPolicy.LADDER} == {1, 2, 3, 6}
    assert {spec.number for spec in SPECS.values() if spec.suppress is SuppressPolicy.FOREVER} == {4, 5}


@pytest.mark.parametrize("cause", Cause)
def test_hard_is_permanent_and_the_recipients_or_the_domains(cause: Cause) -> None:
    fault = SPECS[cause].fault
    upstream = cause is Cause.SUPPRESSED_UPSTREAM
    assert is_hard(cause, Permanence.PERMANENT) == (fault in (Fault.RECIPIENT, Fault.DOMAIN) or upstream)
    assert is_hard(cause, Permanence.TRANSIENT) == upstream
    assert is_hard(cause, Permanence.UNKNOWN) == upstream
