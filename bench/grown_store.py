"""Stores of millions of facts: made once, through the store's own writer, and kept for the next time if asked to."""

from __future__ import annotations

import json
import random
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.opens import LISTING_US, START_US, Opens, commit, listings, places_of
from bench.ours import running_ours
from store import keys
from store.environment import Environment
from store.writer import next_seq

#: Facts of a commit while filling.
_BATCH = 30_000
_BROADCASTS = 5
#: What each delivery has in the end, in passes, since a record grows at different times: it is listed, as by senders.
_PASSES = (("listings", 1), ("opens", 1), ("clicks", 1), ("opens", 2))
_FACTS_PER_DELIVERY = sum(count for _, count in _PASSES)
_SHAPE_FILE = "bench-shape.json"
_US_PER_DAY = 86_400_000_000
_MAP_SIZE = 256 * 2**30


@dataclass(frozen=True, slots=True)
class Shape:
    """What is in a store: ``recipients`` times ``broadcasts`` deliveries with five facts each."""

    recipients: int
    broadcasts: int = _BROADCASTS
    seed: int = 1

    @property
    def facts(self) -> int:
        """How many facts a store of this shape has."""
        return self.recipients * self.broadcasts * _FACTS_PER_DELIVERY

    def numbers(self) -> array[int]:
        """Return the numbers of the recipients, sorted."""
        rng = random.Random(self.seed)
        return array("Q", sorted(rng.getrandbits(64) for _ in range(self.recipients)))


def shape_for(facts: int) -> Shape:
    """Return the shape of about so many facts: 2,000,000 recipients for 50,000,000."""
    return Shape(max(1, facts // (_BROADCASTS * _FACTS_PER_DELIVERY)))


def home_in(folder: Path) -> Path:
    """Return a home in ``folder`` whose data directory a large store can be made in, and ``serve`` then works on.

    It is started once when it is new: a server refuses data that came before its keys.
    """
    home = folder / "home"
    if not (home / "secrets").exists():
        with running_ours(home=home):
            pass
    return home


@contextmanager
def grown_store(path: Path, shape: Shape) -> Iterator[Environment]:
    """Open the store in ``path``; fill it first unless it has this shape, in today's format, already.

    A fill that was broken off begins anew; what timed runs added later is left in.
    """
    marker = path / _SHAPE_FILE
    made = {**asdict(shape), "format": keys.FORMAT_VERSION}
    is_filled = marker.exists() and json.loads(marker.read_text(encoding="ascii")) == made
    if not is_filled:
        marker.unlink(missing_ok=True)
        for name in ("data.mdb", "lock.mdb"):
            (path / name).unlink(missing_ok=True)
    env = Environment(path, map_size=_MAP_SIZE)
    try:
        if not is_filled:
            _fill(env, shape)
            marker.write_text(json.dumps(made), encoding="ascii")
        _warm(path / "data.mdb")
        yield env
    finally:
        env.close()


def _warm(path: Path) -> None:
    """Read a file through, so that a store kept since yesterday is in memory as one just made is."""
    with path.open("rb", buffering=0) as file:
        while file.read(2**24):
            pass


def _fill(env: Environment, shape: Shape) -> None:
    """Fill broadcast by broadcast, pass by pass, recipients in the order of their keys: pages are written once."""
    rng, numbers, stored = random.Random(shape.seed), shape.numbers(), 0
    for broadcast in range(1, shape.broadcasts + 1):
        for day, (kind, count) in enumerate(_PASSES):
            start_us = START_US + (broadcast * 7 + day) * _US_PER_DAY
            visitors = Opens(rng, start_us, per_s=len(numbers) * count / 80_000)
            step, began, before = _BATCH // count, time.monotonic(), stored
            for start in range(0, len(numbers), step):
                places = places_of(broadcast, numbers[start : start + step])
                if kind == "listings":
                    commit(env, [listings(places, range(start, start + len(places)), start_us + start * LISTING_US)])
                elif kind == "opens":
                    commit(env, visitors.opens(places * count))
                else:
                    commit(env, visitors.clicks(places * count))
                stored += len(places) * count
            rate, size = (stored - before) / (time.monotonic() - began), env.info()["used"] / stored
            line = f"filling: {stored:,} of {shape.facts:,} facts, {kind} at {rate:,.0f}/s, {size:.0f} bytes a fact"
            print(line, file=sys.stderr, flush=True)
    assert next_seq(env) - 1 == shape.facts
