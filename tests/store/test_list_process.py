"""Long lists are stored by a process of their own; whatever happens to it, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from itertools import count
from pathlib import Path

import pytest

from model.detail import Planned
from model.fact import DeliveryKey
from store import keys as layout
from store import list_process
from store.environment import Environment
from store.errors import FactRefusedError
from store.fold import Receipt
from store.group import Facts, commit_group
from store.list_process import ListProcess
from store.listed import ListedTogether, list_together
from store.reader import Reader
from store.rows import rows_of
from store.writer import Writer
from tests.store import children
from tests.store.world import T0_US, described

ROWS = 1_200
#: Stores a list by a process of its own, tells its number, and waits to be killed.
_PARENT = """
import os, sys, time
from pathlib import Path
from store.environment import Environment
from store.list_process import ListProcess
env = Environment(Path(sys.argv[1]), map_size=256 * 2**20)
process = ListProcess(env)
while not process.begin([]):
    time.sleep(0.01)
process.finish(lambda: None)
print(process.pid, flush=True)
sys.stdin.read()
"""


def mailing(number: int, rows: int = ROWS) -> ListedTogether:
    """A list of recipients nobody else lists, with all that senders may say."""
    recipients = range(number * 100_000 + 1, number * 100_000 + 1 + rows)
    said = [field.default for field in fields(Planned) if field.name not in ("address", "row")]
    return list_together(
        [DeliveryKey(1, 1, recipient).pack() for recipient in recipients],
        [recipient.to_bytes(8, "big") for recipient in recipients],
        [[f"u{recipient}@example.jp" for recipient in recipients], *([nothing] * rows for nothing in said)],
        ["example.jp"] * rows,
        [T0_US + recipient for recipient in recipients],
        [recipient % 3 > 0 for recipient in recipients],
        node=0,
    )


def begin(process: ListProcess, group: list[Facts]) -> None:
    """Hand the process a group, once it is there."""
    assert eventually(lambda: process.begin(group))


def by_itself(process: ListProcess, group: list[Facts]) -> list[Receipt]:
    """What the process answers, once it is there."""
    begin(process, group)
    receipts = process.finish(lambda: None)
    assert receipts is not None
    return receipts


def eventually(is_true: Callable[[], bool]) -> bool:
    """Whether it comes true within some time."""
    deadline = time.monotonic() + 30
    while not (is_now := is_true()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_now


def is_there(pid: int) -> bool:
    """Whether a process runs that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def not_stored(env: Environment, numbers: list[int]) -> list[int]:
    """Which of these mailings lack a recipient in the store."""
    reader = Reader(env)
    return [number for number in numbers if len(reader.listings(mailing(number).places, is_test=False)) < ROWS]


def listed_in(env: Environment) -> int:
    """How many deliveries have a record."""
    with env.read() as txn:
        return len(env.records(txn).all_recent())


@pytest.fixture
async def process(env: Environment) -> AsyncIterator[ListProcess]:
    one = ListProcess(env)
    yield one
    one.stop()


@pytest.fixture
async def writer(env: Environment, process: ListProcess) -> AsyncIterator[Writer]:
    started = Writer(env, list_process=process)
    started.start()
    yield started
    started.stop()


def test_it_leaves_what_the_caller_would_have_left(tmp_path: Path, process: ListProcess, env: Environment) -> None:
    group: list[Facts] = [[described(name="Spring"), mailing(1)], [mailing(2)], [mailing(1)]]
    moves: list[None] = []
    begin(process, group)
    receipts = process.finish(lambda: moves.append(None))
    assert receipts is not None
    assert receipts[:2] == [Receipt(ROWS + 1, 0), Receipt(ROWS, 0)]
    assert (receipts[2].added, receipts[2].known, list(receipts[2].found)) == (0, ROWS, list(mailing(1).places))
    assert len(moves) > len(group)
    other = Environment(tmp_path / "other", map_size=2**26)
    commit_group(other, group)
    for name in layout.DATABASES:
        assert list(rows_of(env, name)) == list(rows_of(other, name)), name
    other.close()


def test_a_list_that_cannot_be_stored_leaves_nothing(process: ListProcess, env: Environment) -> None:
    bad = replace(mailing(1), times=[-1] * ROWS)
    with pytest.raises(FactRefusedError):
        by_itself(process, [[mailing(2)], [bad]])
    assert listed_in(env) == 0
    assert by_itself(process, [[mailing(2)]]) == [Receipt(ROWS, 0)]


def test_it_takes_the_next_group_while_the_one_before_is_committed(process: ListProcess, env: Environment) -> None:
    bad = replace(mailing(2), times=[-1] * ROWS)
    begin(process, [[mailing(1)]])
    process.wait_taken_in(lambda: None)
    assert process.begin([[bad]])
    assert process.begin([[mailing(3)], [mailing(1)]])
    assert process.finish(lambda: None) == [Receipt(ROWS, 0)]
    with pytest.raises(FactRefusedError):
        process.finish(lambda: None)
    receipts = process.finish(lambda: None)
    assert receipts is not None
    assert [(receipt.added, receipt.known) for receipt in receipts] == [(ROWS, 0), (0, ROWS)]
    assert listed_in(env) == 2 * ROWS


def test_all_groups_of_one_that_ended_are_left_to_the_caller(
    process: ListProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_process, "_AGAIN_S", 0.0)
    begin(process, [[mailing(1)]])
    assert process.begin([[mailing(2)]])
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    # Another is begun for the third; the first two are none of its business.
    begin(process, [[mailing(3)]])
    assert [process.finish(lambda: None) for _ in range(3)] == [None, None, [Receipt(ROWS, 0)]]


async def test_the_writer_lets_it_store_lists(process: ListProcess, writer: Writer, env: Environment) -> None:
    # The process is begun by the first, and has the rest once it is ready.
    for number in range(1, 200):
        assert await writer.submit([mailing(number)]) == Receipt(ROWS, 0)
        assert not_stored(env, [number]) == []
        if number > 3 and process.groups > 3:
            break
    assert process.groups > 3
    bad = replace(mailing(500), times=[-1] * ROWS)
    outcomes = [writer.submit([mailing(501)]), writer.submit([bad]), writer.submit([mailing(502)])]
    assert await asyncio.gather(*outcomes, return_exceptions=True) == [
        Receipt(ROWS, 0), outcomes[1].exception(), Receipt(ROWS, 0),
    ]  # fmt: skip
    assert isinstance(outcomes[1].exception(), FactRefusedError)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
async def test_the_writer_stores_lists_whatever_happens_to_it(
    number: signal.Signals, process: ListProcess, writer: Writer, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_process, "_STUCK_S", 1.0)
    monkeypatch.setattr(list_process, "_AGAIN_S", 0.0)
    faults = seen = 0
    deadline = time.monotonic() + 120
    for turn in count(1):
        futures = [writer.submit([mailing(turn * 10 + place)]) for place in range(3)]
        if process.pid is not None and process.groups > seen:
            await asyncio.sleep(0.005 * (turn % 5))
            seen = process.groups
            os.kill(process.pid, number)
            faults += 1
        receipts = await asyncio.gather(*futures)
        assert [receipt.added + receipt.known for receipt in receipts] == [ROWS] * 3
        assert not_stored(env, [turn * 10 + place for place in range(3)]) == []
        if faults == 3:
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)


async def test_a_list_that_was_only_said_to_be_stored_is_noticed(
    process: ListProcess, writer: Writer, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control of the test above."""
    monkeypatch.setattr(process, "begin", lambda *_: True)
    monkeypatch.setattr(process, "wait_taken_in", lambda *_: None)
    monkeypatch.setattr(process, "finish", lambda *_: [Receipt(ROWS, 0)])
    assert await writer.submit([mailing(1)]) == Receipt(ROWS, 0)
    assert not_stored(env, [1]) == [1]


def test_one_that_cannot_be_begun_is_not_begun_for_every_list(
    process: ListProcess, env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    assert not process.begin([[mailing(1)]])
    monkeypatch.undo()
    assert not process.begin([[mailing(1)]])
    assert process.pid is None
    assert listed_in(env) == 0


def test_it_ends_when_there_are_no_lists(env: Environment) -> None:
    process = ListProcess(env, idle_s=0.2)
    by_itself(process, [[mailing(1)]])
    pid = process.pid
    assert pid is not None
    assert eventually(lambda: not is_there(pid))
    assert not process.begin([[mailing(2)]])
    process.stop()


@pytest.mark.parametrize("is_stopped", [False, True])
def test_it_does_not_outlive_whom_it_works_for(tmp_path: Path, is_stopped: bool) -> None:
    parent = children.start(_PARENT, tmp_path)
    pid = int(children.line(parent))
    if is_stopped:
        os.kill(pid, signal.SIGSTOP)
    assert is_there(pid)
    children.kill(parent)
    assert eventually(lambda: not is_there(pid))
