"""Enhanced status codes (RFC 3463) and SMTP reply codes (RFC 5321 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 3463 2: status-code = class "." subject "." detail; class 2, 4 or 5, the others up to three digits.
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
# RFC 5321 4.2: Reply-code = %x32-35 %x30-35 %x30-39.
_REPLY = re.compile(r"(?<![\d.])([245][0-5]\d)(?=[ \-]|$)")


@dataclass(frozen=True, slots=True, order=True)
class StatusCode:
    """An enhanced status code: class, subject, detail (RFC 3463 2)."""

    klass: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"

    @property
    def is_specific(self) -> bool:
        """Whether the code says more than its class: not x.0.0 (mission A18)."""
        return (self.subject, self.detail) != (0, 0)

    @classmethod
    def parse(cls, text: str) -> StatusCode | None:
        """Read the first status code in ``text``; None when there is none."""
        match = _STATUS.search(text)
        return cls(*(int(part) for part in match.groups())) if match else None


def find_reply_code(text: str) -> int | None:
    """Return the first three-digit SMTP reply code in ``text`` (200-599), or None."""
    match = _REPLY.search(text)
    return int(match.group(1)) if match else None
