"""Enhanced status codes (RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 3463 2: status-code = class "." subject "." detail; class 2, 4 or 5, the others up to three digits.
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")


@dataclass(frozen=True, slots=True, order=True)
class StatusCode:
    """An enhanced status code: class, subject, detail (RFC 3463 2)."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    @classmethod
    def parse(cls, text: str) -> StatusCode | None:
        """Read the first status code in ``text``; None when there is none."""
        match = _STATUS.search(text)
        return cls(*(int(part) for part in match.groups())) if match else None
