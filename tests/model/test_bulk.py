"""Minting in bulk gives, octet for octet, what minting one by one gives."""

from __future__ import annotations

import os
import random

import pytest

from model.bulk import BulkMint
from model.fact import DeliveryKey
from model.keyring import KeyRing
from model.mint import Hosts, MintedMail
from model.token import MAX_BROADCAST, MAX_RECIPIENT, TokenFlag

SEED = int(os.environ.get("SEED", random.randrange(2**32)))
HOSTS = Hosts("bounce.example.jp", "https://t.example.jp")
FLAGS = [TokenFlag.NONE, TokenFlag.HTML, TokenFlag.TEST, TokenFlag.HTML | TokenFlag.TEST]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_bulk_and_single_agree(keys: KeyRing, count: int) -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    for ring, tenant in ((keys, 1), (keys, 65_535), (keys.for_tenant(7), 7)):
        broadcast, day = rng.randrange(1, MAX_BROADCAST + 1), rng.randrange(65_536)
        recipients = [rng.choice([0, 1, MAX_RECIPIENT, rng.randrange(MAX_RECIPIENT)]) for _ in range(count)]
        flags = [rng.choice(FLAGS) for _ in range(count)]
        minted = BulkMint(ring, HOSTS, tenant=tenant, broadcast=broadcast, day=day).mint(recipients, flags)
        assert len(minted) == count
        for texts, recipient, flag in zip(minted, recipients, flags, strict=True):
            mail = MintedMail(ring, HOSTS, DeliveryKey(tenant, broadcast, recipient), day, flag)
            assert texts.return_path == mail.return_path
            assert texts.pixel_url == mail.pixel_url
            assert texts.unsubscribe_url == mail.unsubscribe_url
            assert texts.unsubscribe_address == mail.unsubscribe_address
            assert texts.message_token == mail.message_token
