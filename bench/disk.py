"""Bytes of disk an open takes, with the log, the delivery's record and every index."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from bench.comparison import Comparison, Options, measured
from bench.opens import BATCH, Opens, commit, places_of
from store import keys
from store.environment import Environment

_DELIVERIES = 200_000
#: How many of a hundred recipients open a mail once, twice, ...
_TIMES = (40, 25, 15, 10, 10)
#: Opens a second while a mailing is being opened; sets how far apart their times are.
_PER_S = 20.0
_REPORT_EVERY = 100_000


def measure_disk(_options: Options, deliveries: int = _DELIVERIES) -> list[Comparison]:
    """Store opens as a live server does, in the order of their time, and see how much the store has grown."""
    rng = random.Random(1)
    times = rng.choices(range(1, len(_TIMES) + 1), _TIMES, k=deliveries)
    keys = places_of(1, [rng.getrandbits(64) for _ in range(deliveries)])
    places = [place for place, count in zip(keys, times, strict=True) for _ in range(count)]
    rng.shuffle(places)
    visitors = Opens(rng, per_s=_PER_S)
    with tempfile.TemporaryDirectory(prefix="yamabiko-bench-disk-") as folder:
        env = Environment(Path(folder) / "data")
        try:
            before = env.info()["used"]
            for start in range(0, len(places), BATCH):
                commit(env, visitors.opens(places[start : start + BATCH]))
                if start % _REPORT_EVERY == 0:
                    print(f"disk: {start:,} of {len(places):,} opens", file=sys.stderr, flush=True)
            used = env.info()["used"] - before
            parts = _parts(env, len(places))
        finally:
            env.close()
    note = (
        f"{len(places):,} opens of {deliveries:,} deliveries not known before, 1 to {len(_TIMES)} each in random "
        f"order, visitors drawn anew for each, {BATCH} a commit; {used / 1e6:.0f} MB of pages, free ones included; "
        f"{parts}"
    )
    return [measured("disk", used / len(places), "bytes/open", note)]


def _parts(env: Environment, opens: int) -> str:
    """Return in words how many bytes an open each database takes; what is missing to the whole are free pages."""
    found: list[tuple[int, str]] = []
    with env.read() as txn:
        for name in keys.DATABASES:
            stat = txn.stat(env.db(name))
            pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
            found.append((pages * stat["psize"], name.decode()))
    return ", ".join(f"{name} {size / opens:.1f}" for size, name in sorted(found, reverse=True) if size / opens >= 0.05)
