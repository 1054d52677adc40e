"""What the console asks of whoever keeps the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from console.identity import Scope


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it may be shown: never itself. Times are seconds since 1970-01-01 UTC."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    made_at: int
    expires_at: int | None


class TokenDesk(Protocol):
    """Keeps the tokens; calls block for a moment (a small file is written)."""

    def list(self, tenant: int) -> Sequence[TokenRow]:
        """Return a tenant's tokens."""

    def create(self, tenant: int, name: str, scopes: tuple[Scope, ...], lifetime_s: int | None) -> tuple[TokenRow, str]:
        """Make a token; returns how it is shown and, this once, itself."""

    def revoke(self, tenant: int, token_id: str) -> bool:
        """Refuse a token from now on; False when the tenant has none with that id."""
