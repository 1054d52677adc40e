"""Tokens: nothing altered, guessed, mixed up or revoked is accepted; nothing valid is refused (S22, T2)."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Callable
from dataclasses import replace

import pytest

from model.errors import TokenError
from model.fact import DeliveryKey
from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint
from model.token import (
    MAIL_LENGTH,
    MAX_BROADCAST,
    MAX_RECIPIENT,
    MAX_TENANT,
    URL_LENGTH,
    Token,
    TokenFlag,
    TokenType,
    UrlTokens,
    from_mail,
    from_url,
    open_token,
    sign,
    to_mail,
    to_url,
)

LARGEST = Token(TokenType.RETURN_PATH, MAX_TENANT, MAX_BROADCAST, MAX_RECIPIENT, 2**16 - 1, TokenFlag(31))


@pytest.fixture
def rng() -> random.Random:
    seed = secrets.randbits(32)
    print("seed", seed)
    return random.Random(seed)


def any_token(rng: random.Random) -> Token:
    return Token(
        rng.choice(list(TokenType)), rng.randrange(MAX_TENANT + 1), rng.randrange(MAX_BROADCAST + 1),
        rng.randrange(MAX_RECIPIENT + 1), rng.randrange(2**16), TokenFlag(rng.randrange(8)),
    )  # fmt: skip


def accepts(raw: bytes, expected: TokenType, keys: KeyRing, bound: bytes = b"") -> bool:
    try:
        open_token(raw, expected, keys, bound=bound)
    except TokenError:
        return False
    return True


def test_a_token_says_what_was_signed(keys: KeyRing, rng: random.Random) -> None:
    for token in [LARGEST, *(any_token(rng) for _ in range(500))]:
        raw = sign(token, keys)
        assert open_token(raw, token.type, keys) == token
        assert from_mail(to_mail(raw)) == raw
        assert from_url(to_url(raw)) == raw
        assert (len(to_mail(raw)), len(to_url(raw))) == (MAIL_LENGTH, URL_LENGTH)


def test_every_flipped_bit_is_refused(keys: KeyRing, rng: random.Random) -> None:
    for _ in range(200):
        token = any_token(rng)
        raw = sign(token, keys)
        assert accepts(raw, token.type, keys), "the control"
        for bit in range(len(raw) * 8):
            altered = bytearray(raw)
            altered[bit // 8] ^= 1 << bit % 8
            assert not any(accepts(bytes(altered), expected, keys) for expected in (token.type, TokenType(1)))


def test_random_strings_are_refused(keys: KeyRing, rng: random.Random) -> None:
    for turn in range(100_000):
        raw = bytearray(rng.randbytes(30))
        if turn % 2:
            raw[0] = 2  # the current key
            raw[1] = TokenType.OPEN << 5
        assert not accepts(bytes(raw), TokenType.OPEN, keys)


def test_random_text_is_no_token(rng: random.Random) -> None:
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/=.\n\x00あ\ud800"
    for _ in range(20_000):
        text = "".join(rng.choices(alphabet, k=rng.choice([0, 39, URL_LENGTH, 41, 47, MAIL_LENGTH, 49])))
        for read in (from_mail, from_url):
            try:
                assert len(read(text)) == 30
            except TokenError:
                continue


def test_types_never_stand_in_for_one_another(keys: KeyRing) -> None:
    for signed in TokenType:
        raw = sign(replace(LARGEST, type=signed), keys)
        for expected in TokenType:
            assert accepts(raw, expected, keys) == (signed is expected)


def test_what_is_bound_counts(keys: KeyRing) -> None:
    raw = sign(replace(LARGEST, type=TokenType.CLICK), keys, bound=b"1.3/https://example.jp/")
    assert accepts(raw, TokenType.CLICK, keys, b"1.3/https://example.jp/")
    assert not accepts(raw, TokenType.CLICK, keys, b"2.3/https://example.jp/")
    assert not accepts(raw, TokenType.CLICK, keys)


def test_mail_tokens_decode_as_base32_does(rng: random.Random) -> None:
    """Ours is quicker than base64.b32decode; it takes and refuses the same."""
    letters = "abcdefghijklmnopqrstuvwxyz234567ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for number in range(5_000):
        text = "".join(rng.choices(letters, k=48))
        if number % 2:
            place = rng.randrange(48)
            text = text[:place] + rng.choice("0189=_+- \t\n!\u00e9\udcff\u017f\u212a") + text[place + 1 :]
            with pytest.raises(TokenError):
                from_mail(text)
        else:
            assert from_mail(text) == base64.b32decode(text.upper())


def test_a_folded_mail_token_is_accepted(keys: KeyRing, rng: random.Random) -> None:
    for _ in range(1_000):
        text = to_mail(sign(any_token(rng), keys))
        mixed = "".join(rng.choice([c, c.upper()]) for c in text)
        assert text == text.lower()
        assert from_mail(text.upper()) == from_mail(mixed) == from_mail(text)


def test_a_folded_url_token_is_refused(keys: KeyRing) -> None:
    raw = sign(LARGEST, keys)
    assert not accepts(from_url(to_url(raw).swapcase()), LARGEST.type, keys)


@pytest.mark.parametrize("field", ["tenant", "broadcast", "recipient", "day"])
@pytest.mark.parametrize("value", [-1, 2**64])
def test_numbers_out_of_range_are_not_signed(field: str, value: int, keys: KeyRing) -> None:
    with pytest.raises(ValueError, match="out of range"):
        sign(replace(LARGEST, **{field: value}), keys)  # type: ignore[arg-type]


# Keys


def ring(**status: KeyStatus) -> KeyRing:
    kids = {"one": 1, "two": 2, "three": 3}
    keys = {kids[name]: Key(kids[name], bytes([kids[name]]) * 32, value) for name, value in status.items()}
    return KeyRing(keys, b"\x10" * 32)


def test_a_rotated_key_still_verifies() -> None:
    before = ring(one=KeyStatus.CURRENT)
    after = ring(one=KeyStatus.OLD, two=KeyStatus.CURRENT)
    raw = sign(LARGEST, before)
    assert accepts(raw, LARGEST.type, after)
    assert sign(LARGEST, after)[0] == 2
    assert not accepts(sign(LARGEST, after), LARGEST.type, before), "the control: an unknown kid"


def test_a_revoked_key_is_refused() -> None:
    raw = sign(LARGEST, ring(one=KeyStatus.CURRENT))
    assert not accepts(raw, LARGEST.type, ring(one=KeyStatus.REVOKED, two=KeyStatus.CURRENT))


@pytest.mark.parametrize("status", [{"one": KeyStatus.OLD}, {"one": KeyStatus.CURRENT, "two": KeyStatus.CURRENT}, {}])
def test_a_ring_has_one_current_key(status: dict[str, KeyStatus]) -> None:
    with pytest.raises(ValueError, match="exactly one current key"):
        ring(**status)


def test_forged_tenants_take_bounded_memory(keys: KeyRing) -> None:
    for tenant in range(10_000):
        keys.verifying_key(2, tenant)
    assert len(keys._derived) <= 4_096


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(Key(1, b"secret" * 5, KeyStatus.CURRENT))


# A tenant's own ring


def test_a_tenants_ring_mints_offline_what_the_server_opens(keys: KeyRing, mint: Mint) -> None:
    exported = KeyRing.from_export(keys.for_tenant(7).export())
    offline = Mint(exported, mint.hosts)
    arguments = {"tenant": 7, "broadcast_id": "春のセール", "address": "Taro@Example.JP", "day": 20_000}
    here, there = mint.mail(**arguments), offline.mail(**arguments)  # type: ignore[arg-type]
    assert there.return_path == here.return_path
    assert there.click_url("https://example.jp/", link=1, links=2) == here.click_url(
        "https://example.jp/", link=1, links=2
    )
    assert offline.feedback_address(7) == mint.feedback_address(7)
    local = there.return_path.partition("@")[0].removeprefix("b+")
    assert open_token(from_mail(local), TokenType.RETURN_PATH, keys).tenant == 7


def test_a_tenants_ring_is_of_no_use_for_another(keys: KeyRing, mint: Mint) -> None:
    exported = KeyRing.from_export(keys.for_tenant(7).export())
    with pytest.raises(KeyError):
        Mint(exported, mint.hosts).mail(tenant=8, broadcast_id="b", address="a@example.jp", day=1)
    with pytest.raises(KeyError):
        sign(replace(LARGEST, tenant=8), exported)
    assert not accepts(sign(replace(LARGEST, tenant=8), keys), LARGEST.type, exported)
    # Even one who alters the ring so as to sign for another tenant is refused by the server.
    forged = KeyRing({2: Key(2, exported.tenant_key(2, 7), KeyStatus.CURRENT)}, b"\x00" * 32, tenant=8)
    assert not accepts(sign(replace(LARGEST, tenant=8), forged), LARGEST.type, keys)


def test_the_master_ring_is_not_exported(keys: KeyRing) -> None:
    with pytest.raises(ValueError, match="only the ring of one tenant"):
        keys.export()


# Lengths (RFC 5321 4.5.3.1.1)


def test_local_parts_fit_for_the_largest_numbers(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyRing, "recipient_number", lambda *_: MAX_RECIPIENT)
    monkeypatch.setattr(KeyRing, "broadcast_number", lambda *_: MAX_BROADCAST)
    mint = Mint(keys, Hosts("bounce.example.jp", "https://t.example.jp"))
    mail = mint.mail(tenant=MAX_TENANT, broadcast_id="b", address="a@example.jp", day=2**16 - 1, is_test=True)
    for address in (mail.return_path, mail.unsubscribe_address, mint.feedback_address(MAX_TENANT)):
        local = address.partition("@")[0]
        assert len(local.encode()) <= 64
        assert local == local.lower()


def test_numbers_are_never_zero_and_need_the_pepper(keys: KeyRing) -> None:
    other = KeyRing({1: Key(1, b"\x01" * 32, KeyStatus.CURRENT)}, b"\x11" * 32)
    numbers = {keys.recipient_number(tenant, f"{n}@a.jp") for tenant in (1, 2) for n in range(1_000)}
    assert len(numbers) == 2_000 and 0 not in numbers
    assert keys.recipient_number(1, "a@a.jp") != other.recipient_number(1, "a@a.jp")
    assert 0 < keys.broadcast_number(1, "\ud800") <= MAX_BROADCAST


@pytest.mark.parametrize(("read", "text"), [(from_url, "A" * 38 + "=="), (from_mail, "a" * 42 + "======")])
def test_padding_is_no_token(read: Callable[[str], bytes], text: str) -> None:
    with pytest.raises(TokenError):
        read(text)


def test_the_short_way_opens_what_the_long_one_does(keys: KeyRing, rng: random.Random) -> None:
    """UrlTokens against open_token: sound tokens of every type, and each with something altered."""
    read = {kind: UrlTokens(keys, kind) for kind in TokenType}
    sound = altered_sound = 0
    for _ in range(3_000):
        token, bound = any_token(rng), rng.choice((b"", b"1.3/https://x.jp/"))
        text = to_url(sign(token, keys, bound=bound))
        texts = [text]
        for _ in range(3):
            at, char = rng.randrange(len(text)), rng.choice("AZaz09-_+/=%. \n\x00\xe9")
            texts.append(rng.choice((text[:at] + char + text[at + 1 :], text[:at] + char + text[at:], text[:at])))
        for kind in (token.type, rng.choice(list(TokenType))):
            for tried in texts:
                try:
                    expected = open_token(from_url(tried), kind, keys, bound=bound)
                except TokenError:
                    expected = None
                opened = read[kind].open(tried.encode("latin-1"), bound)
                assert (opened is None) == (expected is None), (tried, kind)
                if expected is not None:
                    sound += tried is text
                    altered_sound += tried != text
                    key = DeliveryKey(expected.tenant, expected.broadcast, expected.recipient)
                    assert opened == (key.pack(), expected.flags.value)
                    assert read[kind].open(tried.encode(), bound + b"x") is None
    print(f"{sound} sound tokens, {altered_sound} altered into themselves")
    assert sound >= 3_000 and altered_sound == 0


def test_the_short_way_refuses_void_keys(rng: random.Random) -> None:
    raw = sign(any_token(rng), ring(one=KeyStatus.CURRENT))
    old = UrlTokens(ring(one=KeyStatus.OLD, two=KeyStatus.CURRENT), TokenType(raw[1] >> 5))
    void = UrlTokens(ring(one=KeyStatus.REVOKED, two=KeyStatus.CURRENT), TokenType(raw[1] >> 5))
    assert old.open(to_url(raw).encode()) is not None and void.open(to_url(raw).encode()) is None


def test_forged_tenants_take_bounded_memory_on_the_short_way(keys: KeyRing) -> None:
    tokens = UrlTokens(keys, TokenType.OPEN)
    for tenant in range(5_000):
        forged = bytes((2, TokenType.OPEN << 5)) + tenant.to_bytes(2, "big") + bytes(26)
        assert tokens.open(to_url(forged).encode()) is None
    assert 0 < len(tokens._begun) <= 1_024
