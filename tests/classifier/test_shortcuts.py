"""Each shortcut answers as the long way does that it spares: on all cases, and on mails mutated from them."""

from __future__ import annotations

import re
from html import escape
from random import Random, randrange

import pytest

from classifier import (
    addresses,
    evidence,
    lookalikes,
    matcher,
    noted,
    notice,
    phrases,
    quoted,
    reply_phrases,
    said,
    traces,
    undelivered,
)
from classifier.addresses import clean_address, find_all
from classifier.dates import _DAY, _matches
from classifier.forms import feedback
from classifier.headers import FIELDS, MAX_HEADER_BLOCK, Headers
from classifier.html import html_to_text
from classifier.matcher import collapse, find_status, is_vague
from classifier.message import Message, parse_message
from classifier.parties import _OWN, Parties
from classifier.phrase_search import Phrases
from fuzz.classify import read_seeds
from fuzz.mutate import mutate

SEEDS = read_seeds()
_RARE_PHRASES = (
    "Altri tentativi seguono",
    "再配送されます",
    "Попытки доставки будут продолжены",
    "Relayed: a",
    "Status (Success)",
    "Return receipt",
    "Remis : a",
    "Bounce statistics",
    "Fwd: a",
    "Messages to your address are returned",
    "WG: a",
)
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
        lowered = quoted.in_lower_case(text)
        found: list[tuple[int, int]] = []
        line = quoted._find_line(wanted, gate, text, lowered)
        while line:
            found.append(line)
            line = quoted._find_line(wanted, gate, text, lowered, line[1]) if line[1] < len(text) else None
        assert found == expected, text
        seen += len(expected)
    assert seen > 20


ALL_PHRASES = {
    f"{module.__name__}.{name}": value
    for module in (phrases, quoted, reply_phrases, undelivered)
    for name, value in vars(module).items()
    if isinstance(value, Phrases)
}


@pytest.mark.parametrize("searched", ALL_PHRASES.values(), ids=ALL_PHRASES)
def test_hints_pass_over_nothing(searched: Phrases, texts: list[str]) -> None:
    seen = 0
    lines = [line for whole in texts[:300] for line in whole.split("\n")[:20]]
    for text in [*texts, *lines, *_RARE_PHRASES]:
        is_there = searched.are_in_the_long_way(text)
        assert searched.are_in(text) == is_there, text
        seen += is_there
    assert seen > 0


@pytest.mark.parametrize("pattern", [addresses.ADDRESS, addresses._INTRODUCED], ids=["any", "introduced"])
def test_addresses_are_found_where_a_search_finds_them(pattern: re.Pattern[str], texts: list[str]) -> None:
    seen = 0
    for text in texts:
        expected = [match.span() for match in pattern.finditer(text[:8_192])]
        assert [match.span() for match in find_all(pattern, text[:8_192])] == expected, text
        seen += len(expected)
    assert seen > 200


def test_plain_lines_begin_with_the_address_that_the_long_pattern_finds(texts: list[str]) -> None:
    seen = 0
    lines = {line for text in texts for line in text[:8_192].split("\n") if "@" in line}
    for line in [*lines, "<*a@b.example", "smtp=a@b.example", "<SMTP=a@b.example>", "7) a@b.example", "to:a@b.example"]:
        plain = addresses._PLAIN_ANCHOR.match(line)
        if plain is not None:
            long = addresses._ANCHOR.match(line)
            assert long is not None and long.group(1) == plain.group(1), line
            seen += 1
    assert seen > 50


def test_words_that_make_an_address_somebody_elses_are_not_passed_over(texts: list[str]) -> None:
    words = f"(?:(?<!generated )(?<!expanded )from|{'|'.join(addresses._OTHERS[1:])})"
    context = re.compile(rf"{words}[ \t]*[:：=]?[ \t]*[<\"(]*$", re.IGNORECASE)
    seen = 0
    befores = {
        text[max(0, at.start() - 40) : at.start()] for text in texts for at in re.finditer("@|[:=] ", text[:4_096])
    }
    for before in [
        *befores,
        "Sent by: ",
        "Absender: <",
        "felado",
        "Odesilatel: ",
        "(generated from ",
        "From:\n",
        "CC = <",
    ]:
        expected = context.search(before) is not None
        assert addresses._is_of_another(before) == expected, before
        seen += expected
    assert seen > 10


def test_the_header_of_a_part_is_that_of_its_payload(messages: list[Message]) -> None:
    seen = 0
    for message in messages:
        for part in message.parts:
            whole = part.payload[:MAX_HEADER_BLOCK].lstrip(b"\n")
            assert part.header_block.rstrip(b"\n") == whole.split(b"\n\n")[0].rstrip(b"\n")
            seen += bool(whole)
    assert seen > 500


def test_a_complaint_without_its_words_is_passed_over(messages: list[Message]) -> None:
    for message in messages:
        subject = message.headers.raw("subject")
        if subject.isascii() and not any(hint in subject.lower() for hint in feedback._SUBJECT_HINTS):
            assert not feedback._COMPLAINT_SUBJECT.search(subject)
            assert not feedback._DMARC.search(subject) and not feedback._HOTMAIL.search(subject)


def test_days_are_found_where_a_search_finds_them(texts: list[str]) -> None:
    seen = 0
    for text in texts:
        expected = [match.span() for match in _DAY.finditer(text[:8_192])]
        assert [match.span() for match in _matches(text[:8_192])] == expected, text
        seen += len(expected)
    assert seen > 200


def test_sentences_end_where_a_split_ends_them(texts: list[str]) -> None:
    seen = 0
    made = ["A. B! c? D; e。f！！ g", "a.  B", "(a.) B", "1. Jan 2. B", "a;b; c", "。。", "a!? B", '"a." B', ""]
    for line in [*made, *(line for text in texts for line in text[:8_192].split("\n"))]:
        expected = notice._END.split(line)
        assert list(notice._pieces_of(line)) == expected, line
        seen += len(expected) > 1
    assert seen > 100


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


def test_a_reply_is_seen_where_the_plain_pattern_sees_one(texts: list[str]) -> None:
    plain = re.compile(r"(?<![\d.:/-])(?:(?<!#)[45]\d\d[ -](?=[^\W\d]|[<#(]|\d\.\d)|#?[45]\.\d{1,2}\.\d{1,3}(?![\d.]))")
    made = ["#5.1.1", ".#5.1.1", "1550 a", "#550 a", "-5.1.1", "4.2.2.2", "550-5.1.1", "x#4.4.7", "5.1.1", "5550 no"]
    lines = {line for text in texts for line in text[:8_192].split("\n")}
    seen = 0
    for text in [*made, *sorted(lines)]:
        expected = plain.search(text)
        found = traces._REPLY.search(text)
        assert (found is None) == (expected is None), text
        assert expected is None or found is None or expected.start() == found.start(), text
        seen += expected is not None
    assert seen > 200


def test_lines_of_logs_are_found_by_their_signs(texts: list[str]) -> None:
    whole = re.compile("|".join(pattern.pattern for _, pattern in lookalikes._LOG), re.MULTILINE)
    made = [
        "a\nJan  3 10:00:00 mx postfix/smtp[12]: x",
        "NOQUEUE: reject",
        "x to=<a@b.example>, relay=none",
        "status=bounced (x)",
        "(total: 3)",
        "\tat com.example.Mail(Mail.java:3)",
        "ORA-12345: x",
        "PHP Warning: x",
        "Traceback (most recent call last)",
        "smtplib.SMTPRecipientsRefused",
        "SMTP CRITICAL - 550 x",
    ]
    assert len(made) == len(lookalikes._LOG) and all(lookalikes._is_log(text) for text in made)
    for text in [*texts, *made]:
        assert lookalikes._is_log(text) == (whole.search(text) is not None), text


def test_a_command_is_noted_in_no_html_that_lacks_its_words(messages: list[Message], texts: list[str]) -> None:
    marks = ("in reply to RCPT TO command)", "&gt;&gt;&gt; RCPT", ">>> RCPT", "error from\nremote", "did not like our")
    made = [f"<p>a <b>{mark}</b> b" for mark in marks]
    assert all(noted.may_note(html_to_text(source)) for source in made)
    sources = [part.source for message in messages for part in message.find("text/html")]
    noting = 0
    for source in [*made, *sources, *(f"<p>{escape(text)}</p>" for text in texts[:400])]:
        may_note = noted.may_note(html_to_text(source))
        assert noted.may_note_in_html(source) or not may_note, source
        noting += may_note
    assert noting > 20


def test_sentences_go_on_where_the_plain_pattern_says_so(texts: list[str]) -> None:
    midst = re.compile(
        r"(?<=[^.!?:;\s])[ \t]*\n[ \t]*\n[ \t]*(?=[a-zà-ÿ]|\S{1,128}@\S{1,255}[ \t]*\n[ \t]*\n[ \t]*[a-zà-ÿ])"
    )
    end = re.compile(r"[.!?;](?=\s)|[。！？；]|\n[ \t]*\n|\n(?=[ \t]*[-*<•・■])")
    made = ["a \n\n b", "a:\n\nb", "a \t\n \n\tb", "\n\nb", "a\n\n\nb", "a.b", "a;b。c！d; e"]
    made += ["To\n\na@b.example\n\nhas failed", "To\n\na@b.example\n\nHas failed"]
    joined = 0
    for text in [*made, *(text[:8_192] for text in texts)]:
        whole = midst.sub(" ", text)
        pieces = [" ".join(piece[:500].split()) for piece in end.split(whole, 40)[:40] if piece.strip()]
        assert undelivered._sentences(text) == tuple(pieces), text
        joined += whole != text
    assert joined > 100


def test_a_command_is_the_first_that_one_pattern_finds(texts: list[str]) -> None:
    whole = re.compile("|".join(pattern.pattern for _, pattern in evidence._COMMANDS._rows))
    made = [
        "x (in reply to end of DATA command)",
        "SMTP error from remote server after pipelined end of data: 550",
        ">>> RCPT To:<a@b.example>",
        "STEP: DATA",
        "command: MAIL FROM",
        "did not like our final DATA",
        "Remote host does not like recipient.",
        "failed after I sent the message.",
    ]
    assert len(made) == len(evidence._COMMANDS._rows) and all(evidence.command_in(text) for text in made)
    seen = 0
    for text in [*made, *(f"{one} {other}" for one in made for other in made), *texts]:
        first = whole.search(text.lower())
        assert evidence.command_in(text) == (evidence.command_in(first.group()) if first else ""), text
        seen += first is not None
    assert seen > 100


def test_hosts_and_statuses_are_those_that_plain_patterns_find(texts: list[str]) -> None:
    host = re.compile(r"(?<!\w)(?:host|server|to)[: ] ?\[?([\w-]+(?:\.[\w-]+)+)")
    made = [
        "to mx.example.net",
        "Host [192.0.2.1]",
        "the server:mx.example",
        "auto x.example to: y.example",
        "host to a.b",
    ]
    hosts = statuses = 0
    for text in [*made, *(collapse(text) for text in texts)]:
        expected, found = host.search(text.lower()), evidence._HOSTS.first_in(text.lower())
        assert (expected and expected[1]) == (found and found[1]), text
        every = [*matcher._STATUS_AFTER_REPLY.findall(text), *matcher._STATUS.findall(text)]
        specific = [status for status in every if not is_vague(status)]
        assert find_status(text) == (specific or every or [""])[0], text
        hosts += expected is not None
        statuses += bool(every)
    assert hosts > 100 and statuses > 100


def test_an_announcement_is_the_first_that_one_pattern_finds(texts: list[str]) -> None:
    whole = re.compile("|".join(pattern.pattern for _, pattern in said._ANNOUNCED._rows))
    seen = 0
    for text in (quoted.in_lower_case(text[:8_192]) for text in texts):
        expected, found = whole.search(text), said._ANNOUNCED.first_in(text)
        assert (expected and expected.span()) == (found and found.span()), text
        seen += expected is not None
    assert seen > 20
