"""The dictionary that forgets."""

from __future__ import annotations

import random

from tracker.hot.bounded import Bounded


def test_what_is_used_stays_and_the_rest_goes() -> None:
    kept: Bounded[int, str] = Bounded(100)
    for number in range(1_000):
        kept.put(number, str(number))
        assert kept.get(0) == "0"  # asked for each time
        assert len(kept) <= 100
    assert kept.get(999) == "999" and kept.get(960) == "960"
    assert kept.get(1) is None and kept.get(800) is None


def test_the_last_half_of_what_was_used_is_always_there() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    kept: Bounded[int, int] = Bounded(20)
    used: list[int] = []
    for _ in range(5_000):
        number = rng.randrange(40)
        recent = list(dict.fromkeys(reversed(used)))[:10]
        found = kept.get(number)
        assert found == number if number in recent else found in (None, number)
        if found is None:
            kept.put(number, number)
        used.append(number)
        assert len(kept) <= 20
