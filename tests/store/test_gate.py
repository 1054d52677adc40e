"""The gate before sending: blocks, exemptions, the breaker, what is shared among tenants."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.cause import Cause
from model.detail import DocumentSet, Report
from model.fact import DeliveryKey, Fact, FactType
from model.keyring import KeyRing
from store import gate
from store.environment import Environment
from store.floods import INCIDENT_KIND
from store.gate import BLOCK_KIND, EXEMPT_KIND, Candidate, Denial, block_name
from store.policy import POLICY_KIND, POLICY_NAME, Policy
from store.reader import Reader
from store.suppression import SuppressionKind
from store.writer import write_now
from tests.store.world import DAY, HOUR, T0_US, complained, failed, opened, planned, report, unsubscribed

BLOCKED = "Blacklist: Custom Block (worker:address in block list)"
BOUNCE = "Blacklist: Bounce (worker:address in bounce list)"
MINUTE = 60_000_000


def document(kind: str, name: str, body: object, *, at: int = T0_US, tenant: int = 1) -> Fact:
    raw = None if body is None else json.dumps(body).encode()
    return Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), at, DocumentSet(kind, name, raw, "admin"))


def block(name: str, expires: int | None = None, *, tenant: int = 1) -> Fact:
    return document(BLOCK_KIND, name, {"expires_at_us": expires}, tenant=tenant)


def policy(policy: Policy, *, tenant: int = 1, at: int = T0_US) -> Fact:
    return document(POLICY_KIND, POLICY_NAME, json.loads(policy.body()), tenant=tenant, at=at)


def ask(env: Environment, candidate: Candidate, at: int = T0_US, *, tenant: int = 1) -> Denial | None:
    return Reader(env).preflight(tenant, [candidate], "", at)[0]


def of(tenant: int, fact: Fact) -> Fact:
    return replace(fact, key=fact.key._replace(tenant=tenant))


@pytest.mark.row("E36", "E37", "S32")
@pytest.mark.parametrize(
    ("name", "candidate", "is_blocked"),
    [
        (block_name("recipient", f"{7:016x}"), Candidate(7), True),
        (block_name("recipient", f"{7:016x}"), Candidate(8), False),
        (block_name("domain", "example.com"), Candidate(7, "example.com"), True),
        (block_name("domain", "example.com"), Candidate(7, "a.example.com"), False),
        (block_name("domain", "*.example.com"), Candidate(7, "a.b.example.com"), True),
        (block_name("domain", "*.example.com"), Candidate(7, "example.com"), False),
        (block_name("domain", "*.example.com"), Candidate(7, "badexample.com"), False),
        (block_name("company", "株式会社アクメ"), Candidate(7, "", "株式会社ｱｸﾒ"), True),
        (block_name("company", "ACME Inc."), Candidate(7, "", " acme inc. "), True),
        (block_name("company", "ACME"), Candidate(7, "", "ACME Inc."), False),
        (block_name("company", "ア" * 200), Candidate(7, "", "ア" * 200), True),
    ],
)
def test_custom_blocks(name: str, candidate: Candidate, is_blocked: bool, env: Environment) -> None:
    write_now(env, [block(name)])
    denial = ask(env, candidate)
    assert (denial is not None) is is_blocked
    if denial is not None:
        assert (denial.kind, denial.detail, denial.expires_at_us) == (SuppressionKind.BLOCK, BLOCKED, None)
        assert ask(env, candidate, tenant=2) is None


@pytest.mark.row("E38", "T06")
def test_a_block_ends_at_its_moment(env: Environment) -> None:
    write_now(env, [block(block_name("domain", "example.com"), T0_US + DAY)])
    assert ask(env, Candidate(7, "example.com"), T0_US + DAY - 1) is not None
    assert ask(env, Candidate(7, "example.com"), T0_US + DAY) is None


@pytest.mark.row("E37", "E40", "E34")
def test_the_first_reason_of_the_order_is_told(env: Environment) -> None:
    who = Candidate(1)
    kinds = []
    for fact in (failed(), block(block_name("recipient", f"{1:016x}")), complained(), unsubscribed()):
        write_now(env, [fact])
        denial = ask(env, who)
        assert denial is not None
        kinds.append(denial.kind.name)
    assert kinds == ["BOUNCE", "BLOCK", "COMPLAINT", "UNSUBSCRIBE"]


@pytest.mark.row("E43")
def test_an_exemption_stands_against_bounces_only(env: Environment) -> None:
    write_now(env, [failed(), document(EXEMPT_KIND, f"{1:016x}", {"reason": "vip"})])
    assert ask(env, Candidate(1)) is None
    for fact, kind in ((complained(), "COMPLAINT"), (unsubscribed(), "UNSUBSCRIBE")):
        write_now(env, [fact])
        denial = ask(env, Candidate(1))
        assert denial is not None and denial.kind.name == kind
    write_now(env, [document(EXEMPT_KIND, f"{2:016x}", {"reason": "vip"}), block(block_name("domain", "example.jp"))])
    assert ask(env, Candidate(2, "example.jp")) is not None, "a custom block is no bounce"


# The breaker (S26)


def flood(count: int, *, first: int = 1, broadcast: int = 9, at: int = T0_US, domain: str = "big.example",
          per_minute: int = 1_000) -> list[Fact]:  # fmt: skip
    """Failures of as many recipients of one domain."""
    return [
        failed(first + n, broadcast, at=at + n * MINUTE // per_minute, address=f"r{first + n}@{domain}")
        for n in range(count)
    ]


def listed(
    count: int, *, first: int = 1, broadcast: int = 9, at: int = T0_US, domain: str = "big.example"
) -> list[Fact]:
    return [planned(first + n, broadcast, at=at, address=f"r{first + n}@{domain}") for n in range(count)]


def suppressed(env: Environment, recipients: range, at: int, domain: str = "big.example") -> int:
    asked = [Candidate(n, domain) for n in recipients]
    return sum(denial is not None for denial in Reader(env).preflight(1, asked, "", at))


@pytest.mark.row("S26")
def test_a_flood_is_held_back_until_somebody_looked(env: Environment) -> None:
    at = T0_US + HOUR
    write_now(env, [*listed(1_000), *flood(300, at=at), *listed(5, first=5_000, domain="small.example")])
    write_now(env, [failed(5_000, 9, at=at, address="r5000@small.example")])
    assert suppressed(env, range(1, 301), at) == 0
    assert suppressed(env, range(5_000, 5_005), at, "small.example") == 1, "other domains are as ever"
    assert Reader(env).suppressions(1, now_us=at, domain="big.example").rows == []
    (incident,) = Reader(env).incidents(1, since_us=T0_US)
    assert (incident.kind, incident.domain, incident.failures) == ("hard", "big.example", 300)
    said = {"state": "confirmed", "domain": "big.example", "first_us": incident.first_us,
            "until_us": incident.until_us}  # fmt: skip
    write_now(env, [document(INCIDENT_KIND, incident.incident_id, said, at=at)])
    assert suppressed(env, range(1, 301), at) == 300


def test_a_hundred_are_no_flood(env: Environment) -> None:
    write_now(env, [*listed(1_000), *flood(100, at=T0_US + HOUR)])
    assert suppressed(env, range(1, 101), T0_US + HOUR) == 100


def test_failures_in_the_usual_share_are_no_flood(env: Environment) -> None:
    for broadcast in (1, 2, 3):
        write_now(env, listed(3_000, broadcast=broadcast) + flood(120, broadcast=broadcast, at=T0_US + broadcast * DAY))
    write_now(env, [report(FactType.ACCEPTED, n, 8, at=T0_US + 4 * DAY) for n in range(1, 201)])
    assert Reader(env).incidents(1, since_us=0) == [], (
        "4 % of all mailed there, and a first mailing has no share before"
    )
    facts = listed(3_000, broadcast=9) + flood(540, broadcast=9, at=T0_US + 5 * DAY)
    write_now(env, facts)
    assert suppressed(env, range(1, 541), T0_US + 5 * DAY + HOUR) == 540, "18 % is less than five times 4 %"
    write_now(env, flood(180, first=541, broadcast=9, at=T0_US + 5 * DAY + MINUTE))
    assert suppressed(env, range(1, 721), T0_US + 5 * DAY + HOUR) == 0, "24 % is more"


def test_what_is_mailed_later_does_not_let_go_of_a_flood(env: Environment) -> None:
    write_now(env, [*listed(1_000), *flood(300, at=T0_US + HOUR)])
    for broadcast in range(20, 24):
        write_now(env, listed(3_000, first=10_000, broadcast=broadcast, at=T0_US + DAY))
    assert suppressed(env, range(1, 301), T0_US + 2 * DAY) == 0


def test_a_true_failure_before_a_flood_still_holds(env: Environment) -> None:
    write_now(env, [planned(1, 2), failed(1, 2, at=T0_US, address="r1@big.example")])
    later = T0_US + 10 * DAY
    write_now(env, [*listed(1_000), *flood(300, at=later)])
    denial = ask(env, Candidate(1, "big.example"), later)
    assert denial is not None and denial.expires_at_us == T0_US + 30 * DAY
    write_now(env, [policy(Policy(has_breaker=False))])
    denial = ask(env, Candidate(1, "big.example"), later)
    assert denial is not None and denial.expires_at_us == later + 60 * DAY, "without the breaker both count"


@pytest.mark.row("S26")
def test_a_long_flood_is_seen_as_one(env: Environment) -> None:
    at = T0_US + HOUR
    write_now(env, [*listed(2_400), *flood(2_400, at=at, per_minute=40)])
    (incident,) = Reader(env).incidents(1, since_us=T0_US)
    assert incident.failures == 2_400
    assert suppressed(env, range(1, 2_401), at + 2 * HOUR) == 0


# Shared among tenants (E39, X10)


def shared(tenant: int, recipient: int, mark: bytes, *, broadcast: int = 1, at: int = T0_US) -> Fact:
    fact = failed(recipient, broadcast, at=at, address="taro@example.jp")
    assert isinstance(fact.detail, Report)
    return of(tenant, replace(fact, detail=replace(fact.detail, global_mark=mark)))


@pytest.mark.row("E39", "X10")
def test_what_another_tenant_heard_counts_where_both_chose_so(env: Environment, keys: KeyRing) -> None:
    mark = keys.global_mark("taro@example.jp")
    assert mark is not None
    who = Candidate(77, "example.jp", mark=lambda: mark)
    write_now(env, [shared(2, 5, mark)])
    assert ask(env, who) is None, "tenant 1 did not choose so"
    write_now(env, [policy(Policy(shares_bounces=True))])
    assert ask(env, who) == Denial(SuppressionKind.BOUNCE, BOUNCE, None, 0), "yes or no, and nothing else"
    assert ask(env, Candidate(77, "example.jp")) is None, "the control: without the mark nobody knows"
    assert ask(env, who, T0_US + 30 * DAY) is None
    write_now(env, [shared(3, 9, mark, at=T0_US + DAY)])
    assert ask(env, who, T0_US + 60 * DAY) is not None, "N is counted over all tenants: the second time 60 days"
    assert ask(env, who, T0_US + 61 * DAY) is None
    write_now(env, [document(EXEMPT_KIND, f"{77:016x}", {"reason": "vip"})])
    assert ask(env, who) is None, "an exemption beats it"


def test_what_is_shared_ends_with_the_entry_it_rests_on(env: Environment, keys: KeyRing) -> None:
    mark = keys.global_mark("taro@example.jp")
    assert mark is not None
    who = Candidate(77, "example.jp", mark=lambda: mark)
    write_now(env, [policy(Policy(shares_bounces=True)), shared(2, 5, mark)])
    assert ask(env, who) is not None
    write_now(env, [of(2, report(FactType.ACCEPTED, 5, 2, at=T0_US + DAY))])
    assert ask(env, who, T0_US + DAY) is None


def test_only_the_master_ring_knows_marks(keys: KeyRing) -> None:
    assert keys.global_mark("a@example.jp") == keys.global_mark("a@example.jp") != keys.global_mark("b@example.jp")
    assert keys.for_tenant(1).global_mark("a@example.jp") is None


@pytest.mark.row("T21")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=st.lists(st.sampled_from([b"a" * 16, b"b" * 16, b"c" * 16]), min_size=1, max_size=6),
    asked=st.sampled_from([b"a" * 16, b"b" * 16, b"c" * 16, b"d" * 16]),
    days=st.integers(0, 200),
)
def test_one_tenant_learns_nothing_of_another_but_yes_or_no(
    marks: list[bytes], asked: bytes, days: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    env = Environment(tmp_path_factory.mktemp("leak") / "data", map_size=16 * 2**20)
    try:
        _check_leak(env, marks, asked, T0_US + days * DAY)
    finally:
        env.close()


def _check_leak(env: Environment, marks: list[bytes], asked: bytes, now: int) -> None:
    facts = [policy(Policy(shares_bounces=True))]
    for n, mark in enumerate(marks):
        facts += [of(2, planned(n + 1, 1)), shared(2, n + 1, mark), of(2, opened(n + 1, 1)), of(2, unsubscribed(50))]
    write_now(env, facts)
    reader = Reader(env)
    answer = ask(env, Candidate(1, "example.jp", "会社", lambda: asked), now)
    assert answer in (None, Denial(SuppressionKind.BOUNCE, BOUNCE, None, 0))
    assert (answer is not None) <= (asked in marks)
    assert reader.suppressions(1).rows == [] and reader.suppressed(1, 1) == []
    assert reader.broadcasts(1).rows == [] and reader.mailed(1, 1) == [] and reader.incidents(1, since_us=0) == []
    assert reader.delivery(DeliveryKey(1, 1, 1)) is None
    found, _ = reader.facts(1, after=0, limit=100)
    assert [fact.type for _, fact in found] == [FactType.DOCUMENT_SET]


# Many at once


@pytest.mark.parametrize("few", [0, 1_000])
@pytest.mark.parametrize("what", ["nothing", "suppressed", "blocks", "hosts", "shared"])
def test_many_are_denied_as_each_is_alone(
    env: Environment, keys: KeyRing, monkeypatch: pytest.MonkeyPatch, what: str, few: int
) -> None:
    monkeypatch.setattr(gate, "_FEW_BLOCKS", few)
    at = T0_US + DAY
    mark = keys.global_mark("r4@example.jp")
    assert mark is not None
    facts: dict[str, list[Fact]] = {
        "nothing": [],
        "suppressed": [
            *(failed(n, 9, address=f"r{n}@example.jp") for n in (3, 14)), complained(5), unsubscribed(6),
            document(EXEMPT_KIND, f"{14:016x}", {"reason": "vip"}),
        ],
        "blocks": [
            block(block_name("domain", "*.blocked.example")), block(block_name("company", "BAD Inc.")),
            block(block_name("recipient", f"{16:016x}")), block(block_name("recipient", f"{17:016x}"), at - 1),
            document(BLOCK_KIND, block_name("domain", "example.jp"), None),
        ],
        "hosts": [failed(n, cause=Cause.HOST_UNKNOWN, address=f"r{n}@gone.example") for n in (100, 101)],
        "shared": [policy(Policy(shares_bounces=True)), shared(2, 70, mark)],
    }  # fmt: skip
    write_now(env, [planned(1, 9), *facts[what]])
    domains = ["example.jp", "", "a.blocked.example", "gone.example"]
    asked = [
        Candidate(
            n,
            domains[n % 4],
            "Bad Inc." if n % 5 == 0 else None,
            partial(keys.global_mark, f"r{n}@example.jp"),
        )
        for n in range(1, 30)
    ]
    alone = Reader(env).preflight(1, asked, "", at)
    recipients = [candidate.recipient.to_bytes(8, "big") for candidate in asked]
    domains, companies = [one.domain for one in asked], [one.company for one in asked]
    together = Reader(env).denials(1, recipients, domains, companies, "", at, asked.__getitem__)
    assert together == {place: denial for place, denial in enumerate(alone) if denial is not None}
    assert bool(together) == (what != "nothing")
