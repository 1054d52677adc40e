"""Times in requests: those the store can hold and every zone can show, and none that are yet to come where none can be.

A time beyond them is a slip of whoever wrote it. Taken in, it could be in no counter and no list could be shown.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
#: How far the clock of a sending system may be ahead of ours.
AHEAD_US = 3_600_000_000


def far_time(value: object) -> str | None:
    """Return what is wrong with the first time in ``value`` that lies outside 1970 to 2199; None where none does.

    ``value`` is what a request was decoded to: structs and lists of them are looked through.
    """
    if isinstance(value, msgspec.Struct):
        for name, shown in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            field = getattr(value, name)
            if isinstance(field, datetime):
                if not FIRST <= field < END:
                    return f"`{shown}`: a time lies from 1970 to 2199; leave it out where there is none"
            elif isinstance(field, msgspec.Struct | list):
                found = far_time(field)
                if found is not None:
                    return found
    elif isinstance(value, list):
        return next((found for found in map(far_time, value) if found is not None), None)
    return None


def time_to_come(at_us: int, now_us: int) -> str | None:
    """Return what is wrong with the time of something that is said to have happened; None where nothing is."""
    if at_us <= now_us + AHEAD_US:
        return None
    return "`at` lies in the future: is its zone right? 09:00 in Japan is 2026-04-01T09:00:00+09:00"
