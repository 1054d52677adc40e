"""Signatures after Standard Webhooks: what the reference receiver accepts, and nothing that was changed (T16)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from console.outgoing.signature import TOLERANCE_S, SignatureError, new_secret, sign, verify
from tests.interop.world import seeded

BODY = '{"type":"failed","data":{"seq":7,"text":"宛先不明"}}'.encode()
NOW = 1_775_001_600.0


def headers(*secrets: str, at: float = NOW, body: bytes = BODY) -> dict[str, str]:
    return sign(secrets, "6ad1f8c2", int(at), body)


def test_the_example_of_the_specification() -> None:
    """The values of the specification's own example of a v1 signature."""
    made = sign(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330,
                b'{"test": 2432232314}')  # fmt: skip
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.row("P17")
def test_the_reference_receiver_accepts_it() -> None:
    secret, now = new_secret(), datetime.now(UTC).timestamp()
    made = headers(secret, at=now)
    Webhook(secret).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", made)


def test_two_secrets_are_valid_while_one_is_changed_for_the_other() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    made = headers(new, old)
    for secret in (old, new):
        assert verify([secret], made, BODY, NOW) == "6ad1f8c2"
    with pytest.raises(SignatureError):
        verify([other], made, BODY, NOW)


def test_everything_changed_is_refused() -> None:
    chance, secret = seeded(), new_secret()
    made = headers(secret)
    assert verify([secret], made, BODY, NOW) == "6ad1f8c2"  # the control: untouched, it passes
    refused = 0
    for _ in range(3_000):
        changed, body = _mutated(chance, made, BODY)
        if (changed, body) == (made, BODY):
            continue
        with pytest.raises(SignatureError):
            verify([secret], changed, body, NOW)
        refused += 1
    assert refused > 2_500


def _mutated(chance: random.Random, made: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    changed = dict(made)
    what = chance.choice(["body", "body", *made])
    if what == "body":
        place = chance.randrange(len(body))
        kind = chance.randrange(3)
        if kind == 0:
            return changed, body[:place] + bytes((body[place] ^ chance.randint(1, 255),)) + body[place + 1 :]
        return changed, body[:place] if kind == 1 else body + bytes((chance.randrange(256),))
    text = changed[what]
    # The last characters of base64 hold spare bits: change what counts.
    place = chance.randrange(3 if what == "webhook-signature" else 0, len(text) - 2)
    letter = chance.choice("0123456789abcXYZ.,+ \u00e9")
    changed[what] = text[:place] + letter + text[place + 1 :] if chance.random() < 0.8 else text[:place]
    if chance.random() < 0.05:
        del changed[what]
    return changed, body


@pytest.mark.parametrize("away", [-TOLERANCE_S - 1, TOLERANCE_S + 1, timedelta(days=30).total_seconds()])
def test_a_request_cannot_be_played_back_later(away: float) -> None:
    secret = new_secret()
    with pytest.raises(SignatureError, match="too old"):
        verify([secret], headers(secret), BODY, NOW + away)


def test_secrets_are_random_and_long_enough() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(secret.startswith("whsec_") and len(secret) == 6 + 44 for secret in made)
