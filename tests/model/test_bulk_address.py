"""Addresses parsed together are what each is by itself."""

from __future__ import annotations

import os
import random

from model.address import Address
from model.bulk_address import parse_addresses
from model.errors import AddressError

SEED = int(os.environ.get("SEED", random.randrange(2**32)))
PLAIN = [f"user{number}@example.jp" for number in range(40)]
ODD = [
    "", " ", "@", "a@", "@b", "a", "a b@example.jp", "a@b@example.jp", " Taro@Example.JP ", "<taro@example.jp>", "<>",
    '"taro"@example.jp', '"ta ro"@example.jp', '"@"@example.jp', "...@example.jp", ".a..b.@docomo.ne.jp", "..@x.jp",
    "a@example.jp.", "a@example..jp", "a@-x.jp", "a@x-.jp", "a@[192.0.2.1]", "a@[IPv6:::1]", "a@localhost", "a@x_y.jp",
    "たろう@example.jp", "a@日本.jp", "a@日本。jp", "K@example.jp", "a@Kx.jp", "İ@example.jp", "ß@example.jp",
    "a\n@example.jp", "a@example.jp\n", "a@example.jp\nb@example.jp", "a@example.jp\r", "a\x1f@x.jp", "\x1fa@x.jp",
    "a" * 64 + "@example.jp", "a" * 65 + "@example.jp", "a@" + "b." * 125 + "jp", "a@" + "b." * 126 + "jp",
    "a@" + "b" * 63 + ".jp", "a@" + "b" * 64 + ".jp", "!#$%&'*+/=?^_`{|}~-@x.jp", "a,b@x.jp", "a;b@x.jp", "a(b)@x.jp",
    "A" * 64 + "@EXAMPLE.jp", "\u00e9@x.jp", "e\u0301@x.jp", "a@\u0000", "a@x.jp\u2028", "\ud800@x.jp",
]  # fmt: skip


def one_by_one(texts: list[str]) -> list[object]:
    """What Address.parse says."""
    said: list[object] = []
    for text in texts:
        try:
            address = Address.parse(text)
        except AddressError as error:
            said.append(str(error))
        else:
            said.append((address.folded, address.domain, address.local_part.lower()))
    return said


def together(texts: list[str]) -> list[object]:
    """The same, parsed together."""
    parsed = parse_addresses(texts)
    assert len(parsed.folded) == len(parsed.domains) == len(parsed.local_parts) == len(texts)
    rows = zip(parsed.folded, parsed.domains, parsed.local_parts, strict=True)
    return [str(parsed.errors[place]) if place in parsed.errors else row for place, row in enumerate(rows)]


def test_each_odd_address_is_what_it_is_by_itself() -> None:
    assert together([]) == []
    for text in ODD:
        assert together([text]) == one_by_one([text]), ascii(text)
    assert together(ODD) == one_by_one(ODD)


def test_odd_addresses_change_nothing_of_their_neighbours() -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    assert together(PLAIN) == one_by_one(PLAIN)
    for _ in range(200):
        texts = rng.sample(PLAIN, 20) + rng.sample(ODD, rng.choice((0, 1, 5)))
        rng.shuffle(texts)
        assert together(texts) == one_by_one(texts)


def test_random_texts_are_what_they_are_by_themselves() -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    letters = 'aB0.@-_"<> +\n\réKß日\x1f[]'
    for _ in range(300):
        texts = ["".join(rng.choices(letters, k=rng.randrange(9))) + rng.choice(("", "@x.jp")) for _ in range(20)]
        assert together(texts) == one_by_one(texts)
