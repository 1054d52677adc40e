"""Recipients listed together leave in the store, octet for octet, what they leave one by one."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from model.address import Address
from model.detail import Excluded, ExcludedKind, Planned
from model.errors import AddressError
from model.fact import DeliveryKey, Fact, FactType, ids_of_planned
from store import keys
from store.codec import pack_fact, unpack_fact
from store.environment import Environment
from store.group import Facts
from store.listed import ListedTogether, list_together
from store.log import scan_log
from store.roster import read_page
from store.rows import rows_of
from store.writer import write_now
from tests.store.world import HOUR, T0_US, failed, opened

SEED = int(os.environ.get("SEED", random.randrange(2**32)))
QUARTER = HOUR // 4
ADDRESSES = [
    "taro{}@example.jp", "TARO{}@Example.JP", "u{}@mail.example.com", "a b{}@example.org", "{}", "x{}@日本.jp",
    "山{}@x.jp",
]  # fmt: skip
WORDS = [None, None, "", "山田", "ＡＢＣ", "Smith", "two\nlines", "ﾀﾛｳ", "\u0301x", "ß\x1f"]


def listing(rng: random.Random, number: int, at_us: int, broadcast: int) -> Fact:
    """Somebody listed by a row that says more or less."""
    said = [rng.choice(WORDS) for _ in range(rng.choice((0, 4, 11)))]
    tags = tuple(rng.choices(["a", "b", "ｃ"], k=rng.choice((0, 0, 2))))
    words = said[:4] + ([None] * (4 - len(said[:4]))) + [tags] + said[4:]
    detail = Planned(rng.choice(ADDRESSES).format(number), rng.randbytes(8), *words)  # type: ignore[arg-type]
    key = DeliveryKey(1, broadcast, number + 1)
    return Fact(
        FactType.PLANNED, key, at_us, detail, node=rng.choice((0, 3, 200)), is_html=broadcast != 2 or rng.random() < 0.5
    )


def together(facts: Sequence[Fact]) -> ListedTogether:
    """The same, listed together: all are of one node."""
    details = [fact.detail for fact in facts]
    return list_together(
        [fact.key.pack() for fact in facts],
        [detail.row for detail in details if isinstance(detail, Planned)],
        list(zip(*[[value for at, value in enumerate(astuple(detail)) if at != 1] for detail in details], strict=True)),
        [domain_of(detail.address) for detail in details if isinstance(detail, Planned)],
        [fact.at_us for fact in facts],
        [fact.is_html for fact in facts],
        node=facts[0].node,
    )


def domain_of(text: str) -> str:
    """The domain of an address, empty where it is none."""
    try:
        return Address.parse(text).domain
    except AddressError:
        return ""


def stored(path: Path, batches: Iterable[Facts]) -> tuple[dict[bytes, object], int]:
    """All that batches leave in a store, and how many facts were new."""
    env = Environment(path, map_size=2**26)
    added = sum(write_now(env, batch).added for batch in batches)
    rows: dict[bytes, object] = {name: list(rows_of(env, name)) for name in keys.DATABASES if name != keys.META}
    # Whoever lists many compresses their facts by themselves, so that chunks are cut elsewhere.
    rows[keys.LOG] = list(scan_log(env))
    env.close()
    return rows, added


def batch(rng: random.Random, size: int) -> tuple[list[Fact], list[Fact | ListedTogether]]:
    """Facts in which listings stand in runs, and the same with the runs listed together."""
    plain: list[Fact] = []
    mixed: list[Fact | ListedTogether] = []
    for turn in range(rng.choice((1, 3))):
        at_us, broadcast = T0_US + rng.randrange(3 * QUARTER), rng.choice((1, 1, 2, 3))
        numbers = rng.choices(range(60), k=size) if rng.random() < 0.5 else rng.sample(range(200), size)
        run = [listing(rng, number, at_us + 8 * place, broadcast) for place, number in enumerate(numbers)]
        run = [replace(fact, node=run[0].node) for fact in run]
        plain += run
        mixed.append(together(run))
        other = [
            opened(numbers[0] + 1, broadcast, at=at_us + HOUR),
            failed(numbers[-1] + 1, broadcast, at=at_us + turn),
            replace(run[0], type=FactType.EXCLUDED, detail=Excluded(ExcludedKind.ROLE, "role")),
        ]
        other = rng.sample(other, rng.randrange(4))
        plain += other
        mixed += other
    return plain, mixed


@pytest.mark.parametrize("turn", range(6))
def test_listed_together_or_one_by_one_is_the_same(tmp_path: Path, turn: int) -> None:
    print(f"SEED={SEED}")
    rng = random.Random(f"{SEED} {turn}")
    batches = [batch(rng, rng.choice((1, 7, 50))) for _ in range(6)]
    one, added = stored(tmp_path / "one", [plain for plain, _ in batches])
    other, added_together = stored(tmp_path / "other", [mixed for _, mixed in batches])
    assert added == added_together
    for name in one:
        assert one[name] == other[name], name


def test_another_domain_makes_a_difference(tmp_path: Path) -> None:
    """Negative control of the test above."""
    rng = random.Random(1)
    facts = [listing(rng, number, T0_US + 8 * number, 1) for number in range(20)]
    facts = [replace(fact, node=0) for fact in facts]
    listed = together(facts)
    one, _ = stored(tmp_path / "one", [[listed]])
    domains = [*listed.domains[:-1], "other.example"]
    other, _ = stored(tmp_path / "other", [[replace(listed, domains=domains)]])
    assert [name for name in one if one[name] != other[name]] == [keys.RECENT, keys.DELIVERIES, keys.COUNTERS]


def test_a_listing_says_what_its_fact_says() -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    for _ in range(100):
        facts = [listing(rng, number, T0_US + 8 * number, 1) for number in range(rng.choice((1, 2, 30)))]
        facts = [replace(fact, node=facts[0].node) for fact in facts]
        listed = together(facts).columns()
        assert listed.packed() == [pack_fact(fact) for fact in facts]
        assert [unpack_fact(packed) for packed in listed.packed()] == facts
        assert list(listed.places) == [fact.key.pack() for fact in facts]
        assert list(listed.times) == [fact.at_us for fact in facts]
        assert list(listed.marks) == [fact.id[:8] for fact in facts]
        rows = [fact.detail.row for fact in facts if isinstance(fact.detail, Planned)]
        assert ids_of_planned([fact.key.pack() for fact in facts], rows) == [fact.id for fact in facts]
    nobody = list_together([], [], [[]] * 13, [], [], [], node=0)
    assert (len(nobody), nobody.columns().packed()) == (0, [])


def test_a_lone_surrogate_is_kept(tmp_path: Path) -> None:
    fact = Fact(FactType.PLANNED, DeliveryKey(1, 1, 1), T0_US, Planned("a@x.jp", b"row00001", last_name="\ud800"))
    env = Environment(tmp_path / "data", map_size=2**26)
    write_now(env, [fact])
    (page,) = rows_of(env, keys.ROSTER)
    assert read_page(*page).rows[0].last_name == "\ud800"
    env.close()
