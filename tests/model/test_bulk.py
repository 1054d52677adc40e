"""Minting in bulk gives, octet for octet, what minting one by one gives."""

from __future__ import annotations

import os
import random

import pytest

from model.bulk import BulkMint, token_frames
from model.fact import DeliveryKey
from model.keyring import KeyRing
from model.mint import Hosts, MintedMail
from model.token import MAX_BROADCAST, MAX_RECIPIENT, TokenFlag

SEED = int(os.environ.get("SEED", random.randrange(2**32)))
HOSTS = Hosts("bounce.example.jp", "https://t.example.jp")
FLAGS = [TokenFlag.NONE, TokenFlag.HTML, TokenFlag.TEST, TokenFlag.HTML | TokenFlag.TEST]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("flags", FLAGS)
def test_bulk_and_single_agree(keys: KeyRing, count: int, flags: TokenFlag) -> None:
    print(f"SEED={SEED}")
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    frames = token_frames(HOSTS)
    for ring, tenant in ((keys, 1), (keys, 65_535), (keys.for_tenant(7), 7)):
        broadcast, day = rng.randrange(1, MAX_BROADCAST + 1), rng.randrange(65_536)
        recipients = [rng.choice([0, 1, MAX_RECIPIENT, rng.randrange(MAX_RECIPIENT)]) for _ in range(count)]
        octets = [recipient.to_bytes(8, "big") for recipient in recipients]
        minted = BulkMint(ring, tenant=tenant, broadcast=broadcast, day=day).mint(octets, flags)
        assert [len(column) for column in minted] == [count] * 5
        for *tokens, recipient in zip(*minted, recipients, strict=True):
            mail = MintedMail(ring, HOSTS, DeliveryKey(tenant, broadcast, recipient), day, flags)
            path, pixel, page, leave, message = [token.decode() for token in tokens]
            assert path.join(frames.return_path) == mail.return_path
            assert pixel.join(frames.pixel_url) == mail.pixel_url
            assert page.join(frames.unsubscribe_url) == mail.unsubscribe_url
            assert leave.join(frames.unsubscribe_address) == mail.unsubscribe_address
            assert message == mail.message_token


def test_recipients_are_numbered_together_as_one_by_one(keys: KeyRing) -> None:
    texts = ["taro@example.jp", "", "\ud800@x.jp", "たろう@example.jp", *(f"u{number}@x.jp" for number in range(50))]
    for ring, tenant in ((keys, 1), (keys, 65_535), (keys.for_tenant(7), 7)):
        numbers = [ring.recipient_number(tenant, text).to_bytes(8, "big") for text in texts]
        assert ring.recipient_octets(tenant, texts) == numbers
    assert keys.recipient_octets(1, []) == []
