"""Watches: so many failures of a kind in so much time raise an alert and may ask for a pause (P07). As data."""

from __future__ import annotations

from enum import StrEnum

import msgspec
import re2

from console.outgoing.commands import CommandName
from model.cause import Cause
from model.detail import Report
from model.fact import Fact, FactType

WATCH_KIND = "watch"
#: Names the tenants that have watches or commands; a document of the house.
WATCHED_KIND = "watch.tenant"
_PATTERN_MEMORY = 2**20
_TYPES = {"failed": FactType.FAILED, "deferred": FactType.DEFERRED}


class WatchOn(StrEnum):
    """What is counted."""

    FAILED = "failed"
    DEFERRED = "deferred"


class Per(StrEnum):
    """What is counted together."""

    BROADCAST = "broadcast"
    TENANT = "tenant"


class Watch(msgspec.Struct, frozen=True):
    """One watch. It is quiet after an alert for as long as its window, or as the pause it asked for."""

    id: str
    name: str
    threshold: int
    window_s: int = 3_600
    on: tuple[WatchOn, ...] = (WatchOn.FAILED,)
    causes: tuple[Cause, ...] = ()
    #: RE2, looked for in what the server said
    pattern: str = ""
    per: Per = Per.BROADCAST
    command: CommandName | None = None
    for_s: int | None = None

    @property
    def quiet_s(self) -> int:
        """How long after an alert there is none of the same."""
        return max(self.window_s, self.for_s or 0)


class Matcher:
    """A watch ready to look at facts."""

    def __init__(self, watch: Watch) -> None:
        """Raises ValueError when the pattern is none."""
        self.watch = watch
        self._types = frozenset(_TYPES[on] for on in watch.on)
        self._causes = frozenset(watch.causes)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _PATTERN_MEMORY
        try:
            self._pattern = re2.compile(watch.pattern, options) if watch.pattern else None
        except re2.error as error:
            said = error.args[0] if error.args else ""
            words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
            raise ValueError(f"`pattern` is not RE2: {words}") from None

    def fits(self, fact: Fact) -> bool:
        """Whether the watch counts a fact."""
        detail = fact.detail
        if fact.is_test or fact.type not in self._types or not isinstance(detail, Report):
            return False
        if self._causes and detail.cause not in self._causes:
            return False
        return self._pattern is None or bool(self._pattern.search(detail.diagnostic))

    def place(self, fact: Fact) -> int:
        """Return the number under which a fact is counted: its broadcast's, or 0 for all."""
        return fact.key.broadcast if self.watch.per is Per.BROADCAST else 0
