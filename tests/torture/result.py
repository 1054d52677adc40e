"""What a torture test returns, and the mark by which it is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Result:
    """One line of output. ``tried`` faults; acknowledged facts ``lost``; answers ``wrong``; both must be 0."""

    name: str
    tried: int
    lost: int
    wrong: int
    seed: int
    note: str

    def line(self) -> str:
        """Return the JSON object to print."""
        return json.dumps(asdict(self), ensure_ascii=False)


TortureTest = Callable[..., Result]


def torture(*, tries: int) -> Callable[[TortureTest], TortureTest]:
    """Mark ``test(seed=..., tries=...)`` as a torture test with its usual number of tries."""

    def mark(test: TortureTest) -> TortureTest:
        test.torture_tries = tries  # type: ignore[attr-defined]
        return test

    return mark
