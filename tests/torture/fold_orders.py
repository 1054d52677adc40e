"""The fold under any order, any repetition and any split into batches (I9)."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from model.detail import Engaged
from model.fact import Fact, Hit
from store import keys, records
from store.environment import Environment
from store.record import Record
from store.rows import rows_of
from store.suppression import Suppression
from store.writer import write_now
from tests.store.world import random_facts
from tests.torture.result import Result, torture

_FACTS = 10_000
_COMPARED = (keys.COUNTERS, keys.MAILED, keys.FIRST_FAILED, keys.DEAD_HOSTS)


def state_of(env: Environment) -> dict[str, list[tuple[bytes, object]]]:
    """Return all that a store says, without the places of facts in its log."""
    said: dict[str, list[tuple[bytes, object]]] = {name.decode(): list(rows_of(env, name)) for name in _COMPARED}
    said["lists"] = sorted((key[:9], recipient) for key, recipient in rows_of(env, keys.LISTS))
    for name in (keys.DELIVERIES, keys.TEST_DELIVERIES):
        found = ((key, Record.unpack(key, value)) for key, value in rows_of(env, name))
        said[name.decode()] = [
            (key, (r.is_html, r.domain, r.summary, [entry[:4] for entry in r.entries])) for key, r in found
        ]
    entries = ((key, Suppression.unpack(key, value)) for key, value in rows_of(env, keys.SUPPRESSED))
    said["suppressed"] = [
        (key, (s.at_us, s.expires_at_us, s.failures, s.cause, s.is_on, s.everything, s.domain)) for key, s in entries
    ]
    return said


def fold(facts: list[Fact], rng: random.Random | None) -> dict[str, list[tuple[bytes, object]]]:
    """Return what a fresh store says after ``facts``: as they are, or shuffled, doubled and split by ``rng``."""
    with tempfile.TemporaryDirectory(prefix="yamabiko-orders-") as folder:
        env = Environment(Path(folder) / "data", map_size=2**30)
        records.MAX_WAITING = rng.choice((0, 100, 1_000, 32_768)) if rng is not None else 32_768
        order: list[Fact | Hit] = list(facts)
        if rng is not None:
            rng.shuffle(order)
            order += rng.sample(facts, len(facts) // 20)
            order = [as_hit(fact) if rng.random() < 0.5 else fact for fact in order if isinstance(fact, Fact)]
        while order:
            size = rng.randint(1, 3_000) if rng else 5_000
            write_now(env, order[:size])
            order = order[size:]
        state = state_of(env)
        env.close()
        return state


def as_hit(fact: Fact) -> Fact | Hit:
    """Return an open or a click as the tracker's fast path hands it in."""
    if not isinstance(fact.detail, Engaged):
        return fact
    return Hit(fact.type, fact.key.pack(), fact.at_us, fact.detail, fact.node, fact.is_test, fact.is_html)


@torture(tries=1_000)
def fold_orders(*, seed: int, tries: int) -> Result:
    """Fold 10,000 random facts twice for each of ``tries`` seeds: counters, lists, records, suppression are the same.

    The control: one delivery's facts left out must show.
    """
    wrong = 0
    for step in range(tries):
        rng = random.Random(seed + step)
        facts = random_facts(rng, _FACTS, recipients=400, broadcasts=4)
        plain = fold(facts, None)
        wrong += plain != fold(facts, rng)
        if step == 0 and fold([fact for fact in facts if fact.key != facts[0].key], rng) == plain:
            wrong += 1
    return Result(
        "fold_orders", tries, 0, wrong, seed, f"{tries} seeds of {_FACTS:,} facts, any order, split, repetition"
    )
