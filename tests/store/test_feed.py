"""The feed: what scan_log gives, by tenant and type, forwards and backwards, in pieces of any size."""

from __future__ import annotations

import pytest

from model.fact import Fact, FactType
from store.environment import Environment
from store.feed import Feed
from store.log import scan_log
from store.writer import write_now
from tests.interop.world import seeded
from tests.store.world import failed, key, opened, planned


def fill(env: Environment) -> None:
    chance = seeded()
    for batch in range(30):
        facts = []
        for n in range(chance.randrange(1, 60)):
            make = chance.choice((planned, failed, opened))
            fact = make(batch * 100 + n)
            tenant = chance.choice((1, 1, 1, 2))
            facts.append(
                Fact(fact.type, key(fact.key.recipient, 1, tenant), fact.at_us, fact.detail, is_html=True)
            )  # fmt: skip
        write_now(env, facts)


def expected(env: Environment, tenant: int | None, types: frozenset[FactType] | None) -> list[tuple[int, Fact]]:
    return [
        (seq, fact)
        for seq, fact in scan_log(env)
        if (tenant is None or fact.key.tenant == tenant) and (types is None or fact.type in types)
    ]


@pytest.mark.parametrize("limit", [1, 7, 10_000])
@pytest.mark.parametrize("look_at", [1, 13, 10_000])
@pytest.mark.parametrize("types", [None, frozenset({FactType.FAILED, FactType.OPENED})])
def test_forwards(env: Environment, limit: int, look_at: int, types: frozenset[FactType] | None) -> None:
    fill(env)
    feed = Feed(env)
    for tenant in (1, 2, None):
        rows, reached = [], 0
        while reached < feed.head():
            found = feed.facts(tenant, reached, limit, types=types, look_at=look_at)
            assert len(found.rows) <= limit and reached < found.reached <= reached + look_at
            rows += found.rows
            reached = found.reached
        assert rows == expected(env, tenant, types)
        assert feed.facts(tenant, reached, limit).rows == []
        assert feed.facts(tenant, reached, limit).reached == reached


@pytest.mark.parametrize("limit", [1, 7, 10_000])
@pytest.mark.parametrize("look_at", [1, 13, 10_000])
def test_backwards(env: Environment, limit: int, look_at: int) -> None:
    fill(env)
    feed = Feed(env)
    types = frozenset({FactType.FAILED})
    rows, before = [], feed.head() + 1
    while before > 1:
        found = feed.facts_before(1, before, limit, types=types, look_at=look_at)
        assert found.reached < before
        rows += found.rows
        before = found.reached
    assert rows == expected(env, 1, types)[::-1]


def test_every_beginning(env: Environment) -> None:
    fill(env)
    feed = Feed(env)
    everything = expected(env, None, None)
    for seq, _ in everything[::17]:
        assert feed.facts(None, seq, 5).rows == everything[seq : seq + 5]
        assert [s for s, _ in feed.facts_before(None, seq, 1).rows] == [s for s in (seq - 1,) if s]


def test_an_empty_store(env: Environment) -> None:
    feed = Feed(env)
    assert feed.head() == 0
    assert feed.facts(1, 0, 10) == ([], 0)
    assert feed.facts(1, 99, 10) == ([], 99)
    assert feed.facts_before(1, 1, 10) == ([], 1)
