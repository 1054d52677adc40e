"""Which failures other tenants may learn of, by a keyed mark of the address alone (E39, X10). Pure."""

from __future__ import annotations

from collections.abc import Callable

from model.address import Address
from model.cause import SPECS, Permanence
from model.detail import Trust
from model.errors import AddressError
from model.keyring import KeyRing
from model.reading import Action, RecipientReading
from model.token import Token


def shared_mark(
    block: RecipientReading, trust: Trust, token: Token | None, keys: KeyRing, shares: Callable[[int], bool]
) -> bytes | None:
    """Return the mark of the address that failed; None where nobody else is told.

    Only what a token proves may be told, of the very address that was mailed, in words that say it does not exist,
    and only of a tenant that chose to share (``shares``). The mark leads back to no address without the master keys.
    """
    verdict = block.verdict
    is_told = (
        token is not None
        and not token.is_test
        and trust is Trust.SUPPRESS
        and block.action is Action.FAILED
        and verdict is not None
        and verdict.permanence is Permanence.PERMANENT
        and SPECS[verdict.cause].engagelab_soft == "address_not_exist"
    )
    if not is_told or token is None or not shares(token.tenant):
        return None
    for text in (block.address, block.final_address):
        folded = _folded(text)
        if folded and keys.recipient_number(token.tenant, folded) == token.recipient:
            return keys.global_mark(folded)
    return None


def _folded(text: str | None) -> str:
    try:
        return Address.parse(text).folded if text else ""
    except AddressError:
        return ""
