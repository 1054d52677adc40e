"""Facts: the same says the same, other says other; numbers that are stored never change; the unique clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cause import Channel
from model.detail import Agent, Unmatched
from model.fact import (
    DETAILS,
    DeliveryKey,
    Fact,
    FactType,
    UniqueClock,
)
from tests.store.world import HOUR, T0_US, clicked, complained, described, failed, key, opened, planned, unsubscribed


def test_the_id_of_a_fact_never_changes() -> None:
    """Stored marks are made of it: a change here is a change of the format (keys.FORMAT_VERSION)."""
    found = [fact.id.hex() for fact in (planned(), failed(), opened(), clicked(), unsubscribed(), complained())]
    assert found == GOLDEN_IDS


GOLDEN_IDS = [
    "4224ce0b4c3590efc227c7fc8ec348b4",
    "bb598e2858dc97a6905499c10f61c373",
    "67fe5f79823e867efbc8ca0726387def",
    "25984b5346a33a3b36f6ac9c68597962",
    "7e8bc5641c8a8418460485186ff3c4b2",
    "7c8fb9abd11148012fc2c241145969d6",
]


@pytest.mark.parametrize("fact", [planned(), failed(), complained()])
def test_what_came_by_mail_is_the_same_whenever_and_wherever_seen(fact: Fact) -> None:
    for same in (
        replace(fact, at_us=fact.at_us + HOUR),
        replace(fact, node=3),
        replace(fact, is_html=not fact.is_html),
    ):
        assert same.id == fact.id
    assert replace(fact, key=key(2)).id != fact.id
    assert replace(fact, key=key(1, 2)).id != fact.id
    assert replace(fact, key=key(1, 1, 2)).id != fact.id


@pytest.mark.parametrize("fact", [opened(), clicked(), unsubscribed()])
def test_what_a_person_did_twice_happened_twice(fact: Fact) -> None:
    assert replace(fact, at_us=fact.at_us + 8).id != fact.id
    assert replace(fact, node=3).id == fact.id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (failed(origin=b"a"), failed(origin=b"b")),
        (failed(), failed(channel=Channel.IN_SESSION)),
        (planned(row=b"a"), planned(row=b"b")),
        (opened(), opened(agent=Agent.MACHINE)),
        (clicked(link=1), clicked(link=2)),
        (unsubscribed(), unsubscribed(everything=True)),
        (unsubscribed(), unsubscribed(again=True)),
        (described(name="a"), described(name="b")),
    ],
)
def test_what_says_something_else_is_another_fact(one: Fact, other: Fact) -> None:
    assert one.id != other.id


def test_a_click_is_itself_whatever_its_target_is_kept_as() -> None:
    assert clicked(target="https://a.jp/").id == clicked(target="https://b.jp/").id


def test_a_mail_without_proof_is_known_by_its_origin() -> None:
    detail = Unmatched("bounce", b"origin", subject="x")
    fact = Fact(FactType.UNMATCHED, DeliveryKey(1, 0, 0), T0_US, detail)
    assert replace(fact, detail=replace(detail, subject="y"), at_us=1).id == fact.id
    assert replace(fact, detail=replace(detail, origin=b"other")).id != fact.id


def test_stored_numbers_stay() -> None:
    assert [f"{t.value} {t.name}" for t in FactType] == [
        "1 BROADCAST_SET", "2 PLANNED", "3 EXCLUDED", "4 ACCEPTED", "5 DEFERRED", "6 FAILED", "7 RELAYED",
        "8 AUTO_REPLIED", "9 COMPLAINED", "10 OPENED", "11 CLICKED", "12 UNSUBSCRIBED", "13 RESUBSCRIBED",
        "14 CANCELLED", "15 UNMATCHED", "16 RELEASED", "17 DOCUMENT_SET", "18 AUDITED", "19 CONVERTED",
    ]  # fmt: skip
    assert set(DETAILS) == set(FactType)
    assert [agent for agent in Agent if agent.is_machine] == [Agent.PREFETCH, Agent.MACHINE, Agent.HONEYPOT]


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**64 - 1))
def test_a_delivery_key_comes_back(tenant: int, broadcast: int, recipient: int) -> None:
    one = DeliveryKey(tenant, broadcast, recipient)
    assert DeliveryKey.unpack(one.pack()) == one
    assert len(one.pack()) == 16


@given(st.lists(st.integers(16, 2**50), min_size=1, max_size=60))
def test_the_clock_never_repeats_or_steps_back(readings: list[int]) -> None:
    clocks = [UniqueClock(slot) for slot in range(8)]
    stamps = [[clock.stamp(now) for now in readings] for clock in clocks]
    for of_one in stamps:
        assert all(one < other for one, other in zip(of_one, of_one[1:], strict=False))
    assert len({stamp for of_one in stamps for stamp in of_one}) == 8 * len(readings), "no two processes share one"


def test_the_clock_gives_many_times_as_it_gives_one_by_one() -> None:
    one, many = UniqueClock(3), UniqueClock(3)
    assert [*many.stamps(T0_US, 50)] == [one.stamp(T0_US) for _ in range(50)]
    assert many.stamp(T0_US) == one.stamp(T0_US)
    assert [*many.stamps(T0_US + HOUR, 0)] == []
    assert many.stamps(T0_US + HOUR, 2)[0] >= T0_US + HOUR - 8


def test_the_clock_stays_close_and_outruns_a_step_back() -> None:
    clock = UniqueClock(3)
    assert abs(clock.stamp(T0_US) - T0_US) < 8
    late = [clock.stamp(T0_US - HOUR) for _ in range(1_000)]
    assert late == sorted(set(late)) and late[0] > T0_US - 8
    assert late[-1] - T0_US <= 8 * 1_001
    assert abs(clock.stamp(T0_US + HOUR) - T0_US - HOUR) < 8
