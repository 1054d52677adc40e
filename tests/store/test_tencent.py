"""Tencent's steps hold wherever its hosts take the mail (E41, mission 4.5); the profile `engagelab` (E39-E42)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.cause import Cause, Channel, Permanence
from model.detail import Report
from model.fact import Fact, FactType
from model.keyring import KeyRing
from store.answering import answering_host, is_tencent_host
from store.environment import Environment
from store.gate import Candidate
from store.policy import Policy
from store.reader import Reader
from store.suppression import NoAddress, SuppressionKind
from store.writer import write_now
from tests.store.test_suppression import ask, days, entry, released, set_policy, soft
from tests.store.world import DAY, HOUR, T0_US, failed, key, planned

POSTFIX = (
    "host mxbiz1.qq.com[203.0.113.9] said: 550 Mailbox not found. http://service.exmail.qq.com/ (in reply to RCPT TO)"
)


def said(**fields: str) -> Report:
    return Report(Channel.OUT_OF_BAND, b"o", Cause.USER_UNKNOWN, **fields)  # type: ignore[arg-type]


def refused(host: str, broadcast: int, at: int) -> Fact:
    return failed(1, broadcast, at=at, remote_mta=host)


@pytest.mark.row("E41")
@pytest.mark.parametrize(
    ("report", "host", "is_tencent"),
    [
        (said(remote_mta="dns; mxbiz2.qq.com"), "mxbiz2.qq.com", True),
        (said(remote_mta="MX3.QQ.COM.[203.0.113.7]"), "mx3.qq.com", True),
        (said(remote_mta="mxbiz1.qq.com (203.0.113.7)"), "mxbiz1.qq.com", True),
        (said(diagnostic=POSTFIX), "mxbiz1.qq.com", True),
        (said(diagnostic=POSTFIX, reporting_mta="dns; mail.example.jp"), "mxbiz1.qq.com", True),
        # Tencent took it and returned it later.
        (said(diagnostic="550 Mailbox not found", reporting_mta="dns; newxmmxszc6-1.qq.com"),
         "newxmmxszc6-1.qq.com", True),
        # It was a relay of the sender's: others refused.
        (said(remote_mta="dns; mx.example.jp", reporting_mta="dns; smtp.exmail.qq.com"), "mx.example.jp", False),
        (said(diagnostic="host mx.example.jp[203.0.113.1] said: 550 no", reporting_mta="dns; smtp.exmail.qq.com"),
         "mx.example.jp", False),
        # What the words link to is no host that spoke, and a name must end in theirs.
        (said(diagnostic="550 see http://service.mail.qq.com/"), "", False),
        (said(remote_mta="dns; mx.notqq.com"), "mx.notqq.com", False),
        (said(remote_mta="dns; qq.com.example.jp"), "qq.com.example.jp", False),
        (said(), "", False),
    ],
)  # fmt: skip
def test_who_refused(report: Report, host: str, is_tencent: bool) -> None:
    assert (answering_host(report), is_tencent_host(report)) == (host, is_tencent)


@pytest.mark.row("E41", "E42")
@pytest.mark.parametrize(
    ("host", "ladder"),
    [("dns; mxbiz1.qq.com", [1, 2, 4, 8, 16, 30, 30]), ("dns; mx.example.cn", [30, 60, 180, 180])],
)
@pytest.mark.parametrize("profile", ["native", "engagelab"])
def test_a_domain_that_tencent_hosts_climbs_its_ladder(
    host: str, ladder: list[int], profile: str, env: Environment
) -> None:
    set_policy(env, Policy(profile=profile))
    at = T0_US
    for n, expected in enumerate(ladder, 1):
        at += 200 * DAY
        write_now(env, [planned(broadcast=n, at=at, address="neko@example.cn"), refused(host, n, at + HOUR)])
        assert days(env, at + HOUR) == expected
        assert entry(env).failures == n


@pytest.mark.row("E41")
def test_each_failure_goes_by_who_refused_it(env: Environment) -> None:
    """The domain moved to Tencent between two mailings: N goes on, the step is Tencent's."""
    write_now(env, [refused("dns; mx.example.cn", 1, T0_US), refused("dns; mxbiz1.qq.com", 2, T0_US + 40 * DAY)])
    assert (entry(env).failures, days(env, T0_US + 40 * DAY)) == (2, 2)


@pytest.mark.row("E39", "E41")
def test_what_is_shared_goes_by_tencents_steps_too(env: Environment, keys: KeyRing) -> None:
    mark = keys.global_mark("neko@example.cn")
    assert mark is not None
    fact = refused("dns; mxbiz1.qq.com", 1, T0_US)
    assert isinstance(fact.detail, Report)
    write_now(env, [replace(fact, key=key(tenant=2), detail=replace(fact.detail, global_mark=mark))])
    set_policy(env, Policy(shares_bounces=True))
    who = [Candidate(77, "example.cn", mark=lambda: mark)]
    assert Reader(env).preflight(1, who, "", T0_US + DAY - 1)[0] is not None
    assert Reader(env).preflight(1, who, "", T0_US + DAY)[0] is None


# The profile engagelab


@pytest.mark.row("E39", "E42")
def test_only_answers_of_no_such_address_count(env: Environment) -> None:
    """The host was not found, then the mailbox: what natively is the second step is the first."""
    write_now(env, [failed(cause=Cause.HOST_UNKNOWN), failed(broadcast=2, at=T0_US + DAY)])
    native = entry(env)
    assert (native.failures, days(env, T0_US + DAY)) == (2, 60)
    set_policy(env, Policy(profile="engagelab"))
    assert days(env, T0_US + DAY) == 30
    (row,) = Reader(env).suppressions(1, now_us=T0_US + DAY).rows
    assert (row.entry.failures, row.entry.kind, row.entry.seq) == (1, SuppressionKind.BOUNCE, native.seq)
    assert native.no_address == NoAddress(1, T0_US + DAY, T0_US + 31 * DAY, native.seq, native.cause)
    set_policy(env, Policy(), at=T0_US + 1)
    assert days(env, T0_US + DAY) == 60, "back and forth loses nothing"


@pytest.mark.row("E39", "E42")
def test_an_abandoned_full_mailbox_is_on_the_ladder(env: Environment) -> None:
    set_policy(env, Policy(profile="engagelab"))
    for n, expected in enumerate((30, 60, 180), 1):
        at = T0_US + n * 200 * DAY
        write_now(env, [failed(broadcast=n, at=at, cause=Cause.MAILBOX_FULL_ABANDONED)])
        assert days(env, at) == expected


@pytest.mark.row("E39", "X5")
def test_neither_points_nor_hosts_nor_traps_count(env: Environment) -> None:
    for n in range(6):
        write_now(env, [soft(n + 1, T0_US + n * DAY)])
    hosts = [
        fact for n in (2, 3) for fact in (planned(n, address=f"r{n}@gone.example"), failed(n, cause=Cause.HOST_UNKNOWN))
    ]
    write_now(env, [*hosts, failed(9)])
    later, year = T0_US + 6 * DAY, T0_US + 400 * DAY
    assert ask(env, later) is not None and ask(env, later, recipient=4, domain="gone.example") is not None
    assert ask(env, year, recipient=9) is not None, "the control: natively a mailbox dead for a year may be a trap"
    set_policy(env, Policy(profile="engagelab"))
    assert ask(env, later) is None and ask(env, later, recipient=4, domain="gone.example") is None
    assert ask(env, later, recipient=2) is None
    assert ask(env, year, recipient=9) is None and ask(env, later, recipient=9) is not None


@pytest.mark.row("E43")
def test_what_is_lifted_counts_no_more_there_either(env: Environment) -> None:
    set_policy(env, Policy(profile="engagelab"))
    facts = [failed(cause=Cause.RECIPIENT_RESTRICTED), failed(broadcast=2, at=T0_US + HOUR)]
    write_now(env, [*facts, released("bounce", T0_US + DAY)])
    assert ask(env, T0_US + DAY) is None
    write_now(env, [failed(broadcast=3, at=T0_US + 2 * DAY)])
    assert days(env, T0_US + 2 * DAY) == 30


def test_a_passing_failure_of_that_name_counts_not(env: Environment) -> None:
    set_policy(env, Policy(profile="engagelab"))
    write_now(env, [failed(permanence=Permanence.TRANSIENT)])
    assert ask(env, T0_US) is None


def test_a_report_that_is_no_failure_is_never_looked_at(env: Environment) -> None:
    """A deferral by Tencent's host leaves the domain's ladder as it is."""
    waits = replace(refused("dns; mxbiz1.qq.com", 1, T0_US), type=FactType.DEFERRED)
    write_now(env, [waits, refused("dns; mx.example.cn", 2, T0_US + HOUR)])
    assert days(env, T0_US + HOUR) == 30
