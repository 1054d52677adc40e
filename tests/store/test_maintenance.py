"""Keeping a store: what verify finds, what a backup is, what rebuild brings back, what is refused unchanged."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from model.detail import Planned
from model.fact import Fact, FactType
from store import keys as layout
from store.environment import Environment
from store.errors import BackupError, StoreCorruptError, StoreError, StoreFileError, StorePathError, StoreVersionError
from store.fold import Fold
from store.log import scan_log
from store.maintenance import backup, compact, rebuild, restore, snapshot, stat
from store.reader import Reader
from store.record import Record
from store.rows import rows_of
from store.sealed import pack_value, unpack_value
from store.verify import verify
from store.writer import Writer, next_seq, write_now
from tests.store.world import T0_US, clicked, key, opened, planned, random_facts

_MAP = 64 * 2**20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


def filled(path: Path, *, seed: int = 1, count: int = 300) -> Environment:
    env = Environment(path, map_size=_MAP)
    rng = random.Random(seed)
    for _ in range(3):
        write_now(env, random_facts(rng, count // 3))
    return env


def all_rows_of(env: Environment) -> dict[str, list[tuple[bytes, bytes]]]:
    return {name.decode(): list(rows_of(env, name)) for name in layout.DATABASES if name != layout.RECENT}


def put(env: Environment, name: bytes, at: bytes, value: bytes) -> None:
    with env.write() as txn:
        assert txn.put(at, value, db=env.db(name))


# stat


def test_stat_counts_facts_by_type(env: Environment) -> None:
    full = replace(Planned("a@example.jp", b"row"), **dict.fromkeys(_LATER, "y"))  # type: ignore[arg-type]
    write_now(env, [replace(planned(2), detail=full), planned(), opened(), opened(at=T0_US + 8)])
    found = stat(env)
    assert found["facts_by_type"] == {"opened": 2, "planned": 2}, "also facts with more than 15 values"
    assert found["facts"] == 4
    assert found["records"]["deliveries"] == 2  # type: ignore[index]
    assert set(found) >= {"map_size", "used", "file_size", "format_version", "readers", "oldest_reader_lag"}


_LATER = [field.name for field in fields(Planned)][7:]


# verify


def test_a_sound_store_is_sound(path: Path) -> None:
    env = filled(path)
    assert verify(env).is_sound, "the control of all that follow"
    env.close()


def _flip_counter(env: Environment) -> str:
    at = layout.broadcast_key(1, 1) + layout.SCOPE_ALL
    row = unpack_value(at, dict(rows_of(env, layout.COUNTERS))[at])
    row["listed"] += 1
    put(env, layout.COUNTERS, at, pack_value(at, row))
    return "counters"


def _delete_delivery(env: Environment) -> str:
    at, _ = next(rows_of(env, layout.DELIVERIES))
    with env.write() as txn:
        assert txn.delete(at, db=env.db(layout.DELIVERIES))
    return "deliveries"


def _add_suppression(env: Environment) -> str:
    place = layout.suppressed_key(1, 12345, 1, 0)
    put(env, layout.SUPPRESSED, place, pack_value(place, (1, None, 1, 1, 1, True, False)))
    return "suppressed"


def _lose_mailed(env: Environment) -> str:
    at, _ = next(rows_of(env, layout.MAILED))
    with env.write() as txn:
        assert txn.delete(at, db=env.db(layout.MAILED))
    return "mailed"


def _damage_record(env: Environment) -> str:
    at, _ = next(rows_of(env, layout.DELIVERIES))
    put(env, layout.DELIVERIES, at, b"\xc1")
    return "deliveries"


def _set_next_seq_back(env: Environment) -> str:
    put(env, layout.META, layout.META_NEXT_SEQ, layout.seq_key(5))
    return "meta"


@pytest.mark.row("I9")
@pytest.mark.parametrize(
    "damage",
    [_flip_counter, _delete_delivery, _add_suppression, _lose_mailed, _damage_record, _set_next_seq_back],
)
def test_verify_finds_and_rebuild_mends(damage: Callable[[Environment], str], path: Path, in_place: None) -> None:
    env = filled(path)
    whole = all_rows_of(env)
    database = damage(env)
    found = verify(env)
    assert {difference.database for difference in found.differences} == {database}
    assert not found.corrupt
    env.close()
    rebuild(path)
    env = Environment(path, map_size=_MAP)
    assert verify(env).is_sound
    assert all_rows_of(env) == whole
    assert write_now(env, [planned(10**6)]).added == 1
    env.close()


def test_damaged_recent_records_are_refused_found_and_mended(path: Path) -> None:
    env = filled(path)
    whole = all_rows_of(env)
    number, value = next(rows_of(env, layout.RECENT))
    put(env, layout.RECENT, number, value[:-1] + bytes([value[-1] ^ 1]))
    assert "recent" in {difference.database for difference in verify(env).differences}
    env.close()
    env = Environment(path, map_size=_MAP)
    with pytest.raises(StoreCorruptError), env.read() as txn:
        env.records(txn)
    with pytest.raises(StoreCorruptError):
        write_now(env, [opened()])
    env.close()
    rebuild(path)
    env = Environment(path, map_size=_MAP)
    assert verify(env).is_sound
    assert all_rows_of(env) == whole
    env.close()


def test_verify_names_a_corrupt_chunk(path: Path) -> None:
    env = filled(path)
    at, value = list(rows_of(env, layout.LOG))[3]
    put(env, layout.LOG, at, value[:-1] + bytes([value[-1] ^ 1]))
    found = verify(env)
    assert found.corrupt == (int.from_bytes(at, "big"),)
    with pytest.raises(StoreCorruptError):
        list(scan_log(env))
    env.close()
    before = (path / "data.mdb").read_bytes()
    with pytest.raises(StoreCorruptError):
        rebuild(path)
    assert (path / "data.mdb").read_bytes() == before, "a rebuild that fails changes nothing"


@pytest.mark.parametrize("place", [0, 3, -1])
def test_verify_finds_a_lost_chunk(place: int, path: Path) -> None:
    env = filled(path)
    at, _ = list(rows_of(env, layout.LOG))[place]
    with env.write() as txn:
        assert txn.delete(at, db=env.db(layout.LOG))
    assert not verify(env).is_sound
    env.close()


def test_a_chunk_under_another_number_is_corrupt(path: Path) -> None:
    env = filled(path)
    at, value = list(rows_of(env, layout.LOG))[-1]
    with env.write() as txn:
        assert txn.delete(at, db=env.db(layout.LOG))
        assert txn.put(layout.seq_key(int.from_bytes(at, "big") + 1), value, db=env.db(layout.LOG))
    with pytest.raises(StoreCorruptError):
        list(scan_log(env))
    env.close()


def test_scan_log_ends_wherever_it_begins(path: Path) -> None:
    env = filled(path)
    end = next_seq(env)
    for after in range(end + 2):
        assert [seq for seq, _ in scan_log(env, after=after)] == list(range(after + 1, end))
    env.close()


# backup and restore


def test_a_backup_under_load_is_one_moment(path: Path, tmp_path: Path) -> None:
    env = Environment(path, map_size=_MAP)
    stop = threading.Event()

    async def load() -> None:
        writer = Writer(env)
        writer.start()
        n = 0
        while not stop.is_set():
            await asyncio.gather(*(writer.submit([planned(n + i), opened(n + i)]) for i in range(10)))
            n += 10
        writer.stop()

    thread = threading.Thread(target=asyncio.run, args=(load(),))
    thread.start()
    sizes = []
    try:
        for turn in range(4):
            backup(env, tmp_path / f"backup{turn}")
            restore(tmp_path / f"backup{turn}", tmp_path / f"restored{turn}")
            copy = Environment(tmp_path / f"restored{turn}", map_size=_MAP)
            assert verify(copy).is_sound
            listed = Reader(copy).counts(1, 1).get("listed", 0)
            assert listed * 2 == next_seq(copy) - 1 == sum(1 for _ in scan_log(copy))
            sizes.append(listed)
            copy.close()
    finally:
        stop.set()
        thread.join()
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0], "the control: it was written to meanwhile"
    env.close()


def test_a_restored_store_is_equal(path: Path, tmp_path: Path) -> None:
    env = filled(path)
    manifest = backup(env, tmp_path / "backup")
    digest = hashlib.sha256((tmp_path / "backup" / "data.mdb").read_bytes()).hexdigest()
    assert manifest["sha256"] == digest
    assert restore(tmp_path / "backup", tmp_path / "new") == manifest
    copy = Environment(tmp_path / "new", map_size=_MAP)
    assert all_rows_of(copy) == all_rows_of(env)
    copy.close()
    env.close()


@pytest.mark.parametrize("part", ["first octet", "cut", "manifest", "no manifest", "manifest no object"])
def test_an_altered_backup_is_refused(part: str, path: Path, tmp_path: Path) -> None:
    env = filled(path)
    backup(env, tmp_path / "backup")
    env.close()
    data, manifest = tmp_path / "backup" / "data.mdb", tmp_path / "backup" / "manifest.json"
    raw = data.read_bytes()
    if part == "first octet":
        data.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    elif part == "cut":
        data.write_bytes(raw[:-4096])
    elif part == "manifest":
        manifest.write_text(json.dumps({"format_version": 1, "sha256": "0" * 64}))
    elif part == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("[]")
    with pytest.raises(BackupError):
        restore(tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new" / "data.mdb").exists()


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    env = filled(path)
    backup(env, tmp_path / "backup")
    with pytest.raises(BackupError):
        backup(env, tmp_path / "backup")
    env.close()
    with pytest.raises(StorePathError):
        restore(tmp_path / "backup", path)


def test_a_backup_that_fails_leaves_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = filled(path)

    def fail(_: Path) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(env, "copy", fail)
    with pytest.raises(StoreError):
        backup(env, tmp_path / "backup")
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
    env.close()


@pytest.mark.row("D5")
@pytest.mark.parametrize("call", ["copyfile", "chmod", "fsync", "rename"])
def test_a_restore_that_fails_leaves_nothing(
    call: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = filled(path)
    backup(env, tmp_path / "backup")
    env.close()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner = {"copyfile": shutil, "chmod": Path, "fsync": os, "rename": Path}[call]
    with monkeypatch.context() as patched:
        patched.setattr(owner, call, fail)
        with pytest.raises(StoreError, match="No space left"):
            restore(tmp_path / "backup", tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    restore(tmp_path / "backup", tmp_path / "new")


@pytest.mark.row("D5")
def test_a_compaction_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path).close()
    before = (path / "data.mdb").read_bytes()

    def fail(_: Environment, to: Path) -> None:
        (to / "data.mdb").write_bytes(before[:4096])
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Environment, "copy", fail)
        with pytest.raises(StoreError):
            compact(path)
    assert sorted(entry.name for entry in path.iterdir()) == ["data.mdb", "lock.mdb"]
    assert (path / "data.mdb").read_bytes() == before
    compact(path)


# compact and rebuild


def test_compact_keeps_every_record(path: Path) -> None:
    env = filled(path, count=900)
    for turn in range(30):
        write_now(env, [opened(at=T0_US + turn * 8)])
    whole = all_rows_of(env)
    env.close()
    before, after = compact(path)
    assert after < before
    env = Environment(path, map_size=_MAP)
    assert all_rows_of(env) == whole
    assert write_now(env, [planned(10**6)]).added == 1
    env.close()


def test_rebuild_is_equal_by_bytes_and_keeps_what_was_only_counted(path: Path) -> None:
    env = filled(path)
    write_now(env, [opened(at=T0_US + i * 8) for i in range(300)])
    write_now(env, [clicked(at=T0_US + i * 8, link=1 + i // 150) for i in range(300)])
    raw = dict(rows_of(env, layout.DELIVERIES))[key().pack()]
    assert sum(Record.unpack(key().pack(), raw).overflow) >= 400, "the control: there is something that is in no log"
    whole = all_rows_of(env)
    assert verify(env).is_sound
    env.close()
    rebuild(path)
    env = Environment(path, map_size=_MAP)
    assert all_rows_of(env) == whole
    env.close()


def test_a_snapshot_is_verified_while_the_store_is_written(path: Path, tmp_path: Path) -> None:
    env = filled(path)
    copy = snapshot(env, tmp_path / "copy")
    write_now(env, [planned(10**6)])
    assert verify(copy).is_sound
    assert Reader(copy).delivery(key(10**6)) is None
    copy.close()
    env.close()


# What is refused


def file_state(path: Path) -> tuple[bytes, int]:
    data = path / "data.mdb"
    return data.read_bytes(), data.stat().st_mtime_ns


@pytest.mark.parametrize("version", [b"1", b"10", b"two", b""])
@pytest.mark.parametrize("read_only", [False, True])
def test_another_format_is_refused_unchanged(version: bytes, read_only: bool, path: Path) -> None:
    env = filled(path)
    put(env, layout.META, layout.META_VERSION, version)
    env.close()
    before = file_state(path)
    with pytest.raises(StoreVersionError):
        Environment(path, map_size=_MAP, read_only=read_only)
    assert file_state(path) == before


def test_a_file_of_somebody_else_is_refused_unchanged(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(b"not LMDB" * 4096)
    before = file_state(path)
    with pytest.raises(StoreFileError, match="store restore"):
        Environment(path, map_size=_MAP)
    assert file_state(path) == before


@pytest.mark.parametrize(("kind", "is_refused"), [("nfs4", True), ("cifs", True), ("9p", True), ("ext4", False)])
def test_a_network_file_system_is_refused(
    kind: str, is_refused: bool, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/export {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr("store.environment._MOUNTS", mounts)
    if is_refused:
        with pytest.raises(StorePathError, match=kind):
            Environment(path, map_size=_MAP)
        assert not (path / "data.mdb").exists()
    else:
        Environment(path, map_size=_MAP).close()


def test_read_only_needs_a_store(path: Path) -> None:
    with pytest.raises(StorePathError):
        Environment(path, read_only=True)


def test_nothing_is_dropped_in_silence(path: Path) -> None:
    """M27: a number that is taken already is an error, never a batch that vanishes."""
    env = filled(path)
    put(env, layout.META, layout.META_NEXT_SEQ, layout.seq_key(1))
    with pytest.raises(StoreError), env.write() as txn:
        fold = Fold(env, txn)
        fold.apply([Fact(FactType.OPENED, key(77), T0_US, opened().detail)])
        fold.finish()
    env.close()
