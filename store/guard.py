"""Notice a disk that is getting full before it is (D5)."""

from __future__ import annotations

import shutil
from pathlib import Path

#: Refuse new mail when less than this share of the disk, and less than this many bytes, is free.
MIN_FREE_SHARE = 0.02
MIN_FREE_BYTES = 256 * 2**20


def is_disk_low(path: Path, *, min_free_bytes: int = MIN_FREE_BYTES, min_free_share: float = MIN_FREE_SHARE) -> bool:
    """Whether the disk that holds ``path`` has too little room left, by bytes or by share of the whole.

    A large disk is not low at its share when it still has ten times the bytes asked for.
    """
    usage = shutil.disk_usage(path)
    if usage.free < min_free_bytes:
        return True
    return usage.free < usage.total * min_free_share and usage.free < min_free_bytes * 10
