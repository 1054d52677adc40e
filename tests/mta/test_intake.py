"""What a mail proves: the ladder, the blocks, the trust; and what ten thousand forged ones do not (S22-S25)."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from console.reports import event_of
from model.cause import Cause, Channel
from model.detail import (
    AutoReplied,
    Complained,
    Report,
    Trust,
    Unmatched,
    Unsubscribed,
    UnsubscribeVia,
)
from model.fact import Fact, FactType
from model.keyring import Key, KeyRing, KeyStatus
from model.reading import Absence, Action, Kind, Reading, RecipientReading, Returned
from model.token import Token, TokenType, day_of, sign, to_mail, to_url
from mta.correlate import Step, correlate, find_destinations
from mta.envelope import Envelope
from mta.headers import count_hops, origin_of, parse_headers, split
from mta.intake import IntakeRules, take_in
from mta.return_path import Destination, ReturnPaths
from store.codec import pack_fact, unpack_fact
from tests.mta.harness import DOMAIN, IS_TORTURE, KEYS, MINT, VICTIM, dead, minted, seeded, serving, today
from tests.mta.mails import complaint, delivery_report, plain, vacation

NOW_US = today() * 86_400_000_000 + 43_200_000_000
PATHS = ReturnPaths([DOMAIN])
RULES = IntakeRules()
FBL = MINT.feedback_address(1)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_rules(Path(__file__).parents[2] / "config" / "rules"))


def destination_of(address: str) -> Destination:
    found = PATHS.find(address, KEYS)
    assert found is not None
    return found


def taken(
    address: str,
    content: bytes,
    reading: Reading | None,
    *,
    is_bare: bool = False,
    sender: str = "",
    rules: IntakeRules = RULES,
) -> list[Fact]:
    envelope = Envelope(sender, (address,), content, "192.0.2.1", "mx", NOW_US, has_bare_newline=is_bare)
    return take_in(envelope, reading, (destination_of(address),), KEYS, rules, PATHS)


def one_report(facts: list[Fact]) -> Report:
    (fact,) = facts
    assert isinstance(fact.detail, Report)
    return fact.detail


def bounce(*blocks: RecipientReading, **more: object) -> Reading:
    return Reading(Kind.BOUNCE, blocks, **more)  # type: ignore[arg-type]


def block(
    address: str | None = VICTIM, final: str | None = None, action: Action = Action.FAILED, sure: float = 1.0
) -> RecipientReading:
    return RecipientReading(
        address, final, action, dead(sure) if action in (Action.FAILED, Action.DELAYED) else None, "5.1.1"
    )


# -- reports and trust


def test_a_bounce_by_rcpt_token_may_suppress() -> None:
    mail = minted(is_test=True)
    (fact,) = taken(mail.return_path, delivery_report(), bounce(block()))
    assert (fact.type, fact.key, fact.at_us) == (FactType.FAILED, mail.key, NOW_US)
    assert (fact.is_test, fact.is_html) == (True, True)
    report = one_report([fact])
    assert (report.channel, report.cause, report.trust) == (Channel.OUT_OF_BAND, Cause.USER_UNKNOWN, Trust.SUPPRESS)
    assert (report.address, report.status) == (VICTIM, "5.1.1")


@pytest.mark.parametrize(
    ("blocks", "confidence", "trust"),
    [
        ([block()], 1.0, Trust.SUPPRESS),
        ([block("TARO@Example.JP")], 1.0, Trust.SUPPRESS),
        ([block(None)], 1.0, Trust.SUPPRESS),
        ([block(sure=0.6)], 0.6, Trust.SUPPRESS),
        ([block(sure=0.59)], 0.59, Trust.COUNT),
        ([block("someone@else.example")], 0.5, Trust.COUNT),
        ([block(VICTIM, "someone@else.example")], 0.5, Trust.COUNT),
        ([block(None, "someone@else.example")], 0.5, Trust.COUNT),
        ([block(VICTIM, VICTIM)], 1.0, Trust.SUPPRESS),
        ([block(VICTIM, "taro@mx1.example.jp")], 1.0, Trust.SUPPRESS),
        ([block(VICTIM, "taro@mx1.other.jp")], 0.5, Trust.COUNT),
        ([block(VICTIM, "taro@mailhub0")], 1.0, Trust.SUPPRESS),
        ([block("someone@else.example"), block()], 1.0, Trust.SUPPRESS),
        ([block("not an address"), block(None)], 1.0, Trust.SUPPRESS),
    ],
)
def test_recipient_blocks(blocks: list[RecipientReading], confidence: float, trust: Trust) -> None:
    """A19, A20: the token's recipient only, unless every block names another."""
    report = one_report(taken(minted().return_path, delivery_report(), bounce(*blocks)))
    assert (report.cause, report.confidence, report.trust) == (Cause.USER_UNKNOWN, confidence, trust)


def test_blocks_of_one_recipient_keep_their_actions() -> None:
    facts = taken(
        minted().return_path,
        b"",
        bounce(block(action=Action.DELAYED), block(action=Action.RELAYED), block("x@y.example")),
    )
    assert [fact.type for fact in facts] == [FactType.DEFERRED, FactType.RELAYED]


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        (Kind.BOUNCE, Action.FAILED, FactType.FAILED),
        (Kind.DELAY_WARNING, Action.DELAYED, FactType.DEFERRED),
        (Kind.DELIVERED_NOTICE, Action.DELIVERED, FactType.RELAYED),
        (Kind.DELIVERED_NOTICE, Action.EXPANDED, FactType.RELAYED),
    ],
)
def test_actions(kind: Kind, action: Action, expected: FactType) -> None:
    assert taken(minted().return_path, b"", Reading(kind, (block(action=action),)))[0].type is expected
    assert taken(minted().return_path, b"", Reading(kind))[0].type is expected


def test_a_bounce_nobody_understands_is_unparsable() -> None:
    report = one_report(taken(minted().return_path, b"", bounce()))
    assert (report.cause, report.trust) == (Cause.UNPARSABLE, Trust.SUPPRESS)


@pytest.mark.parametrize(
    ("age", "trust"),
    [(0, Trust.SUPPRESS), (30, Trust.SUPPRESS), (31, Trust.COUNT), (-1, Trust.SUPPRESS), (-2, Trust.COUNT)],
)
def test_old_bounces_suppress_nobody(age: int, trust: Trust) -> None:
    assert one_report(taken(minted(days_ago=age).return_path, b"", bounce(block()))).trust is trust


def test_bare_newlines_prove_nothing() -> None:
    assert one_report(taken(minted().return_path, b"", bounce(block()), is_bare=True)).trust is Trust.COUNT
    returned = Returned(token_headers=(("X-Yamabiko-Token", minted().message_token),))
    (fact,) = taken(FBL, b"", Reading(Kind.FEEDBACK_REPORT, feedback_type="abuse", returned=returned), is_bare=True)
    assert fact.type is FactType.UNMATCHED


def test_a_returned_mail_of_another_delivery_contradicts() -> None:
    returned = Returned(token_headers=(("X-Yamabiko-Token", minted("x@y.example").message_token),))
    assert one_report(taken(minted().return_path, b"", bounce(block(), returned=returned))).trust is Trust.COUNT
    returned = Returned(token_headers=(("X-Yamabiko-Token", minted().message_token),))
    assert one_report(taken(minted().return_path, b"", bounce(block(), returned=returned))).trust is Trust.SUPPRESS


def test_what_stands_before_a_token_in_the_domain_contradicts_as_well() -> None:
    """A returned mail that begins with the address of RCPT is believed unread, but not in the form of two tokens."""
    other = minted("x@y.example").return_path.partition("@")[0]
    token = minted().return_path.partition("@")[0].partition("+")[2]
    for address, trust in (
        (minted().return_path, Trust.SUPPRESS),
        (f"b+x@{token}.{DOMAIN}", Trust.SUPPRESS),
        (f"{other}@{token}.{DOMAIN}", Trust.COUNT),
    ):
        returned = Returned(token_headers=(("return-path", f"<{address}>"),))
        assert one_report(taken(address, b"", bounce(block(), returned=returned))).trust is trust, address


# -- the ladder


def test_ladder() -> None:
    mail, plain_destination = minted(), destination_of("postmaster")
    token = mail.message_token
    cases: list[tuple[Reading, bytes, Step | None]] = [
        (bounce(), f"Delivered-To: {mail.return_path}\r\n\r\n".encode(), Step.HEADER),
        (bounce(), f"To: Bounces <{mail.return_path.upper()}>\r\n\r\n".encode(), Step.HEADER),
        (bounce(returned=Returned(token_headers=(("X-Yamabiko-Token", token),))), b"", Step.RETURNED),
        (
            bounce(returned=Returned(token_headers=(("List-Unsubscribe", f"<{mail.unsubscribe_url}>"),))),
            b"",
            Step.RETURNED,
        ),
        (bounce(returned=Returned(message_id=f"<{token}@example.com>")), b"", Step.RETURNED),
        (bounce(envelope_id=token), b"", Step.ENVID),
        (bounce(envelope_id=token.upper()), b"", Step.ENVID),
        (bounce(envelope_id=token[:-1] + "="), b"", None),
        (bounce(returned=Returned(to=VICTIM)), b"To: postmaster\r\n\r\n" + mail.return_path.encode(), None),
    ]
    for reading, head, expected in cases:
        named = find_destinations(parse_headers(split(head)[0]), PATHS, KEYS)
        found = correlate(reading, plain_destination, KEYS, named=named)
        assert found.how is expected, (reading, head)
        assert (found.token is None) is (expected is None)
        assert found.why == ("" if expected else "no token")
    assert correlate(bounce(), destination_of(mail.return_path), KEYS).how is Step.RCPT


def test_a_token_off_the_envelope_counts_but_never_suppresses_over_smtp() -> None:
    returned = Returned(token_headers=(("X-Yamabiko-Token", minted().message_token),))
    (fact,) = taken("postmaster", b"", bounce(block(), returned=returned))
    assert (fact.type, fact.key) == (FactType.FAILED, minted().key)
    assert one_report([fact]).trust is Trust.COUNT


# -- replies, complaints, unsubscribes, people


def test_auto_reply() -> None:
    (fact,) = taken(minted().return_path, b"", Reading(Kind.AUTO_REPLY, subject="Out of office"))
    assert isinstance(fact.detail, AutoReplied)
    assert (fact.type, fact.detail.kind, fact.detail.text) == (FactType.AUTO_REPLIED, "vacation", "Out of office")
    assert (fact.detail.back_on, fact.detail.new_address, fact.detail.sentence) == (None, None, "")


def test_what_an_auto_reply_suggests_is_kept_and_shown() -> None:
    absence = Absence(
        date(2026, 3, 9), new_addresses=("a@x.example", "b@x.example"), sentences=("Back on 9 March.", "New.")
    )
    (fact,) = taken(minted().return_path, b"", Reading(Kind.AUTO_REPLY, absence=absence))
    assert unpack_fact(pack_fact(fact)) == fact
    shown = event_of(fact).detail
    assert (shown["back_on"], shown["new_address"]) == ("2026-03-09", "a@x.example")
    assert shown["sentence"] == "Back on 9 March. New."


@pytest.mark.row("W17", "E30", "E32")
@pytest.mark.parametrize(
    ("feedback_type", "is_complaint"),
    [("abuse", True), ("fraud", True), ("virus", True), ("other", True), ("opt-out", True), (None, True),
     ("not-spam", False), ("auth-failure", False), ("dmarc", False), ("miscategorized", False)],
)  # fmt: skip
def test_feedback_types(feedback_type: str | None, is_complaint: bool) -> None:
    """W17, mission 3.2."""
    mail = minted()
    returned = Returned(token_headers=(("List-Unsubscribe", f"<{mail.unsubscribe_url}>"),))
    (fact,) = taken(FBL, b"", Reading(Kind.FEEDBACK_REPORT, feedback_type=feedback_type, returned=returned))
    assert isinstance(fact.detail, Complained if is_complaint else Unmatched)
    if is_complaint:
        assert fact.key == mail.key


def test_complaint_needs_both_address_and_token() -> None:
    """S24."""
    report = Reading(Kind.FEEDBACK_REPORT, feedback_type="abuse")
    ours = Returned(token_headers=(("X-Yamabiko-Token", minted().message_token),))
    others = Returned(token_headers=(("X-Yamabiko-Token", minted(tenant=2).message_token),))
    for address, returned, why in [
        (FBL, Returned(), "no token"),
        (FBL, others, "other tenant"),
        (minted().return_path, ours, "not at the feedback address"),
        ("abuse@" + DOMAIN, ours, "not at the feedback address"),
    ]:
        reading = Reading(report.kind, feedback_type="abuse", returned=returned)
        (fact,) = taken(address, complaint(), reading)
        assert isinstance(fact.detail, Unmatched)
        assert fact.detail.why == why


def test_unsubscribe_is_one_fact_however_often_it_comes() -> None:
    address = minted().unsubscribe_address
    content = b"From: taro@example.jp\r\nMessage-ID: <1@x>\r\n\r\nunsubscribe"
    (first,), (again,) = (taken(address, content, Reading(Kind.NOT_BOUNCE)) for _ in range(2))
    assert isinstance(first.detail, Unsubscribed)
    assert first.detail.via is UnsubscribeVia.MAIL
    assert replace(first, at_us=first.at_us + 60_000_000).id == again.id


@pytest.mark.parametrize(
    ("head", "kind"),
    [("Auto-Submitted: auto-replied", Kind.NOT_BOUNCE),
     ("Auto-Submitted: auto-generated; x", Kind.NOT_BOUNCE), ("X: y", Kind.BOUNCE),
     ("X: y", Kind.AUTO_REPLY), ("X: y", Kind.FEEDBACK_REPORT)],
)  # fmt: skip
def test_automatic_mail_unsubscribes_nobody(head: str, kind: Kind) -> None:
    (fact,) = taken(minted().unsubscribe_address, f"{head}\r\n\r\n".encode(), Reading(kind))
    assert fact.type is FactType.UNMATCHED


def test_people_are_kept_raw() -> None:
    content = plain("Please call me")
    for address in (minted().return_path, "postmaster", f"abuse@{DOMAIN}", FBL):
        (fact,) = taken(address, content, Reading(Kind.NOT_BOUNCE, subject="Re: Spring sale"))
        assert isinstance(fact.detail, Unmatched)
        assert fact.detail.raw is not None
        assert zlib.decompress(fact.detail.raw) == content
    assert fact.key.tenant == 1


# -- identity


def test_origin_is_of_the_mail_and_not_of_its_way() -> None:
    content = delivery_report(text="From here on\n>From there on")
    variants = [
        content,
        content.replace(b"\r\n", b"\n"),
        b"Return-Path: <>\r\nDelivered-To: x@y\r\nReceived: from a\r\n\tby b\r\n" + content,
        b"From MAILER-DAEMON Wed Apr  1 10:00:00 2026\n" + content.replace(b"\r\n", b"\n") + b"\n\n",
        content.replace(b"\r\nFrom here", b"\r\n>From here").replace(b"\r\n>From there", b"\r\n>>From there"),
    ]
    origins = set()
    for variant in variants:
        header, body = split(variant)
        origins.add(origin_of(parse_headers(header), body))
    assert len(origins) == 1
    other = delivery_report(message_id="<dsn.2@mx.example.org>")
    header, body = split(other)
    assert origin_of(parse_headers(header), body) not in origins


def test_a_report_sent_five_times_is_one_fact(classifier: Classifier) -> None:
    """D15."""
    mail, content = minted(), delivery_report()
    ids = {
        fact.id
        for number in range(5)
        for fact in taken(mail.return_path, b"Received: by %d\r\n" % number + content, classifier.read(content))
    }
    assert len(ids) == 1


def test_hops_are_counted_in_the_header_only() -> None:
    assert count_hops(b"Received: a\r\nRECEIVED: b\r\nX-Received: c\r\n\r\nReceived: d\r\n") == 2


# -- forged


OTHER_RING = KeyRing({2: Key(2, b"\x77" * 32, KeyStatus.CURRENT)}, b"\x10" * 32)
REVOKED = KeyRing({3: Key(3, b"\x03" * 32, KeyStatus.CURRENT)}, b"\x10" * 32)


def is_effective(fact: Fact) -> bool:
    """Whether a fact silences somebody."""
    if isinstance(fact.detail, Report):
        return fact.detail.trust is Trust.SUPPRESS
    return fact.type in (FactType.COMPLAINED, FactType.UNSUBSCRIBED)


def forged_address(generator: random.Random, prefix: str, victim: str) -> str:
    """Return an address an attacker could make: without our keys, or with the wrong ones."""
    token_type = {"b": TokenType.RETURN_PATH, "unsubscribe": TokenType.UNSUBSCRIBE, "fbl": TokenType.FEEDBACK}[prefix]
    recipient = KEYS.recipient_number(1, victim)
    token = Token(token_type, 1, KEYS.broadcast_number(1, "spring"), recipient, today())
    wrong = generator.choice([other for other in TokenType if other is not token_type])
    raw = generator.choice(
        [
            sign(token, OTHER_RING),
            sign(token, REVOKED),
            _of_other_tenant(token),
            sign(Token(wrong, *token_fields(token)), KEYS),
            generator.randbytes(30),
            _flipped(sign(token, KEYS), generator),
            b"",
        ]
    )
    return f"{prefix}+{to_mail(raw)}@{DOMAIN}"


def token_fields(token: Token) -> tuple[int, int, int, int]:
    return token.tenant, token.broadcast, token.recipient, token.day


def _of_other_tenant(token: Token) -> bytes:
    """Sign as tenant 2 may, then claim to be tenant 1."""
    raw = sign(Token(token.type, 2, token.broadcast, token.recipient, token.day), KEYS.for_tenant(2))
    return raw[:2] + token.tenant.to_bytes(2, "big") + raw[4:]


def _flipped(raw: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(240)
    return (int.from_bytes(raw, "big") ^ (1 << place)).to_bytes(30, "big")


def forged(generator: random.Random) -> tuple[str, bytes]:
    """Return recipient and content of one forged mail against a victim."""
    number = generator.randrange(10**9)
    victim = f"victim{number}@example.jp"
    mail = MINT.mail(tenant=1, broadcast_id="spring", address=victim, day=today())
    old = MINT.mail(tenant=1, broadcast_id="spring", address=victim, day=today() - generator.randrange(31, 400))
    own = minted(f"attacker{number}@evil.example")
    other_tenant = minted(victim, tenant=2)
    click = to_url(sign(Token(TokenType.CLICK, *token_fields(Token(TokenType.CLICK, *mail.key, today()))), KEYS))
    message_id = f"<{number}@evil.example>"
    flipped = to_mail(_flipped(sign(Token(TokenType.MESSAGE, *mail.key, today()), KEYS), generator))
    ours, own_header = f"X-Yamabiko-Token: {mail.message_token}", f"X-Yamabiko-Token: {own.message_token}\n"
    in_body = f"{mail.return_path} {mail.message_token} X-Yamabiko-Token: {mail.message_token}"
    return generator.choice(
        [
            # reports: no token, bad token, expired, another's, only in the body
            lambda: (f"b+{number}@{DOMAIN}", delivery_report(victim)),
            lambda: (forged_address(generator, "b", victim), delivery_report(victim)),
            lambda: (old.return_path, delivery_report(victim, message_id=message_id)),
            lambda: (own.return_path, delivery_report(victim, message_id=message_id)),
            lambda: (
                own.return_path,
                delivery_report(victim, message_id=message_id, original=own_header),
            ),
            lambda: (f"postmaster@{DOMAIN}", delivery_report(victim, text=in_body, message_id=message_id)),
            lambda: (
                f"abuse@{DOMAIN}",
                delivery_report(victim, original=f"To: {victim}\n\n{in_body}", message_id=message_id),
            ),
            # complaints: wrong address, no token, another tenant's, only in the body, wrong type, expired
            lambda: (
                f"abuse@{DOMAIN}",
                complaint(original=ours, message_id=message_id),
            ),
            lambda: (
                own.return_path,
                complaint(original=ours, message_id=message_id),
            ),
            lambda: (FBL, complaint(original=f"To: {victim}\nMessage-ID: <x@example.com>", message_id=message_id)),
            lambda: (FBL, complaint(original=f"X-Yamabiko-Token: {other_tenant.message_token}", message_id=message_id)),
            lambda: (FBL, complaint(text=in_body, message_id=message_id)),
            lambda: (
                FBL,
                complaint(original=f"X-Yamabiko-Token: {flipped}"),
            ),
            lambda: (
                FBL,
                complaint(original=f"List-Unsubscribe: <https://t.example.jp/u/{click}>", message_id=message_id),
            ),
            lambda: (FBL, complaint(original=ours, feedback_type="not-spam")),
            lambda: (
                forged_address(generator, "fbl", victim),
                complaint(original=ours),
            ),
            # unsubscribes: From says who, the address does not
            lambda: (forged_address(generator, "unsubscribe", victim), plain("unsubscribe")),
            lambda: (f"unsubscribe@{DOMAIN}", plain("unsubscribe")),
            lambda: (f"postmaster@{DOMAIN}", plain(f"unsubscribe {mail.unsubscribe_address}")),
            lambda: (own.return_path, plain("unsubscribe", head="Subject: unsubscribe\n")),
        ]
    )()  # type: ignore[no-untyped-call]


def test_forged_mails_silence_nobody(classifier: Classifier) -> None:
    """S22, S23, S24, S25: the recipient check, the real classifier and the intake, 10,000 times."""
    generator = seeded()
    count = 100_000 if IS_TORTURE else 10_000
    refused = effective = 0
    for _ in range(count):
        address, content = forged(generator)
        destination = PATHS.find(address, KEYS)
        if destination is None:
            refused += 1
            continue
        envelope = Envelope("", (address,), content, "192.0.2.1", "evil", NOW_US)
        facts = take_in(envelope, classifier.read(content), (destination,), KEYS, RULES, PATHS)
        assert facts
        effective += sum(is_effective(fact) for fact in facts)
        if effective:
            pytest.fail(f"{address}\n{content.decode()}\n{facts}")
    assert effective == 0
    assert count * 0.1 < refused < count * 0.9


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: (minted().return_path, delivery_report()), FactType.FAILED),
        (lambda: (FBL, complaint(original=f"X-Yamabiko-Token: {minted().message_token}")), FactType.COMPLAINED),
        (lambda: (FBL, complaint(original=f"List-Unsubscribe: <{minted().unsubscribe_url}>")), FactType.COMPLAINED),
        (lambda: (minted().unsubscribe_address, plain("unsubscribe")), FactType.UNSUBSCRIBED),
    ],
)
def test_genuine_mails_do(classifier: Classifier, make: Callable[[], tuple[str, bytes]], expected: FactType) -> None:
    """Control of the test above: the same mails with the right tokens have effect."""
    address, content = make()
    (fact,) = taken(address, content, classifier.read(content))
    assert fact.type is expected
    assert is_effective(fact)
    assert fact.key == minted().key


def test_out_of_office_with_a_code_in_it_is_no_bounce(classifier: Classifier) -> None:
    """S28, W18."""
    (fact,) = taken(minted().return_path, vacation(), classifier.read(vacation()))
    assert fact.type is FactType.AUTO_REPLIED


async def test_forged_mails_over_sockets(classifier: Classifier) -> None:
    generator = seeded()
    async with serving(reader=classifier) as world:
        for _ in range(100):
            address, content = forged(generator)
            peer = await world.call()
            await peer.deliver(address, content.replace(b"\r\n.", b"\r\n.."))
            await peer.close()
        assert not any(is_effective(fact) for fact in world.store.all)
        assert await (await world.call()).deliver(minted().return_path, delivery_report()) == "250 2.0.0 Stored"
        assert sum(is_effective(fact) for fact in world.store.all) == 1


def test_day_of_is_the_day_of_now() -> None:
    assert day_of(NOW_US) == today()


@pytest.mark.row("E39", "X10")
def test_a_tenant_that_shares_marks_what_does_not_exist() -> None:
    mail = minted()
    sharing = IntakeRules(shares_bounces=lambda tenant: tenant == mail.key.tenant)
    report = one_report(taken(mail.return_path, delivery_report(), bounce(block()), rules=sharing))
    assert report.global_mark == KEYS.global_mark(VICTIM)
    assert one_report(taken(mail.return_path, delivery_report(), bounce(block()))).global_mark is None
    other = one_report(taken(mail.return_path, delivery_report(), bounce(block("x@else.example")), rules=sharing))
    assert other.global_mark is None
