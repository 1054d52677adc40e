"""What an export's rows are made from, and how they are handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from console.export_rules import RESTRICTED, is_restricted
from console.schema_exports import ExportIn, ExportJob, ExportScope
from store.environment import Environment


class ExportError(Exception):
    """An export cannot be made. The text is shown to whoever asked for it."""


class RefusedError(ExportError):
    """Among the recipients are some whose source whoever asks may not export (R05)."""


@dataclass(slots=True)
class Batch:
    """Rows of a table, and which share of the work lies behind them (0 to 1)."""

    rows: Sequence[Sequence[Any]]
    share: float


Rows = Iterator[Batch]
#: receives how many rows are written and the share of the work that is done
Progress = Callable[[int, float], None]


@dataclass(slots=True)
class Source:
    """What the functions that make rows work with."""

    env: Environment
    job: ExportJob
    #: whether a restricted source was met among the rows
    is_restricted: bool = False

    @property
    def request(self) -> ExportIn:
        """What was asked for."""
        return self.job.request

    @property
    def is_whole(self) -> bool:
        """Whether filters are left aside (K35)."""
        return self.job.request.scope is ExportScope.ALL

    @property
    def from_us(self) -> int:
        """Begin of the window."""
        at = None if self.is_whole else self.request.from_
        return 0 if at is None else round(at.timestamp() * 1e6)

    @property
    def until_us(self) -> int:
        """End of the window, not in it."""
        at = None if self.is_whole else self.request.to
        return 2**63 - 1 if at is None else round(at.timestamp() * 1e6)

    def filter(self, name: str) -> str | None:
        """Return what a filter of the request says; None when it says nothing or is left aside."""
        value: str | None = None if self.is_whole else getattr(self.request, name)
        return value

    def take_sources(self, sources: Iterable[str | None]) -> None:
        """Take note of the sources of some recipients about to be written.

        Raises RefusedError when one of them may not be exported by whoever asks (R05).
        """
        if any(source and is_restricted(source) for source in sources):
            if not self.job.may_restricted:
                raise RefusedError(RESTRICTED)
            self.is_restricted = True
