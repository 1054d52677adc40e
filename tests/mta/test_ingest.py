"""Files: mbox, Maildir, .eml; the same facts as over SMTP, and never more trust than the mail proves."""

from __future__ import annotations

import io
import mailbox
import tracemalloc
from pathlib import Path

import pytest

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.detail import (
    Report,
    Trust,
    Unmatched,
)
from model.fact import Fact, FactType
from mta.ingest import ingest_message
from mta.intake import IntakeRules
from mta.mailbox import iterate_mails, read_stream
from mta.return_path import ReturnPaths
from tests.mta.harness import DOMAIN, KEYS, MINT, minted, serving, today
from tests.mta.mails import complaint, delivery_report, plain

NOW_US = today() * 86_400_000_000 + 43_200_000_000
PATHS = ReturnPaths([DOMAIN])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_rules(Path(__file__).parents[2] / "config" / "rules"))


def ingested(content: bytes, classifier: Classifier) -> list[Fact]:
    return ingest_message(
        content, classifier.read(content), keys=KEYS, return_paths=PATHS, rules=IntakeRules(), at_us=NOW_US
    )


# -- files


MAILS = [
    b"Subject: one\n\nFrom here\n\nFrom there\n>From quoted\n",
    b"Subject: two\n\n",
    b"Subject: three\n\nlast line\n\n\nFrom\nx\n",
]


def test_mbox_as_the_standard_library_writes_it(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for content in MAILS:
        box.add(content)
    box.flush()
    found = list(iterate_mails(tmp_path / "box"))
    assert [mail.content.split(b"\n")[0] for mail in found] == [b"Subject: one", b"Subject: two", b"Subject: three"]
    assert found[1].source.endswith("box#2")
    assert found[0].content == b"Subject: one\n\nFrom here\n\nFrom there\nFrom quoted\n"


def test_maildir_eml_and_folders(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    for content in MAILS:
        box.add(content)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.eml").write_bytes(MAILS[0])
    (tmp_path / "deep" / "b.EML").write_bytes(b"From x@y Wed Apr  1 10:00:00 2026\nSubject: boxed\n\nx\n")
    (tmp_path / "deep" / "c.pdf").write_bytes(b"no mail")
    (tmp_path / "deep" / "empty.eml").write_bytes(b"")
    assert sorted(mail.content for mail in iterate_mails(tmp_path / "Maildir")) == sorted(MAILS)
    assert [mail.content for mail in iterate_mails(tmp_path / "deep")] == [MAILS[0], b"Subject: boxed\n\nx\n"]
    assert len(list(iterate_mails(tmp_path))) == 5


def test_an_eml_is_one_mail(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"From x@y Wed Apr  1 10:00:00 2026\nSubject: one\n\nhello\n\nFrom here on\n")
    (mail,) = iterate_mails(tmp_path / "a.eml")
    assert mail.content == b"Subject: one\n\nhello\n\nFrom here on\n"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(MAILS[0])

    monkeypatch.setattr("sys.stdin", Stdin)
    assert [mail.content for mail in iterate_mails("-")] == [MAILS[0]]


def test_long_lines_and_crlf() -> None:
    line = b"x" * 200_000
    data = b"From a b\r\nSubject: x\r\n\r\n" + line + b"\r\n\r\nFrom a b\r\nSubject: y\r\n\r\nFrom\r\n"
    first, second = read_stream(io.BytesIO(data), "x")
    assert first.content == b"Subject: x\r\n\r\n" + line + b"\r\n"
    assert second.content == b"Subject: y\r\n\r\nFrom\r\n"


_LARGE = b"Subject: large\n\n" + b"x" * 983 + b"\n"


@pytest.mark.row("T01")
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_mail_that_is_too_large_is_told_and_not_cut(newline: bytes) -> None:
    large = _LARGE.replace(b"\n", newline)
    small = b"Subject: small\n\n>From a friend\n".replace(b"\n", newline)
    size = len(large)
    box = newline.join(b"From a b" + newline + content for content in (small, large, small)) + newline
    for most, kept in ((size, True), (size - 1, False), (200, False)):
        one, two, three = read_stream(io.BytesIO(box), "x", most=most)
        assert one.content == three.content == small.replace(b">From", b"From"), "those beside it are whole"
        assert (two.source, two.size, two.is_too_large) == ("x#2", size, not kept)
        assert two.content == (large if kept else b"")
        (alone,) = read_stream(io.BytesIO(large), "y", most=most)
        assert (alone.size, alone.content, alone.is_too_large) == (size, large if kept else b"", not kept)


def test_a_mailbox_of_empty_lines_takes_no_more_memory_than_it_has() -> None:
    data = b"From a b\nSubject: x\n" + b"\n" * 400_000
    tracemalloc.start()
    try:
        (mail,) = read_stream(io.BytesIO(data), "x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{peak:,} octets for {len(data):,}")
    assert mail.size > 399_000
    assert peak < 4 * len(data), "a list of its lines takes twenty times as much"


# -- facts


@pytest.mark.parametrize(
    ("head", "original", "trust"),
    [
        ("Delivered-To: {return_path}\n", "", Trust.SUPPRESS),
        ("X-Original-To: {return_path}\n", "", Trust.SUPPRESS),
        ("", "X-Yamabiko-Token: {message}", Trust.SUPPRESS),
        ("", "Return-Path: <{return_path}>", Trust.SUPPRESS),
        ("", "List-Unsubscribe: <{unsubscribe_url}>", Trust.COUNT),
        ("Delivered-To: {old}\n", "", Trust.COUNT),
    ],
)
def test_where_the_token_is_decides_the_trust(head: str, original: str, trust: Trust, classifier: Classifier) -> None:
    mail = minted()
    words = {
        "return_path": mail.return_path,
        "message": mail.message_token,
        "unsubscribe_url": mail.unsubscribe_url,
        "old": minted(days_ago=40).return_path,
    }
    content = delivery_report(head=head.format(**words), original=original.format(**words))
    (fact,) = ingested(content, classifier)
    assert isinstance(fact.detail, Report)
    assert (fact.type, fact.detail.trust) == (FactType.FAILED, trust)
    assert fact.key == mail.key


@pytest.mark.parametrize(
    "content",
    [
        delivery_report(),
        delivery_report(text=minted().return_path),
        delivery_report(text="X-Yamabiko-Token: " + minted().message_token),
        delivery_report(head="Delivered-To: taro@example.jp\n"),
        delivery_report(head=f"Delivered-To: b+{'a' * 48}@{DOMAIN}\n"),
        complaint(text=minted().message_token),
        complaint(original=f"X-Yamabiko-Token: {minted().message_token}"),
        plain("hello"),
        b"",
        b"\r\n\r\n",
        b"\xff\xfe\x00",
    ],
)
def test_without_a_token_of_ours_nothing_is_counted(content: bytes, classifier: Classifier) -> None:
    (fact,) = ingested(content, classifier)
    assert isinstance(fact.detail, Unmatched)
    assert fact.key.recipient == 0


def test_complaint_in_a_file(classifier: Classifier) -> None:
    content = f"Delivered-To: {MINT.feedback_address(1)}\r\n".encode() + complaint(
        original=f"X-Yamabiko-Token: {minted().message_token}"
    )
    (fact,) = ingested(content, classifier)
    assert (fact.type, fact.key) == (FactType.COMPLAINED, minted().key)


async def test_five_times_by_smtp_and_from_files_is_one_fact(classifier: Classifier, tmp_path: Path) -> None:
    """D15: whatever the way, the line ends, the quoting and the trace lines."""
    mail = minted()
    content = delivery_report(text="From here on\n.dot", original=f"X-Yamabiko-Token: {mail.message_token}")
    async with serving(reader=classifier) as world:
        for number in range(5):
            peer = await world.call()
            trace = b"Received: from a by b; %d\r\n" % number
            reply = await peer.deliver(mail.return_path, trace + content.replace(b"\r\n.", b"\r\n.."))
            assert reply == "250 2.0.0 Stored"
        assert len(world.store.facts) == 1
        box = mailbox.mbox(tmp_path / "box")
        box.add(content.replace(b"\r\n", b"\n"))
        box.add(
            b"Return-Path: <>\nDelivered-To: " + mail.return_path.encode() + b"\n" + content.replace(b"\r\n", b"\n")
        )
        box.flush()
        (tmp_path / "one.eml").write_bytes(content)
        raws = [*iterate_mails(tmp_path / "box"), *iterate_mails(tmp_path / "one.eml")]
        ids = {fact.id for raw in raws for fact in ingested(raw.content, classifier)}
        assert len(raws) == 3
        assert ids == set(world.store.facts)
