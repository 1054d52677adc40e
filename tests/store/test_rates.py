"""Rates that ask for a pause: an hour and a day, with least numbers (N16, P19)."""

from __future__ import annotations

import pytest

from model.cause import Channel
from model.fact import Fact, FactType
from store.environment import Environment
from store.rates import Level, due, rates, tenants
from store.writer import write_now
from tests.store.world import DAY, HOUR, SECOND, T0_US, complained, failed, planned, report

NOW = T0_US + 2 * DAY


def mailing(count: int, hard: int, *, broadcast: int = 1, at: int = NOW - HOUR // 2) -> list[Fact]:
    """So many sent, so many of them refused."""
    facts: list[Fact] = [planned(n, broadcast, at=at) for n in range(count)]
    facts += [failed(n, broadcast, at=at, channel=Channel.IN_SESSION) for n in range(hard)]
    return facts + [report(FactType.ACCEPTED, n, broadcast, at=at) for n in range(hard, count)]


def levels(env: Environment, now: int = NOW, broadcast: int = 0) -> dict[tuple[str, int], Level]:
    return {
        (r.threshold.metric, r.threshold.window_s // 3_600): r.level
        for r in rates(env, 1, now) if r.broadcast == broadcast
    }  # fmt: skip


@pytest.mark.row("N16", "P19")
@pytest.mark.parametrize(
    ("count", "hard", "hour", "day"),
    [
        (199, 100, Level.TOO_FEW, Level.TOO_FEW), (400, 19, Level.TOO_FEW, Level.TOO_FEW),
        (420, 20, Level.OK, Level.TOO_FEW), (400, 20, Level.WARN, Level.TOO_FEW),
        (400, 40, Level.PAUSE, Level.TOO_FEW), (1_100, 50, Level.OK, Level.WARN),
        (1_000, 50, Level.WARN, Level.PAUSE),
    ],
)  # fmt: skip
def test_hard_failures(count: int, hard: int, hour: Level, day: Level, env: Environment) -> None:
    write_now(env, mailing(count, hard))
    for broadcast in (0, 1):
        assert levels(env, broadcast=broadcast)["hard", 1] is hour
        assert levels(env, broadcast=broadcast)["hard", 24] is day
    assert (due(env, 1, NOW) != []) is bool({hour, day} & {Level.WARN, Level.PAUSE})
    assert due(env, 2, NOW) == []


@pytest.mark.row("N16")
def test_complaints(env: Environment) -> None:
    write_now(env, mailing(1_000, 0))
    assert levels(env)["complaints", 1] is Level.TOO_FEW
    write_now(env, [complained(n, at=NOW - 60 * SECOND) for n in range(4)])
    assert levels(env)["complaints", 1] is Level.TOO_FEW, "four say nothing"
    write_now(env, [complained(9, at=NOW - 60 * SECOND)])
    assert (levels(env)["complaints", 1], levels(env)["complaints", 24]) == (Level.WARN, Level.PAUSE)
    write_now(env, [complained(n, at=NOW - 60 * SECOND) for n in range(10, 15)])
    assert levels(env)["complaints", 1] is Level.PAUSE


def test_what_is_over_is_over(env: Environment) -> None:
    write_now(env, mailing(400, 40))
    assert levels(env, NOW + 2 * HOUR)["hard", 1] is Level.TOO_FEW
    assert rates(env, 1, NOW + 2 * DAY)[0].share is None


def test_a_small_broadcast_does_not_hide_in_the_whole(env: Environment) -> None:
    write_now(env, mailing(3_000, 0) + mailing(300, 60, broadcast=2))
    assert levels(env)["hard", 1] is Level.OK
    assert [(r.broadcast, r.level) for r in due(env, 1, NOW)] == [(2, Level.PAUSE)]


def test_an_old_mailing_complained_of_today_counts_and_its_past_does_not(env: Environment) -> None:
    """Cells of three weeks are passed over: of what was sent long ago only the complaints of today count."""
    old = NOW - 21 * DAY
    write_now(env, mailing(1_100, 100, at=old) + mailing(1_000, 0, broadcast=2))
    write_now(env, [complained(n, at=old + n * 8 * HOUR // 15) for n in range(200, 300)])
    assert levels(env)["complaints", 24] is Level.TOO_FEW and levels(env)["hard", 24] is Level.TOO_FEW
    write_now(env, [complained(n, at=NOW - n * SECOND) for n in range(300, 305)])
    assert levels(env)["complaints", 24] is Level.PAUSE, "5 of the 1,000 sent today"
    whole = next(r for r in rates(env, 1, NOW) if (r.threshold.metric, r.threshold.window_s) == ("complaints", 86_400))
    assert (whole.sends, whole.events) == (1_000, 5)


def test_tenants_are_those_with_broadcasts(env: Environment) -> None:
    assert tenants(env) == []
    for tenant in (0xFFFF, 3, 1):
        write_now(env, [Fact(f.type, f.key._replace(tenant=tenant), f.at_us, f.detail) for f in mailing(3, 1)])
    assert tenants(env) == [1, 3, 0xFFFF]
