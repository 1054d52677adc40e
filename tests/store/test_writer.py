"""The writer's promise under faults: what resolved is durable, what failed may be sent again, nobody waits for ever."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from model.fact import Fact, FactType
from store import group
from store import keys as layout
from store.environment import Environment
from store.errors import (
    FactRefusedError,
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFailedError,
    StoreFullError,
)
from store.fold import Receipt
from store.gate import Candidate
from store.reader import Reader
from store.verify import verify
from store.writer import Writer, write_now
from tests.small_disk import mounted
from tests.store import children
from tests.store.world import T0_US, clicked, key, opened, planned, unsubscribed
from tests.system_packages import require

#: Says whether a second process finds a delivery.
_LOOK = """
import sys
from pathlib import Path
from model.fact import DeliveryKey
from store.environment import Environment
from store.reader import Reader
env = Environment(Path(sys.argv[1]), map_size=256 * 2**20)
print(Reader(env).delivery(DeliveryKey(1, 1, int(sys.argv[2]))) is not None)
"""
#: Takes the write lock and stops, as a paused machine does.
_HOLD = """
import os, signal, sys
from pathlib import Path
from store.environment import Environment
env = Environment(Path(sys.argv[1]), map_size=256 * 2**20)
with env.write() as txn:
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
async def writer(env: Environment) -> AsyncIterator[Writer]:
    started = Writer(env)
    started.start()
    yield started
    started.stop()


async def outcomes(futures: list[asyncio.Future[Receipt]]) -> list[Receipt | BaseException]:
    return await asyncio.gather(*futures, return_exceptions=True)


async def in_thread(work: Callable[..., str], *arguments: object) -> str:
    return await asyncio.to_thread(work, *arguments)


# The promise


async def test_what_resolved_is_found_by_another_process(env: Environment, writer: Writer) -> None:
    receipt = await writer.submit([planned(7)])
    assert receipt == Receipt(1, 0)
    assert (await in_thread(children.run, _LOOK, env.path, 7)).strip() == "True"
    assert (await in_thread(children.run, _LOOK, env.path, 8)).strip() == "False", "the control: what was not written"


async def test_nothing_resolves_before_its_commit(env: Environment, writer: Writer) -> None:
    holder = await asyncio.to_thread(children.start, _HOLD, env.path)
    try:
        assert await asyncio.to_thread(children.line, holder) == "held"
        future = writer.submit([planned(7)])
        await asyncio.sleep(0.3)
        assert not future.done()
        assert Reader(env).delivery(key(7)) is None
    finally:
        await asyncio.to_thread(children.kill, holder)
    assert await asyncio.wait_for(future, 5) == Receipt(1, 0)


async def test_submissions_of_one_moment_share_a_commit(env: Environment, writer: Writer) -> None:
    await outcomes([writer.submit([planned(i)]) for i in range(1, 2_001)])
    assert writer.commits < 20
    assert writer.facts_committed == 2_000


async def test_a_repeated_submission_says_known(writer: Writer) -> None:
    assert await writer.submit([planned(1), planned(2)]) == Receipt(2, 0)
    assert await writer.submit([planned(1), planned(2), planned(3)]) == Receipt(1, 2)


# One bad fact (D9)


def poison(turn: int) -> Fact:
    if turn % 2:
        return clicked(1, link=70_000)
    return Fact(FactType.OPENED, key(1), 2**70, opened().detail)


async def test_a_poison_fact_fails_alone(env: Environment, writer: Writer) -> None:
    refused = 0
    for turn in range(100):
        futures = [writer.submit([planned(turn * 20 + i)]) for i in range(19)]
        futures.insert(turn % 20, writer.submit([planned(turn * 20 + 19), poison(turn)]))
        results = await outcomes(futures)
        refused += isinstance(results.pop(turn % 20), FactRefusedError)
        assert all(isinstance(result, Receipt) for result in results)
    assert refused == 100, "the control: the poison is one"
    assert Reader(env).counts(1, 1)["listed"] == 1_900, "a submission is stored whole or not at all"
    assert writer.commits < 100 * 12, "by halves, not one by one"


async def test_a_damaged_record_fails_alone(tmp_path: Path) -> None:
    env = Environment(tmp_path / "data", map_size=64 * 2**20)
    with env.write() as txn:
        assert txn.put(key(7).pack(), b"\xc1 no record", db=env.db(layout.DELIVERIES))
    writer = Writer(env)
    writer.start()
    results = await outcomes([writer.submit([planned(i)]) for i in range(20)])
    writer.stop()
    assert isinstance(results.pop(7), StoreCorruptError)
    assert all(result == Receipt(1, 0) for result in results)
    env.close()


async def test_a_damaged_chunk_does_not_keep_an_unsubscribe_out(tmp_path: Path) -> None:
    env = Environment(tmp_path / "data", map_size=64 * 2**20)
    write_now(env, [planned(7)])
    with env.write() as txn:
        assert txn.put(layout.seq_key(1), b"damaged", db=env.db(layout.LOG))
    assert write_now(env, [unsubscribed(7)]) == Receipt(1, 0)
    assert Reader(env).preflight(1, [Candidate(7)], "", T0_US)[0] is not None
    env.close()


# The end


async def test_stop_drains_and_then_refuses(env: Environment) -> None:
    writer = Writer(env)
    writer.start()
    futures = [writer.submit([planned(i)]) for i in range(500)]
    writer.stop()
    assert all(result == Receipt(1, 0) for result in await outcomes(futures))
    with pytest.raises(StoreClosedError):
        await writer.submit([planned(1_000)])
    assert not writer.is_healthy


async def test_an_error_nobody_foresaw_ends_the_writer_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    called: list[bool] = []
    env = Environment(tmp_path / "data", map_size=64 * 2**20)
    writer = Writer(env, on_failed=lambda: called.append(True))
    monkeypatch.setattr(writer, "_store", lambda _: 1 / 0)
    writer.start()
    with pytest.raises(StoreFailedError):
        await asyncio.wait_for(writer.submit([planned()]), 10)
    with pytest.raises(StoreFailedError):
        await writer.submit([planned()])
    writer.stop()  # waits for the thread
    assert called == [True]
    assert not writer.is_healthy
    env.close()


async def test_a_map_that_cannot_grow_fails_the_submission_only(
    env: Environment, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("store.group.Fold.write_state", _raise_map_full)
        patch.setattr(env, "grow", _raise_store_error)
        with pytest.raises(StoreError):
            await writer.submit([planned()])
    assert await writer.submit([planned()]) == Receipt(1, 0)


def _raise_map_full(*_: object) -> None:
    import lmdb

    raise lmdb.MapFullError("test")


def _raise_store_error(*_: object) -> None:
    raise StoreError("no room to grow")


# A stall (D8)


@pytest.mark.parametrize("step", [64, 10**6])
async def test_many_facts_of_one_caller_are_slow_and_no_stall(
    step: int, env: Environment, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With steps too long to be noted, the negative control, they are told to come again."""
    real = group.Fold._take

    def slowly(fold: group.Fold, fact: Fact) -> bool:
        time.sleep(0.001)
        return real(fold, fact)

    monkeypatch.setattr(group.Fold, "_take", slowly)
    monkeypatch.setattr("store.writer.STALL_S", 0.4)
    monkeypatch.setattr(group, "_STEP", step)
    submitted = writer.submit([planned(number) for number in range(1, 1_501)])
    if step == 64:
        assert await submitted == Receipt(1_500, 0)
    else:
        with pytest.raises(StoreBusyError):
            await submitted


async def test_a_stalled_commit_is_told_in_time_and_a_retry_counts_once(env: Environment, writer: Writer) -> None:
    assert await asyncio.wait_for(writer.submit([planned()]), 1) == Receipt(1, 0), "the control: no stall, no error"
    holder = await asyncio.to_thread(children.start, _HOLD, env.path)
    try:
        assert await asyncio.to_thread(children.line, holder) == "held"
        facts = [clicked(at=T0_US)]
        begun = time.monotonic()
        in_flight = writer.submit(facts)
        await asyncio.sleep(0.1)
        queued = writer.submit([clicked(at=T0_US + 8)])
        for future in (in_flight, queued):
            with pytest.raises(StoreBusyError):
                await future
        assert time.monotonic() - begun <= 3.0
        assert not writer.is_healthy
    finally:
        await asyncio.to_thread(children.kill, holder)  # as the supervisor does
    retried = await asyncio.wait_for(writer.submit(facts), 5)
    assert retried == Receipt(0, 1), "the first was committed after all"
    assert (await asyncio.wait_for(writer.submit([clicked(at=T0_US + 8)]), 5)).added == 1, "the queued one was not"
    assert writer.is_healthy
    assert Reader(env).counts(1, 1)["clicks_raw"] == 2


# Map growth over processes (D6)

_GROWER = """
import asyncio, sys
from pathlib import Path
from store.environment import Environment
from store.reader import Reader
from store.writer import Writer
from tests.store.world import planned
import store.environment
sizes = set()
async def main(path, me, rounds, may_grow):
    env = Environment(path, map_size=2**19)
    if not may_grow:
        env.grow = lambda needed: None
    writer, reader, errors = Writer(env), Reader(env), 0
    writer.start()
    for turn in range(rounds):
        sizes.add(env.info()["map_size"])
        first = me * 1_000_000 + turn * 40
        facts = [[planned(first + i, address="x" * 40 + f"{first + i}@example.jp")] for i in range(40)]
        for result in await asyncio.gather(*map(writer.submit, facts), return_exceptions=True):
            errors += isinstance(result, BaseException)
        try:
            reader.counts(1, 1)
        except Exception:
            errors += 1
    writer.stop()
    print(errors, len(sizes))
asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "grow"))
"""


def test_the_map_grows_under_four_processes(tmp_path: Path) -> None:
    path, rounds = tmp_path / "data", 45
    started = [children.start(_GROWER, path, me, rounds, "grow") for me in range(1, 5)]
    found = [child.communicate(timeout=90)[0].split() for child in started]
    assert [child.returncode for child in started] == [0] * 4
    assert [errors for errors, _ in found] == ["0"] * 4
    # The control: the map that began with 2**19 octets did grow, more than once. A process that started late, or
    # slept, saw fewer of its sizes.
    assert (path / "data.mdb").stat().st_size > 2**20, found
    env = Environment(path, map_size=2**19)
    assert Reader(env).counts(1, 1)["listed"] == 4 * rounds * 40
    assert verify(env).is_sound
    env.close()


def test_without_growth_the_same_load_fails(tmp_path: Path) -> None:
    errors, _ = children.run(_GROWER, tmp_path / "data", 1, 45, "never").split()
    assert int(errors) > 0, "the control"


# A full disk (D5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    with mounted(tmp_path / "disk", megabytes=6) as point:
        yield point


async def test_a_full_disk_loses_nothing_and_heals(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(9 * 2**19))
    env = Environment(small_disk / "data", map_size=2**30)
    writer = Writer(env)
    writer.start()
    acknowledged: list[int] = []
    errors: list[BaseException] = []
    for turn in range(400):
        numbers = range(turn * 200, turn * 200 + 200)
        results = await outcomes([writer.submit([planned(n, address="x" * 60 + f"{n}@a.jp")]) for n in numbers])
        acknowledged += [n for n, result in zip(numbers, results, strict=True) if isinstance(result, Receipt)]
        errors += [result for result in results if isinstance(result, BaseException)]
        if len(errors) > 400:
            break
    assert errors and all(isinstance(error, StoreFullError) for error in errors), "the control: the disk was full"
    reader = Reader(env)
    assert acknowledged and all(reader.delivery(key(n)) is not None for n in acknowledged)
    assert reader.counts(1, 1)["listed"] == len(acknowledged)
    (small_disk / "ballast").unlink()
    begun = time.monotonic()
    assert (await writer.submit([planned(999_999)])).added == 1
    assert time.monotonic() - begun < 1
    writer.stop()
    assert verify(env).is_sound
    env.close()


# Failing writes (D4, M23)

_FAULTY = """
import asyncio, ctypes, errno, json, sys
import store.writer
from pathlib import Path
from store.environment import Environment
from store.errors import StoreError
from store.reader import Reader
from store.writer import Writer
from tests.store.world import planned, key
kind, nth, times, error = map(int, sys.argv[2:6])
libc = ctypes.CDLL(None)
async def main():
    called, said, told = [], [], []
    env = Environment(Path(sys.argv[1]), map_size=2**26)
    writer = Writer(env, on_failed=lambda: called.append(True))
    writer.start()
    await writer.submit([planned(1)])
    libc.yb_arm(kind, nth, times, error)
    for n in range(2, 8):
        try:
            said.append([n, (await asyncio.wait_for(writer.submit([planned(n)]), 5)).added])
        except StoreError as caught:
            said.append([n, type(caught).__name__])
        told.append(writer.problem)
    is_healthy, store.writer._FAILURE_S = writer.is_healthy, 0.0
    told_later = writer.problem
    writer.stop()
    libc.yb_arm(0, 0, 0, 0)
    try:
        readable = Reader(env).delivery(key(1)) is not None
    except StoreError:
        readable = None
    print(json.dumps({"said": said, "on_failed": len(called), "readable": readable, "healthy": is_healthy,
                      "told": told, "told_later": told_later}))
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> str:
    require("gcc")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    return str(children.compile_preload(children.ROOT / "tests/torture/faults.c", library))


def faulty(faults: str, path: Path, kind: int, nth: int, times: int, error: int) -> dict[str, object]:
    import json

    out = children.run(_FAULTY, path, kind, nth, times, error, env={"LD_PRELOAD": faults})
    found: dict[str, object] = json.loads(out)
    # What was acknowledged is there; a retry of all adds each of the others once.
    env = Environment(path, map_size=2**26)
    said = found["said"]
    assert isinstance(said, list)
    for n, answer in said:
        if answer == 1:
            assert Reader(env).delivery(key(n)) is not None, f"fact {n} was acknowledged and is lost"
    write_now(env, [planned(n) for n in range(1, 8)])
    assert Reader(env).counts(1, 1)["listed"] == 7
    assert verify(env).is_sound
    env.close()
    return found


DATA, META, SYNC, NOTHING = 1, 2, 3, 0


def test_a_failing_meta_page_calls_for_a_restart(faults: str, tmp_path: Path) -> None:
    found = faulty(faults, tmp_path / "data", META, 1, 2, 5)
    said = dict(found["said"])  # type: ignore[call-overload]
    assert found["on_failed"] == 1
    assert said[2] != 1
    assert all(answer == "StoreFailedError" for n, answer in said.items() if n > 2)
    assert found["healthy"] is False


@pytest.mark.parametrize(("kind", "nth"), [(DATA, 1), (DATA, 3), (SYNC, 1), (SYNC, 2), (META, 2)])
@pytest.mark.parametrize("error", [5, 28])
def test_a_failing_write_is_told_and_loses_nothing(
    faults: str, tmp_path: Path, kind: int, nth: int, error: int
) -> None:
    found = faulty(faults, tmp_path / "data", kind, nth, 1, error)
    answers = [answer for _, answer in found["said"]]  # type: ignore[attr-defined]
    assert any(isinstance(answer, str) for answer in answers), "the fault was seen"
    told = list(zip(answers, found["told"], strict=True))  # type: ignore[call-overload]
    assert all(bool(problem) is isinstance(answer, str) for answer, problem in told if kind != META), told
    if kind != META:
        assert found["told_later"] == "", "who is not asked is not taken away for ever"
        assert found["on_failed"] == 0
        assert answers[-1] == 1, "and the next commits go through"


def test_without_a_fault_nothing_fails(faults: str, tmp_path: Path) -> None:
    found = faulty(faults, tmp_path / "data", NOTHING, 1, 1, 5)
    assert [answer for _, answer in found["said"]] == [1] * 6, "the control"  # type: ignore[attr-defined]
    assert found["readable"] is True


# More than one process

_FORK = """
import os, sys
from pathlib import Path
from store.environment import Environment
from store.errors import StoreError
env = Environment(Path(sys.argv[1]), map_size=2**26)
child = os.fork()
if not child:
    refused = 0
    for use in (env.read, env.write):
        try:
            with use():
                pass
        except StoreError:
            refused += 1
    os._exit(refused)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with env.read():
    print("parent reads")
"""
_DIE_READING = """
import os, signal, sys
from pathlib import Path
from store.environment import Environment
env = Environment(Path(sys.argv[1]), map_size=2**26)
with env.read() as txn:
    txn.get(b"next_seq", db=env.db(b"meta"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_store_does_not_cross_a_fork(tmp_path: Path) -> None:
    assert children.run(_FORK, tmp_path / "data").split("\n")[:2] == ["2", "parent reads"]


def growth(env: Environment, *, reap: bool) -> int:
    """Bytes by which the pages in use grow over 80 commits that change one record, with three dead readers."""
    write_now(env, [planned()])
    for _ in range(3):
        child = children.start(_DIE_READING, env.path)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    if reap:
        assert env.reap_readers() == 3
    before = env.info()["used"]
    for turn in range(80):
        write_now(env, [opened(at=T0_US + turn * 8)])
    return env.info()["used"] - before


def test_dead_readers_are_reaped(tmp_path: Path) -> None:
    grown = {}
    for reap in (True, False):
        env = Environment(tmp_path / str(reap), map_size=2**26)
        grown[reap] = growth(env, reap=reap)
        env.close()
    assert grown[False] > 5 * grown[True], f"the control: without reaping the file grows {grown}"


def test_the_oldest_reader_is_told(env: Environment) -> None:
    write_now(env, [planned()])
    with env.read() as txn:
        assert txn.get(layout.META_NEXT_SEQ, db=env.db(layout.META))
        write_now(env, [opened()])
        write_now(env, [opened(at=T0_US + 8)])
        assert env.info()["oldest_reader_lag"] == 2
    assert env.info()["oldest_reader_lag"] == 0
