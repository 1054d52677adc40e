"""Keep a store: look at it, copy it, bring it back, make it small, fold it anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from model.fact import DeliveryKey
from store import keys
from store.codec import pack_chunks, type_of, unpack_chunk, unpack_fact
from store.environment import DEFAULT_MAP_SIZE, Environment
from store.errors import BackupError, StoreCorruptError, StoreError, StorePathError
from store.fold import Fold
from store.log import scan_chunks
from store.record import Overflow, Record
from store.rows import batched, rows_of
from store.transaction import Database, Transaction

_MANIFEST = "manifest.json"
#: Copies that are made in a store's directory, and beside it; whoever makes them removes them, unless it is killed.
_RESTORED, _COMPACTED, _REBUILT = ".data.mdb.part", ".compact", ".rebuild"
CHECKED = "yamabiko-verify-"
_ROWS_PER_READ = 5_000
_Key = TypeVar("_Key")
Rewrite = Callable[[list[bytes]], list[bytes]]


def stat(env: Environment) -> dict[str, object]:
    """Return sizes in bytes, records per database, and facts by type."""
    by_type: dict[str, int] = {}
    facts = 0
    for first, value in scan_chunks(env):
        for raw in unpack_chunk(first, value):
            facts += 1
            name = type_of(raw).name.lower()
            by_type[name] = by_type.get(name, 0) + 1
    return {
        "format_version": keys.FORMAT_VERSION,
        **env.info(),
        "file_size": (env.path / "data.mdb").stat().st_size,
        "facts": facts,
        "facts_by_type": dict(sorted(by_type.items())),
        "records": {name.decode(): env.entries(name) for name in keys.DATABASES} | {"deliveries": _deliveries(env)},
    }


def _deliveries(env: Environment) -> int:
    """Return how many deliveries have a record, in its place or not."""
    with env.read() as txn:
        db = env.db(keys.DELIVERIES)
        recent = env.records(txn).all_recent()
        return int(txn.stat(db)["entries"]) + sum(txn.get(place, db=db) is None for place in recent)


def snapshot(env: Environment, folder: Path) -> Environment:
    """Copy a store in use to ``folder`` as it is at one moment, and open the copy."""
    folder.mkdir(mode=0o700, parents=True)
    env.copy(folder)
    return Environment(folder)


def backup(env: Environment, target: Path) -> dict[str, object]:
    """Write a compact copy of one moment, with a manifest, into the new directory ``target`` (D12).

    It appears under its name only when it is whole and on disk. Raises BackupError when ``target`` exists,
    StoreError when the copy cannot be made. Returns the manifest.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; a backup goes into a new directory")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    try:
        env.copy(part)
    except StoreError:
        shutil.rmtree(part, ignore_errors=True)  # a full disk needs the room
        raise
    manifest: dict[str, object] = {
        "format_version": keys.FORMAT_VERSION,
        "size": (part / "data.mdb").stat().st_size,
        "sha256": _hash_file(part / "data.mdb"),
    }
    (part / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="ascii")
    for path in (part / "data.mdb", part / _MANIFEST, part):
        _sync(path)
    part.rename(target)
    _sync(target.parent)
    return manifest


def restore(source: Path, path: Path) -> dict[str, object]:
    """Put a backup back as the store in ``path``, which must not have one yet. Returns the manifest.

    Raises BackupError when the backup is not whole, StorePathError when ``path`` has a store.
    """
    if (path / "data.mdb").exists():
        raise StorePathError(f"there is a store in {path}; move it away first")
    try:
        manifest = json.loads((source / _MANIFEST).read_text(encoding="ascii"))
        found = _hash_file(source / "data.mdb")
    except (OSError, ValueError) as error:
        raise BackupError(f"{source} is not a backup: {error}") from error
    if not isinstance(manifest, dict) or found != manifest.get("sha256"):
        raise BackupError(f"the backup in {source} was altered: its checksum does not fit")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path / _RESTORED
    try:
        shutil.copyfile(source / "data.mdb", part)
        part.chmod(0o600)
        _sync(part)
        part.rename(path / "data.mdb")
    except OSError as error:
        part.unlink(missing_ok=True)  # a full disk needs the room
        raise StoreError(f"the backup cannot be copied to {path}: {error.strerror}") from error
    _sync(path)
    return manifest


def compact(path: Path) -> tuple[int, int]:
    """Write the store in ``path`` anew without free pages; no process may have it open.

    Returns its size in bytes before and after.
    """
    env = Environment(path, read_only=True)
    before = (path / "data.mdb").stat().st_size
    part = path / _COMPACTED
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        env.copy(part)
    except StoreError:
        shutil.rmtree(part, ignore_errors=True)  # a full disk needs the room
        raise
    finally:
        env.close()
    _sync(part / "data.mdb")
    (part / "data.mdb").chmod(0o600)
    (part / "data.mdb").rename(path / "data.mdb")
    _sync(path)
    shutil.rmtree(part)
    return before, (path / "data.mdb").stat().st_size


def rebuild(path: Path, *, rewrite: Rewrite | None = None) -> int:
    """Fold every fact anew into a fresh store that takes the place of the one in ``path``; returns the facts.

    No process may have it open. The old one stays until the new one is whole and on disk. ``rewrite`` is given the
    packed facts of each chunk and returns as many to be kept in their place (store.erasure).
    """
    env = Environment(path)
    part = path / _REBUILT
    shutil.rmtree(part, ignore_errors=True)
    new = Environment(part, map_size=DEFAULT_MAP_SIZE)
    try:
        facts = refold(env, new, is_whole_store=True, rewrite=rewrite)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)  # a full disk needs the room
        raise
    finally:
        env.close()
        new.close()
    _sync(part / "data.mdb")
    (part / "data.mdb").rename(path / "data.mdb")
    _sync(path)
    shutil.rmtree(part)
    return facts


def remove_left_over(path: Path) -> None:
    """Remove copies of the store in ``path`` that a killed process left; no process may have the store open.

    They take as much room as the data, and hold people who are forgotten since (D14).
    """
    (path / _RESTORED).unlink(missing_ok=True)
    for copy in (path / _COMPACTED, path / _REBUILT, *path.parent.glob(f"{CHECKED}*")):
        shutil.rmtree(copy, ignore_errors=True)


def refold(
    env: Environment, target: Environment, *, is_whole_store: bool = False, rewrite: Rewrite | None = None
) -> int:
    """Fold all facts of ``env`` into the empty ``target``; returns how many.

    The log itself is copied chunk by chunk, since folding looks facts up in it.
    """
    facts, end = 0, 1
    for chunk_batch in batched(scan_chunks(env)):
        with target.write() as txn:
            fold = Fold(target, txn)
            for first, value in chunk_batch:
                raws = unpack_chunk(first, value)
                chunks = [(first, value)]
                if rewrite is not None and (rewritten := rewrite(raws)) != raws:
                    raws = rewritten
                    chunks = pack_chunks(first, raws)
                for number, chunk in chunks:
                    _put_new(txn, keys.seq_key(number), chunk, target.db(keys.LOG), append=True)
                end = first
                for raw in raws:
                    fold.replay(end, unpack_fact(raw))
                    end += 1
                    facts += 1
            fold.finish()
    _restore_overflow(env, target)
    if is_whole_store:
        with target.write() as txn:
            # From the log, not from the old store, where it may be what is wrong.
            _put_new(txn, keys.META_NEXT_SEQ, keys.seq_key(end), target.db(keys.META))
    return facts


def _put_new(txn: Transaction, key: bytes, value: bytes, db: Database, *, append: bool = False) -> None:
    if not txn.put(key, value, db=db, overwrite=False, append=append):
        raise StoreCorruptError("the log has a number twice")


def _restore_overflow(env: Environment, target: Environment) -> None:
    for name, is_test in ((keys.DELIVERIES, False), (keys.TEST_DELIVERIES, True)):
        for rows in batched(rows_of(env, name, is_lenient=True)):
            flooded = [(key, overflow) for key, value in rows if any(overflow := _overflow_of(key, value))]
            if flooded:
                with target.write() as txn:
                    fold = Fold(target, txn)
                    for key, overflow in flooded:
                        fold.restore_overflow(DeliveryKey.unpack(key), Overflow(*overflow), is_test=is_test)
                    fold.finish()


def _overflow_of(key: bytes, value: bytes) -> Overflow:
    """Return what a stored record only counts. Of a record that cannot be read it is lost, the rest is folded."""
    try:
        return Record.unpack(key, value).overflow
    except StoreCorruptError:
        return Overflow()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
