"""Looking through a store: nothing is damaged, or what is gets named (D11)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from store import keys
from store.environment import Environment
from store.scrub import _SEALED, Scrubbed, scrub
from store.transaction import put_over
from store.writer import write_now
from tests.store.world import random_facts

_MAP = 2**26


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "data", map_size=_MAP)
    rng = random.Random(5)
    for _ in range(4):
        write_now(made, random_facts(rng, 500))
    with made.write() as txn:
        # What these facts leave empty is read like all else.
        for name in (keys.DELIVERIES, keys.GLOBAL_BOUNCES, keys.DOCUMENTS):
            with txn.cursor(db=made.db(keys.COUNTERS)) as cursor:
                assert cursor.first()
                put_over(txn, made.db(name), cursor.key(), cursor.value())
    return made


def look(env: Environment) -> Scrubbed:
    return scrub(env, lambda rows: None)


def test_every_row_of_a_sound_store_is_read_and_none_is_damaged(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.scrub._ROWS_PER_READ", 100)
    rests: list[int] = []
    found = scrub(env, rests.append)
    assert (found.damaged, found.first) == (0, [])
    assert found.rows == sum(map(env.entries, keys.DATABASES)) == rests[-1] > 1_500
    assert len(rests) > len(keys.DATABASES), "it rests between batches too"


@pytest.mark.parametrize("name", sorted(_SEALED))
@pytest.mark.parametrize("at", [0, 4, -1])
def test_a_bit_in_any_value_with_a_checksum_is_named(name: bytes, at: int, env: Environment) -> None:
    with env.write() as txn, txn.cursor(db=env.db(name)) as cursor:
        assert cursor.last()
        key, value = cursor.key(), bytearray(cursor.value())
        value[at] ^= 1
        put_over(txn, env.db(name), key, bytes(value))
    found = look(env)
    assert found.damaged == 1
    assert found.first[0][:2] == (name.decode(), key.hex())


def test_much_damage_is_counted_and_the_first_of_it_named(env: Environment) -> None:
    with env.write() as txn:
        for number in range(50):
            put_over(txn, env.db(keys.COUNTERS), b"%020d" % number, b"no checksum")
    found = scrub(env, lambda rows: None, limit=7)
    assert (found.damaged, len(found.first)) == (50, 7)


def test_a_row_that_searching_misses_is_damage(env: Environment) -> None:
    """A key changed where it lies: everything is there, but the search turns the wrong way."""
    path, name = env.path, keys.LISTS
    with env.read() as txn, txn.cursor(db=env.db(name)) as cursor:
        assert cursor.first()
        for _ in range(200):
            assert cursor.next()
        pair = cursor.key() + cursor.value()
    env.close()
    raw = (path / "data.mdb").read_bytes()
    assert raw.count(pair) >= 1
    spoilt = bytes((pair[0] ^ 0x80,)) + pair[1:]
    (path / "data.mdb").write_bytes(raw.replace(pair, spoilt))
    env = Environment(path, map_size=_MAP)
    found = look(env)
    env.close()
    assert found.damaged
    assert {damage.database for damage in found.first} == {"lists"}


def test_what_is_written_meanwhile_is_no_damage(env: Environment) -> None:
    rng = random.Random(6)
    commits = iter(range(12))

    def write(rows: int) -> None:
        if next(commits, None) is not None:
            write_now(env, random_facts(rng, 300))

    found = scrub(env, write)
    assert next(commits, None) is None
    assert found.damaged == 0
