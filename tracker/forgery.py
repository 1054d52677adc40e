"""How many invalid tokens one client may try (T9). Pure: the time is an argument."""

from __future__ import annotations

_MAX_CLIENTS = 10_000
_WINDOW_S = 60.0


class ForgeryLimit:
    """Counts invalid tokens per client in windows of a minute, in bounded memory.

    Only invalid ones count and only they are refused: the big mail services fetch for millions of people from
    a few addresses.
    """

    def __init__(self, per_minute: int) -> None:
        """``per_minute`` invalid tokens are answered as such, the rest is over the limit."""
        self._per_minute = per_minute
        self._counts: dict[str, int] = {}
        self._until = 0.0

    def is_over(self, client: str | None, now_s: float) -> bool:
        """Count one invalid token of ``client`` and return whether that is too many."""
        if now_s >= self._until or len(self._counts) >= _MAX_CLIENTS:
            self._counts.clear()
            self._until = now_s + _WINDOW_S
        name = client or ""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return count > self._per_minute
