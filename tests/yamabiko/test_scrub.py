"""When a server looks through its store, and what it tells of what it found (D11)."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from config.settings import Settings, load
from store import keys
from store.environment import Environment
from store.maintenance import rebuild
from store.transaction import put_over
from store.writer import write_now
from tests.store.world import random_facts
from tests.yamabiko.serving import LEAN, Server, wait_for
from yamabiko import run_files, scrub_watch
from yamabiko.scrub_watch import LastScrub, ScrubWatch

_DAY_S = 86_400.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home with a small store."""
    made = load(None, {"YAMABIKO_HOME": str(tmp_path / "home")})
    made.run.mkdir(parents=True)
    env = Environment(made.data)
    write_now(env, random_facts(random.Random(7), 800))
    env.close()
    return made


async def looked(watch: ScrubWatch) -> bool:
    """Whether it begins to look, and if so wait until it has."""
    watch.tick()
    if watch._task is None:
        return False
    await asyncio.wait([watch._task], timeout=60)
    watch.tick()
    return True


def damage(settings: Settings) -> None:
    env = Environment(settings.data)
    with env.write() as txn, txn.cursor(db=env.db(keys.COUNTERS)) as cursor:
        assert cursor.first()
        put_over(txn, env.db(keys.COUNTERS), cursor.key(), cursor.value()[:-1] + b"!")
    env.close()


def keep(settings: Settings, last: LastScrub) -> None:
    run_files.write_json(settings.run / run_files.SCRUB, last)


async def test_a_sound_store_is_looked_through_once_a_day(settings: Settings) -> None:
    assert not await looked(ScrubWatch(settings)), "a new one is as good as looked through"
    began = ScrubWatch(settings).last.ended_at
    assert began == ScrubWatch(settings).last.ended_at, "restarts put the first look off no further"
    keep(settings, LastScrub(time.time() - _DAY_S + 60))
    assert not await looked(ScrubWatch(settings))
    keep(settings, LastScrub(time.time() - _DAY_S - 60))
    watch = ScrubWatch(settings)
    assert await looked(watch)
    assert watch.problem() == "" and watch.last.rows > 800
    assert not await looked(watch) and not await looked(ScrubWatch(settings))


async def test_after_no_clean_end_it_is_looked_through_at_once(settings: Settings) -> None:
    (settings.run / run_files.STATUS).write_text("{}")
    run_files.note_start(settings.run)
    assert await looked(ScrubWatch(settings))
    (settings.run / run_files.STATUS).unlink()
    run_files.note_start(settings.run)
    assert not await looked(ScrubWatch(settings)), "once is enough"


async def test_nobody_looks_if_told_not_to(settings: Settings) -> None:
    (settings.run / run_files.UNCLEAN).touch()
    never = dataclasses.replace(settings, store=dataclasses.replace(settings.store, scrub_hours=0))
    assert not await looked(ScrubWatch(never))
    assert await looked(ScrubWatch(settings)), "the control"


async def test_damage_is_told_until_it_is_mended(settings: Settings) -> None:
    damage(settings)
    (settings.run / run_files.UNCLEAN).touch()
    watch = ScrubWatch(settings)
    assert await looked(watch)
    assert watch.problem().startswith("1 damaged rows in the store, the first in counters (")
    assert not await looked(watch), "not over and over"
    assert ScrubWatch(settings).problem() == watch.problem(), "kept over a restart"
    rebuild(settings.data)
    mended = ScrubWatch(settings)
    assert await looked(mended)
    assert mended.problem() == ""
    assert not await looked(ScrubWatch(settings))


@pytest.mark.row("D11")
def test_damage_that_stops_all_writing_is_told_at_once_with_the_command(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    row = json.dumps({"broadcast": "spring", "address": "later@example.jp"}).encode()

    def post() -> int:
        return server.ask("POST", "/v1/sends", row, token=server.token(), media="application/x-ndjson")[0]

    try:
        answer = server.send_row(address="first@example.jp")
        assert server.stop() == 0
        env = Environment(server.home / "data")
        with env.write() as txn, txn.cursor(db=env.db(keys.RECENT)) as cursor:
            assert cursor.first()
            put_over(txn, env.db(keys.RECENT), cursor.key(), cursor.value()[:-1] + b"!")
        env.close()
        server.start()
        assert server.get("/healthz")[0] == 200, "nobody wrote yet"
        assert post() == 503
        assert server.deliver(answer["return_path"], b"Subject: x\r\n\r\nx\r\n") == 451
        told: dict[str, str] = {}

        def is_told() -> bool:
            told.update(
                {c["name"]: c["problem"] for c in json.loads(server.get("/healthz")[1])["checks"] if not c["ok"]}
            )
            return {"store", "smtp-0.store"} <= set(told)

        wait_for(is_told, 10, server.log_text)
        assert server.get("/healthz")[0] == 503
        assert all("`yamabiko store rebuild`" in words for words in told.values()), told
        logged = [line for line in server.log_lines() if line["event"] == "nothing can be stored"]
        assert logged and all("`yamabiko store rebuild`" in line["problem"] for line in logged)
        assert server.get("/v1/broadcasts/spring/report", token=server.token())[0] == 200, "what is stored is told"
        assert server.stop() == 0
        assert server.run("store", "rebuild").returncode == 0
        assert server.run("store", "verify").returncode == 0
        server.start()
        assert post() == 200
        assert server.deliver(answer["return_path"], b"Subject: x\r\n\r\nx\r\n") == 250
        assert server.get("/healthz")[0] == 200
        assert server.stop() == 0
    finally:
        server.kill()


async def test_a_file_cut_short_kills_who_looks_and_nobody_else(settings: Settings) -> None:
    file = settings.data / "data.mdb"
    os.truncate(file, file.stat().st_size // 2 // 4_096 * 4_096)
    (settings.run / run_files.UNCLEAN).touch()
    watch = ScrubWatch(settings)
    assert await looked(watch)
    assert "killed by signal 7" in watch.problem() or watch.last.damaged


async def test_it_is_told_when_nobody_can_look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    (settings.run / run_files.UNCLEAN).touch()
    watch = ScrubWatch(settings)
    assert await looked(watch)
    assert watch.problem().startswith("no process can be started")
    assert not await looked(watch), "not over and over"


async def test_who_looks_ends_with_the_server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrub_watch, "_URGENT_SHARE", 0.001)
    (settings.run / run_files.UNCLEAN).touch()
    watch = ScrubWatch(settings)
    watch.tick()
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    async with asyncio.timeout(10):
        while not (found := children.read_text().split()):
            await asyncio.sleep(0.01)
    await watch.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)
    assert (settings.run / run_files.UNCLEAN).exists(), "the next start looks"


def test_a_server_that_was_killed_looks_and_one_that_was_stopped_does_not(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    workers = [worker["pid"] for worker in server.status()["workers"]]
    server.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    server.start()
    try:
        wait_for(lambda: has_looked(server), 20, server.log_text)
        assert "scrub" not in server.health()
        assert "yamabiko_scrub_damaged 0.0" in server.get("/metrics")[1]
    finally:
        server.stop()
    looks = sum(line["event"] == "the store was looked through" for line in server.log_lines())
    server.start()
    time.sleep(2)
    server.stop()
    assert looks == sum(line["event"] == "the store was looked through" for line in server.log_lines()) == 1
    assert json.loads((tmp_path / "home/run/scrub.json").read_bytes())["damaged"] == 0


def has_looked(server: Server) -> bool:
    return any(line["event"] == "the store was looked through" for line in server.log_lines())


def test_the_command_looks_at_once(settings: Settings) -> None:
    server = Server(settings.home)
    done = server.run("store", "scrub")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["damaged"] == 0
    damage(settings)
    done = server.run("store", "scrub")
    assert done.returncode == 65
    assert json.loads(done.stdout)["first"][0]["database"] == "counters"
    assert b"store verify" in done.stderr
