"""What changes nothing of a mail's meaning changes nothing of its reading: encodings, HTML, what gateways add.

Each change is made to cases drawn at random. What is no bounce must never become one; of the others few may be read
otherwise, as not all of what a text says by its layout is left in another.
"""

from __future__ import annotations

import base64
import email
import email.policy
import html
import os
import quopri
import random
import re
from collections.abc import Callable, Iterator
from email.header import Header
from email.message import Message
from pathlib import Path

import pytest

from classifier.banners import without_banners, without_marks
from classifier.classify import Classifier
from classifier.wrapping import unwrapped
from model.reading import Kind, Reading

HERE = Path(__file__).parent
SEED = int(os.environ.get("TEST_SEED", "20261127"))
CASES = [*sorted((HERE / "cases").glob("*.eml")), *sorted((HERE / "blind").glob("*.eml"))]
SAMPLE = random.Random(SEED).sample(CASES, 400)
RETURNED = (Kind.BOUNCE, Kind.DELAY_WARNING)
#: Of a hundred cases, how many may be read otherwise.
_FEW = 2
_POLICY = email.policy.compat32.clone(max_line_length=None)
_ABOVE = (
    "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless "
    "you recognize the sender."
)
_BELOW = (
    "-- \nThis message was scanned for viruses and is believed to be clean.\nThis e-mail may contain confidential "
    "information. If you are not the\nintended recipient please notify the sender and delete it.\n"
)


def _leaves(message: Message) -> Iterator[Message]:
    if message.get_content_type().startswith("message/"):
        return
    if not message.is_multipart():
        yield message
        return
    for part in message.get_payload():
        assert isinstance(part, Message)
        yield from _leaves(part)


def _with_texts(raw: bytes, change: Callable[[str], str], encoding: str = "8bit", kind: str = "plain") -> bytes:
    """Return ``raw`` with the texts of its plain parts changed; "" where it has none that can be decoded."""
    message = email.message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=_POLICY)
    if message.get_content_maintype() not in ("text", "multipart"):
        return b""
    texts = [part for part in _leaves(message) if part.get_content_type() == "text/plain"]
    has_html = any(part.get_content_type() == "text/html" for part in _leaves(message))
    if not texts or (kind == "html" and has_html):
        return b""
    for part in texts:
        payload = part.get_payload(decode=True)
        try:
            text = bytes(payload).decode(part.get_content_charset() or "utf-8")
        except (UnicodeDecodeError, LookupError, TypeError):
            return b""
        if text.lstrip().startswith("{"):
            # No gateway may touch JSON.
            return b""
        octets = change(text).encode("utf-8")
        del part["Content-Type"], part["Content-Transfer-Encoding"]
        part["Content-Type"] = f'text/{kind}; charset="utf-8"'
        part["Content-Transfer-Encoding"] = encoding
        if encoding == "base64":
            octets = base64.encodebytes(octets)
        elif encoding == "quoted-printable":
            octets = quopri.encodestring(octets)
        part.set_payload(octets.decode("ascii", "surrogateescape"))
    return message.as_bytes(policy=_POLICY)


def _in_html(text: str) -> str:
    return f"<html><body><pre>{html.escape(text)}</pre></body></html>"


def _marked(raw: bytes, mark: bytes) -> bytes:
    return re.sub(rb"(?im)\A((?:[^\n]+\n)*?Subject:[ \t]*)", rb"\1" + mark, raw.replace(b"\r\n", b"\n"), count=1)


def _below(raw: bytes) -> bytes:
    """Return ``raw`` with a footer in a part of its own, as gateways add it."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    field = re.compile(rb"(?im)^(?:content-type|content-transfer-encoding):[^\n]*(?:\n[ \t][^\n]*)*\n?")
    own = b"".join(match.group().rstrip(b"\n") + b"\n" for match in field.finditer(head + b"\n"))
    if not own.lower().startswith((b"content-type: text/", b"content-transfer-encoding:")):
        return b""
    head = field.sub(b"", head + b"\n").rstrip(b"\n")
    return (
        head + b'\nContent-Type: multipart/mixed; boundary="=_f"\n\n--=_f\n' + own + b"\n" + body
        + b"\n--=_f\nContent-Type: text/plain\n\n" + _BELOW.encode() + b"--=_f--\n"
    )  # fmt: skip


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "base64": lambda raw: _with_texts(raw, str, "base64"),
    "quoted-printable": lambda raw: _with_texts(raw, str, "quoted-printable"),
    "crlf": lambda raw: raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "hard-blanks": lambda raw: _with_texts(raw, lambda text: re.sub(r"(?<=\w) (?=\w)", "\xa0", text)),
    "html": lambda raw: _with_texts(raw, _in_html, kind="html"),
    "marked-external": lambda raw: _marked(raw, b"[EXTERNAL] "),
    "marked-spam": lambda raw: _marked(raw, b"***SPAM*** "),
    "banner-above": lambda raw: _with_texts(raw, lambda text: f"{_ABOVE}\n\n{text}"),
    "footer-below": _below,
    "received": lambda raw: b"Received: from a.example by b.example; Fri, 27 Nov 2026 10:00:00 +0000\n" + raw,
}


def _sum_of(reading: Reading) -> tuple[object, ...]:
    recipients = [(r.address or "", r.verdict.reason if r.verdict else None) for r in reading.recipients]
    return (reading.kind, sorted(recipients, key=str))


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_nothing(change: str, classifier: Classifier) -> None:
    print(f"TEST_SEED={SEED}")
    otherwise: list[str] = []
    seen = 0
    for case in SAMPLE:
        raw = case.read_bytes()
        changed = CHANGES[change](raw)
        if not changed:
            continue
        seen += 1
        before, after = classifier.read(raw), classifier.read(changed)
        assert before.kind in RETURNED or after.kind not in RETURNED, case.stem
        if _sum_of(before) != _sum_of(after):
            otherwise.append(f"{case.stem}: {before.kind} {after.kind}")
    assert seen > len(SAMPLE) // 2
    assert len(otherwise) * 100 <= _FEW * seen, otherwise


def test_a_change_that_means_something_is_seen(classifier: Classifier) -> None:
    """The negative control: with another answer, nearly all that were unknown are read otherwise."""
    seen = same = 0
    for case in SAMPLE:
        raw = case.read_bytes()
        before = classifier.read(raw)
        other = _with_texts(raw, lambda _: "Your message was delivered.\n")
        if other and before.form == "plain":
            seen += 1
            same += _sum_of(before) == _sum_of(classifier.read(other))
    assert seen > 50
    assert same < seen // 4


#: Subjects of programs that quote a whole notification to those who look after it.
QUOTING = [
    (
        "Acme Support <support@desk.example>",
        "[Ticket #88123] {s}",
        "Pat added a note:\n\n{t}\n\nhttps://desk.example/8\n",
    ),
    ("Helpdesk <helpdesk@acme.example>", "Ticket assigned to you - {s}", "Hi Mika,\n\nDescription:\n{t}\n"),
    ("Bounce Monitor <monitor@ops.example>", "ALERT: bounce rate above 5 %", "Host: mx1\nState: CRITICAL\n\n{t}\n"),
]


@pytest.mark.parametrize(("sender", "subject", "text"), QUOTING)
def test_who_quotes_a_notification_sent_none(sender: str, subject: str, text: str, classifier: Classifier) -> None:
    print(f"TEST_SEED={SEED}")
    path = sender.partition("<")[2]
    wrong: list[str] = []
    for case in SAMPLE:
        message = email.message_from_bytes(case.read_bytes(), policy=_POLICY)
        part = next((part for part in _leaves(message) if part.get_content_type() == "text/plain"), None)
        if part is None or not (quoted := bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")):
            continue
        line = Header(subject.format(s=str(message["Subject"])[:60]), "utf-8").encode()
        head = f"Return-Path: <{path}\nFrom: {sender}\nTo: mika@bounce.example.com\nSubject: {line}\n"
        mail = f"{head}Content-Type: text/plain; charset=utf-8\n\n{text.format(t=quoted)}"
        if classifier.read(mail.encode("utf-8", "replace")).kind in RETURNED:
            wrong.append(case.stem)
    assert wrong == []


def test_banners_are_told_from_reasons() -> None:
    assert without_banners(f"{_ABOVE}\n\n<a@b.example>: unknown\n\n{_BELOW}").strip() == "<a@b.example>: unknown"
    for reason in (
        "Your message was rejected because it is confidential.",
        "550 5.7.1 External sender is not allowed",
        "The attachment was scanned for viruses and is infected.",
        "CAUTION: mail from outside was not delivered.",
    ):
        assert without_banners(reason) == reason


def test_marks_are_told_from_subjects() -> None:
    for mark in ("[EXTERNAL] ", "***SPAM*** ", "[SPAM 6.1] ", "{Spam?} ", "[EXT][SPAM] "):
        assert without_marks(f"{mark}Undelivered mail") == "Undelivered mail"
    for subject in ("[Ticket #1] Undelivered", "External mail", "Spam report", "[news] External"):
        assert without_marks(subject) == subject


def test_wrapped_sentences_are_joined_and_lists_are_not() -> None:
    assert unwrapped("could not\nbe delivered") == "could not be delivered"
    for text in (
        "to:\na@b.example",
        "failed:\n\na list",
        "bad, see\nreason: full",
        "Dear Sir\nYour mail",
        "\tat x\n\tat y",
    ):
        assert unwrapped(text) == text
