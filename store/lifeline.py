"""That a process ends with the one that began it, however that one ends: asked of the kernel (Linux, prctl(2)).

Standard library only, and little of that: a worker's process imports this before all else.
"""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG = 1


def end_with(parent: int, signal_number: int) -> bool:
    """Have a signal sent to this process when ``parent``, which began it, ends; False if it has ended already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    # It may have ended before it was asked for.
    return os.getppid() == parent
