"""Keep a store: look at it, verify it, copy it, bring it back, make it small, fold it anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
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
from store.transaction import Database, Transaction
from store.writer import next_seq

_MANIFEST = "manifest.json"
_ROWS_PER_READ = 5_000
_Key = TypeVar("_Key")
Rewrite = Callable[[list[bytes]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that re-folding all facts does not give. ``stored`` or ``folded`` is None where one lacks it."""

    database: str
    key: str
    stored: str | None
    folded: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found: facts read, checksums that failed (numbers of first facts), records that differ."""

    facts: int
    corrupt: tuple[int, ...]
    differences: tuple[Difference, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.corrupt and not self.differences


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


def verify(env: Environment, *, limit: int = 20) -> Verification:
    """Check every checksum, fold every fact anew beside the store, and compare record by record (I9).

    Takes the state at the beginning: facts that come meanwhile would show as differences, so verify a copy
    (``snapshot``) of a store in use. Returns at most ``limit`` differences.
    """
    corrupt, differences = _check_log(env)
    if corrupt:
        return Verification(0, corrupt, differences)
    with tempfile.TemporaryDirectory(prefix="yamabiko-verify-", dir=env.path.parent) as folder:
        folded = Environment(Path(folder) / "data", map_size=DEFAULT_MAP_SIZE)
        try:
            facts = _refold(env, folded)
            found = chain(differences, _check_recent(env), *(_compare(env, folded, name) for name in keys.DERIVED))
            return Verification(facts, (), tuple(islice(found, limit)))
        finally:
            folded.close()


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
    part = path / ".data.mdb.part"
    shutil.copyfile(source / "data.mdb", part)
    part.chmod(0o600)
    _sync(part)
    part.rename(path / "data.mdb")
    _sync(path)
    return manifest


def compact(path: Path) -> tuple[int, int]:
    """Write the store in ``path`` anew without free pages; no process may have it open.

    Returns its size in bytes before and after.
    """
    env = Environment(path, read_only=True)
    before = (path / "data.mdb").stat().st_size
    part = path / ".compact"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        env.copy(part)
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
    part = path / ".rebuild"
    shutil.rmtree(part, ignore_errors=True)
    new = Environment(part, map_size=DEFAULT_MAP_SIZE)
    try:
        facts = _refold(env, new, is_whole_store=True, rewrite=rewrite)
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


def _refold(
    env: Environment, target: Environment, *, is_whole_store: bool = False, rewrite: Rewrite | None = None
) -> int:
    """Fold all facts of ``env`` into the empty ``target``; returns how many.

    The log itself is copied chunk by chunk, since folding looks facts up in it.
    """
    facts, end = 0, 1
    for chunk_batch in _batched(scan_chunks(env)):
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
        for rows in _batched(rows_of(env, name, is_lenient=True)):
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


def _batched(items: Iterator[tuple[_Key, bytes]]) -> Iterator[list[tuple[_Key, bytes]]]:
    batch: list[tuple[_Key, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) >= _ROWS_PER_READ:
            yield batch
            batch = []
    if batch:
        yield batch


def rows_of(env: Environment, name: bytes, *, is_lenient: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Yield every (key, value) of a database in short transactions; of DELIVERIES and MAILED with what is in RECENT.

    Where RECENT is damaged raises StoreCorruptError, or leaves it out if ``is_lenient``.
    """
    recent: dict[bytes, bytes] = {}
    if name in (keys.DELIVERIES, keys.MAILED):
        try:
            with env.read() as txn:
                recent = env.records(txn).all_recent()
        except StoreCorruptError:
            if not is_lenient:
                raise
    if name == keys.MAILED:
        recent = {keys.mailed_place(place): b"" for place in recent if place[2:8] != bytes(6)}
    waiting = sorted(recent)
    at = 0
    for key, value in _rows_in_place(env, name):
        while at < len(waiting) and waiting[at] < key:
            yield waiting[at], recent[waiting[at]]
            at += 1
        if at < len(waiting) and waiting[at] == key:
            at += 1
        yield key, recent.get(key, value)
    for key in waiting[at:]:
        yield key, recent[key]


def _rows_in_place(env: Environment, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = b""
    while True:
        batch: list[tuple[bytes, bytes]] = []
        with env.read() as txn, txn.cursor(db=env.db(name)) as cursor:
            is_there = cursor.set_range(position) if position else cursor.first()
            while is_there and len(batch) < _ROWS_PER_READ:
                batch.append((cursor.key(), cursor.value()))
                is_there = cursor.next()
        yield from batch
        if len(batch) < _ROWS_PER_READ:
            return
        position = batch[-1][0] + b"\0"


def _compare(env: Environment, folded: Environment, name: bytes) -> Iterator[Difference]:
    stored_rows, folded_rows = rows_of(env, name, is_lenient=True), rows_of(folded, name)
    end = (None, None)
    one, other = next(stored_rows, end), next(folded_rows, end)
    while one[0] is not None or other[0] is not None:
        if other[0] is None or (one[0] is not None and one[0] < other[0]):
            yield _difference(name, one[0], one[1], None)
            one = next(stored_rows, end)
        elif one[0] is None or other[0] < one[0]:
            yield _difference(name, other[0], None, other[1])
            other = next(folded_rows, end)
        else:
            if one[1] != other[1]:
                yield _difference(name, one[0], one[1], other[1])
            one, other = next(stored_rows, end), next(folded_rows, end)


def _difference(name: bytes, key: bytes | None, stored: bytes | None, folded: bytes | None) -> Difference:
    assert key is not None
    return Difference(name.decode(), key.hex(), _hex(stored), _hex(folded))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _check_recent(env: Environment) -> Iterator[Difference]:
    try:
        with env.read() as txn:
            env.records(txn).all_recent()
    except StoreCorruptError as error:
        yield Difference(keys.RECENT.decode(), "", str(error), None)


def _check_log(env: Environment) -> tuple[tuple[int, ...], tuple[Difference, ...]]:
    """Return which chunks are damaged or do not follow the one before, and whether the next number fits."""
    corrupt: list[int] = []
    end = 1
    for first, value in scan_chunks(env):
        try:
            size = len(unpack_chunk(first, value))
        except StoreCorruptError:
            corrupt.append(first)
            end = 0  # how many it held is not known
            continue
        if first != end and end:
            corrupt.append(first)
        end = first + size
    stored = next_seq(env)
    if corrupt or stored == end:
        return tuple(corrupt), ()
    name = keys.META_NEXT_SEQ.hex()
    return (), (Difference(keys.META.decode(), name, keys.seq_key(stored).hex(), keys.seq_key(end).hex()),)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
