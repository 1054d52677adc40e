"""What can go wrong in the store, grouped by the moment it happens."""


class StoreError(Exception):
    """The store could not do what was asked. Nothing acknowledged is lost; the caller may try again later."""


# Opening


class StoreVersionError(StoreError):
    """The data was written by another, newer format. Nothing was changed; a newer Yamabiko reads it."""


class StorePathError(StoreError):
    """The directory cannot hold a store: missing, not ours, or on a network file system."""


class StoreFileError(StoreError):
    """The data file is none of LMDB's, or is damaged where LMDB begins to read it. Opening it again will not help."""


# Writing


class StoreBusyError(StoreError):
    """A commit takes too long: a disk that stalls or a paused process that holds the write lock."""


class StoreFullError(StoreError):
    """The disk, or the room the map may take, is full."""


class MapFullError(StoreFullError):
    """The map is full though the disk is not; growing it helps."""


class StoreFailedError(StoreError):
    """A write failed in a way after which the process must open the store anew (MDB_PANIC)."""


class StoreClosedError(StoreError):
    """The writer was stopped."""


class FactRefusedError(StoreError):
    """One fact cannot be stored whatever the state of the disk; the others of its batch can."""


# Reading and keeping


class StoreCorruptError(StoreError):
    """A record does not pass its checksum."""


class RebuildNeededError(StoreCorruptError):
    """A row is damaged that every write needs: nothing is stored before `yamabiko store rebuild`. It can be read."""


class BackupError(StoreError):
    """A backup cannot be made, or is not whole."""
