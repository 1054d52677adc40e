"""Which of a report's recipient blocks are about the one recipient that a token names (A19, A20). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from model.address import Address
from model.errors import AddressError
from model.keyring import KeyRing
from model.reading import RecipientReading
from model.token import Token

#: blocks looked at in one report (S19)
MAX_BLOCKS = 50


class Match(StrEnum):
    """How a block relates to the token's recipient."""

    #: it names that recipient, and no other as the place it failed
    SAME = "same"
    #: it names nobody
    UNNAMED = "unnamed"
    #: it names somebody else: the mail was forwarded, or the report is not about this mail
    OTHER = "other"


def choose_blocks(
    blocks: Iterable[RecipientReading], token: Token, keys: KeyRing
) -> list[tuple[RecipientReading, Match]]:
    """Return the blocks that concern the token's recipient, best kind of match only.

    A block that names the recipient leaves out those that do not; a block that names nobody leaves out those
    that name somebody else. Only where all name somebody else are those returned, as OTHER.
    """
    matched = [(block, _match(block, token, keys)) for block in list(blocks)[:MAX_BLOCKS]]
    if len(matched) < 2:
        return matched
    for kind in Match:
        chosen = [(block, match) for block, match in matched if match is kind]
        if chosen:
            return chosen
    return []


def _match(block: RecipientReading, token: Token, keys: KeyRing) -> Match:
    if block.address is None and block.final_address is None:
        return Match.UNNAMED
    is_same = block.address is not None and _is_recipient(block.address, token, keys)
    if block.final_address is None:
        return Match.SAME if is_same else Match.OTHER
    if _is_recipient(block.final_address, token, keys):
        return Match.SAME
    # A20: the mailed address is right but the mail went on to another, unless only the host was spelled out.
    if is_same and block.address is not None and _is_same_mailbox(block.address, block.final_address):
        return Match.SAME
    return Match.OTHER


def _is_recipient(address: str, token: Token, keys: KeyRing) -> bool:
    try:
        return keys.recipient_number(token.tenant, Address.parse(address).folded) == token.recipient
    except AddressError:
        return False


def _is_same_mailbox(address: str, other: str) -> bool:
    try:
        left, right = Address.parse(address), Address.parse(other)
    except AddressError:
        return False
    if left.local_part.casefold() != right.local_part.casefold():
        return False
    # A name without a dot is a host's inside the recipient's own network.
    is_inner = "." not in right.domain or "." not in left.domain
    return is_inner or right.domain.endswith("." + left.domain) or left.domain.endswith("." + right.domain)
