"""Messages of failure are normalised in few steps, with the same result as in many."""

from __future__ import annotations

import os
import random
import re
from itertools import islice

from store.messages import message_number, normalise_message
from tests.mta.harness import seeded

#: What is replaced, one after the other, said plainly. Numbers of messages are stored: it must stay what it is.
PLAINLY = (
    (r"[^\s<>\"'()\[\],;:]+@[^\s<>\"'()\[\],;:]+", "<address>"),
    (r"https?://\S+", "<url>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
    (r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}", "<ip>"),
    (r"\b(?=[\w.\-]*\d)(?=[\w.\-]*[A-Za-z])[\w\-]{8,}(?:\.[\w\-]+)*\b", "<id>"),
    (r"\b\d{5,}\b", "<number>"),
    (r"\s+", " "),
)
WORDS = (
    "550", "5.1.1", "user@example.jp", "<a@b>", "a@", "@b", "a@b@c", "http://x.example/y?z", "https://", "192.0.2.1",
    "1.2.3.4.5", "1234.1.1.1", "2001:db8:0:1::5", "ab:cd:ef:", "::1", "4VfX2k3Jz9z1q", "x-12345678", "-abcdef12",
    "q12.example.com", "_______1", "12345", "0012345678", "\uff11\uff12\uff13\uff14\uff15", "受取人不明12345678a",
    "(#5.1.1)", "said:", "-", "--",
    "\u3000", "\t", "\r\n", "\u2028", "é" * 9 + "1",
)  # fmt: skip
LETTERS = "aZf09@.:-_<>/ \t\n[](),;é٣'\"%"


def plainly(text: str) -> str:
    text = text[:400]
    for pattern, word in PLAINLY:
        text = re.sub(pattern, word, text)
    return text.strip()[:200]


def texts(generator: random.Random) -> list[str]:
    count = 20_000 if os.environ.get("TEST_TORTURE") == "1" else 4_000
    found = []
    for _ in range(count):
        pieces = (
            generator.choice(WORDS) if generator.random() < 0.4 else generator.choice(LETTERS) for _ in iter(int, 1)
        )
        found.append(generator.choice(("", " ")).join(islice(pieces, generator.randrange(1, 40))))
    return found


def test_the_short_way_is_the_long_one() -> None:
    for text in texts(seeded()):
        assert normalise_message(text) == plainly(text), repr(text)


def test_equal_messages_share_a_number() -> None:
    one = message_number("550 5.1.1 <a@x.example>: no such user, queue 4VfX2k3Jz9z1q")
    assert one == message_number("550 5.1.1 <b@y.example>: no such user, queue 9QaB7k3Jz9z2r") != 0
    assert one != message_number("550 5.2.2 <a@x.example>: mailbox full, queue 4VfX2k3Jz9z1q")
    assert message_number("") == 0
