"""Where the records of deliveries are: whatever lies in RECENT, each transaction sees its own state."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from store import keys, records
from store.environment import Environment
from store.reader import Reader
from store.records import RecentRecords, Records, RecordsWriter
from store.verify import verify
from store.writer import write_now
from tests.store.world import T0_US, opened

_AS_SHIPPED = records._SPARE_ROWS
#: of 25 recipients in each of six buckets, in up to two broadcasts; some are of no broadcast
_PLACES = [
    bytes(7) + bytes((broadcast, bucket, *bytes(6), number))
    for bucket in range(6)
    for number in range(25)
    for broadcast in range(number % 3 + 1)
]


def known(env: Environment) -> RecentRecords:
    """What a process knows that has just begun."""
    return RecentRecords(*map(env.db, (keys.RECENT, keys.DELIVERIES, keys.MAILED)))


class World:
    """Several processes that write to and read from one store, and what each state of it must say."""

    def __init__(self, env: Environment, seed: int) -> None:
        self.env = env
        self.rng = random.Random(seed)
        self.processes = [known(env) for _ in range(3)]
        self.truth: dict[bytes, bytes] = {}
        self.wrong = 0
        self.most_rows = 0

    def write(self) -> None:
        """One commit, or one that comes to nothing."""
        places = self.rng.sample(_PLACES, self.rng.choice((1, 3, 10, 60)))
        process = self.rng.choice(self.processes)
        truth = dict(self.truth)
        try:
            with self.env.write() as txn:
                writer = RecordsWriter(process, txn)
                for place in places:
                    self.wrong += writer.get(place) != truth.get(place)
                    truth[place] = self.rng.randbytes(self.rng.choice((1, 40, 300, 3_000)))
                    writer.set(place, truth[place])
                self.wrong += writer.found(_PLACES) != truth
                writer.finish()
                self.wrong += any(writer.get(place) != truth.get(place) for place in _PLACES)
                self.ask_who_was_mailed(writer, truth)
                self.most_rows = max(self.most_rows, txn.stat(self.env.db(keys.RECENT))["entries"])
                if self.rng.random() < 0.1:
                    raise KeyError
        except KeyError:
            return
        self.truth = truth
        if self.rng.random() < 0.7:
            # Whoever does not say so, or is overtaken by a reader, reads it back.
            if self.rng.random() < 0.2:
                with self.env.read() as txn:
                    Records(process, txn)
            writer.committed()

    def look(self, seen: Records, truth: dict[bytes, bytes]) -> None:
        """Compare some records, or all, with what they must be."""
        places = _PLACES if self.rng.random() < 0.1 else self.rng.sample(_PLACES, 8)
        if self.rng.random() < 0.3:
            self.wrong += seen.get_all(places) != [truth.get(place) for place in places]
            self.wrong += seen.found(places) != {place: truth[place] for place in places if place in truth}
        else:
            self.wrong += any(seen.get(place) != truth.get(place) for place in places)

        self.ask_who_was_mailed(seen, truth)

    def ask_who_was_mailed(self, seen: Records, truth: dict[bytes, bytes]) -> None:
        recipient = self.rng.choice(_PLACES)[8:]
        listed = [place[7] for place in sorted(truth) if place[8:] == recipient and place[7]]
        self.wrong += seen.mailed(0, int.from_bytes(recipient, "big")) != listed

    def run(self, steps: int) -> int:
        """Let transactions of different age live beside each other; returns how many looks went wrong."""
        with ExitStack() as stack:
            open_: list[tuple[ExitStack, Records, dict[bytes, bytes]]] = []
            for _ in range(steps):
                self.write()
                if self.rng.random() < 0.05:
                    self.processes[self.rng.randrange(3)] = known(self.env)
                if self.rng.random() < 0.5:
                    one = stack.enter_context(ExitStack())
                    txn = one.enter_context(self.env.read())
                    open_.append((one, Records(self.rng.choice(self.processes), txn), self.truth))
                while len(open_) > 12 or (open_ and self.rng.random() < 0.3):
                    open_.pop(self.rng.randrange(len(open_)))[0].close()
                for _, seen, truth in open_:
                    self.look(seen, truth)
        return self.wrong


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few records may wait that most things happen often."""
    monkeypatch.setattr(records, "MAX_WAITING", 40)
    monkeypatch.setattr(records, "_MANY", 50)
    monkeypatch.setattr(records, "_MAX_ROWS", 120)
    monkeypatch.setattr(records, "_LINGERING_ROWS", 3)
    monkeypatch.setattr(records, "_MAX_VERSIONS", 3)


@pytest.mark.parametrize("seed", range(20))
def test_each_transaction_sees_its_own_state(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    env = Environment(tmp_path / "data", map_size=2**26)
    world = World(env, seed)
    assert world.run(150) == 0
    assert world.most_rows < 400, "what is in its place leaves RECENT"
    env.close()


def test_few_deliveries_that_change_for_ever_fill_nothing(tmp_path: Path) -> None:
    env = Environment(tmp_path / "data", map_size=2**26)
    process = known(env)
    for turn in range(1_000):
        with env.write() as txn:
            writer = RecordsWriter(process, txn)
            for place in _PLACES[turn % 7 : turn % 7 + 3]:
                writer.set(place, b"%d" % turn)
            writer.finish()
            assert txn.stat(env.db(keys.RECENT))["entries"] <= 123
    assert sum(map(len, process.waiting)) <= 9
    assert sum(len(places) for _, places in process._rows) < 1_000
    env.close()


@pytest.mark.row("T10")
@pytest.mark.parametrize("spare", [_AS_SHIPPED, 1 << 20])
def test_a_flood_of_one_token_that_comes_one_by_one_fills_little(
    spare: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limits of a server. A hundred hits of it are kept in its record, which each commit writes anew."""
    monkeypatch.setattr(records, "MAX_WAITING", 65_536)
    monkeypatch.setattr(records, "_MAX_ROWS", 8_192)
    monkeypatch.setattr(records, "_SPARE_ROWS", spare)
    env = Environment(tmp_path / "data", map_size=2**26)
    write_now(env, [opened(number) for number in range(2, 200)])
    before = (env.path / "data.mdb").stat().st_size
    for turn in range(1_500):
        write_now(env, [opened(1, at=T0_US + turn * 1_000_000)])
    grown = (env.path / "data.mdb").stat().st_size - before
    print(f"{grown:,} octets for 1,500 commits")
    assert Reader(env).counts(1, 1)["opens_raw"] == 198 + 1_500
    assert (grown <= 2 * 2**20) is (spare == _AS_SHIPPED), "the control: without it all of them would stay"
    assert verify(env).is_sound
    env.close()


@pytest.mark.parametrize("mistake", ["versions", "forgotten", "range"])
def test_the_control_a_mistake_shows(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: Records, place: bytes) -> bytes | None:
        version = self._newest.get(place)
        while version is not None and version.number > self._last and mistake != "versions":
            version = version.older
        if version is not None and (version.number >= self._first or mistake == "range"):
            return version.raw
        if version is records._FORGOTTEN or (self._known.forgotten_below > self._first and mistake != "forgotten"):
            return self.all_recent().get(place)
        return None

    monkeypatch.setattr(Records, "recent", careless)
    wrong = 0
    for seed in range(20):
        env = Environment(tmp_path / f"data{seed}", map_size=2**26)
        wrong += World(env, seed).run(100)
        env.close()
    assert wrong
