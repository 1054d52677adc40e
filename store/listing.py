"""How recipients are listed in a broadcast already: read from the records of their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.detail import Excluded
from model.fact import FactType
from store.environment import Environment
from store.log import read_fact
from store.record import Record
from store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Listing:
    """How a recipient is listed in a broadcast already: by which row first, and why not mailed, if so."""

    #: first 8 octets of the id of the first PLANNED fact
    mark: bytes
    excluded: Excluded | None


def listings_of(env: Environment, txn: Transaction, records: Mapping[bytes, bytes]) -> dict[bytes, Listing]:
    """Return how recipients are listed by the stored records of their deliveries; those that are."""
    listings = {place: _listing(env, txn, place, raw) for place, raw in records.items()}
    return {place: listing for place, listing in listings.items() if listing is not None}


def _listing(env: Environment, txn: Transaction, place: bytes, raw: bytes) -> Listing | None:
    """Return how a recipient is listed; None where it is not, whatever else came of it."""
    entries = Record.unpack(place, raw).entries
    planned = next((entry for entry in entries if entry.type == FactType.PLANNED), None)
    if planned is None:
        return None
    excluded = next((entry for entry in entries if entry.type == FactType.EXCLUDED), None)
    detail = read_fact(env, txn, excluded.seq).detail if excluded else None
    return Listing(planned.mark, detail if isinstance(detail, Excluded) else None)
