"""Reading in bulk says what reading one by one says."""

from __future__ import annotations

import random

import pytest

from model.detail import Agent, Planned
from model.fact import DeliveryKey, Fact, FactType
from store import keys
from store.bulk import FactReader, read_deliveries, sources_at_ends
from store.environment import Environment
from store.errors import StoreCorruptError
from store.log import scan_log
from store.outcome import settle
from store.people import People
from store.record import DAILY_LIMIT
from store.writer import next_seq, write_now
from tests.store.world import SECOND, T0_US, opened, planned, random_facts


@pytest.mark.parametrize("seed", range(20261126, 20261132))
def test_bulk_is_the_same_as_one_by_one(env: Environment, seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    for _ in range(3):  # what is listed after something came back has two places in the roster
        write_now(env, random_facts(rng, 700, recipients=300))
    # Hits that are only counted.
    flood = [opened(1, 1, at=T0_US + i * 60 * SECOND, agent=Agent.PERSON) for i in range(DAILY_LIMIT + 20)]
    write_now(env, flood)
    people = People(env)
    for number in (1, 2, 3):
        wanted = []
        after = None
        while True:
            page = people.page(1, number, after=after, limit=1_000)
            wanted += page.rows
            after = page.after
            if after is None:
                break
        seen = 0
        for found in read_deliveries(env, 1, number):
            for place, (row, brief) in enumerate(zip(found.rows, found.briefs, strict=True)):
                person = wanted[seen]
                seen += 1
                record = found.record(place)
                entries = record.entries
                settled, outcome = brief.settled, settle(record)
                assert found.key(place) == person.key and row.recipient == person.listed.recipient
                assert brief.last_us == person.fetched_us == entries[-1].at_us
                if settled.outcome != outcome:
                    # Shared with another: times, and the entry that failed, are its own.
                    assert _untimed(settled.outcome) == _untimed(outcome)
                assert settled.done is not None and brief.time_at(settled.done) == outcome.done_us
                assert settled.done_type == entries[settled.done].type
                if outcome.failure is None:
                    assert settled.failure is None
                else:
                    assert settled.failure is not None
                    assert brief.seq_at(settled.failure) == outcome.failure.seq == person.failure_seq
                    assert brief.time_at(settled.failure) == outcome.failure.at_us
        assert seen == len(wanted) > 100


def _untimed(outcome: object) -> dict[str, object]:
    times = ("at_us", "done_us", "failure")
    return {name: getattr(outcome, name) for name in outcome.__slots__ if name not in times}  # type: ignore[attr-defined]


def test_many_pages_in_the_order_listed_and_by_word_and_window(env: Environment) -> None:
    numbers = random.Random(1).sample(range(1, 10**9), 5_000)
    write_now(env, [planned(number, at=T0_US + place) for place, number in enumerate(numbers)])
    batches = list(read_deliveries(env, 1, 1))
    assert [int.from_bytes(row.recipient, "big") for found in batches for row in found.rows] == numbers
    assert len(batches) == 3 and [found.share for found in batches] == sorted(found.share for found in batches)
    assert batches[-1].share == 1.0
    by_word = [row for found in read_deliveries(env, 1, 1, query=f"R{numbers[4_321]}@") for row in found.rows]
    assert [row.at_us for row in by_word] == [T0_US + 4_321]
    window = read_deliveries(env, 1, 1, from_us=T0_US + 250, until_us=T0_US + 2_600)
    assert [row.at_us - T0_US for found in window for row in found.rows] == list(range(250, 2_600))
    assert list(read_deliveries(env, 1, 2)) == []


def test_facts_by_number(env: Environment) -> None:
    write_now(env, random_facts(random.Random(3), 500))
    every = dict(scan_log(env))
    reader = FactReader(env)
    asked = random.Random(4).sample(sorted(every), 100)
    assert reader.read(asked) == {seq: every[seq] for seq in asked}
    assert reader.read([]) == {}
    with pytest.raises(StoreCorruptError):
        reader.read([next_seq(env)])


def test_damage_is_refused(env: Environment, in_place: None) -> None:
    write_now(env, [planned(1), planned(2)])
    place = DeliveryKey(1, 1, 2).pack()
    with env.write() as txn:
        raw = txn.get(place, db=env.db(keys.DELIVERIES))
        assert raw is not None
        for damaged in (raw[:-1] + bytes((raw[-1] ^ 1,)), b"", raw[:10]):
            assert txn.put(place, damaged, db=env.db(keys.DELIVERIES))
            txn_error = pytest.raises(StoreCorruptError)
            from store.bulk import Settler
            from store.roster import RosterRow

            with txn_error:
                Settler().briefs(env.records(txn), place[:8], [RosterRow(place[8:], 1, 0, True)])
        assert txn.put(place, raw, db=env.db(keys.DELIVERIES))


def test_sources_at_the_ends(env: Environment) -> None:
    def listed(number: int, source: str | None) -> Fact:
        detail = Planned(f"r{number}@example.jp", b"row", recipient_source=source)
        return Fact(FactType.PLANNED, DeliveryKey(1, 1, number), T0_US, detail)

    assert sources_at_ends(env, 1, 1) == set()
    write_now(env, [listed(n, "csv" if n < 300 else "middle" if n < 700 else "api") for n in range(1, 1_000)])
    assert sources_at_ends(env, 1, 1) == {"csv", "api"}
