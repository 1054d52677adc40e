"""The question to the suppression list, as lookups ask it: one address, now."""

from __future__ import annotations

from collections.abc import Callable

from console.lookup.answer import Ask
from model.address import Address
from model.keyring import KeyRing
from store.gate import Candidate
from store.reader import Reader


def ask_suppressions(reader: Reader, keys: Callable[[], KeyRing], tenant: int, now_us: Callable[[], int]) -> Ask:
    """Return the question for one tenant's list."""

    def ask(address: Address, stream: str) -> str | None:
        recipient = keys().recipient_number(tenant, address.folded)
        (denial,) = reader.preflight(tenant, [Candidate(recipient, address.domain)], stream, now_us())
        return denial.detail if denial is not None else None

    return ask
