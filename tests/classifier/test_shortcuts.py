"""Each shortcut answers as the long way does that it spares: on all cases, and on mails mutated from them."""

from __future__ import annotations

import re
from random import Random, randrange

import pytest

from classifier import phrases, quoted, reply_phrases
from classifier.addresses import clean_address
from classifier.dates import _DAY, _matches
from classifier.headers import FIELDS, Headers
from classifier.message import Message, parse_message
from classifier.parties import _OWN, Parties
from classifier.phrases import Phrases
from classifier.undelivered import MAIL
from fuzz.classify import read_seeds
from fuzz.mutate import mutate

SEEDS = read_seeds()
_BROKEN_LINE = "\nOriginal message follows İ\n"


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    seed = randrange(1_000_000)
    print(f"seed {seed}")
    random = Random(seed)
    return [parse_message(raw) for raw in [*SEEDS, *(mutate(SEEDS, random) for _ in range(1_500))]]


@pytest.fixture(scope="module")
def texts(messages: list[Message]) -> list[str]:
    found = [part.text[:65_536] for message in messages for part in message.parts]
    return [*found, *(text[:400] + _BROKEN_LINE + text[:400] for text in found[:200])]


def lines_with(phrases_: Phrases, text: str) -> list[tuple[int, int]]:
    """The long way: every line is asked."""
    found: list[tuple[int, int]] = []
    at = 0
    for line in text.split("\n"):
        if phrases_.are_in(line):
            found.append((at, at + len(line)))
        at += len(line) + 1
    return found


@pytest.mark.parametrize(
    ("wanted", "gate"),
    [(phrases.ORIGINAL_FOLLOWS, quoted._MAY_FOLLOW), (quoted._HEADER_START, quoted._MAY_BE_HEADER)],
    ids=["original", "header"],
)
def test_no_line_that_introduces_a_copy_is_passed_over(
    wanted: Phrases, gate: re.Pattern[str], texts: list[str]
) -> None:
    seen = 0
    for text in texts:
        expected = lines_with(wanted, text)
        lowered = quoted._in_lower_case(text)
        found: list[tuple[int, int]] = []
        line = quoted._find_line(wanted, gate, text, lowered)
        while line:
            found.append(line)
            line = quoted._find_line(wanted, gate, text, lowered, line[1]) if line[1] < len(text) else None
        assert found == expected, text
        seen += len(expected)
    assert seen > 20


@pytest.mark.parametrize(
    "searched",
    [
        phrases.DELAYED,
        phrases.DELAYED_TOO,
        phrases.DELIVERED,
        reply_phrases.ACKNOWLEDGED,
        phrases.AUTOMATIC,
        phrases.TO_POSTMASTER,
        MAIL,
    ],
    ids=["delayed", "delayed-too", "delivered", "acknowledged", "automatic", "to-postmaster", "mail"],
)
def test_hints_pass_over_nothing(searched: phrases.Phrases, texts: list[str]) -> None:
    assert searched._hints
    seen = 0
    lines = [line for whole in texts[:300] for line in whole.split("\n")[:20]]
    for text in [
        *texts,
        *lines,
        "Relayed: a",
        "Mail statistics",
        "Status (Success)",
        "Return receipt",
        "Remis : a",
        "Entregado: a",
    ]:
        is_there = searched._set.Match(text.encode("utf-8", "replace")) is not None
        assert searched.are_in(text) == is_there, text
        seen += is_there
    assert seen > 0


def test_days_are_found_where_a_search_finds_them(texts: list[str]) -> None:
    seen = 0
    for text in texts:
        expected = [match.span() for match in _DAY.finditer(text[:8_192])]
        assert [match.span() for match in _matches(text[:8_192])] == expected, text
        seen += len(expected)
    assert seen > 200


def test_own_addresses_are_those_of_the_header(messages: list[Message], texts: list[str]) -> None:
    seen = 0
    pool = {clean_address(word).lower() for text in texts[:400] for word in text.split() if "@" in word} - {""}
    for message in messages:
        own = {clean_address(message.headers.raw(name)).lower() for name in _OWN} - {""}
        for address in [*own, *sorted(pool)[:3]]:
            # Each is asked of an object that has not read the header yet.
            assert (address in Parties(message.headers)) == (address in own)
            seen += address in own
        assert bool(Parties(message.headers)) == bool(own)
    assert seen > 100


def test_a_part_lacks_only_what_its_text_has_not(messages: list[Message]) -> None:
    needles = (b"final-recipient:", b"the", b"{")
    sure = 0
    for message in messages:
        for part in message.parts:
            for needle in needles:
                if part.lacks(needle):
                    sure += 1
                    assert needle.decode() not in part._decode().lower()
    assert sure > 100


def test_fields_are_found_as_line_by_line() -> None:
    def read_lines(block: str, name: str) -> list[str]:
        unfolded = re.sub(r"\n[ \t]+", " ", f"\n{block}").split("\n\n")[0]
        pairs = [line.partition(":") for line in unfolded.split("\n") if ":" in line]
        return [value.strip() for found, _, value in pairs if found.rstrip(" \t").lower() == name][:50]

    seen = 0
    for raw in SEEDS:
        block = raw.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")[0]
        if not block.isascii() or b"\x1b" in block or b"\r" in block:
            continue
        headers = Headers(block)
        for name in FIELDS:
            expected = read_lines(block.decode("ascii"), name)
            assert headers.all(name) == expected
            assert headers.raw(name) == (expected or [""])[0]
            assert (name in headers) == bool(expected)
            seen += len(expected)
    assert seen > 500
