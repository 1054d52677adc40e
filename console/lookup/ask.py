"""The question to the suppression list, as lookups ask it: one address, now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from console.lookup.answer import Ask
from model.address import Address
from model.keyring import KeyRing
from store.gate import Candidate
from store.reader import Reader


def ask_suppressions(reader: Reader, keys: Callable[[], KeyRing], tenant: int, now_us: Callable[[], int]) -> Ask:
    """Return the question for one tenant's list."""

    def ask(address: Address, stream: str) -> str | None:
        ring, folded = keys(), address.folded
        mark = partial(ring.global_mark, folded)
        candidate = Candidate(ring.recipient_number(tenant, folded), address.domain, mark=mark)
        (denial,) = reader.preflight(tenant, [candidate], stream, now_us())
        return denial.detail if denial is not None else None

    return ask
