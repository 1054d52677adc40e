"""Every rule of mission 4.5: what makes an entry of the suppression list, how long it holds, what ends it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from model.cause import SPECS, Cause, Permanence, SansanClass, SuppressPolicy
from model.detail import (
    Agent,
    AutoReplied,
    DocumentSet,
    Excluded,
    ExcludedKind,
    Planned,
    Released,
    Report,
    Trust,
)
from model.fact import DeliveryKey, Fact, FactType
from store.environment import Environment
from store.gate import Candidate, Denial
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.reader import Reader
from store.standing import bounce_days
from store.suppression import DENIALS, ORDER, Suppression, SuppressionKind
from store.writer import write_now
from tests.store.world import (
    DAY,
    HOUR,
    SECOND,
    T0_US,
    clicked,
    complained,
    described,
    failed,
    key,
    opened,
    planned,
    report,
    unsubscribed,
)

BOUNCE = "Blacklist: Bounce (worker:address in bounce list)"
ACCEPTED = FactType.ACCEPTED


def ask(env: Environment, at: int, *, recipient: int = 1, stream: str = "", domain: str = "",
        tenant: int = 1) -> Denial | None:  # fmt: skip
    """What a sender is told about to mail somebody at a time."""
    return Reader(env).preflight(tenant, [Candidate(recipient, domain)], stream, at)[0]


def days(env: Environment, since: int, *, recipient: int = 1) -> float | None:
    """For how many days from ``since`` on somebody is not mailed; None when at all or for ever."""
    denial = ask(env, since, recipient=recipient)
    return (denial.expires_at_us - since) / DAY if denial is not None and denial.expires_at_us is not None else None


def set_policy(env: Environment, policy: Policy, at: int = T0_US) -> None:
    detail = DocumentSet(POLICY_KIND, POLICY_NAME, policy.body(), "admin")
    write_now(env, [Fact(FactType.DOCUMENT_SET, DeliveryKey(1, 0, 0), at, detail)])


def released(kind: str, at: int, *, recipient: int = 1, from_us: int = 0, until_us: int = 0) -> Fact:
    return Fact(FactType.RELEASED, key(recipient, 0), at, Released(kind, "asked by telephone", "a", from_us, until_us))


def soft(broadcast: int, at: int, cause: Cause = Cause.MAILBOX_FULL) -> Fact:
    permanence = Permanence.TRANSIENT if cause is Cause.MAILBOX_FULL else Permanence.PERMANENT
    return failed(broadcast=broadcast, at=at, cause=cause, permanence=permanence)


def entry(env: Environment, kind: SuppressionKind = SuppressionKind.BOUNCE, recipient: int = 1) -> Suppression:
    return next(e for e in Reader(env).suppressed(1, recipient) if e.kind is kind)


# The ladder


@pytest.mark.row("E41", "E42", "W11", "W12")
@pytest.mark.parametrize(
    ("address", "ladder"),
    [
        *((f"a@{domain}", [1, 2, 4, 8, 16, 30, 30, 30]) for domain in ("qq.com", "vip.qq.com", "foxmail.com")),
        ("a@example.jp", [30, 60, 180, 180, 180]),
    ],
)
def test_the_ladder(address: str, ladder: list[int], env: Environment) -> None:
    at = T0_US
    for n, expected in enumerate(ladder, 1):
        # Each failure long after the entry of the one before ran out: N survives expiry.
        at += 200 * DAY
        write_now(env, [planned(broadcast=n, at=at, address=address), failed(broadcast=n, at=at + HOUR)])
        assert days(env, at + HOUR) == expected
        assert entry(env).failures == n
    assert bounce_days(10**9, "qq.com") == 30


@pytest.mark.row("T06")
def test_an_entry_ends_at_the_very_microsecond(env: Environment) -> None:
    write_now(env, [planned(), failed()])
    end = T0_US + 30 * DAY
    held = ask(env, end - 1)
    assert held is not None and (held.detail, held.expires_at_us) == (BOUNCE, end)
    assert ask(env, end) is None
    assert len(Reader(env).suppressed(1, 1)) == 2, "the rows are there all the same (bounce, class): expiry decides"


def test_one_delivery_counts_once(env: Environment) -> None:
    write_now(env, [failed(origin=b"%d" % i, at=T0_US + i) for i in range(5)])
    assert entry(env).failures == 1


@pytest.mark.row("P16", "P39")
@pytest.mark.parametrize("sign", [report(ACCEPTED, broadcast=9, at=T0_US + DAY), opened(broadcast=9, at=T0_US + DAY)])
def test_a_newer_sign_of_life_resets(sign: Fact, env: Environment) -> None:
    write_now(env, [failed(broadcast=1), failed(broadcast=2, at=T0_US + HOUR)])
    assert entry(env).failures == 2
    write_now(env, [sign])
    assert ask(env, T0_US + 2 * DAY) is None
    write_now(env, [failed(broadcast=3, at=T0_US + 3 * DAY)])
    assert (entry(env).failures, days(env, T0_US + 3 * DAY)) == (1, 30)


@pytest.mark.parametrize(
    "sign",
    [
        report(ACCEPTED, broadcast=9, at=T0_US - DAY),
        report(FactType.RELAYED, broadcast=9, at=T0_US + DAY),
        opened(broadcast=9, at=T0_US + DAY, agent=Agent.MACHINE),
        Fact(FactType.AUTO_REPLIED, key(1, 9), T0_US + DAY, AutoReplied("vacation", b"a")),
        planned(broadcast=9, at=T0_US + DAY),
    ],
    ids=["older", "relayed", "machine", "auto reply", "listed"],
)
def test_what_is_no_newer_sign_of_life_resets_nothing(sign: Fact, env: Environment) -> None:
    write_now(env, [failed(), sign])
    assert ask(env, T0_US + 2 * DAY) is not None


def test_a_mail_taken_and_then_returned_is_no_sign_of_life(env: Environment) -> None:
    write_now(env, [failed(), report(ACCEPTED, broadcast=2, at=T0_US + DAY)])
    assert ask(env, T0_US + 2 * DAY) is None
    write_now(env, [failed(broadcast=2, at=T0_US + 2 * DAY)])
    assert (entry(env).failures, days(env, T0_US + 2 * DAY)) == (2, 60)


@pytest.mark.row("E39", "K14")
@pytest.mark.parametrize("cause", [Cause.SUPPRESSED_UPSTREAM, Cause.SUPPRESSED_LIST])
def test_what_a_list_says_does_not_feed_the_list(cause: Cause, env: Environment) -> None:
    write_now(env, [failed(), failed(broadcast=2, at=T0_US + DAY, cause=cause)])
    excluded = Fact(FactType.EXCLUDED, key(1, 3), T0_US + DAY, Excluded(ExcludedKind.BOUNCE, BOUNCE))
    write_now(env, [planned(broadcast=3, at=T0_US + DAY), excluded])
    assert (entry(env).failures, entry(env).expires_at_us) == (1, T0_US + 30 * DAY)


@pytest.mark.row("N03", "T04", "W15")
@pytest.mark.parametrize("cause", [c for c in Cause if SPECS[c].suppress in (SuppressPolicy.NO, SuppressPolicy.NEVER)])
def test_what_is_not_the_recipients_fault_never_suppresses(cause: Cause, env: Environment) -> None:
    if cause is Cause.UNPARSABLE:
        pytest.skip("has a rule of its own")
    write_now(env, [failed(broadcast=b, at=T0_US + b * DAY, cause=cause) for b in range(1, 9)])
    assert ask(env, T0_US + 9 * DAY) is None


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (Cause.MAILBOX_DISABLED, 30), (Cause.DOMAIN_NO_MAIL, 30), (Cause.MAILBOX_FULL_ABANDONED, 30),
        (Cause.RECIPIENT_RESTRICTED, 180), (Cause.ADDRESS_REASSIGNED, None), (Cause.ADDRESS_SYNTAX, None),
    ],
)  # fmt: skip
def test_how_long_each_cause_suppresses(cause: Cause, expected: int | None, env: Environment) -> None:
    write_now(env, [failed(cause=cause)])
    denial = ask(env, T0_US)
    assert denial is not None and denial.detail == BOUNCE
    assert days(env, T0_US) == expected


@pytest.mark.row("N08", "S23")
def test_only_what_is_proved_and_permanent_suppresses(env: Environment) -> None:
    write_now(env, [failed(trust=Trust.COUNT), failed(broadcast=2, permanence=Permanence.TRANSIENT)])
    assert ask(env, T0_US) is None
    write_now(env, [failed(broadcast=3)])
    assert ask(env, T0_US) is not None, "the control"


@pytest.mark.row("W9", "T20")
def test_a_test_send_changes_nothing(env: Environment) -> None:
    write_now(env, [failed(broadcast=1)])
    write_now(env, [failed(broadcast=2, is_test=True), opened(broadcast=3, at=T0_US + DAY, is_test=True)])
    assert (entry(env).failures, days(env, T0_US)) == (1, 30)


@pytest.mark.row("T22")
def test_a_mailbox_dead_for_a_year_is_not_mailed_again_by_itself(env: Environment) -> None:
    write_now(env, [planned(), failed()])
    a_year = T0_US + 365 * DAY
    assert ask(env, a_year - 1) is None, "it may be tried again before"
    denial = ask(env, a_year)
    assert denial is not None and (denial.kind, denial.expires_at_us) == (SuppressionKind.BOUNCE, None)
    write_now(env, [planned(broadcast=2, at=T0_US + 40 * DAY)])
    assert ask(env, a_year) is None, "mailed since, and nothing came back: it is no trap"
    listed = Fact(FactType.EXCLUDED, key(1, 2), T0_US + 40 * DAY, Excluded(ExcludedKind.BLOCK))
    write_now(env, [listed])
    assert ask(env, a_year) is not None, "it was not mailed after all"


# Soft failures


@pytest.mark.row("A13", "N07")
def test_five_soft_failures_in_two_weeks_suppress_for_thirty_days(env: Environment) -> None:
    for n in range(4):
        write_now(env, [soft(n + 1, T0_US + n * 3 * DAY)])
        assert ask(env, T0_US + n * 3 * DAY) is None
    last = T0_US + 12 * DAY
    write_now(env, [soft(5, last)])
    denial = ask(env, last)
    assert denial is not None and (denial.kind, denial.detail) == (SuppressionKind.SOFT, BOUNCE)
    assert days(env, last) == 30
    assert ask(env, last + 30 * DAY) is None, "then it is tried again (T21)"


@pytest.mark.row("A13", "T21")
def test_points_are_halved_every_two_weeks(env: Environment) -> None:
    # 1 + 1 + 1 + 1, all of them half by the time of the fifth and the sixth: 4 / 2 + 1, 4 / 2 + 2, 4 / 2 + 3
    write_now(env, [soft(n + 1, T0_US + n * HOUR * 24) for n in range(4)])
    later = T0_US + 17 * DAY
    for n, is_told in ((0, False), (1, False), (2, True)):
        write_now(env, [soft(10 + n, later + n * DAY)])
        assert (ask(env, later + n * DAY) is not None) is is_told


@pytest.mark.row("A13")
def test_a_day_has_one_point(env: Environment) -> None:
    write_now(env, [soft(n + 1, T0_US + n * HOUR) for n in range(12)])
    assert ask(env, T0_US + DAY) is None


@pytest.mark.row("A12", "S21")
def test_three_refusals_by_a_persons_own_filter(env: Environment) -> None:
    for n in range(3):
        at = T0_US + n * 28 * DAY
        assert ask(env, at) is None
        write_now(env, [soft(n + 1, at, Cause.RECIPIENT_FILTERED)])
    denial = ask(env, at)
    assert denial is not None and denial.kind is SuppressionKind.SOFT
    assert days(env, at) == 30


@pytest.mark.row("A1")
def test_a_refusal_without_a_reason_suppresses_nobody_alone(env: Environment) -> None:
    write_now(env, [soft(n + 1, T0_US + n * DAY, Cause.POLICY_REJECTED) for n in range(8)])
    assert ask(env, T0_US + 8 * DAY) is None
    write_now(env, [soft(20, T0_US + 8 * DAY)])
    assert ask(env, T0_US + 8 * DAY) is not None, "with another reason beside it, it counts"


@pytest.mark.row("W18", "T21")
@pytest.mark.parametrize(
    "sign",
    [
        Fact(FactType.AUTO_REPLIED, key(1, 9), T0_US + 5 * DAY, AutoReplied("vacation", b"a")),
        report(ACCEPTED, broadcast=9, at=T0_US + 5 * DAY),
        clicked(broadcast=9, at=T0_US + 5 * DAY),
    ],
    ids=["auto reply", "accepted", "click"],
)
def test_a_sign_of_life_clears_the_score(sign: Fact, env: Environment) -> None:
    write_now(env, [soft(n + 1, T0_US + n * DAY) for n in range(5)])
    assert ask(env, T0_US + 5 * DAY) is not None
    write_now(env, [sign])
    assert ask(env, T0_US + 5 * DAY) is None


@pytest.mark.row("A5")
def test_time_ran_out_for_the_reason_of_the_last_deferral(env: Environment) -> None:
    for n in range(1, 6):
        at = T0_US + n * DAY
        waits = Report(report(FactType.DEFERRED).detail.channel, b"w%d" % n, Cause.MAILBOX_FULL)  # type: ignore[union-attr]
        write_now(env, [failed(broadcast=n, at=at, cause=Cause.DELIVERY_EXPIRED, permanence=Permanence.TRANSIENT)])
        assert ask(env, at) is None, "of itself it says nothing"
        write_now(env, [Fact(FactType.DEFERRED, key(1, n), at - HOUR, waits)])
    denial = ask(env, at)
    assert denial is not None and denial.kind is SuppressionKind.SOFT


# Hosts


@pytest.mark.row("S20", "E41")
def test_a_host_that_two_addresses_did_not_find_is_dead_for_all(env: Environment) -> None:
    def gone(recipient: int, broadcast: int, at: int) -> Fact:
        return failed(recipient, broadcast, at=at, cause=Cause.HOST_UNKNOWN, address=f"r{recipient}@gone.example")

    write_now(env, [gone(1, 1, T0_US), gone(1, 2, T0_US + DAY)])
    assert ask(env, T0_US + DAY, recipient=5, domain="gone.example") is None, "one address, twice, is not enough"
    write_now(env, [gone(2, 1, T0_US + 2 * DAY)])
    denial = ask(env, T0_US + 2 * DAY, recipient=5, domain="gone.example")
    assert denial is not None and (denial.detail, denial.expires_at_us) == (BOUNCE, T0_US + 31 * DAY)
    assert ask(env, T0_US + 2 * DAY, recipient=5, domain="other.example") is None
    assert ask(env, T0_US + 31 * DAY, recipient=5, domain="gone.example") is None, "then it is tested again"
    write_now(env, [report(ACCEPTED, 2, 3, at=T0_US + 3 * DAY)])
    assert ask(env, T0_US + 3 * DAY, recipient=5, domain="gone.example") is None, "one of the two lives"


@pytest.mark.row("S23")
def test_two_members_cannot_keep_out_a_whole_provider(env: Environment) -> None:
    people = [f"r{n}@big.example" for n in range(10)]
    write_now(env, [planned(n, address=a) for n, a in enumerate(people)])
    write_now(env, [opened(n) for n in range(2, 8)])
    write_now(env, [failed(n, cause=Cause.HOST_UNKNOWN, at=T0_US + HOUR) for n in (0, 1)])
    assert ask(env, T0_US + DAY, recipient=99, domain="big.example") is None
    assert ask(env, T0_US + DAY, recipient=1, domain="big.example") is not None


@pytest.mark.row("A24")
@pytest.mark.parametrize(
    ("remote", "is_told"),
    [
        ("dns; mx1.gone.example", True), ("gone.example.", True), ("mx1.gone.example[192.0.2.1]", True),
        ("smarthost.ours.example", False), ("notgone.example", False), (None, False),
    ],
)  # fmt: skip
def test_a_domains_own_host_that_relays_no_more(remote: str | None, is_told: bool, env: Environment) -> None:
    for recipient in (1, 2):
        fact = failed(recipient, cause=Cause.RELAY_DENIED, address=f"r{recipient}@gone.example")
        write_now(env, [replace(fact, detail=replace(fact.detail, remote_mta=remote))])  # type: ignore[arg-type]
    denial = ask(env, T0_US)
    assert (denial is not None) is is_told, "our smarthost's refusal is our own fault"
    assert (ask(env, T0_US, recipient=9, domain="gone.example") is not None) is is_told
    if is_told:
        assert days(env, T0_US) == 30


def test_a_longer_reason_of_its_own_does_not_hide_the_dead_host(env: Environment) -> None:
    facts = [failed(1, n, at=T0_US + n, address="a@gone.example") for n in (1, 2, 3)]
    facts += [failed(n, 4, at=T0_US + DAY, cause=Cause.DOMAIN_NO_MAIL, address="a@gone.example") for n in (1, 2)]
    write_now(env, facts)
    assert entry(env).expires_at_us == T0_US + 3 + 180 * DAY
    assert ask(env, T0_US + 2 * DAY, recipient=9, domain="gone.example") is not None


# Complaints and unsubscribes


@pytest.mark.row("E32", "E33", "E34", "W13")
def test_complaints_hold_180_days_from_the_latest(env: Environment) -> None:
    write_now(env, [complained()])
    assert days(env, T0_US) == 180
    write_now(env, [complained(broadcast=2, at=T0_US + 100 * DAY), opened(broadcast=3, at=T0_US + 101 * DAY)])
    denial = ask(env, T0_US + 280 * DAY - 1)
    assert denial is not None and denial.detail == "Blacklist: Spam Report (worker:address in complaint list)"
    assert denial.expires_at_us == T0_US + 280 * DAY
    assert ask(env, T0_US + 280 * DAY) is None


@pytest.mark.row("A26", "E45")
def test_a_complaint_on_our_page_is_taken_back_by_subscribing_again(env: Environment) -> None:
    write_now(env, [described(1, stream="news"), described(2, stream="orders")])
    write_now(env, [unsubscribed(), complained(via_form=True)])
    news, orders = ask(env, T0_US, stream="news"), ask(env, T0_US, stream="orders")
    assert news is not None and news.kind is SuppressionKind.UNSUBSCRIBE, "the first of the order is told"
    assert orders is not None and orders.kind is SuppressionKind.COMPLAINT, "who says spam is not mailed at all"
    write_now(env, [unsubscribed(at=T0_US + DAY, again=True)])
    assert ask(env, T0_US + DAY, stream="news") is None and ask(env, T0_US + DAY, stream="orders") is None
    write_now(env, [complained(broadcast=2, at=T0_US), unsubscribed(at=T0_US + 2 * DAY, again=True)])
    assert ask(env, T0_US + 2 * DAY, stream="news") is not None, "a provider's report is not"


def test_of_an_end_and_a_return_at_one_moment_the_end_holds(tmp_path: Path) -> None:
    facts = [unsubscribed(broadcast=1), unsubscribed(broadcast=2, again=True)]
    for turn, order in enumerate((facts, facts[::-1])):
        env = Environment(tmp_path / f"data{turn}", map_size=16 * 2**20)
        for fact in order:
            write_now(env, [fact])
        assert ask(env, T0_US) is not None
        assert [row.entry.kind.public_name for row in Reader(env).suppressions(1, now_us=T0_US).rows] == ["unsubscribe"]
        env.close()


def test_the_list_does_not_show_an_end_that_was_taken_back_elsewhere(env: Environment) -> None:
    write_now(env, [described(n, stream="news") for n in (1, 2)])
    write_now(env, [unsubscribed(broadcast=1), unsubscribed(broadcast=2, at=T0_US + DAY, again=True)])
    assert Reader(env).suppressions(1, now_us=T0_US + HOUR).rows == []


# Conflicts, what nobody understands, releases


@pytest.mark.row("A30")
def test_two_conflicts_release(env: Environment) -> None:
    facts = [failed(broadcast=1), failed(broadcast=2, at=T0_US + DAY)]
    write_now(env, [*facts, opened(broadcast=1, at=T0_US + 2 * DAY)])
    assert ask(env, T0_US + 3 * DAY) is not None, "one may be anybody's forward"
    write_now(env, [opened(broadcast=2, at=T0_US + 3 * DAY, agent=Agent.MACHINE)])
    assert ask(env, T0_US + 3 * DAY) is not None, "a machine proves nothing"
    write_now(env, [clicked(broadcast=2, at=T0_US + 4 * DAY)])
    assert ask(env, T0_US + 4 * DAY) is None
    write_now(env, [failed(broadcast=3, at=T0_US + 5 * DAY)])
    assert days(env, T0_US + 5 * DAY) == 30, "a newer failure counts from the beginning"


@pytest.mark.row("A11", "S30")
def test_what_nobody_understands_suppresses_the_second_time(env: Environment) -> None:
    def strange(broadcast: int, at: int, trust: Trust = Trust.SUPPRESS) -> Fact:
        return failed(broadcast=broadcast, at=at, cause=Cause.UNPARSABLE, permanence=Permanence.UNKNOWN, trust=trust)

    write_now(env, [strange(1, T0_US), strange(2, T0_US + HOUR, Trust.COUNT), replace(strange(1, T0_US + HOUR))])
    assert ask(env, T0_US + HOUR) is None
    write_now(env, [strange(3, T0_US + DAY)])
    assert days(env, T0_US + DAY) == 30


def test_what_nobody_understands_counts_beside_an_entry_that_ran_out(env: Environment) -> None:
    write_now(env, [failed(at=T0_US - 100 * DAY)])
    for n in (2, 3):
        write_now(env, [failed(broadcast=n, at=T0_US, cause=Cause.UNPARSABLE, permanence=Permanence.UNKNOWN)])
    assert days(env, T0_US) == 30


@pytest.mark.row("E35")
def test_a_release_lifts_what_was_known_and_no_more(env: Environment) -> None:
    write_now(env, [failed(), complained()])
    write_now(env, [released("bounce", T0_US + DAY)])
    denial = ask(env, T0_US + DAY)
    assert denial is not None and denial.kind is SuppressionKind.COMPLAINT
    write_now(env, [released("complaint", T0_US + DAY)])
    assert ask(env, T0_US + DAY) is None
    write_now(env, [failed(broadcast=2, at=T0_US + 2 * DAY)])
    assert days(env, T0_US + 2 * DAY) == 30


@pytest.mark.row("N04", "S26")
def test_an_undone_span_leaves_what_came_before_and_after(env: Environment) -> None:
    write_now(env, [failed(broadcast=1), failed(broadcast=2, at=T0_US + DAY)])
    assert days(env, T0_US + DAY) == 60
    span = released("bounce", T0_US + 2 * DAY, from_us=T0_US + DAY, until_us=T0_US + DAY + HOUR)
    write_now(env, [span])
    assert (entry(env).failures, entry(env).expires_at_us) == (1, T0_US + 30 * DAY), "as if it had never come"
    write_now(env, [failed(broadcast=3, at=T0_US + DAY + SECOND)])
    assert entry(env).failures == 1, "what comes late of the same span is as false"
    write_now(env, [failed(broadcast=4, at=T0_US + DAY + HOUR)])
    assert entry(env).failures == 2


# The order of reasons, profiles


@pytest.mark.row("E34", "E37", "E40", "E13")
def test_the_order_and_the_words_of_reasons() -> None:
    kinds = sorted(SuppressionKind, key=ORDER.__getitem__)
    assert [kind.name for kind in kinds] == ["UNSUBSCRIBE", "COMPLAINT", "BLOCK", "BOUNCE", "SOFT", "CLASS"]
    assert [DENIALS[kind] for kind in kinds[:4]] == [
        "購読解除",
        "Blacklist: Spam Report (worker:address in complaint list)",
        "Blacklist: Custom Block (worker:address in block list)",
        BOUNCE,
    ]


@pytest.mark.row("S19", "S20", "S21", "S30", "S31", "X5")
@pytest.mark.parametrize("cause", [c for c in Cause if SPECS[c].sansan is not None])
def test_the_sansan_profile(cause: Cause, env: Environment) -> None:
    permanence = Permanence.UNKNOWN if cause is Cause.UNPARSABLE else Permanence.PERMANENT
    write_now(env, [failed(cause=cause, permanence=permanence), report(ACCEPTED, broadcast=2, at=T0_US + DAY)])
    kept = {SansanClass.USER_UNKNOWN, SansanClass.HOST_UNKNOWN, SansanClass.REJECTED, SansanClass.UNPARSABLE}
    is_kept, is_ours = SPECS[cause].sansan in kept, SPECS[cause].fault.value in ("sender", "local")
    set_policy(env, Policy("sansan"))
    century = T0_US + 36_500 * DAY
    denial = ask(env, century)
    assert (denial is not None) is (is_kept and not is_ours), "the guard is on by default (A12)"
    if denial is not None:
        assert (denial.detail, denial.expires_at_us) == (BOUNCE, None)
        assert Reader(env).suppressions(1, now_us=century).rows[0].entry.kind.public_name == "bounce"
    set_policy(env, Policy("sansan", has_sender_guard=False), T0_US + 1)
    assert (ask(env, century) is not None) is is_kept
    write_now(env, [released("bounce", T0_US + 2 * DAY)])
    assert ask(env, century) is None, "until somebody deletes it"


@pytest.mark.row("A12", "N03")
def test_our_own_later_fault_does_not_let_go_of_a_recipients(env: Environment) -> None:
    set_policy(env, Policy("sansan"))
    write_now(env, [failed(), failed(broadcast=2, at=T0_US + DAY, cause=Cause.IP_BLOCKLISTED)])
    assert ask(env, T0_US + 900 * DAY) is not None


@pytest.mark.row("X5")
def test_a_profile_is_a_way_of_reading_and_changes_nothing(env: Environment) -> None:
    write_now(env, [failed()])
    set_policy(env, Policy("sansan"))
    assert ask(env, T0_US + 31 * DAY) is not None
    set_policy(env, Policy("native"), T0_US + 1)
    assert ask(env, T0_US + 31 * DAY) is None


# Whatever the order


@pytest.mark.parametrize("seed", range(8))
def test_the_list_does_not_depend_on_order(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    facts = [_any_fact(rng) for _ in range(60)]
    states = []
    for turn in range(3):
        env = Environment(tmp_path / f"data{turn}", map_size=32 * 2**20)
        rng.shuffle(facts)
        size = 1 if turn == 1 else rng.randint(2, 60)
        for start in range(0, len(facts), size):
            write_now(env, facts[start : start + size])
        rows = [e for recipient in range(1, 4) for e in Reader(env).suppressed(1, recipient)]
        states.append([replace(e, seq=0, shared_seq=min(e.shared_seq, 1)) for e in rows])
        env.close()
    assert states[0] == states[1] == states[2]
    assert states[0], "the control: there is something to compare"


def _any_fact(rng: random.Random) -> Fact:
    recipient, broadcast = rng.randint(1, 3), rng.randint(1, 6)
    at = T0_US + rng.randint(0, 60) * DAY + rng.randint(0, 9) * SECOND
    place = {"recipient": recipient, "broadcast": broadcast, "at": at}
    match rng.randint(0, 11):
        case 0 | 1 | 2 | 3:
            cause = rng.choice([
                Cause.USER_UNKNOWN, Cause.HOST_UNKNOWN, Cause.MAILBOX_FULL, Cause.RECIPIENT_FILTERED,
                Cause.POLICY_REJECTED, Cause.UNPARSABLE, Cause.DELIVERY_EXPIRED, Cause.IP_BLOCKLISTED,
            ])  # fmt: skip
            fact = failed(**place, cause=cause, permanence=rng.choice(list(Permanence)))  # type: ignore[arg-type]
            return replace(fact, detail=replace(fact.detail, global_mark=bytes([recipient]) * 16))  # type: ignore[arg-type]
        case 4:
            address = rng.choice(["a@qq.com", "a@example.jp"])
            return planned(**place, address=address, row=b"r%d" % rng.randint(0, 1))  # type: ignore[arg-type]
        case 5:
            return Fact(FactType.EXCLUDED, key(recipient, broadcast), at, Excluded(ExcludedKind.BLOCK))
        case 6:
            return report(rng.choice([ACCEPTED, FactType.RELAYED]), **place)  # type: ignore[arg-type]
        case 7:
            cause = rng.choice([Cause.MAILBOX_FULL, Cause.GREYLISTED])
            waits = Report(report(FactType.DEFERRED).detail.channel, b"%d" % at, cause)  # type: ignore[union-attr]
            return Fact(FactType.DEFERRED, key(recipient, broadcast), at, waits)
        case 8:
            return opened(**place, agent=rng.choice(list(Agent)))  # type: ignore[arg-type]
        case 9:
            return unsubscribed(**place, again=rng.random() < 0.5, everything=rng.random() < 0.3)  # type: ignore[arg-type]
        case 10:
            return complained(**place, via_form=rng.random() < 0.5)  # type: ignore[arg-type]
        case _:
            span = {"from_us": at - 9 * DAY, "until_us": at - DAY} if rng.random() < 0.5 else {}
            return released(rng.choice(["bounce", "soft", "class", "complaint"]), at, recipient=recipient, **span)


def test_listed_people_have_a_row_in_the_log(env: Environment) -> None:
    """Provenance: each entry leads to the fact it rests on."""
    write_now(env, [planned(), failed()])
    row = Reader(env).suppressions(1, now_us=T0_US, kind=SuppressionKind.BOUNCE).rows[0]
    assert isinstance(row.fact.detail, Report) and row.fact.detail.diagnostic == "no such user"
    assert row.address == "r1@example.jp" and isinstance(planned().detail, Planned)
