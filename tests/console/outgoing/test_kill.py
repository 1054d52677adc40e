"""kill -9 of who delivers, again and again: the receiver has everything, twice at most with the same id (D18)."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from console.outgoing import courier as courier_module
from console.outgoing.endpoint import ENDPOINT_KIND, STATE_KIND, TENANT_KIND, State, encode
from store.environment import Environment
from store.writer import write_now
from tests.console.outgoing.world import Receiver, World
from tests.interop.world import seeded
from tests.stopwatch import Stopwatch
from tests.store.world import planned

ROOT = Path(__file__).parents[3]
#: 100 with TEST_KILLS=100 (D18); each takes a second, most of it Python's start.
KILLS = int(os.environ.get("TEST_KILLS", "12"))


async def consumer(data: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.console.outgoing.consumer", str(data), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"delivering\n"
    return process


@pytest.mark.row("D18")
@pytest.mark.timeout(600)
async def test_killed_again_and_again_nothing_is_lost_and_ids_repeat(
    env: Environment, tmp_path: Path, hook: Receiver
) -> None:
    chance, world = seeded(), World(env)
    endpoint = world.endpoint(hook.url)
    await world.documents.put(0, TENANT_KIND, "1", b"{}")
    await world.documents.put(1, ENDPOINT_KIND, endpoint.id, encode(endpoint))
    await world.documents.put(1, STATE_KIND, endpoint.id, encode(State(0)))
    listed = 0
    for _ in range(KILLS):
        process = await consumer(tmp_path / "data")
        for _ in range(chance.randint(1, 4)):
            batch = [planned(listed + n) for n in range(1, chance.randint(20, 120))]
            await asyncio.to_thread(write_now, env, batch)
            listed += len(batch)
            await asyncio.sleep(chance.uniform(0.0, 0.2))
        process.kill()
        await process.wait()
    process = await consumer(tmp_path / "data")
    wanted = [f"{n:016x}" for n in range(1, listed + 1)]
    watch = Stopwatch()  # on a busy machine most of the time is spent waiting for a processor
    while watch.seconds() < 30 and not set(wanted) <= {got.data["recipient"] for got in hook.got}:
        await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    await world.close()
    first: dict[str, tuple[str, bytes]] = {}
    order = []
    for got in hook.got:
        recipient = got.data["recipient"]
        if recipient not in first:
            order.append(recipient)
        assert first.setdefault(recipient, (got.id, got.body)) == (got.id, got.body)
    assert order == wanted  # all of them, in order
    print(f"{KILLS} kills, {listed} events, {len(hook.got) - listed} came again")
    assert len(hook.got) > listed  # the kills did hit deliveries whose cursor was not kept yet
    world.check_signatures(hook.got)


async def test_a_cursor_kept_before_delivery_would_lose(
    world: World, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with the cursor kept first, a death in between leaves an event out."""
    real_send = courier_module.Courier._send

    async def keep_then_send(self, event):  # type: ignore[no-untyped-def]
        async with self._lock:
            await self._save(State(event.seq))
        if event.seq == 3:
            raise asyncio.CancelledError  # the kill
        return await real_send(self, event)

    world.add(*(planned(n) for n in range(1, 6)))
    monkeypatch.setattr(courier_module.Courier, "_send", keep_then_send)
    courier = world.courier(hook.url)
    with pytest.raises(asyncio.CancelledError):
        await world.go(courier)
    monkeypatch.setattr(courier_module.Courier, "_send", real_send)
    await world.go(world.courier(hook.url, state=courier.state))
    assert 3 not in hook.seqs
