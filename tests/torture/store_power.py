"""Power loss at any moment (D3): replay what a disk may hold, and look for every acknowledged fact.

A writing process is recorded by a preloaded library (recorder.c). A crash state is what was synced for certain,
and of the writes since then none, all, some, or some sectors of 512 octets, in any order.
"""

from __future__ import annotations

import random
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.environment import Environment
from store.log import scan_log
from store.reader import Reader
from store.verify import verify
from store.writer import next_seq, write_now
from tests.store import children
from tests.store.world import planned
from tests.torture.checker import Checker
from tests.torture.result import Result, torture

_SECTOR = 512
_VARIANTS = ("none", "all", "subset", "torn", "torn", "late half")

#: Writes with the writer as servers do; acknowledges only what resolved. ``mode`` adds LMDB flags we never use.
_WORKLOAD = """
import asyncio, ctypes, functools, sys
from pathlib import Path
import store.environment
from store import records
from store.writer import Writer
from tests.store.world import clicked, failed, opened, planned, T0_US
flags = {"default": {}, "nosync": {"sync": False}, "nometasync": {"metasync": False}}[sys.argv[2]]
store.environment.lmdb.open = functools.partial(store.environment.lmdb.open, **flags)
libc = ctypes.CDLL(None)
records.MAX_WAITING = 10  # so that records are put in their places all the time
async def main():
    env = store.environment.Environment(Path(sys.argv[1]), map_size=2**26)
    writer = Writer(env)
    writer.start()
    async def one(n):
        await writer.submit([planned(n), opened(n, at=T0_US + n * 8), *([failed(n)] if n % 5 == 0 else [])])
        libc.yb_ack(ctypes.c_uint64(n))
    for turn in range(int(sys.argv[3])):
        await asyncio.gather(*(one(turn * 4 + i + 1) for i in range(turn % 4 + 1)))
    writer.stop()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Operation:
    kind: str
    offset: int
    data: bytes


def record(folder: Path, library: Path, mode: str, turns: int) -> list[Operation]:
    """Run the workload and return what it did to its file, with the acknowledgements."""
    log = folder / f"{mode}.record"
    preload = {"LD_PRELOAD": str(library), "YB_RECORD": str(log)}
    children.run(_WORKLOAD, folder / mode, mode, turns, env=preload)
    return list(_read(log.read_bytes()))


def _read(raw: bytes) -> Iterator[Operation]:
    position = 0
    while position < len(raw):
        kind, offset, size = struct.unpack_from("<cQI", raw, position)
        position += 13
        yield Operation(kind.decode(), offset, raw[position : position + size])
        position += size


def crash_state(operations: list[Operation], point: int, variant: str, rng: random.Random) -> tuple[bytes, list[int]]:
    """Return what the file may hold after a crash during operation ``point``, and what was acknowledged by then."""
    image = bytearray()
    pending: list[Operation] = []
    acknowledged: list[int] = []
    for operation in operations[:point]:
        if operation.kind == "A":
            acknowledged.append(operation.offset)
        elif operation.kind == "S":
            for earlier in pending:
                _apply(image, earlier)
            pending = []
        elif operation.kind == "D":
            _apply(image, operation)  # through O_DSYNC: on disk when the call returns
        elif operation.kind in "WT":
            pending.append(operation)
    if operations[point].kind in "WDT":
        pending.append(operations[point])
    for write in _survivors(pending, variant, rng):
        _apply(image, write)
    return bytes(image), acknowledged


def _survivors(pending: list[Operation], variant: str, rng: random.Random) -> list[Operation]:
    if variant == "none":
        return []
    if variant == "all":
        return pending
    if variant == "late half":
        return pending[len(pending) // 2 :][::-1]
    if variant == "torn":
        pending = [
            Operation("W", write.offset + at, write.data[at : at + _SECTOR])
            for write in pending
            if write.kind != "T"
            for at in _sectors(write)
        ]
    share = rng.choice([0.2, 0.5, 0.9])
    return [write for write in pending if rng.random() < share]


def _sectors(write: Operation) -> range:
    # LMDB's writes begin on sectors, but those of a meta page lie within one.
    return range(0, len(write.data), _SECTOR)


def _apply(image: bytearray, operation: Operation) -> None:
    if operation.kind == "T":
        del image[operation.offset :]
        image.extend(bytes(operation.offset - len(image)))
        return
    image.extend(bytes(max(0, operation.offset - len(image))))
    image[operation.offset : operation.offset + len(operation.data)] = operation.data


def examine(path: str, acknowledged: list[int], is_thorough: bool) -> dict[str, Any]:
    """Open a crashed store as a server would: everything acknowledged there, nothing half, and writable.

    ``is_thorough`` folds all facts anew, which takes most of the time; else counts are held against facts.
    """
    env = Environment(Path(path), map_size=2**26)
    facts = [fact for _, fact in scan_log(env)]
    there = Counter(fact.key.recipient for fact in facts)
    lost = [n for n in acknowledged if there[n] != 2 + (n % 5 == 0)]
    half = [n for n, count in there.items() if count != 2 + (n % 5 == 0)]
    opens = Reader(env).counts(1, 1).get("opens_raw", 0)
    is_sound = verify(env).is_sound if is_thorough else opens == len(there) and next_seq(env) == len(facts) + 1
    is_writable = write_now(env, [planned(10**6)]).added == 1
    return {"lost": len(lost), "wrong": len(half) + (not is_sound) + (not is_writable)}


def replay(
    operations: list[Operation], *, tries: int, rng: random.Random, scratch: Path
) -> tuple[int, int, Counter[str]]:
    """Examine ``tries`` crash states; returns states with lost facts, states wrong otherwise, and how they died."""
    born = next(i for i, operation in enumerate(operations) if operation.kind == "A")
    lost = wrong = 0
    deaths: Counter[str] = Counter()
    with Checker("tests.torture.store_power:examine") as check:
        for turn in range(tries):
            point = rng.randrange(born, len(operations))
            image, acknowledged = crash_state(operations, point, rng.choice(_VARIANTS), rng)
            path = scratch / str(turn)
            path.mkdir()
            (path / "data.mdb").write_bytes(image)
            found = check(path=str(path), acknowledged=acknowledged, is_thorough=turn % 4 == 0)
            if "died" in found:
                deaths[found["died"].partition(":")[0]] += 1
                lost += 1
            else:
                lost += bool(found["lost"])
                wrong += bool(found["wrong"])
            for leftover in path.iterdir():
                leftover.unlink()
            path.rmdir()
    return lost, wrong, deaths


def power_loss_states(mode: str, *, seed: int, tries: int, turns: int = 60) -> tuple[int, int, Counter[str]]:
    """Record one run in ``mode`` and replay crash states of it."""
    rng = random.Random(f"{seed} {mode}")
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as name:
        folder = Path(name)
        library = children.compile_preload(Path(__file__).with_name("recorder.c"), folder / "recorder.so")
        operations = record(folder, library, mode, turns)
        assert not any(operation.kind == "M" for operation in operations), "msync: a map that is written to"
        return replay(operations, tries=tries, rng=rng, scratch=folder)


@torture(tries=2_000)
def power_loss(*, seed: int, tries: int) -> Result:
    """Crash states of the durable mode; those of the modes we never use must lose."""
    lost, wrong, deaths = power_loss_states("default", seed=seed, tries=tries)
    controls = {}
    for mode in ("nosync", "nometasync"):
        bad_lost, bad_wrong, bad_deaths = power_loss_states(mode, seed=seed, tries=max(tries // 10, 40))
        controls[mode] = f"{bad_lost + bad_wrong} of {max(tries // 10, 40)} bad {dict(bad_deaths)}"
        assert bad_lost + bad_wrong, f"the negative control {mode} lost nothing: this test is void"
    return Result(
        "power_loss", tried=tries, lost=lost, wrong=wrong, seed=seed, note=f"deaths {dict(deaths)}; controls {controls}"
    )
