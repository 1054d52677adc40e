"""Addresses: what is one, what is not, and which spellings are the same mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.address import Address, to_ascii_domain
from model.errors import AddressError

GOOD = [
    ("taro@example.jp", "taro", "example.jp"),
    ("<taro@example.jp>", "taro", "example.jp"),
    ("  taro@example.jp ", "taro", "example.jp"),
    ("Taro.Yamada+x@EXAMPLE.jp.", "Taro.Yamada+x", "example.jp"),
    ("da..me.@docomo.ne.jp", "da..me.", "docomo.ne.jp"),
    (".dame@ezweb.ne.jp", ".dame", "ezweb.ne.jp"),
    ('"a b"@example.jp', '"a b"', "example.jp"),
    ('"a@b"@example.jp', '"a@b"', "example.jp"),
    ('"a\\"b"@example.jp', '"a\\"b"', "example.jp"),
    ("太郎@日本語.jp", "太郎", "xn--wgv71a119e.jp"),
    ("taro@日本語。jp", "taro", "xn--wgv71a119e.jp"),
    ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "a", "[ipv6:2001:db8::1]"),
    ("!#$%&'*+/=?^_`{|}~-@example.jp", "!#$%&'*+/=?^_`{|}~-", "example.jp"),
    ("a@b", "a", "b"),
    ("a" * 64 + "@example.jp", "a" * 64, "example.jp"),
]
BAD = [
    "",
    "@",
    "a",
    "a@",
    "@a.jp",
    "a b@example.jp",
    "a@exam ple.jp",
    "a@example..jp",
    "a@-example.jp",
    "a@example-.jp",
    "a@" + "x" * 64 + ".jp",
    "a" * 65 + "@example.jp",
    "太" * 22 + "@example.jp",
    "a@" + ".".join(["abcdefgh"] * 40),
    "a\n@example.jp",
    "a@example.jp\r\nRCPT TO:<b@c>",
    "a\x00@example.jp",
    '"a@example.jp',
    '"a"b"@example.jp',
    '"a\n"@example.jp',
    "a@[not]",
    "a@[192.0.2.1",
    "a<b@example.jp",
    "a,b@example.jp",
    "a;b@example.jp",
    "...@example.jp",
    "a@.",
    "ta\u3000ro@example.jp",
    "ta\u00a0ro@example.jp",
    "ta\u200bro@example.jp",
    "\ufefftaro@example.jp",
    "ta\u0085ro@example.jp",
    "ｔａｒｏ@example.jp",
]


@pytest.mark.parametrize(("text", "local", "domain"), GOOD)
def test_an_address(text: str, local: str, domain: str) -> None:
    address = Address.parse(text)
    assert (address.local_part, address.domain) == (local, domain)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", BAD)
def test_no_address(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        Address.parse(text)
    assert text == "" or len(text) < 3 or text not in str(caught.value), "the error never repeats its input"


def test_what_is_written_in_full_width_is_told_as_such() -> None:
    with pytest.raises(AddressError, match="write them in half width"):
        Address.parse("ｉｎｆｏ@example.jp")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Taro@example.jp", "taro@EXAMPLE.JP"),
        ('"taro"@example.jp', "taro@example.jp"),
        ("cafe\u0301@example.jp", "caf\u00e9@example.jp"),
        ("a@日本語.jp", "a@xn--wgv71a119e.jp"),
        ("STRASSE@example.jp", "stra\u00dfe@example.jp"),
    ],
)
def test_one_mailbox(one: str, other: str) -> None:
    assert Address.parse(one).folded == Address.parse(other).folded


@pytest.mark.parametrize(("one", "other"), [("a.b@x.jp", "ab@x.jp"), ("a+b@x.jp", "a@x.jp"), ('"a b"@x.jp', "ab@x.jp")])
def test_two_mailboxes(one: str, other: str) -> None:
    assert Address.parse(one).folded != Address.parse(other).folded


@given(text=st.text(st.characters(), max_size=80))
@settings(max_examples=1_000, deadline=None)
def test_any_text_is_an_address_or_one_kind_of_error(text: str) -> None:
    for attempt in (text, f"{text}@example.jp", f"a@{text}"):
        try:
            address = Address.parse(attempt)
        except AddressError:
            continue
        assert address.domain.isascii() and address.domain == address.domain.lower()
        assert not set(str(address)) & set("\r\n\x00")
        assert Address.parse(address.folded).folded == address.folded


@pytest.mark.parametrize("domain", ["EXAMPLE.JP", "example.jp.", "ｅｘａｍｐｌｅ.jp"])
def test_a_domain_has_one_form(domain: str) -> None:
    assert to_ascii_domain(domain) == "example.jp"
