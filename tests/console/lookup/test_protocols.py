"""The two protocols, octet by octet: tcp_table(5), socketmap_table(5), and what may never happen in either."""

from __future__ import annotations

import re

import pytest

from console.lookup import socketmap, tcp_table
from console.lookup.answer import Kind, answer, clean
from model.address import Address
from store.errors import StoreCorruptError
from store.suppression import DENIALS, SuppressionKind
from tests.interop.world import seeded

BOUNCE = DENIALS[SuppressionKind.BOUNCE]


def ask(address: Address, stream: str) -> str | None:
    """Bounced people, one who left the stream news, one who breaks everything."""
    if address.local_part == "broken":
        raise StoreCorruptError("secret path /var/lib")
    if address.local_part == "fault":
        raise KeyError("secret")
    if address.local_part == "left":
        return DENIALS[SuppressionKind.UNSUBSCRIBE] if stream == "news" else None
    if address.local_part == "evil":
        return "no%0A500 OK\r\n200 OK\x00\x1b[31m\u2028 $1 ${x} DUNNO"
    return BOUNCE if address.local_part in ("dead", '"de ad"', "山田") else None


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"get dead@example.jp", b"200 550%205.7.1%20Blacklist:%20Bounce%20(worker:address%20in%20bounce%20list)"),
        (b"get DEAD@EXAMPLE.JP", b"500 not%20found"),  # the local part may mean something else; folded by the ask
        (b"get alive@example.jp", b"500 not%20found"),
        (b"get de%20ad@example.jp", b"200 550%205.7.1%20Blacklist:%20Bounce%20(worker:address%20in%20bounce%20list)"),
        (b"get %E5%B1%B1%E7%94%B0@example.jp",
         b"200 550%205.7.1%20Blacklist:%20Bounce%20(worker:address%20in%20bounce%20list)"),
        (b"get example.jp", b"500 not%20found"),
        (b"get dead@", b"500 not%20found"),
        (b"get dead@ex_ample..jp", b"500 not%20found"),
        (b"get left@example.jp", b"500 not%20found"),
        (b"get broken@example.jp", b"400 Yamabiko%20cannot%20answer%20just%20now"),
        (b"get fault@example.jp", b"400 Yamabiko%20cannot%20answer%20just%20now"),
        (b"put dead@example.jp OK", b"400 only%20get%20is%20answered"),
        (b"get", b"400 only%20get%20is%20answered"),
        (b"", b"400 only%20get%20is%20answered"),
        (b"EHLO x", b"400 only%20get%20is%20answered"),
        (b"get a b", b"400 the%20key%20is%20not%20encoded%20as%20tcp_table(5)%20says"),
        (b"get a%4", b"400 the%20key%20is%20not%20encoded%20as%20tcp_table(5)%20says"),
        (b"get a%zz@example.jp", b"400 the%20key%20is%20not%20encoded%20as%20tcp_table(5)%20says"),
        (b"get %ff@example.jp", b"400 the%20key%20is%20not%20encoded%20as%20tcp_table(5)%20says"),
    ],
)  # fmt: skip
def test_tcp_table(request_: bytes, reply: bytes) -> None:
    assert tcp_table.reply(request_, ask) == reply


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"suppressed dead@example.jp", b"OK 550 5.7.1 " + BOUNCE.encode()),
        (b"suppressed alive@example.jp", b"NOTFOUND "),
        (b"suppressed left@example.jp", b"NOTFOUND "),
        (b"suppressed.news left@example.jp", "OK 550 5.7.1 購読解除".encode()),
        (b"suppressed.shop left@example.jp", b"NOTFOUND "),
        (b"suppressed example.jp", b"NOTFOUND "),
        (b"suppressed ", b"NOTFOUND "),
        (b"suppressed broken@example.jp", b"TEMP Yamabiko cannot answer just now"),
        (b"suppressed", b"TEMP the map is called suppressed, or suppressed.STREAM"),
        (b"other dead@example.jp", b"TEMP the map is called suppressed, or suppressed.STREAM"),
        (b"", b"TEMP the map is called suppressed, or suppressed.STREAM"),
        (b"suppressed \xff@example.jp", b"TEMP the request is not UTF-8"),
    ],
)
def test_socketmap(request_: bytes, reply: bytes) -> None:
    assert socketmap.reply(request_, ask) == reply


def test_words_from_outside_cannot_become_anything_but_text() -> None:
    said = answer("evil@example.jp", "", ask)
    assert said.kind is Kind.FOUND
    assert said.text == "550 5.7.1 no%0A500 OK 200 OK [31m $1 ${x} DUNNO"
    assert tcp_table.reply(b"get evil@example.jp", ask).count(b"\n") == 0
    assert b"%250A" in tcp_table.reply(b"get evil@example.jp", ask)
    assert len(clean("x" * 10_000)) == 400
    assert clean("\r\n\0") == "not to be mailed"
    assert clean("\udcff") == "not to be mailed"


def test_random_octets_are_answered_and_never_with_a_refusal_for_good() -> None:
    chance = seeded()
    for _ in range(20_000):
        line = bytes(chance.randrange(256) for _ in range(chance.randrange(40))).replace(b"\n", b"")
        said = tcp_table.reply(chance.choice((line, b"get " + line)), ask)
        assert re.fullmatch(rb"(400|500) [\x21-\x7e]+", said), (line, said)
        said = socketmap.reply(chance.choice((line, b"suppressed " + line)), ask)
        assert said == b"NOTFOUND " or said.startswith(b"TEMP "), (line, said)
