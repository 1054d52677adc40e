"""How long the simulated world tries again: two minutes, as on a busy machine a killed worker may be away for one."""

from __future__ import annotations

TRIES = 480
PAUSE_S = 0.25
