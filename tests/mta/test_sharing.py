"""Which failures other tenants may learn of: under a keyed mark, if the tenant chose so, if it is proved (E39)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.address import Address
from model.cause import Cause, Permanence
from model.detail import Trust
from model.reading import Action, RecipientReading, Verdict
from model.token import Token, TokenType
from mta.sharing import shared_mark
from tests.mta.harness import KEYS

ADDRESS = "Taro@example.jp"
TOKEN = Token(TokenType.RETURN_PATH, 1, 5, KEYS.recipient_number(1, Address.parse(ADDRESS).folded), 20_000)
GONE = Verdict(Cause.USER_UNKNOWN, Permanence.PERMANENT, "rule", "v1")
BLOCK = RecipientReading("taro@EXAMPLE.jp", action=Action.FAILED, verdict=GONE)


def mark(block: RecipientReading = BLOCK, *, trust: Trust = Trust.SUPPRESS, token: Token | None = TOKEN,
         shares: bool = True) -> bytes | None:  # fmt: skip
    return shared_mark(block, trust, token, KEYS, lambda tenant: shares and tenant == 1)


@pytest.mark.row("E39", "X10")
def test_no_such_address_is_told_under_a_mark() -> None:
    found = mark()
    assert found == KEYS.global_mark("taro@example.jp") and found is not None and len(found) == 16
    assert b"taro" not in found
    final = replace(BLOCK, address="alias@example.org", final_address=ADDRESS)
    assert mark(final) == found, "the address the token names, whichever field has it"


@pytest.mark.row("N08", "S23")
def test_all_else_is_told_to_nobody() -> None:
    assert mark(shares=False) is None, "the tenant did not choose so"
    assert mark(trust=Trust.COUNT) is None
    assert mark(token=None) is None
    assert mark(replace(BLOCK, address=None)) is None
    assert mark(replace(BLOCK, address="victim@example.jp")) is None, "another address than the token's"
    assert mark(replace(BLOCK, address="no address")) is None
    assert mark(replace(BLOCK, action=Action.DELAYED)) is None
    assert mark(replace(BLOCK, verdict=None)) is None
    for cause in (Cause.MAILBOX_FULL, Cause.IP_BLOCKLISTED, Cause.HOST_UNKNOWN, Cause.RECIPIENT_FILTERED):
        assert mark(replace(BLOCK, verdict=replace(GONE, cause=cause))) is None
    assert mark(replace(BLOCK, verdict=replace(GONE, permanence=Permanence.TRANSIENT))) is None
