"""What goes into mails, and click URLs: only what was signed is opened, only safe targets are signed (T1)."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Sequence

import pytest

from model.address import Address
from model.errors import AddressError, TokenError
from model.keyring import KeyRing
from model.mint import TOKEN_HEADER, Mint, MintedMail, TargetError, check_target, open_click
from model.token import Token, TokenFlag, TokenType, from_mail, from_url, open_token, sign, to_url

TARGET = "https://www.example.jp/賀?q=1&r=%E5%B1%B1#x"


@pytest.fixture
def mail(mint: Mint) -> MintedMail:
    return mint.mail(tenant=1, broadcast_id="spring", address="taro@example.jp", day=20_000)


def segments(url: str) -> tuple[str, str, str]:
    token, place, target = url.removeprefix("https://t.example.jp/c/").split("/")
    return token, place, target


def opens(parts: Sequence[str], keys: KeyRing) -> bool:
    token, place, target = parts
    try:
        open_click(token, place, target, keys)
    except (TokenError, TargetError):
        return False
    return True


GOOD = [
    "https://example.jp",
    "http://example.jp/",
    "HTTPS://EXAMPLE.JP/",
    "https://example.jp:8443/a?b=c#d",
    "https://日本語.jp/パス?検索=語",
    "https://xn--wgv71a119e.jp/",
    "https://192.0.2.1/",
    "https://[2001:db8::1]/",
    "https://example.jp/?to=user@example.jp",
    "https://example.jp/a/../b//c",
    "https://example.jp/%0d%0aSet-Cookie:x",
    "https://example.jp/" + "a" * 4_000,
]
BAD = [
    "",
    " ",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/relative",
    "example.jp",
    "https:",
    "https://",
    "https:///path",
    "https:/example.jp",
    "https:example.jp",
    "https://:443/",
    "https://?x",
    "https://#x",
    "https://@/",
    "https://user@example.jp/",
    "https://user:pass@example.jp/",
    "https://example.jp@evil.example/",
    "https://example.jp:@evil.example/",
    "https://example.jp\\@evil.example/",
    "https://example.jp:99999/",
    "https://example.jp:port/",
    "https://[::1/",
    "https://[not-an-address]/",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.jp/",
    "mailto:a@example.jp",
    "tel:110",
    "blob:https://example.jp/",
    "view-source:https://example.jp/",
    "https\x00://example.jp/",
    "https://example.jp/\x00",
    "https://example.jp/\r\nSet-Cookie: x",
    "https://example.jp/\n",
    "https://example.jp/\ta",
    "https://exa mple.jp/",
    "https://example.jp/ b",
    " https://example.jp/",
    "https://example.jp/\x7f",
    "https://example.jp/\x1b[2J",
    'https://example.jp/"onload="x',
    "https://example.jp/<script>",
    "https://example.jp/`x`",
    "https://example.jp/" + "a" * 5_000,
]


@pytest.mark.parametrize("target", GOOD)
def test_a_good_target_comes_back_as_it_was(target: str, mail: MintedMail, keys: KeyRing) -> None:
    click = open_click(*segments(mail.click_url(target, link=2, links=5)), keys)
    assert (click.target, click.link, click.links) == (target, 2, 5)
    assert click.token.recipient == mail.key.recipient


@pytest.mark.parametrize("target", BAD)
def test_a_bad_target_is_neither_signed_nor_opened(target: str, mail: MintedMail, keys: KeyRing) -> None:
    with pytest.raises(TargetError):
        mail.click_url(target, link=1, links=1)
    # One that a sender signed all the same, with its own code.
    token = Token(TokenType.CLICK, *mail.key, mail.day, mail.flags)
    raw = sign(token, keys, bound=f"1.1/{target}".encode())
    encoded = base64.urlsafe_b64encode(target.encode()).decode().rstrip("=")
    with pytest.raises((TargetError, TokenError)):
        open_click(to_url(raw), "1.1", encoded, keys)


def test_hostile_prefixes_and_suffixes(keys: KeyRing, mail: MintedMail) -> None:
    """2,000 mixtures: whatever is accepted is an http(s) URL with a host and no user-info."""
    from urllib.parse import urlsplit

    seed = secrets.randbits(32)
    print("seed", seed)
    rng = random.Random(seed)
    pieces = ["https://", "http:", "//", "/\\", "javascript:", "data:", "@", "evil.example", "example.jp", "\r\n"]
    pieces += ["\x00", "\u2028", "\uff0f", "。", "%2f", "[", "]", ":", ":80", "?", "#", "\\", " ", "\t", "あ"]
    accepted = 0
    for _ in range(2_000):
        target = "".join(rng.choices(pieces, k=rng.randint(1, 6)))
        try:
            check_target(target)
        except TargetError:
            continue
        accepted += 1
        parts = urlsplit(target)
        assert parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        assert not set(target) & set("\r\n\x00\t \\")
    assert accepted, "the control: some are good"


def test_every_altered_bit_of_a_click_url_is_refused(mail: MintedMail, keys: KeyRing) -> None:
    parts = segments(mail.click_url(TARGET, link=12, links=34))
    assert opens(parts, keys), "the control"
    for place in range(3):
        for at, character in enumerate(parts[place]):
            for bit in range(7):
                altered = parts[place][:at] + chr(ord(character) ^ 1 << bit) + parts[place][at + 1 :]
                assert not opens([*parts[:place], altered, *parts[place + 1 :]], keys), (place, at, bit)


@pytest.mark.parametrize("place", ["13.34", "12.35", "012.34", "12.34 ", "12", "", "12.34.5", "１２.34", "-12.34"])
def test_another_place_is_refused(place: str, mail: MintedMail, keys: KeyRing) -> None:
    token, _, target = segments(mail.click_url(TARGET, link=12, links=34))
    assert not opens([token, place, target], keys)


@pytest.mark.parametrize("change", ["=", "==", "A", "AA", "%3D", "\n", "あ"])
def test_a_longer_target_is_refused(change: str, mail: MintedMail, keys: KeyRing) -> None:
    token, place, target = segments(mail.click_url(TARGET, link=1, links=1))
    assert not opens([token, place, target + change], keys)


def test_place_and_target_cannot_be_shifted_into_one_another(mail: MintedMail, keys: KeyRing) -> None:
    token, place, _ = segments(mail.click_url("https://a.jp/x", link=1, links=1))
    encoded = base64.urlsafe_b64encode(b"a.jp/x").decode().rstrip("=")
    assert not opens([token, f"{place}/https:/", encoded], keys)


def test_what_a_mail_gets(mail: MintedMail, keys: KeyRing) -> None:
    headers = mail.headers()
    assert headers["List-Unsubscribe"] == f"<{mail.unsubscribe_url}>, <mailto:{mail.unsubscribe_address}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = open_token(from_mail(headers[TOKEN_HEADER]), TokenType.MESSAGE, keys)
    assert (found.tenant, found.broadcast, found.recipient) == mail.key
    pixel = mail.pixel_url.removeprefix("https://t.example.jp/o/").removesuffix(".gif")
    assert open_token(from_url(pixel), TokenType.OPEN, keys).is_html
    unsubscribe = mail.unsubscribe_url.removeprefix("https://t.example.jp/u/")
    assert open_token(from_url(unsubscribe), TokenType.UNSUBSCRIBE, keys).day == 20_000
    for address in (mail.return_path, mail.unsubscribe_address):
        assert str(Address.parse(address)) == address


def test_no_address_is_in_any_url(mail: MintedMail) -> None:
    everything = " ".join(
        [
            mail.pixel_url,
            mail.unsubscribe_url,
            mail.return_path,
            mail.click_url(TARGET, link=1, links=1),
            *mail.headers().values(),
        ]
    )
    for secret in ("taro", base64.urlsafe_b64encode(b"taro@example.jp").decode()[:12], b"taro".hex()):
        assert secret not in everything


def test_flags_travel(mint: Mint, keys: KeyRing) -> None:
    mail = mint.mail(tenant=1, broadcast_id="b", address="a@a.jp", day=1, is_test=True, is_html=False)
    trap = open_click(*segments(mail.click_url(TARGET, link=1, links=1, honeypot=True)), keys)
    assert trap.token.flags == TokenFlag.TEST | TokenFlag.HONEYPOT
    plain = open_click(*segments(mail.click_url(TARGET, link=1, links=1)), keys)
    assert plain.token.flags == TokenFlag.TEST


def test_spellings_of_one_mailbox_are_one_recipient(mint: Mint) -> None:
    arguments = {"tenant": 1, "broadcast_id": "b", "day": 1}
    numbers = {
        mint.mail(address=address, **arguments).key.recipient  # type: ignore[arg-type]
        for address in ("Taro@Example.JP", "taro@example.jp.", "<taro@example.jp>", '"taro"@example.jp')
    }
    assert len(numbers) == 1
    with pytest.raises(AddressError):
        mint.mail(address="no address", **arguments)  # type: ignore[arg-type]
