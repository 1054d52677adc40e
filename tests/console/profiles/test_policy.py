"""Whom each profile stops mailing, for how long: the tables a store can apply."""

from __future__ import annotations

import pytest

from console.profiles.evaluation import PROFILES
from console.profiles.policy import POLICIES, Scope
from model.cause import SPECS, Cause, Permanence, SuppressPolicy
from model.detail import BroadcastSet, DocumentSet, Released
from model.fact import Fact, FactType
from store.environment import Environment
from store.gate import EXEMPT_KIND, Candidate
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.reader import Reader
from store.standing import bounce_days
from store.suppression_desk import SuppressionDesk
from store.writer import write_now
from tests.console.profiles.deliveries import CROSSWALK
from tests.store.world import DAY, T0_US, failed, key, planned, report

#: Our own fault (mission 3.1: 21-25, 27): never, under the guard.
OURS = {"ip_blocklisted", "reputation_block", "auth_failed", "ptr_missing", "sender_rejected", "rate_limited"}


def test_every_profile_has_a_policy_for_every_cause() -> None:
    assert set(POLICIES) == set(PROFILES)
    assert all(set(policy.suppress) == set(Cause) for policy in POLICIES.values())
    assert all(policy.profile == name for name, policy in POLICIES.items())


@pytest.mark.row("S31", "A11", "A12", "X5")
@pytest.mark.parametrize("cause", Cause)
def test_sansan_keeps_four_classes_for_ever_but_not_for_our_own_fault(cause: Cause) -> None:
    policy = POLICIES["sansan"]
    is_one_of_four = CROSSWALK[cause.value][0] in ("UU", "HU", "RJ", "UP")
    literal = SuppressPolicy.FOREVER if is_one_of_four else SuppressPolicy.NO
    assert policy.action(cause, is_guarded=False) is literal
    guarded = {**dict.fromkeys(OURS, SuppressPolicy.NEVER), "suppressed_upstream": SuppressPolicy.NO}
    assert policy.action(cause) is guarded.get(cause.value, literal)
    assert policy.days(1) is policy.days(9) is None


@pytest.mark.row("E39", "E41", "E42", "X5", "W11", "W12")
def test_engagelab_climbs_the_ladder_for_addresses_that_do_not_exist() -> None:
    policy = POLICIES["engagelab"]
    climbing = {cause.value for cause in Cause if policy.action(cause) is SuppressPolicy.LADDER}
    assert climbing == {name for name, row in CROSSWALK.items() if row[2] == "ne"}
    assert {policy.action(cause) for cause in Cause if cause.value not in climbing} == {
        SuppressPolicy.NO, SuppressPolicy.NEVER
    }  # fmt: skip
    assert [policy.days(n, is_tencent=True) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert [policy.days(n) for n in range(1, 5)] == [30, 60, 180, 180]
    for n in range(1, 9):
        assert policy.days(n, is_tencent=True) == bounce_days(n, "qq.com")
        assert policy.days(n) == bounce_days(n, "example.jp"), "what the store does by default"


@pytest.mark.row("E33")
def test_complaints_hold_for_180_days_everywhere() -> None:
    assert {policy.complaint_days for policy in POLICIES.values()} == {180}


@pytest.mark.row("K29")
def test_karte_keeps_whoever_has_a_permanent_code() -> None:
    policy = POLICIES["karte"]
    kept = {cause.value for cause in Cause if policy.action(cause) is SuppressPolicy.FOREVER}
    permanent = {name for name, row in CROSSWALK.items() if row[3].startswith("Permanent:")}
    theirs = {"relay_denied", "suppressed_upstream", "suppressed_unsubscribed"}
    assert kept == permanent - theirs
    assert {c.value for c in Cause if policy.action(c, is_guarded=False) is SuppressPolicy.FOREVER} == permanent


def test_where_a_seed_says_nothing_our_own_rule_holds() -> None:
    for name in ("native", "relation", "bales"):
        assert all(POLICIES[name].action(cause) is SPECS[cause].suppress for cause in Cause)


@pytest.mark.row("X10")
def test_scopes_are_those_of_the_systems() -> None:
    scopes = {name: policy.scope for name, policy in POLICIES.items()}
    assert scopes["engagelab"] is Scope.GLOBAL_HASH
    assert scopes["sansan"] is Scope.TENANT
    assert scopes["karte"] is Scope.STREAM


def test_failures_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="number 1"):
        POLICIES["native"].days(0)


@pytest.mark.row("S31", "W16", "X5")
@pytest.mark.parametrize("is_guarded", [True, False])
@pytest.mark.parametrize("cause", list(Cause)[:38])
def test_the_store_does_what_the_table_says_for_sansan(cause: Cause, is_guarded: bool, env: Environment) -> None:
    """A tenant that chose Sansan's rule, one failure, and who may be mailed nine years later."""
    chosen = Policy(profile="sansan", has_sender_guard=is_guarded, has_breaker=False)
    document = DocumentSet(POLICY_KIND, POLICY_NAME, chosen.body())
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US, document), planned(), failed(cause=cause)])
    denial = Reader(env).preflight(1, [Candidate(1)], "", T0_US + 9 * 365 * DAY)[0]
    is_kept = POLICIES["sansan"].action(cause, is_guarded=is_guarded) is SuppressPolicy.FOREVER
    assert (denial is not None) is is_kept


@pytest.mark.row("E39", "E42", "X5")
@pytest.mark.parametrize("cause", list(Cause)[:38])
def test_the_store_does_what_the_table_says_for_engagelab(cause: Cause, env: Environment) -> None:
    """One permanent failure of each cause, beside one of another sort that is no answer of no such address."""
    document = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(profile="engagelab").body())
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US, document)])
    other = failed(2, 2, at=T0_US - DAY, cause=Cause.RECIPIENT_RESTRICTED)
    write_now(env, [failed(1, cause=cause), other, failed(2, cause=cause)])
    policy = POLICIES["engagelab"]
    for denial in Reader(env).preflight(1, [Candidate(1), Candidate(2)], "", T0_US):
        is_kept = policy.action(cause) is SuppressPolicy.LADDER
        assert (denial is not None) is is_kept
        assert denial is None or denial.expires_at_us == T0_US + (policy.days(1) or 0) * DAY


@pytest.mark.row("K29", "X5", "X10")
@pytest.mark.parametrize("cause", list(Cause)[:38])
def test_the_store_does_what_the_table_says_for_karte(cause: Cause, env: Environment) -> None:
    """One permanent failure and one that may pass, of each cause, in one stream; years later."""
    document = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(profile="karte").body())
    streams = [
        Fact(FactType.BROADCAST_SET, key(0, number), T0_US, BroadcastSet(name, stream=name))
        for number, name in ((1, "news"), (2, "news"), (3, "shop"))
    ]
    facts = [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US, document), *streams, planned(), planned(2)]
    write_now(env, [*facts, failed(cause=cause), failed(2, cause=cause, permanence=Permanence.TRANSIENT)])

    def kept_from(stream: str) -> list[bool]:
        asked = Reader(env).preflight(1, [Candidate(1), Candidate(2)], stream, T0_US + 9 * 365 * DAY)
        assert all(denial is None or denial.expires_at_us is None for denial in asked)
        return [denial is not None for denial in asked]

    is_kept = POLICIES["karte"].action(cause) is SuppressPolicy.FOREVER
    assert kept_from("news") == [is_kept, False]
    assert kept_from("shop") == kept_from("") == [False, False], "a bounce keeps nobody out of another project"


@pytest.mark.row("K29", "X10")
def test_karte_tells_once_a_stream_and_forgets_when_lifted(env: Environment) -> None:
    document = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(profile="karte").body())
    streams = [
        Fact(FactType.BROADCAST_SET, key(0, number), T0_US, BroadcastSet(name, stream=name))
        for number, name in ((1, "news"), (2, "news"), (3, "shop"))
    ]
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US, document), *streams])
    # Reached in the other stream afterwards: in its own nothing changes.
    write_now(
        env,
        [
            failed(1, 1),
            failed(1, 2, at=T0_US + DAY),
            planned(1, 3),
            report(FactType.ACCEPTED, 1, 3, at=T0_US + 2 * DAY),
        ],
    )
    desk, later = SuppressionDesk(env), T0_US + 3 * DAY
    assert [(e.broadcast, e.at_us) for e in desk.holding(1, 1, later)] == [(2, T0_US + DAY)]
    (row,) = Reader(env).suppressions(1, now_us=later).rows
    assert (row.entry.kind.public_name, row.entry.broadcast) == ("bounce", 2)
    (changed,) = desk.changes(1, after=0, now_us=later).recipients
    assert [(one.entry.broadcast, one.stream) for one in changed.entries] == [(2, "news")]
    assert Reader(env).preflight(1, [Candidate(1)], "shop", later) == [None]
    write_now(env, [Fact(FactType.RELEASED, key(1, 0), later, Released("bounce", "a slip", "test"))])
    assert desk.holding(1, 1, later) == []
    assert Reader(env).preflight(1, [Candidate(1)], "news", later) == [None]


@pytest.mark.row("K29", "S26")
def test_karte_holds_back_what_came_in_a_flood_and_heeds_an_exemption(env: Environment) -> None:
    document = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(profile="karte").body())
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US, document)])
    people = range(1, 1_201)
    write_now(env, [planned(n, address=f"p{n}@big.example") for n in people])
    write_now(env, [failed(n, at=T0_US + n * 1_000) for n in people])
    assert Reader(env).preflight(1, [Candidate(1, "big.example")], "", T0_US + DAY) == [None]
    open_handed = DocumentSet(POLICY_KIND, POLICY_NAME, Policy(profile="karte", has_breaker=False).body())
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US + 1, open_handed)])
    assert Reader(env).preflight(1, [Candidate(1, "big.example")], "", T0_US + DAY)[0] is not None
    write_now(env, [failed(5_000, 2)])
    assert Reader(env).preflight(1, [Candidate(5_000)], "", T0_US + DAY)[0] is not None
    exempt = DocumentSet(EXEMPT_KIND, f"{5_000:016x}", b"{}")
    write_now(env, [Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US + DAY, exempt)])
    assert Reader(env).preflight(1, [Candidate(5_000)], "", T0_US + DAY) == [None]
