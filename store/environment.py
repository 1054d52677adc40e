"""Open the LMDB environment: once per process, after any fork, with default (durable) flags.

Never ``writemap``, ``sync=False`` or ``metasync=False``: each loses acknowledged facts or kills readers
(reliability.md M20, M22).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import lmdb

from store import keys
from store.errors import (
    MapFullError,
    StoreCorruptError,
    StoreError,
    StoreFailedError,
    StoreFileError,
    StoreFullError,
    StorePathError,
    StoreVersionError,
)
from store.records import RecentRecords, Records, RecordsWriter
from store.transaction import Database, Transaction

#: Address space, not disk: the file grows only as facts come (D6).
DEFAULT_MAP_SIZE = 64 * 2**30
_MAX_READERS = 1024
#: How often a store may grow under us while we open it.
_OPENINGS = 10
#: With less room than this an input/output error means a full disk.
_FULL_BYTES = 2**20
_MOUNTS = Path("/proc/self/mounts")
#: What LMDB says of a file that it will not read the next time either.
_UNREADABLE = (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError, lmdb.PageNotFoundError)
_REMOTE_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"})


class Environment:
    """One process's handle on the store."""

    def __init__(self, path: Path, *, map_size: int = DEFAULT_MAP_SIZE, read_only: bool = False) -> None:
        """Open, or make, the store in directory ``path``; ``map_size`` in bytes is where growth begins anew.

        Raises StorePathError, StoreVersionError, StoreFileError where there is something else than a store, or
        StoreError for any other reason it cannot be opened.
        """
        self.path = path
        self._pid = os.getpid()
        self._gate = threading.Condition()
        self._open_transactions = 0
        self._is_resizing = False
        _check_path(path, read_only)
        try:
            self._env = lmdb.open(
                str(path),
                map_size=map_size,
                max_dbs=len(keys.DATABASES) + 2,
                max_readers=_MAX_READERS,
                readonly=read_only,
                mode=0o600,
            )
            self._open_databases(read_only)
        except _UNREADABLE as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise StoreFileError(
                f"{path / 'data.mdb'} is no store, or is damaged where it begins ({reason}).\n"
                "Nothing was changed. Move it away and put a backup in its place: `yamabiko store restore DIR`."
            ) from error
        except lmdb.Error as error:
            raise StoreError(f"the store in {path} cannot be opened: {error}") from error

    def db(self, name: bytes) -> Database:
        """Return the handle of a database named in store.keys."""
        return cast(Database, self._dbs[name])

    def records(self, txn: Transaction) -> Records:
        """Return the records of deliveries as ``txn``, which has written none, sees them."""
        return Records(self._recent, txn)

    def records_writer(self, txn: Transaction) -> RecordsWriter:
        """Return the records of deliveries to be read and written in ``txn``."""
        return RecordsWriter(self._recent, txn)

    def close(self) -> None:
        """Close the handle. Transactions must be over."""
        self._env.close()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give a read transaction: one consistent state. Keep it short, it holds old pages (D7); never nest two.

        Raises StoreCorruptError when pages are damaged, StoreFailedError after a failed write of the meta page,
        StoreError otherwise.
        """
        with _own_errors(self.path), self._transaction(write=False) as txn:
            yield txn

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give the write transaction; committed, and durable, when the block ends without an error.

        Raises StoreFullError when disk or map is full (nothing of the block is kept), StoreFailedError when
        LMDB must be opened anew, StoreError otherwise.
        """
        with _own_errors(self.path), self._transaction(write=True) as txn:
            yield txn

    def grow(self, needed: int) -> None:
        """Double the map, at least to ``needed`` bytes, once no transaction of this process is open."""
        with _own_errors(self.path):
            self._resize(max(self.info()["map_size"] * 2, needed))

    def info(self) -> dict[str, int]:
        """Return map size and use in bytes, number of readers, and how far the oldest reader lags."""
        with _own_errors(self.path), self._inside():
            info, stat = self._env.info(), self._env.stat()
        oldest = min((int(line.split()[2]) for line in self._reader_lines()), default=info["last_txnid"])
        return {
            "map_size": info["map_size"],
            "used": (info["last_pgno"] + 1) * stat["psize"],
            "readers": info["num_readers"],
            "last_transaction": info["last_txnid"],
            "oldest_reader_lag": info["last_txnid"] - oldest,
        }

    def entries(self, name: bytes) -> int:
        """Return how many records a database has."""
        with self.read() as txn:
            return int(txn.stat(self.db(name))["entries"])

    def reap_readers(self) -> int:
        """Free the reader slots of processes that died (D7); returns how many."""
        with _own_errors(self.path):
            return int(self._env.reader_check())

    def copy(self, path: Path) -> None:
        """Write a compacted copy, one consistent state, into the empty directory ``path``. It is not synced yet.

        This process cannot grow its map meanwhile. Raises StoreFullError when the disk is full.
        """
        with self.read():
            self._env.copy(str(path), compact=True)

    def _reader_lines(self) -> list[str]:
        lines = str(self._env.readers()).splitlines()[1:]
        return [line for line in lines if len(line.split()) == 3 and line.split()[2].isdigit()]

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Transaction]:
        if os.getpid() != self._pid:
            raise StoreError("a store must be opened after the fork, not before")  # D17
        txn = self._begin(write=write)
        try:
            with txn:
                yield cast(Transaction, txn)
        finally:
            self._leave()

    def _begin(self, *, write: bool) -> lmdb.Transaction:
        """Enter the gate and begin; on failure the gate is left again."""
        for attempt in range(3):
            self._enter()
            try:
                return self._env.begin(write=write)
            except lmdb.MapResizedError:
                # Another process made the map larger: take its size and try again (D6).
                self._leave()
                if attempt == 2:
                    raise
                self._resize(0)
            except lmdb.ReadersFullError:
                self._leave()
                if attempt == 2:
                    raise
                self._env.reader_check()
            except BaseException:
                self._leave()
                raise
        raise AssertionError("unreachable")

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """Look at the map while it stays where it is."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._gate:
            while self._is_resizing:
                self._gate.wait()
            self._open_transactions += 1

    def _leave(self) -> None:
        with self._gate:
            self._open_transactions -= 1
            if not self._open_transactions:
                self._gate.notify_all()

    def _resize(self, size: int) -> None:
        with self._gate:
            while self._is_resizing:
                self._gate.wait()
            # From here on nobody enters, so that transactions that overlap cannot keep us waiting for ever.
            self._is_resizing = True
            while self._open_transactions:
                self._gate.wait()
        try:
            self._env.set_mapsize(size)
        finally:
            with self._gate:
                self._is_resizing = False
                self._gate.notify_all()

    def _open_databases(self, read_only: bool) -> None:
        for attempt in range(_OPENINGS):
            try:
                self._check_version(read_only)
                self._dbs = {name: self._env.open_db(name, create=not read_only) for name in keys.DATABASES}
                self._recent = RecentRecords(*map(self.db, (keys.RECENT, keys.DELIVERIES, keys.MAILED)))
            except lmdb.MapResizedError:
                # Another process made the map larger since it was opened: take its size and try again (D6).
                if attempt == _OPENINGS - 1:
                    raise
                self._env.set_mapsize(0)
            else:
                return

    def _check_version(self, read_only: bool) -> None:
        if read_only:
            meta = self._env.open_db(keys.META, create=False)
            with self._env.begin(db=meta) as txn:
                found = txn.get(keys.META_VERSION)
        else:
            meta = self._env.open_db(keys.META)
            with self._env.begin(db=meta) as txn:
                found = txn.get(keys.META_VERSION)
            if found is None:
                with self._env.begin(db=meta, write=True) as txn:
                    is_ours = txn.put(keys.META_VERSION, b"%d" % keys.FORMAT_VERSION, overwrite=False)
                if is_ours:
                    # The file is on disk; its name is only once the directories are.
                    _sync_directory(self.path)
                    _sync_directory(self.path.parent)
                    return
                with self._env.begin(db=meta) as txn:
                    found = txn.get(keys.META_VERSION)  # another process was first
        if found != b"%d" % keys.FORMAT_VERSION:
            version = ascii(found.decode("latin-1")) if found else "none"
            self._env.close()
            raise StoreVersionError(
                f"the store in {self.path} has format {version}, this Yamabiko reads format {keys.FORMAT_VERSION}"
            )


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    """Turn LMDB's errors into ours, so that nobody else need know it."""
    try:
        yield
    except lmdb.MapFullError as error:
        raise MapFullError("the map is full") from error
    except lmdb.DiskError as error:
        raise StoreFullError("the disk is full") from error
    except lmdb.PanicError as error:
        raise StoreFailedError("a write of the store's meta page failed") from error
    except (lmdb.CorruptedError, lmdb.PageNotFoundError) as error:
        raise StoreCorruptError(f"a page of the store is damaged: {error}") from error
    except lmdb.Error as error:
        # A write that a full disk cut short comes as EIO.
        if shutil.disk_usage(path).free < _FULL_BYTES:
            raise StoreFullError("the disk is full") from error
        raise StoreError(f"the transaction failed: {error}") from error


def is_open_elsewhere(path: Path) -> bool:
    """Return whether another process has the store in ``path`` open, if only to read.

    This process must not have it open: asking would let go of its lock. LMDB keeps a lock on the first octet of its
    lock file in every process that has the environment open; the kernel takes it back whatever becomes of the process.
    """
    try:
        descriptor = os.open(path / "lock.mdb", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def wait_until_closed(path: Path, *, patience_s: float = 5.0) -> None:
    """Wait until no other process has the store in ``path`` open. Raises StoreError when that takes too long.

    Whoever puts another file in its place would lose what such a process still commits to the old one.
    """
    deadline = time.monotonic() + patience_s
    while is_open_elsewhere(path):
        if time.monotonic() > deadline:
            raise StoreError(f"another process has the store in {path} open; try again when it has ended")
        time.sleep(0.05)


def _check_path(path: Path, read_only: bool) -> None:
    if read_only and not (path / "data.mdb").exists():
        raise StorePathError(f"there is no store in {path}")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorePathError(f"{path} cannot be made: {error.strerror}") from error
    kind = _file_system(path)
    if kind in _REMOTE_FILE_SYSTEMS:
        raise StorePathError(f"{path} is on {kind}; LMDB needs a local file system (D17)")


def _file_system(path: Path) -> str:
    """Return the type of the file system ``path`` is on, or an empty string where it cannot be told."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    real = str(path.resolve())
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        point = fields[1].replace("\\040", " ")
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
