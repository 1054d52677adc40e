"""When to try again: doubling pauses with jitter, for three days (T07)."""

from __future__ import annotations

import random

#: After so long an event becomes a dead letter, and an endpoint that took nothing meanwhile is disabled.
GIVE_UP_S = 72 * 3_600.0
_FIRST_S = 5.0
_LONGEST_S = 3_600.0
#: From this try on an event that gets an answer, but no 2xx, is suspected to be refused for what it is.
SUSPECT_AFTER = 6


def pause_s(attempts: int, chance: random.Random, *, asked_s: float = 0.0) -> float:
    """Return how long to wait after ``attempts`` failures: 5 s, 10 s, 20 s ... an hour, each within 20 percent.

    Arguments: ``asked_s`` is what the receiver asks for (Retry-After); up to an hour it is respected.
    """
    plain = min(_FIRST_S * 2.0 ** min(attempts - 1, 20), _LONGEST_S)
    return max(plain * chance.uniform(0.8, 1.2), min(asked_s, _LONGEST_S))
