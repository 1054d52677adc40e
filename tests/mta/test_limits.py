"""Counters: connections, octets, days, and addresses of ours."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from model.fact import DeliveryKey
from model.token import Token, TokenType, sign, to_mail
from mta import replies
from mta.limits import ByteBudget, ConnectionCounter, DailyCounter, Limits, connection_cap
from mta.metrics import COUNTERS
from mta.return_path import DestinationKind, ReturnPaths
from tests.mta.harness import DOMAIN, KEYS, MINT, minted, seeded, today


def test_connections_per_peer() -> None:
    counter = ConnectionCounter(100, 2, ["127.0.0.0/8"], 0.8)
    assert [counter.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert counter.enter("192.0.2.2")
    assert [counter.enter("2001:db8::1"), counter.enter("2001:db8::2"), counter.enter("2001:db8::3")] == [
        True,
        True,
        False,
    ]
    assert counter.enter("2001:db8:0:1::1")
    assert not counter.enter("::ffff:192.0.2.1")
    assert all(counter.enter("127.0.0.1") for _ in range(50))
    counter.leave("192.0.2.1")
    assert counter.enter("192.0.2.1")


def test_total_and_stress() -> None:
    counter = ConnectionCounter(10, 100, [], 0.8)
    for number in range(10):
        assert counter.is_stressed is (number >= 8)
        assert counter.enter("192.0.2.1")
    assert not counter.enter("192.0.2.9")
    for _ in range(3):
        counter.leave("192.0.2.1")
    assert counter.is_stressed
    counter.leave("192.0.2.1")
    assert not counter.is_stressed


def test_cap_follows_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (264, 264))
    assert connection_cap(Limits()) == 100
    monkeypatch.setattr("resource.getrlimit", lambda which: (1_000_000, 1_000_000))
    assert connection_cap(Limits()) == 2_000


def test_budget_and_days() -> None:
    budget = ByteBudget(10)
    assert budget.take(6)
    assert not budget.take(5)
    budget.give_back(6)
    assert budget.take(10)
    days = DailyCounter(keys=2)
    days.add("a", 1)
    assert (days.count_of("a", 1), days.count_of("a", 2)) == (1, 0)
    days.add("a", 2)
    days.take_back("a", 2)
    assert days.count_of("a", 2) == 0


def test_addresses_of_ours() -> None:
    paths, mail = ReturnPaths([DOMAIN], ["info@Example.jp"]), minted()
    token = mail.return_path[2:50]
    for address, kind in [
        (mail.return_path, DestinationKind.RETURN_PATH),
        (mail.return_path.upper(), DestinationKind.RETURN_PATH),
        (f"b-{token}@{DOMAIN}.", DestinationKind.RETURN_PATH),
        (f"x@{token}.{DOMAIN}", DestinationKind.RETURN_PATH),
        (MINT.feedback_address(7), DestinationKind.FEEDBACK),
        (mail.unsubscribe_address.replace("+", "-"), DestinationKind.UNSUBSCRIBE),
        ("postmaster", DestinationKind.PLAIN),
        (f"ABUSE@{DOMAIN}", DestinationKind.PLAIN),
        ("INFO@example.jp", DestinationKind.PLAIN),
    ]:
        found = paths.find(address, KEYS)
        assert found is not None, address
        assert found.kind is kind
        if kind is DestinationKind.RETURN_PATH:
            assert found.token is not None
            assert DeliveryKey(found.token.tenant, found.token.broadcast, found.token.recipient) == mail.key


def test_addresses_of_nobody() -> None:
    paths, mail, generator = ReturnPaths([DOMAIN]), minted(), seeded()
    token = mail.return_path[2:50]
    bad = ["", "@", "b@", f"b+{token}", f"b+{token}@elsewhere.example", f"c+{token}@{DOMAIN}", f"b.{token}@{DOMAIN}",
           f"fbl+{token}@{DOMAIN}", f"unsubscribe+{token}@{DOMAIN}", f"b+{token[:-1]}@{DOMAIN}", f"{token}@{DOMAIN}",
           f"+{token}@{DOMAIN}", f"x@x.{token}.{DOMAIN}", "\udcff@\udcff", f"\udcff@{DOMAIN}",
           "b+" + "é" * 48 + f"@{DOMAIN}", f"postmaster@x.{DOMAIN}"]  # fmt: skip
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for _ in range(5_000):
        place = generator.randrange(48)
        other = generator.choice(letters.replace(token[place], ""))
        bad.append(f"b+{token[:place]}{other}{token[place + 1 :]}@{DOMAIN}")
    for token_type in TokenType:
        if token_type is not TokenType.RETURN_PATH:
            bad.append(f"b+{to_mail(sign(Token(token_type, 1, 2, 3, today()), KEYS))}@{DOMAIN}")
    assert [address for address in bad if paths.find(address, KEYS) is not None] == []


def test_everything_is_documented() -> None:
    """Each limit, reply and counter stands in docs/smtp.md, replies with their exact text."""
    text = (Path(__file__).parents[2] / "docs" / "smtp.md").read_text("utf-8")
    wanted = [f"| `{field.name}`:" for field in fields(Limits)]
    wanted += [f"| {name} | `{reply}` |" for name, reply in replies.ALL.items()]
    wanted += [f"| `{name}` | {what} |" for name, what in COUNTERS.items()]
    assert [row for row in wanted if row not in text] == []
