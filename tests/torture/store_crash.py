"""Kill -9 at any moment (D2, store level): nothing acknowledged is lost, nothing is half, no repair step."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from store.environment import Environment
from store.log import scan_log
from store.reader import Reader
from store.verify import verify
from store.writer import write_now
from tests.store import children
from tests.store.world import opened, planned
from tests.torture.result import Result, torture

#: Writes until killed. A number goes into the file of acknowledgements only after its future resolved, or, with
#: ``early``, before: the negative control.
_WRITER = """
import asyncio, os, sys
from pathlib import Path
from store import records
from store.environment import Environment
from store.writer import Writer
from tests.store.world import opened, planned, T0_US
records.MAX_WAITING = 60  # so that records are put in their places all the time
async def main(path, acks, first, early):
    env = Environment(path, map_size=2**28)
    writer = Writer(env)
    writer.start()
    out = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async def one(n):
        if early:
            os.write(out, b"%d\\n" % n)
        await writer.submit([planned(n), opened(n)])
        if not early:
            os.write(out, b"%d\\n" % n)
    print("ready", flush=True)
    n = first
    while True:
        await asyncio.gather(*(one(n + i) for i in range(20)))
        n += 20
asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4] == "early"))
"""


def kill_cycles(folder: Path, *, cycles: int, seed: int, early: bool = False) -> tuple[int, int, int]:
    """Kill two writers of one store again and again; returns acknowledged, lost, and what else was wrong."""
    rng = random.Random(seed)
    data, acks = folder / "data", folder / "acks"
    mode = "early" if early else "after"
    wrong = 0
    for cycle in range(cycles):
        writers = [children.start(_WRITER, data, acks, (cycle * 2 + i + 1) * 10_000_000, mode) for i in range(2)]
        for writer in writers:
            wrong += children.line(writer) != "ready"
        time.sleep(rng.uniform(0.0, 0.15))
        rng.shuffle(writers)
        for writer in writers:
            time.sleep(rng.choice([0.0, 0.0, rng.uniform(0.0, 0.03)]))
            wrong += writer.poll() is not None
            children.kill(writer)
    env = Environment(data, map_size=2**28)
    found = Counter(fact.key.recipient for _, fact in scan_log(env))
    acknowledged = {int(line) for line in acks.read_text().split()}
    lost = sum(found[n] != 2 for n in acknowledged)
    wrong += sum(count != 2 for count in found.values())  # half a submission, or one twice
    # Those who got no answer come again: each counts once.
    unanswered = [n for n in found if n not in acknowledged]
    write_now(env, [fact for n in unanswered for fact in (planned(n), opened(n))])
    wrong += Reader(env).counts(1, 1).get("listed", 0) != len(found)
    wrong += not verify(env).is_sound
    env.close()
    return len(acknowledged), lost, wrong


@torture(tries=100)
def kill_nine(*, seed: int, tries: int) -> Result:
    """Kill two writers ``tries`` times; the control acknowledges too early and must lose."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        acknowledged, lost, wrong = kill_cycles(Path(folder), cycles=tries, seed=seed)
        _, control, _ = kill_cycles(Path(other), cycles=max(tries // 10, 5), seed=seed, early=True)
    assert control, "the negative control lost nothing: this test is void"
    return Result(
        "kill_nine", tried=tries * 2, lost=lost, wrong=wrong, seed=seed,
        note=f"{acknowledged} submissions acknowledged; control lost {control}",
    )  # fmt: skip
