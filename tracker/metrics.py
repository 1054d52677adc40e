"""What the tracker counts. A closed set of names; what becomes of the numbers is the caller's business."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Protocol


class Count(StrEnum):
    """Names of the counters."""

    #: pixels answered, whatever the token
    PIXELS = "pixels"
    #: redirects answered
    REDIRECTS = "redirects"
    #: confirm pages shown
    PAGES = "pages"
    #: unsubscribes durably stored and answered 200
    UNSUBSCRIBES = "unsubscribes"
    #: resubscribes durably stored and answered 200
    RESUBSCRIBES = "resubscribes"
    #: unsubscribes and resubscribes answered 503
    REFUSED = "refused"
    #: facts whose request was answered before they were durable (T4)
    AT_RISK = "at_risk"
    #: facts that were at risk and became durable after all
    RESCUED = "rescued"
    #: facts that never became durable
    LOST = "lost"
    #: requests with a token that does not verify
    FORGED = "forged"
    #: forged requests answered 429 (T9)
    LIMITED = "limited"
    #: requests answered 404
    NOT_FOUND = "not_found"
    #: requests that ended in an error of our own
    ERRORS = "errors"


class Metrics(Protocol):
    """Where counts go."""

    def add(self, name: Count, amount: int = 1) -> None:
        """Add ``amount`` to the counter ``name``."""


class Tally:
    """Counts in memory."""

    def __init__(self) -> None:
        """Start at zero."""
        self.counts: Counter[Count] = Counter()

    def add(self, name: Count, amount: int = 1) -> None:
        """Add ``amount`` to the counter ``name``."""
        self.counts[name] += amount

    def __getitem__(self, name: Count) -> int:
        """Return the counter ``name``."""
        return self.counts[name]
