"""What automatic replies say of return, leaving, new address and substitute; every text is invented."""

from __future__ import annotations

import time
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from classifier.absence import read_absence
from classifier.classify import Classifier
from classifier.dates import find_days
from classifier.notice import sentences_of
from model.reading import Absence, AutoReplyKind, Kind

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    case
    for file in sorted(HERE.glob("absences*.toml"))
    for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
]
NOTHING: dict[str, Any] = {"back_on": None, "has_left": False, "new": [], "contacts": []}
SENT = date(2026, 3, 3)


def test_there_are_enough() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["text"].split())[:40])
def test_case(case: dict[str, Any]) -> None:
    said = read_absence(case["text"], case["sent"], subject=case.get("subject", ""), author="me@example.com")
    found = said or Absence()
    shown = {
        "back_on": found.back_on,
        "has_left": found.has_left,
        "new": list(found.new_addresses),
        "contacts": list(found.contacts),
    }
    expected = {key: case.get(key, empty) for key, empty in NOTHING.items()}
    assert shown == expected, found.sentences
    # Whatever is suggested rests on a sentence; nothing suggested is nothing said.
    assert bool(found.sentences) == any(expected.values())
    assert (said is None) == (found == Absence())


def test_each_claim_has_its_sentence_as_written() -> None:
    text = "Hello.\nI am away until ５/12.  I have left the team's list? No.\nIn urgent cases write to pa@example.com."
    said = read_absence(text, date(2025, 5, 5))
    assert said is not None
    assert said.sentences == ("I am away until ５/12.", "In urgent cases write to pa@example.com.")


def test_without_a_date_of_its_own_no_day_is_read() -> None:
    said = read_absence("I am away until 12 May 2025. I have left the company.", None)
    assert said == Absence(has_left=True, sentences=("I have left the company.",))


def test_the_author_is_nobodys_substitute() -> None:
    text = "In urgent cases contact me@example.com or you@example.com."
    said = read_absence(text, SENT, author="Me@example.com")
    assert said is not None
    assert said.contacts == ("you@example.com",)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Monday, 9 March", [date(2026, 3, 9)]),
        ("3/4 or 4.3. or 2026-03-04", [date(2026, 3, 4)] * 3),
        ("31 April, 30 February, 13/32", []),
        ("12/28 to 1/5", [date(2025, 12, 28), date(2026, 1, 5)]),
        ("令和8年3月9日(月)", [date(2026, 3, 9)]),
        ("3月9日から12日", [date(2026, 3, 9), date(2026, 3, 12)]),
        ("12月29日から1月4日", [date(2025, 12, 29), date(2026, 1, 4)]),
        ("30日から2日", [date(2026, 3, 30), date(2026, 4, 2)]),
        ("tomorrow, 来週, next Friday", [date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 13)]),
        ("+49 30 3/4-12, 2026-03-04-77, 10:3/4", []),
        ("5-9 March", [date(2026, 3, 5), date(2026, 3, 9)]),
        ("March 5-9, 2026", [date(2026, 3, 5), date(2026, 3, 9)]),
    ],
)
def test_days(text: str, days: list[date]) -> None:
    assert [found.day for found in find_days(text, SENT)] == days


def test_a_year_is_inferred_from_the_day_of_writing() -> None:
    december, january = date(2025, 12, 28), date(2026, 1, 3)
    assert [found.day for found in find_days("6 January", december)] == [date(2026, 1, 6)]
    assert [found.day for found in find_days("30 December", january)] == [date(2025, 12, 30)]
    # 5/12 is the nearer of 12 May and 5 December, unless a weekday tells.
    assert find_days("5/12", date(2026, 6, 1))[0].day == date(2026, 12, 5)
    assert find_days("Tuesday 5/12", date(2026, 4, 1))[0].day == date(2026, 5, 12)


def test_sentences_without_signature_and_quotation() -> None:
    text = (
        "Dear Dr. Doe, see No. 5 of Mon. 3 March. This is\na wrapped line. 本日は\n不在です。明日に。\n"
        "Kind regards,\nJohn\n\nEnglish follows.\n> quoted\nOn 3 March News wrote:\nhidden"
    )
    assert sentences_of(text) == [
        "Dear Dr. Doe, see No. 5 of Mon. 3 March.", "This is a wrapped line.", "本日は不在です。", "明日に。",
        "English follows.",
    ]  # fmt: skip


def mail(body: str, **headers: str) -> bytes:
    head = {
        "From": "Cat <cat@example.net>", "To": "b+t@bounce.example.com", "Subject": "Re: news",
        "Date": "Tue, 3 Mar 2026 10:00:00 +0900", "Auto-Submitted": "auto-replied",
        "Content-Type": "text/plain; charset=utf-8", **headers,
    }  # fmt: skip
    return ("".join(f"{name}: {value}\n" for name, value in head.items()) + f"\n{body}").encode()


def test_in_a_reading(classifier: Classifier) -> None:
    reading = classifier.read(mail("I am away and back on 9 March.\nWrite to dog@example.net, not cat@example.net."))
    assert reading.kind is Kind.AUTO_REPLY
    assert reading.absence is not None
    assert (reading.absence.back_on, reading.absence.contacts) == (date(2026, 3, 9), ("dog@example.net",))
    assert classifier.read(mail("Thanks, we answer soon.")).absence is None


def test_a_reading_says_left_and_where_to(classifier: Classifier) -> None:
    reading = classifier.read(mail("退職いたしました。新しいメールアドレスは cat@example.org です。"))
    assert (reading.auto_reply, reading.absence and reading.absence.has_left) == (AutoReplyKind.LEFT, True)
    assert reading.absence is not None
    assert reading.absence.new_addresses == ("cat@example.org",)


@pytest.mark.parametrize(
    "stated", ["", "yesterday", "Tue, 99 Mar 2026 10:00:00 +0900", "Tue, 3 Mar 0000 1:1:1 +9999999"]
)
def test_a_date_that_cannot_be_read(classifier: Classifier, stated: str) -> None:
    reading = classifier.read(mail("Back on 9 March. In urgent cases write to dog@example.net.", Date=stated))
    assert reading.kind is Kind.AUTO_REPLY
    assert reading.absence is not None
    assert (reading.absence.back_on, reading.absence.contacts) == (None, ("dog@example.net",))


def test_only_automatic_replies_are_read_so(classifier: Classifier) -> None:
    raw = mail("I am away and back on 9 March.").replace(b"Auto-Submitted: auto-replied\n", b"")
    reading = classifier.read(raw)
    assert (reading.kind, reading.absence) == (Kind.NOT_BOUNCE, None)


@pytest.mark.parametrize(
    "piece",
    ["9", "(", "1/1/", "until ", "until 5/12 and ", "back ", "a@", "x@y.jp ", "から", "4月10日から", "10日", "Monday ",
     "12 ", "- ", "=", "。", "to: a\nfrom: b\n", "On 1\n", "a.b ", "the 1st ", "4/1-", "休暇4/1"],
)  # fmt: skip
def test_hostile_text_takes_bounded_time(piece: str) -> None:
    text = piece * (16_384 // len(piece))
    began = time.process_time()
    read_absence(text, SENT, subject=text[:1_000], author="x@y.jp")
    assert time.process_time() - began < 0.2
