"""Damaged bits (D11): no wrong fact is ever served, and what is wrong is found: by ``verify``, and by ``scrub`` where a
checksum stands.

Flips in the log, in derived records and anywhere in the file are counted apart, and how often a read between two
verifications would have been wrong.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from model.fact import DeliveryKey
from store import keys
from store.environment import Environment
from store.errors import StoreError
from store.log import read_fact, scan_log
from store.maintenance import compact
from store.reader import Reader
from store.rows import rows_of
from store.scrub import scrub
from store.verify import verify
from store.writer import write_now
from tests.store.world import random_facts
from tests.torture.checker import Checker
from tests.torture.result import Result, torture

_MAP = 2**26


def build(path: Path, seed: int) -> None:
    """Write a store to damage. Compact, so that no free page holds an old copy and takes flips that mean nothing."""
    env = Environment(path, map_size=_MAP)
    rng = random.Random(seed)
    for _ in range(4):
        write_now(env, random_facts(rng, 100))
    env.close()
    compact(path)


def places(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Return where in the file values lie, as (offset, length), those of the log and those derived apart."""
    raw = (path / "data.mdb").read_bytes()
    env = Environment(path, map_size=_MAP)
    found: dict[str, list[tuple[int, int]]] = {"log": [], "derived": []}
    with env.read() as txn:
        for name in (keys.LOG, keys.RECENT, keys.DELIVERIES, keys.COUNTERS, keys.SUPPRESSED, keys.BROADCASTS):
            with txn.cursor(db=env.db(name)) as cursor:
                is_there = cursor.first()
                while is_there:
                    # LMDB keeps a value right behind its key.
                    pair = cursor.key() + cursor.value()
                    at = raw.find(pair)
                    assert at >= 0 and raw.find(pair, at + 1) < 0
                    found["log" if name == keys.LOG else "derived"].append((at, len(pair)))
                    is_there = cursor.next()
    env.close()
    found["anywhere"] = [(0, len(raw))]
    return found


def say(env: Environment) -> tuple[dict[str, str], list[str]]:
    """Return what the store tells of its facts and of what it derived, a hash for each read, and refused reads."""
    said: dict[str, str] = {}
    refused: list[str] = []

    def note(name: str, read: Any) -> None:
        try:
            said[name] = hashlib.sha256(repr(read()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        except StoreError as error:
            refused.append(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 - counted as an error that is not of the store
            refused.append(f"{name}: foreign {type(error).__name__}")

    reader = Reader(env)
    with env.read() as txn:
        for seq in range(1, 600):
            note(f"fact {seq}", lambda seq=seq: read_fact(env, txn, seq))
    note("facts", lambda: list(scan_log(env)))
    for broadcast in (1, 2, 3):
        note(f"derived counts {broadcast}", lambda b=broadcast: (reader.counts(1, b), reader.broadcast(1, b)))
        note(f"derived links {broadcast}", lambda b=broadcast: reader.links(1, b))
        note(
            f"derived deliveries {broadcast}",
            lambda b=broadcast: [
                (d.key, d.outcome.state, d.outcome.cause, d.outcome.opens, d.outcome.clicks, d.outcome.at_us)
                for place, _ in rows_of(env, keys.DELIVERIES)
                if (d := reader.delivery(DeliveryKey.unpack(place))) is not None and d.key.broadcast == b
            ],
        )
    note("derived suppressions", lambda: [row.entry for row in reader.suppressions(1, limit=500).rows])
    return said, refused


def examine(path: str, truth: dict[str, str] | None) -> dict[str, Any]:
    """Read all of a store and compare with the ``truth``, if given."""
    env = Environment(Path(path), map_size=_MAP)
    said, refused = say(env)
    if truth is None:
        return {"truth": said}
    differing = [name for name, value in said.items() if truth.get(name) != value]
    try:
        is_reported = not verify(env).is_sound
    except Exception:  # noqa: BLE001 - a verify that fails has told, too
        is_reported = True
    try:
        is_scrubbed = scrub(env, lambda rows: None).damaged > 0
    except Exception:  # noqa: BLE001 - as above
        is_scrubbed = True
    return {
        "scrubbed": is_scrubbed,
        "facts": sum(name.startswith("fact") for name in differing),
        "derived": sum(name.startswith("derived") for name in differing),
        "refused": len([text for text in refused if "is not in the log" not in text]),
        "foreign": len([text for text in refused if "foreign" in text]),
        "reported": is_reported,
    }


def flips(*, seed: int, tries: int, region: str) -> Counter[str]:
    """Flip one bit ``tries`` times in a ``region`` (log, derived, anywhere) and count what came of it."""
    rng = random.Random(f"{seed} {region}")
    counted: Counter[str] = Counter()
    shm = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder,
        Checker("tests.torture.store_flips:examine") as check,
    ):
        source = Path(folder) / "source"
        build(source, seed)
        spans = places(source)[region]
        raw = (source / "data.mdb").read_bytes()
        truth = check(path=str(source), truth=None)["truth"]
        control = check(path=str(source), truth=truth)
        assert not any(control[name] for name in ("facts", "derived", "reported", "scrubbed")), (
            f"the control: {control}"
        )
        damaged = Path(folder) / "damaged"
        damaged.mkdir()
        weights = [length for _, length in spans]
        for _ in range(tries):
            start, length = rng.choices(spans, weights)[0]
            at = start + rng.randrange(length)
            (damaged / "data.mdb").write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :])
            counted[_judge(check(path=str(damaged), truth=truth), counted)] += 1
    return counted


def _judge(found: dict[str, Any], counted: Counter[str]) -> str:
    if "died" in found:
        return "reader refused or died"
    counted["foreign errors"] += bool(found["foreign"])
    counted["wrong facts"] += bool(found["facts"])
    counted["wrong derived"] += bool(found["derived"])
    counted["not found by scrub"] += not found["scrubbed"]
    counted["wrong derived, not reported"] += bool(found["derived"]) and not found["reported"]
    if found["facts"] or found["derived"]:
        return "answered wrong"
    if found["refused"]:
        return "refused"
    return "reported by verify only" if found["reported"] else "harmless"


@torture(tries=1_000)
def bit_flips(*, seed: int, tries: int) -> Result:
    """A third in log chunks, a third in derived values, a third anywhere.

    Wrong are wrong facts, wrong answers that nobody reports, and damaged values that ``scrub`` takes for sound.
    """
    found = {region: flips(seed=seed, tries=tries // 3, region=region) for region in ("log", "derived", "anywhere")}
    wrong = sum(counted["wrong facts"] + counted["wrong derived, not reported"] for counted in found.values())
    wrong += found["log"]["harmless"]  # in a chunk nothing is harmless
    wrong += found["log"]["not found by scrub"] + found["derived"]["not found by scrub"]
    note = {region: dict(sorted(counted.items())) for region, counted in found.items()}
    return Result("bit_flips", tried=tries // 3 * 3, lost=0, wrong=wrong, seed=seed, note=str(note))
