"""Bombs: each must be answered within 200 ms of CPU and without an exception (S19)."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from classifier.classify import Classifier
from classifier.rulefile import RuleSet
from model.reading import Kind

BUDGET_S = 0.200
HEAD = b"From: MAILER-DAEMON@x.example\nTo: y@x.example\nSubject: Undelivered Mail\n"
PLAIN = HEAD + b"Content-Type: text/plain; charset=%s\n\n"
REPLY = b"From: a@b.example\nAuto-Submitted: auto-replied\nDate: 1 Apr 2026 09:00:00 +0900\nSubject: out\n\n"
REPORT = (
    HEAD
    + b'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\n\n'
    + b"--B\nContent-Type: message/delivery-status\n\n"
)


def nested(depth: int, kind: bytes) -> bytes:
    return HEAD + b"".join(
        b'Content-Type: multipart/%s; boundary="b%d"\n\n--b%d\n' % (kind, i, i) for i in range(depth)
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "nested-multiparts-10k": lambda: nested(10_000, b"mixed"),
    "nested-same-boundary": lambda: HEAD + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' * 10_000,
    "nested-rfc822": lambda: HEAD + b"Content-Type: message/rfc822\n\n" * 20_000,
    "parts-20k": lambda: HEAD + b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 20_000,
    "boundary-prefixes": lambda: HEAD + b'Content-Type: multipart/mixed; boundary="-"\n\n' + b"-" * 1_000_000,
    "header-lines-100k": lambda: b"X: y\n" * 100_000 + b"\nhello",
    "header-line-5mb": lambda: b"Subject: " + b"a" * 5_000_000 + b"\n\nhello",
    "folded-header-1mb": lambda: b"Subject: a" + b"\n b" * 300_000 + b"\n\nhello",
    "encoded-words-20k": lambda: b"Subject: " + b"=?utf-8?Q?=41?= " * 20_000 + b"\n\nhello",
    "encoded-word-starts": lambda: b"Subject: " + b"=?utf-8?Q?" * 100_000 + b"\n\nhello",
    "rfc2231-20k": lambda: (
        HEAD + b"Content-Type: text/plain" + b"".join(b"; x*%d*=a" % i for i in range(20_000)) + b"\n\nh"
    ),
    "boundary-parameters": lambda: HEAD + b"Content-Type: multipart/mixed" + b"; boundary" * 50_000 + b"\n\nh",
    "parentheses": lambda: b"From: " + b"(" * 200_000 + b"\nSubject: Undelivered\n\nhello",
    "quotes": lambda: b'From: "' + b'\\"' * 200_000 + b"\nSubject: Undelivered\n\nhello",
    "to-20k-addresses": lambda: b"To: " + b"a@b.example, " * 20_000 + b"\nSubject: Undelivered\n\nhello",
    "base64-garbage": lambda: HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=?=/+A\n" * 400_000,
    "base64-5mb": lambda: (
        HEAD + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(b"a@b.example " * 400_000)
    ),
    "qp-garbage": lambda: HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=3D=\n=" * 500_000,
    "uu-garbage": lambda: HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n" + b"M" * 2_000_000,
    "punycode": lambda: PLAIN % b"punycode" + b"a-" * 200_000 + b"\xff",
    "idna": lambda: PLAIN % b"idna" + b"xn--" * 200_000 + b"\xff",
    "utf-7": lambda: PLAIN % b"utf-7" + b"+AGE-" * 200_000,
    "zlib": lambda: PLAIN % b"zlib" + b"x\x9c" * 200_000,
    "hz": lambda: PLAIN % b"hz-gb-2312" + b"~{VPNS~}~\n" * 100_000,
    "iso-2022-jp-escapes": lambda: PLAIN % b"iso-2022-jp" + b"\x1b$B\x1b(B" * 150_000,
    "utf-16": lambda: PLAIN % b"utf-16" + b"\xff\xfe\xd8\x00" * 200_000,
    "at-signs": lambda: PLAIN % b"utf-8" + b"@" * 1_000_000,
    "addresses-100k": lambda: PLAIN % b"utf-8" + b"could not be delivered\n" + b"<a@b.example>:\n" * 100_000,
    "distinct-addresses": lambda: (
        PLAIN % b"utf-8" + b"undeliverable\n" + b"".join(b"u%d@b.example\n" % i for i in range(30_000))
    ),
    "headings-above-addresses": lambda: (
        PLAIN % b"utf-8" + b"".join(b"No. %d:\na%d@b.example\n" % (i, i) for i in range(20_000))
    ),
    "clauses-of-addresses": lambda: (
        PLAIN % b"utf-8"
        + b"Your mail was not delivered: "
        + b"".join(b"a%d@b.example is not one of us, " % i for i in range(20_000))
    ),
    "marks-of-quoting": lambda: PLAIN % b"utf-8" + b"a@b.example: user unknown\n" + b"> > > \n| | | \n" * 60_000,
    "noted-recipients": lambda: (
        PLAIN % b"utf-8" + b"   ----- Transcript of session follows -----\n" + b"<" + b"@..." * 60_000 + b"... \n"
    ),
    "octets-without-charset": lambda: PLAIN % b"unknown-8bit" + b"a@b.example " + b"\xa4\xa2\xb1\xe9\x83" * 100_000,
    "octets-of-no-latin": lambda: PLAIN % b"iso-8859-1" + b"a@b.example " + b"\xb1\xbb\xcd\xcb\xff" * 100_000,
    "distinct-addresses-and-original": lambda: (
        PLAIN % b"utf-8"
        + b"undeliverable\n"
        + b"".join(b"u%d@b.example\n" % i for i in range(3_000))
        + b"Received: from a\n"
        + b"From: a@b.example\n" * 900
        + b"\nhello"
    ),
    "addresses-of-a-stranger": lambda: (
        b"Return-Path: <a@b.example>\nFrom: a@b.example\nSubject: mail not delivered\n\n"
        + b"".join(b"not a mail to u%d@b.example was delivered.\n" % i for i in range(30_000))
    ),
    "one-address-again": lambda: PLAIN % b"utf-8" + b"undeliverable\n" + b"x c@d.example\n" * 100_000,
    "announced": lambda: PLAIN % b"utf-8" + b"not delivered to c@d.example " + b"server response " * 20_000,
    "hosts-that-say-nothing": lambda: (
        PLAIN % b"utf-8" + b"c@d.example undeliverable, returned " + b"host system " * 20_000
    ),
    "sendmail-reasons": lambda: (
        PLAIN % b"utf-8" + b"<c@d.example>\n   (reason: " * 5_000 + b"\n"
        b"   ----- Transcript of session follows -----\n550 <c@d.example>... User unknown\n"
    ),
    "sentences-in-halves": lambda: PLAIN % b"utf-8" + b"mail\n\n" + b"c@d.example\n\n" * 20_000 + b"failed",
    "empty-lines": lambda: PLAIN % b"utf-8" + b"\n \n" * 300_000 + b"mail not delivered to c@d.example",
    "greetings": lambda: PLAIN % b"utf-8" + b"hello c@d." + b"e." * 20_000 + b",\n\nundeliverable",
    "sentences": lambda: (
        b"From: a@b.example\nSubject: mail could not be sent\n\n" + b"Your mail. was not! sent? " * 100_000
    ),
    "one-sentence": lambda: b"Return-Path: <>\nFrom: a@b.example\nSubject: x\n\n" + b"mail " * 400_000 + b"c@d.example",
    "original-promised-often": lambda: (
        PLAIN % b"utf-8" + b"original message follows\n<c@d.example>: 550\n" * 40_000 + b"Received: from a\n"
    ),
    "acknowledged-in-words": lambda: (
        b"Return-Path: <>\nFrom: a@b.example\nAuto-Submitted: auto-replied\nSubject: x\n\n"
        + b"Your mail to c@d.example was not delivered. 550 no.\n" * 40_000
    ),
    "complaint-words": lambda: (
        b'From: a@b.example\nSubject: spam report\nContent-Type: multipart/mixed; boundary="B"\n\n--B\n\n'
        + b"reported " * 100_000
        + b"\n--B\nContent-Type: message/rfc822\n\nTo: c@d.example\n\n"
    ),
    "one-atom-1mb": lambda: PLAIN % b"utf-8" + b"undeliverable " + b"a" * 1_000_000 + b"@",
    "dots": lambda: PLAIN % b"utf-8" + b"undeliverable a@" + b"a." * 300_000,
    "recipient-blocks-20k": lambda: (
        REPORT + b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n" * 20_000
    ),
    "recipient-fields-one-block": lambda: REPORT + b"Final-Recipient: rfc822; a@b.example\n" * 50_000,
    "diagnostic-1mb": lambda: (
        REPORT + b"Final-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; " + b"550 user " * 100_000
    ),
    "diagnostic-folded": lambda: (
        REPORT + b"Final-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; 550" + b"\n x" * 200_000
    ),
    "xtext": lambda: REPORT + b"Original-Recipient: rfc822; a" + b"+2B" * 100_000 + b"@b.example\nAction: failed\n",
    "unitext": lambda: (
        REPORT + b"Original-Recipient: utf-8; a" + b"\\x{10FFFF}" * 50_000 + b"@b.example\nAction: failed\n"
    ),
    "html-tags": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<p" * 500_000,
    "html-comments": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<!--" * 250_000,
    "html-styles": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<style>" * 150_000,
    "html-entities": lambda: HEAD + b"Content-Type: text/html\n\n" + b"&amp" * 250_000,
    "status-codes": lambda: PLAIN % b"utf-8" + b"undeliverable <a@b.example> " + b"5.1.1." * 150_000,
    "reply-codes": lambda: PLAIN % b"utf-8" + b"undeliverable <a@b.example> " + b"550-550 " * 120_000,
    "header-like-body": lambda: PLAIN % b"utf-8" + b"undeliverable\n" + b"X-A: b\n" * 100_000 + b"Received: from x\n",
    "separators": lambda: PLAIN % b"utf-8" + b"---- Original message ----\n" * 40_000,
    "blank-lines": lambda: PLAIN % b"utf-8" + b"undeliverable a@b.example\n" + b" \n" * 400_000,
    "bare-cr": lambda: (PLAIN % b"utf-8").replace(b"\n", b"\r") + b"undeliverable\r" * 100_000,
    "from-lines": lambda: b"From x\n" * 200_000,
    "nul-bytes": lambda: b"\0" * 2_000_000,
    "json-nesting": lambda: b"Subject: AWS\nFrom: x@y.example\n\n" + b'{"a":' * 100_000,
    "transcript": lambda: (
        HEAD + b"\n----- Transcript of session follows -----\n" + b"550 <a@b.example>... no\n" * 50_000
    ),
    "feedback-fields": lambda: (
        HEAD + b"Content-Type: message/feedback-report\n\n" + b"Original-Rcpt-To: <a@b.example>\n" * 50_000
    ),
    # What the quick ways of reading could stumble over.
    "boundary-near-misses": lambda: (
        HEAD + b'Content-Type: multipart/mixed; boundary="%s"\n\n' % (b"b" * 70) + (b"--" + b"b" * 69 + b"\n") * 40_000
    ),
    "short-heads-all-different": lambda: (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\n\n'
        + b"".join(b"--b\nContent-Type: text/x%d\nX: %s\n\ny\n" % (i, b"z" * 450) for i in range(5_000))
    ),
    "words-all-different": lambda: (
        REPORT
        + b"".join(
            b"Final-Recipient: rfc822; u%d@b.example\nAction: failed\nDiagnostic-Code: smtp; 550 %s\n\n"
            % (i, b" ".join(b"unkno%dwn" % (i * 1_000 + j) for j in range(300)))
            for i in range(60)
        )
    ),
    "words-of-pieces": lambda: (
        REPORT
        + b"Final-Recipient: rfc822; a@b.example\nDiagnostic-Code: smtp; 550 "
        + b"userunknownmailboxfullrejectedblockedspamquotarelaydeniedhost " * 60
        + b"unknownmailbox" * 4_000
    ),
    "rule-arms-half-held": lambda: (
        REPORT
        + b"".join(
            b"Final-Recipient: rfc822; u%d@b.example\nAction: failed\nDiagnostic-Code: smtp; 550 %s\n\n"
            % (i, b"recipient mailbox user account host domain sender message over too no not in to of for is " * 40)
            for i in range(50)
        )
    ),
    "hosts-of-50k-labels": lambda: (
        REPORT
        + b"Final-Recipient: rfc822; a@%s\nRemote-MTA: dns; %s\nAction: failed\n"
        % (b"a." * 50_000 + b"b", b"c." * 50_000)
    ),
    "lines-that-may-introduce-a-copy": lambda: (
        PLAIN % b"utf-8" + b"undeliverable\n" + b"> > the message the\n" * 60_000
    ),
    "decorated-line-1mb": lambda: PLAIN % b"utf-8" + b"undeliverable\n" + b"-=" * 500_000,
    "header-starts-in-text": lambda: PLAIN % b"utf-8" + b"undeliverable\n" + b"X-Maile\nReceived: far\n" * 40_000,
    "blanks-before-no-colon": lambda: (
        b"From: MAILER-DAEMON@x.example\n" + (b"to" + b" \t" * 30_000 + b"\n") * 40 + b"\nh"
    ),
    "one-field-100k-times": lambda: (
        b"To: a@b.example\n" * 900 + b"Message-ID: " + b"<" * 200_000 + b"\n\nundeliverable"
    ),
    "original-of-message-ids": lambda: (
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nundeliverable a@b.example\n--b\n'
        b"Content-Type: message/rfc822\n\n" + b"Message-ID: <a@b>\nList-Unsubscribe: <x>\n" * 60_000
    ),
    "own-addresses": lambda: (
        b"From: MAILER-DAEMON <a@b.example>\nTo: %s\nSubject: Undelivered Mail\n\n" % (b"x@y.example," * 10_000)
        + b"".join(b"<u%d@y.example>:\n 550 no\n" % i for i in range(20_000))
    ),
    "failed-recipients-header": lambda: (
        HEAD + b"X-Failed-Recipients: " + b"".join(b"u%d@b.example, " % i for i in range(4_000)) + b"\n\nundeliverable"
    ),
    "reports-in-plain-text": lambda: (
        PLAIN % b"utf-8" + b"> Final-Recipient: rfc822; a@b.example\n> Action: failed\n> Status: 5.0.0\n> \n" * 15_000
    ),
    "charset-names": lambda: (
        b"Subject: " + b" ".join(b"=?x-%d?Q?=%02X?=" % (i, i % 256) for i in range(15_000)) + b"\n\nhello"
    ),
    "charset-continuations": lambda: (
        HEAD
        + b"Content-Type: text/plain"
        + b"".join(b"; charset*%d*=us-ascii'%d'x" % (i, i) for i in range(8_000))
        + b"\n\n\xe9"
    ),
    "octal-octets": lambda: PLAIN % b"utf-8" + b"undeliverable a@b.example " + b"\\303\\244" * 100_000,
    "html-deep": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<div>" * 100_000 + b"undeliverable a@b.example",
    "html-unclosed": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<a href='" * 100_000,
    "html-references": lambda: HEAD + b"Content-Type: text/html\n\n" + b"&#x110000;&#0;&notit;" * 20_000,
    "banners": lambda: (PLAIN % b"utf-8") + b"This message is confidential and originated outside.\n\n" * 20_000,
    "banner-of-one-line": lambda: (PLAIN % b"utf-8") + b"caution outside " * 60_000,
    "marks": lambda: b"Subject: " + b"[EXT" * 50_000 + b"\nFrom: MAILER-DAEMON@x.example\n\nhello a@b.example",
    "wrapped-lines": lambda: (PLAIN % b"utf-8") + b"could not be\ndelivered a@b.example to \n" * 30_000,
    "html-invisible": lambda: HEAD + b"Content-Type: text/html\n\n" + b"<title>x</title><script></script>" * 30_000,
    "json-recipients": lambda: (
        b'From: x@y.example\n\n{"notificationType":"Bounce","bounce":{"bouncedRecipients":['
        + b",".join([b'{"emailAddress":"a@b.example","diagnosticCode":"smtp; 550 no"}'] * 20_000)
        + b"]}}"
    ),
    "report-in-base64": lambda: (
        HEAD
        + b'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\n\n--B\n'
        + b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(b"Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1\n\n" * 20_000)
    ),
    "absence-days": lambda: REPLY + b"I am away 1/2 3/4 5/6 until 7-8 May 9.10. from the 11th to Friday, " * 2_000,
    "absence-numbers": lambda: REPLY + b"back on " + b"20 " * 100_000,
    "absence-contacts": lambda: REPLY + b"please contact sent to from the mail to u@b.example instead " * 2_000,
    "absence-farewells": lambda: (
        REPLY + b"Who left I has left the last day at my last day of no longer i retired " * 2_000
    ),
    "absence-quotes": lambda: REPLY + b"on 2024 at 1 \nFrom: x\nfrom: y\n" * 20_000,
    "absence-japanese": lambda: REPLY + "4月10日から不在、退職は終日アドレス今後は12日まで".encode() * 3_000,
    "absence-signatures": lambda: REPLY + b"words tel: 1\n" + b"- - - - - - - - - - - - - -\n" * 20_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, pack: RuleSet) -> None:
    raw = BOMBS[name]()
    classifier = Classifier(pack)
    started = time.process_time()
    reading = classifier.read(raw, explain=True)
    spent = time.process_time() - started
    print(f"{name:28s} {len(raw):>9,d} octets {spent * 1000:7.1f} ms  {reading.kind.value} {reading.form}")
    assert reading.form != "unreadable", reading.steps
    assert len(reading.recipients) <= 50
    assert spent <= BUDGET_S


def test_there_are_enough_bombs() -> None:
    assert len(BOMBS) >= 60


def test_negative_control_a_failing_form_is_answered_and_seen(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a form raised, read() would still answer, and the tests above would see it by the form's name."""

    def burst(_: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("classifier.classify.FORMS", (("burst", burst),))
    reading = classifier.read(b"Subject: x\n\ny", explain=True)
    assert (reading.kind, reading.form) == (Kind.NOT_BOUNCE, "unreadable")
    assert reading.steps[-1] == "failed: ValueError"
    assert replace(reading, steps=()).recipients == ()
