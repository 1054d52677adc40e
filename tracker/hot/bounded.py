"""A dictionary that forgets what was not asked for lately, so that strangers cannot fill the memory. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Keeps at least the last ``limit // 2`` entries used, at most ``limit``.

    Two generations: what is used moves to the young one, and when that is full the old one is dropped. Cheaper than
    an order kept for each use.
    """

    def __init__(self, limit: int) -> None:
        """``limit`` is the most entries."""
        self._half = limit // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        """Return how many entries there are; one that is in both generations counts twice."""
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return the entry of ``key``, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> V:
        """Keep and return ``value``."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value
