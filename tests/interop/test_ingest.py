"""``yamabiko ingest``: mails gathered in mbox, Maildir and .eml files count as those that come by SMTP do."""

from __future__ import annotations

import mailbox
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.detail import Unmatched
from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint
from tests.interop import world
from yamabiko.demo import mails
from yamabiko.demo.mails import Original

_FAILURE = mails.unknown_user()


@pytest.fixture(params=["while the server runs", "while it does not"])
def is_running(request: pytest.FixtureRequest) -> bool:
    return str(request.param) == "while the server runs"


@pytest.fixture(scope="module")
def yamabiko(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Yamabiko]:
    """One for all tests of this file, for the time it takes to start; each test has people of its own."""
    with world.running(tmp_path_factory.mktemp("ingest") / "home", world.LEAN) as running:
        yield running


@pytest.fixture
def people(request: pytest.FixtureRequest) -> list[str]:
    """Return addresses that no other test has."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.lower()).strip("-")
    return [f"person{i}@{name[-50:].strip('-')}.example" for i in range(8)]


def _ingest(yamabiko: world.Yamabiko, is_running: bool, *paths: Path) -> list[str]:
    """Run the command once a path, with or without the server; returns what it printed each time."""
    if not is_running:
        yamabiko.server.stop()
    try:
        return [yamabiko.server.run("ingest", str(path)) for path in paths]
    finally:
        if not is_running:
            yamabiko.server.start()


def _as_mbox(folder: Path, contents: list[bytes]) -> Path:
    box = mailbox.mbox(folder / "returned.mbox")
    for content in contents:
        message = mailbox.mboxMessage(content.replace(b"\r\n", b"\n"))
        message.set_from("MAILER-DAEMON", True)
        box.add(message)
    box.close()
    return folder / "returned.mbox"


def _as_maildir(folder: Path, contents: list[bytes]) -> Path:
    box = mailbox.Maildir(folder / "Maildir")
    for i, content in enumerate(contents):
        message = mailbox.MaildirMessage(content.replace(b"\r\n", b"\n"))
        if i % 2:
            message.set_subdir("cur")
            message.add_flag("S")
        box.add(message)
    return folder / "Maildir"


def _as_files(folder: Path, contents: list[bytes]) -> Path:
    (folder / "files" / "deep").mkdir(parents=True)
    for i, content in enumerate(contents):
        place = folder / "files" / ("deep" if i % 2 else ".") / f"{i}.eml"
        place.write_bytes(content)
    return folder / "files"


_FORMS: dict[str, Callable[[Path, list[bytes]], Path]] = {"mbox": _as_mbox, "maildir": _as_maildir, "eml": _as_files}


def _unproven(answer: dict[str, str], address: str, broadcast: str) -> dict[str, bytes]:
    """Return bounces of ``address`` that nothing of ours proves, by what is wrong with each."""
    nobodys = Original(address, "news@shop.example", ())
    stranger = Mint(
        KeyRing({kid: Key(kid, os.urandom(32), KeyStatus.CURRENT) for kid in (1,)}, os.urandom(32)),
        Hosts(world.RETURN_PATH_DOMAIN, "http://127.0.0.1"),
    )
    theirs = stranger.mail(tenant=1, broadcast_id=broadcast, address=address, day=20_600)
    bare = mails.bounce(nobodys, _FAILURE)
    return_path = answer["return_path"].encode()
    text = b"Your message could not be delivered"
    assert text in bare
    in_text = bare.replace(text, b"Mail from " + return_path + b" (that is: <" + return_path + b">)\r\n" + text)
    url = answer["unsubscribe_url"].encode()
    in_link = bare.replace(text, b'<a href="' + url + b'">' + url + b"</a>\r\n" + text)
    flipped = ("a" if return_path[10:11] != b"a" else "b").encode()
    broken = return_path[:10] + flipped + return_path[11:]
    return {
        "no token": bare,
        "another's keys": mails.bounce(Original(address, theirs.return_path, ()), _FAILURE),
        "one character changed": bare.replace(b"news@shop.example", broken),
        "only in the text": in_text,
        "only in a link": in_link,
        "another domain": bare.replace(b"To: news@shop.example", b"To: " + return_path.replace(b"bounce.", b"evil.")),
        "as the sender": bare.replace(b"From: MAILER-DAEMON@out.shop.example", b"From: " + return_path),
        "in the subject": bare.replace(b"Subject: Undelivered", b"Subject: " + return_path + b" Undelivered"),
    }


@pytest.mark.parametrize(
    ("form", "is_running"), [("mbox", True), ("maildir", True), ("eml", True), ("mbox", False)], ids=str
)
def test_what_proves_nothing_is_shown_and_changes_nothing(
    yamabiko: world.Yamabiko, tmp_path: Path, people: list[str], form: str, is_running: bool
) -> None:
    broadcast = people[0].partition("@")[2]
    answers = yamabiko.list_people(broadcast, people)
    contents: list[bytes] = []
    for i, (answer, address) in enumerate(zip(answers, people, strict=True)):
        content = list(_unproven(answer, address, broadcast).values())[i]
        # A Message-ID each, as different mails have.
        contents.append(content.replace(b"Message-ID: <", b"Message-ID: <%d." % i, 1))
    before = yamabiko.everything(broadcast)

    path = _FORMS[form](tmp_path, contents)
    printed, again = _ingest(yamabiko, is_running, path, path)

    assert printed.startswith("8 mails, 8 facts, 0 of them known already."), printed
    assert re.search(r"^ +8  unmatched  \(prove nothing, so count nowhere\)$", printed, re.MULTILINE), printed
    assert again.startswith("8 mails, 8 facts, 8 of them known already."), again
    assert yamabiko.everything(broadcast) == before
    assert not [key for key in before["suppressions"] if broadcast in key]
    shown = [fact.detail for fact in yamabiko.unmatched() if isinstance(fact.detail, Unmatched)]
    mine = {str(detail.address): detail for detail in shown if str(detail.address) in people}
    assert sorted(mine) == sorted(people)
    assert {(detail.why, str(detail.cause)) for detail in mine.values()} == {("no token", "user_unknown")}


def test_the_same_report_five_times_counts_once(
    yamabiko: world.Yamabiko, tmp_path: Path, people: list[str], is_running: bool
) -> None:
    """D15: SMTP twice, mbox, Maildir and a file; each with the marks its way leaves."""
    broadcast = people[0].partition("@")[2]
    answer = yamabiko.list_people(broadcast, people)[0]
    return_path = answer["return_path"]
    content = mails.bounce(world.original(answer, people[0]), _FAILURE)
    # What mbox files change: lines that begin with "From ".
    content = content.replace(
        b"Your message could not", b"From here on it failed.\r\n>From the queue.\r\nYour message could not"
    )
    assert b"\r\nFrom here" in content
    received = b"Received: from %s (unknown [192.0.2.9]) by mx; Wed, 1 Apr 2026 00:00:0%d +0000\r\n"
    delivered = b"Return-Path: <>\r\nDelivered-To: " + return_path.encode() + b"\r\n"
    smtp = yamabiko.server.address("smtp")
    assert world.deliver(smtp, return_path, received % (b"out.shop.example", 1) + content) == 250
    assert world.deliver(smtp, return_path.upper(), received % (b"relay.example", 2) * 2 + content) == 250
    before = yamabiko.facts()

    one = tmp_path / "one.eml"
    one.write_bytes(b"X-Original-To: " + return_path.encode() + b"\r\n" + received % (b"pop.example", 5) + content)
    paths = (
        _as_mbox(tmp_path, [delivered + received % (b"mbox.example", 3) + content]),
        _as_maildir(tmp_path, [delivered + content]),
        one,
    )
    for path, printed in zip(paths, _ingest(yamabiko, is_running, *paths), strict=True):
        assert printed.startswith("1 mails, 1 facts, 1 of them known already."), (path, printed)

    assert yamabiko.facts() == before
    delivery = yamabiko.delivery(broadcast, answer["recipient"])
    assert [event["type"] for event in delivery["events"]] == ["planned", "failed"]
    numbers = yamabiko.numbers(broadcast)
    assert (numbers["undelivered"], numbers["hard"], numbers["causes"]) == (1, 1, {"user_unknown": 1})
    mine = {key: row["failures"] for key, row in yamabiko.suppressions().items() if broadcast in key}
    assert mine == {f"{people[0]} bounce": 1}


def test_a_token_in_an_address_field_proves_a_report(
    yamabiko: world.Yamabiko, tmp_path: Path, people: list[str], is_running: bool
) -> None:
    """Without an envelope the mail's own address fields, or the returned header, name the delivery."""
    broadcast = people[0].partition("@")[2]
    answers = yamabiko.list_people(broadcast, people)
    contents: list[bytes] = []
    for i, (answer, address) in enumerate(zip(answers[:6], people[:6], strict=True)):
        bare = mails.bounce(Original(address, "collector@shop.example", ()), _FAILURE)
        path = answer["return_path"].encode()
        content = {
            0: b"Delivered-To: " + path + b"\r\n" + bare,
            1: bare.replace(b"To: collector@shop.example", b"To: <" + path.upper() + b">"),
            2: b"X-Original-To: <" + path + b">\r\n" + bare,
            3: b"Envelope-To: " + path.replace(b"b+", b"b-") + b"\r\n" + bare,
            4: bare.replace(b"Return-Path: <collector@shop.example>", b"Return-Path: <" + path + b">"),
            5: bare.replace(b"From: Shop", b"X-Yamabiko-Token: " + answer["envid"].encode() + b"\r\nFrom: Shop"),
        }[i]
        assert content != bare
        contents.append(content)
    (printed,) = _ingest(yamabiko, is_running, _as_mbox(tmp_path, contents))
    assert printed.startswith("6 mails, 6 facts, 0 of them known already."), printed
    assert yamabiko.numbers(broadcast)["causes"] == {"user_unknown": 6}
    mine = {key for key in yamabiko.suppressions() if broadcast in key}
    assert mine == {f"{address} bounce" for address in people[:6]}
    for answer in answers[6:]:
        assert yamabiko.delivery(broadcast, answer["recipient"])["state"] == "planned"


def test_files_are_left_as_they_were_and_broken_ones_do_no_harm(
    yamabiko: world.Yamabiko, tmp_path: Path, people: list[str]
) -> None:
    broadcast = people[0].partition("@")[2]
    answer = yamabiko.list_people(broadcast, people)[0]
    content = mails.bounce(world.original(answer, people[0]), _FAILURE)
    noise = world.seeded().randbytes(2_000)
    files = {"a.eml": content, "b.eml": noise, "c.eml": b"", "d.eml": content[: len(content) // 2]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    printed = yamabiko.server.run("ingest", str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert printed.startswith("3 mails,"), printed
    assert yamabiko.numbers(broadcast)["undelivered"] == 1


@pytest.mark.row("T01")
def test_a_mail_larger_than_smtp_takes_is_named_and_may_be_taken_later(
    yamabiko: world.Yamabiko, tmp_path: Path, people: list[str]
) -> None:
    broadcast = people[0].partition("@")[2]
    answers = yamabiko.list_people(broadcast, people[:3])
    contents = [
        mails.bounce(Original(address, answer["return_path"], ()), _FAILURE).replace(b"ID: <", b"ID: <%d." % i, 1)
        for i, (answer, address) in enumerate(zip(answers, people[:3], strict=True))
    ]
    contents[1] += b"\r\n" + b"An original without end.\r\n" * 4_000
    path = _as_mbox(tmp_path, contents)
    command = [sys.executable, "-m", "yamabiko", "--home", str(yamabiko.server.home), "ingest", str(path)]
    small = {**os.environ, "YAMABIKO_SMTP_MAX_MESSAGE_BYTES": "65536"}
    first = subprocess.run(command, env=small, capture_output=True, check=False, timeout=60)
    assert first.returncode == 65
    assert first.stdout.startswith(b"2 mails, 2 facts, 0 of them known already."), "those beside it are taken"
    named = re.search(rb"returned.mbox#2: ([0-9,]+) octets are too large; not taken in", first.stderr)
    assert named, first.stderr
    assert 100_000 < int(named[1].replace(b",", b"")) < 110_000
    assert b"1 mails are larger than smtp.max_message_bytes, 65,536" in first.stderr
    assert yamabiko.server.run("ingest", str(path)).startswith("3 mails, 3 facts, 2 of them known already.")
