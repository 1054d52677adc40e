"""Who is mailed, what each does, and what a report must therefore say. Pure; the truth of the demo.

Nothing here looks at the store or the classifier: expectations are written by hand beside what is done.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_SURNAMES = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤", "吉田", "山田")
_GIVEN = ("太郎", "花子", "一郎", "美咲", "健", "葵", "蓮", "陽菜", "翔", "結衣", "誠", "さくら")
_COMPANIES = ("山彦商事", "青空工業", "北斗物産", "みなと運輸", "杉並電機", "若葉食品", "東雲印刷", "千歳建設")
_DOMAINS = ("example.jp", "mail.example.com", "example.org", "post.example.net", "corp.example.co.jp", "qq.com")
_REPORT_DOMAINS = _DOMAINS[:5]

#: What a delivery without any news looks like: nothing speaks against it, so it is assumed to have arrived.
_ARRIVED = {"targeted": 1, "reached": 1}
_BOUNCED = {"targeted": 1, "undelivered": 1}


@dataclass(frozen=True, slots=True)
class Failure:
    """One way to fail: the shape of the report, what it says, and why that is."""

    shape: str
    cause: str
    sansan: str
    status: str
    text: str
    is_hard: bool = False
    suppresses: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """What some recipients do, step by step, and what each adds to the report."""

    name: str
    count: int
    steps: tuple[str, ...] = ()
    adds: Mapping[str, int] = field(default_factory=dict)
    failure: Failure | None = None
    #: whom the next mailing must leave out, and why
    suppressed: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A listed recipient."""

    row: int
    address: str
    last_name: str
    first_name: str
    company: str
    scenario: Scenario


_FAILURES: tuple[tuple[int, Failure], ...] = (
    (60, Failure("postfix", "user_unknown", "user_unknown", "5.1.1",
                 "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
                 is_hard=True, suppresses=True)),
    (30, Failure("exim", "user_unknown", "user_unknown", "5.0.0", "550 5.1.1 No such user here",
                 is_hard=True, suppresses=True)),
    (20, Failure("qmail", "user_unknown", "user_unknown", "5.1.1",
                 "Sorry, no mailbox here by that name. (#5.1.1)", is_hard=True, suppresses=True)),
    (20, Failure("exchange", "user_unknown", "user_unknown", "5.1.10",
                 "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP address lookup",
                 is_hard=True, suppresses=True)),
    (20, Failure("gmail", "mailbox_disabled", "user_unknown", "5.2.1",
                 "550 5.2.1 The email account that you tried to reach is disabled.", is_hard=True, suppresses=True)),
    (20, Failure("postfix", "host_unknown", "host_unknown", "5.4.4",
                 "Host or domain name not found. Name service error for name={domain} type=AAAA: Host not found",
                 is_hard=True, suppresses=True)),
    (20, Failure("sendmail", "mailbox_full", "disk_full", "4.2.2", "452 4.2.2 The user's mailbox is over quota")),
    (15, Failure("japanese", "mailbox_full", "disk_full", "5.2.2",
                 "宛先のメールボックスの容量が上限を超えているため、メールを配信できませんでした。")),
    (20, Failure("postfix", "ip_blocklisted", "rejected", "5.7.1",
                 "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; "
                 "https://www.spamhaus.org/query/ip/192.0.2.25")),
    (15, Failure("exchange", "spam_content", "rejected", "5.7.1",
                 "550 5.7.1 Message rejected because it was identified as spam")),
    (10, Failure("gmail", "auth_failed", "rejected", "5.7.26",
                 "550 5.7.26 This mail is unauthenticated: SPF and DKIM checks did not pass")),
    (10, Failure("sendmail", "message_too_large", "rejected", "5.3.4",
                 "552 5.3.4 Message size exceeds fixed maximum message size")),
    (15, Failure("postfix", "connection_failed", "timeout", "4.4.1",
                 "connect to mx.{domain}[192.0.2.80]:25: Connection timed out")),
    (10, Failure("exim", "relay_denied", "relay_error", "5.7.1", "550 5.7.1 relaying denied")),
    (5, Failure("postfix", "routing_loop", "relay_error", "5.4.6", "mail for {domain} loops back to myself")),
)  # fmt: skip


def _scenarios() -> list[Scenario]:
    opened = {"opened_users": 1}
    clicked = {"opened_users": 1, "clicked_users": 1, "clicked_of_opened": 1}
    plain = [
        Scenario("one open", 260, ("open",), {**_ARRIVED, **opened, "opens": 1}),
        Scenario("three opens", 80, ("open", "open", "open"), {**_ARRIVED, **opened, "opens": 3}),
        Scenario("open by Gmail's proxy", 90, ("proxy-open",), {**_ARRIVED, **opened, "opens": 1}),
        Scenario("open and click", 150, ("open", "click:1"), {**_ARRIVED, **clicked, "opens": 1, "clicks": 1}),
        Scenario("two links", 40, ("open", "click:1", "click:2"), {**_ARRIVED, **clicked, "opens": 1, "clicks": 2}),
        Scenario("click without images", 40, ("click:3",),
                 {**_ARRIVED, **clicked, "opened_inferred": 1, "clicks": 1}),
        Scenario("privacy prefetch", 80, ("prefetch",), {**_ARRIVED, "opens_machine": 1}),
        Scenario("HEAD requests", 10, ("head",), {**_ARRIVED, "opens_machine": 1, "clicks_machine": 1}),
        Scenario("scanner", 30, ("scan",), {**_ARRIVED, "clicks_machine": 4}),
        Scenario("scanner, later a person", 20, ("scan", "late-click:2"),
                 {**_ARRIVED, **clicked, "opened_inferred": 1, "clicks": 1, "clicks_machine": 4}),
        Scenario("vacation reply", 30, ("vacation",), {**_ARRIVED, "auto_replies": 1}),
        Scenario("complaint", 10, ("open", "complaint"),
                 {**_ARRIVED, **opened, "opens": 1, "complaints": 1}, suppressed="complaint"),
        Scenario("reported as not spam", 5, ("not-spam",), _ARRIVED),
        Scenario("one-click unsubscribe", 20, ("unsubscribe-one-click",), {**_ARRIVED, "unsubs": 1},
                 suppressed="unsubscribe"),
        Scenario("unsubscribe page, unwanted", 10, ("open", "unsubscribe-page:1"),
                 {**_ARRIVED, **opened, "opens": 1, "unsubs": 1}, suppressed="unsubscribe"),
        Scenario("unsubscribe page, fraud", 5, ("unsubscribe-page:4",),
                 {**_ARRIVED, "unsubs": 1, "complaints_form": 1}, suppressed="unsubscribe"),
        Scenario("unsubscribe by mail", 5, ("unsubscribe-mail",), {**_ARRIVED, "unsubs": 1},
                 suppressed="unsubscribe"),
        Scenario("unsubscribe, then back", 5, ("unsubscribe-one-click", "resubscribe"),
                 {**_ARRIVED, "unsubs": 1, "resubs": 1}),
        Scenario("delayed, then delivered", 25, ("delay", "success"), {**_ARRIVED, "evidence.dsn_relayed": 1}),
        Scenario("delayed", 15, ("delay",), {"targeted": 1, "in_flight": 1, "deferred": 1}),
        Scenario("success report", 20, ("success",), {**_ARRIVED, "evidence.dsn_relayed": 1}),
        Scenario("duplicate row", 10, (), {"excluded.duplicate": 1}),
        Scenario("role address", 10, (), {"excluded.role": 1}),
        Scenario("malformed address", 10, (), {"excluded.syntax": 1}),
    ]  # fmt: skip
    return [*plain, *_failure_scenarios()]


def _failure_scenarios() -> list[Scenario]:
    result: list[Scenario] = []
    for count, failure in _FAILURES:
        adds = {**_BOUNCED, "hard" if failure.is_hard else "soft": 1, f"sansan.{failure.sansan}": 1}
        adds[f"causes.{failure.cause}"] = 1
        suppressed = "bounce" if failure.suppresses else None
        name = f"{failure.cause} ({failure.shape})"
        result.append(Scenario(name, count, ("bounce",), adds, failure, suppressed))
    first = _FAILURES[0][1]
    adds = {**_BOUNCED, "hard": 1, "sansan.user_unknown": 1, "causes.user_unknown": 1}
    result += [
        Scenario("same bounce five times", 10, ("bounce",) * 5, adds, first, "bounce"),
        Scenario("delayed, then bounced", 10, ("delay", "bounce"), adds, first, "bounce"),
        Scenario("bounced, yet opened", 5, ("bounce", "open"), {**adds, "conflicts": 1}, first, "bounce"),
    ]
    return result


@dataclass(frozen=True, slots=True)
class World:
    """The listed recipients and the truth about them."""

    people: tuple[Person, ...]
    seed: int

    def truth(self) -> Counter[str]:
        """Return what the report must say, by field; nested fields with a dot."""
        total: Counter[str] = Counter()
        for person in self.people:
            total.update(person.scenario.adds)
        total["listed"] = len(self.people)
        total["opens_raw"] = total["opens"] + total["opens_machine"] + total["conflicts"]
        total["clicks_raw"] = total["clicks"] + total["clicks_machine"]
        total["evidence.engaged"] = total["opened_users"]
        total["evidence.assumed"] = total["reached"] - total["evidence.engaged"] - total["evidence.dsn_relayed"]
        total["unopened"] = total["reached"] - total["opened_users"]
        total["not_clicked"] = total["opened_users"] - total["clicked_of_opened"]
        # All of them have HTML mail, and nobody was ever mailed before.
        total["reached_html"], total["failed_first"] = total["reached"], total["undelivered"]
        return total

    def suppressed(self) -> Counter[str]:
        """Return how many recipients the next mailing must leave out, by kind."""
        return Counter(p.scenario.suppressed for p in self.people if p.scenario.suppressed)


def build_world(seed: int, size: int = 2_000) -> World:
    """Return a world of ``size`` list rows; the same for the same seed.

    Raises ValueError when ``size`` is too small for one of each scenario.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    scenarios = _scale(_scenarios(), size)
    rng.shuffle(scenarios)
    people: list[Person] = []
    twins: list[int] = []
    for row, scenario in enumerate(scenarios):
        if scenario.name == "duplicate row":
            twins.append(row)
        people.append(_person(rng, row, scenario))
    plain = [p for p in people if p.scenario.name not in ("duplicate row", "role address", "malformed address")]
    for row in twins:
        # The later of two equal rows is the duplicate, so its twin must come first.
        earlier = [p for p in plain if p.row < row] or plain[:1]
        twin = rng.choice(earlier)
        me = people[row]
        people[row] = Person(row, twin.address.upper() if row % 2 else twin.address, me.last_name, me.first_name,
                             me.company, me.scenario)  # fmt: skip
    return World(tuple(people), seed)


def _scale(scenarios: list[Scenario], size: int) -> list[Scenario]:
    """Repeat each scenario by its share; the rest of the list hears nothing from anybody."""
    whole = sum(s.count for s in scenarios)
    # The given counts are for 2,000 rows; silence fills what is left.
    factor = size / 2_000
    result: list[Scenario] = []
    for scenario in scenarios:
        result += [scenario] * max(1, round(scenario.count * factor))
    if len(result) > size or whole > 2_000:
        raise ValueError("a world needs at least a few hundred recipients")
    silent = Scenario("silence", 0, (), _ARRIVED)
    return result + [silent] * (size - len(result))


def _person(rng: random.Random, row: int, scenario: Scenario) -> Person:
    domain = rng.choice(_REPORT_DOMAINS if scenario.failure else _DOMAINS)
    if scenario.failure and scenario.failure.cause == "host_unknown":
        # A host that is not found takes no mail for anybody else either.
        domain = f"gone{row:05d}.{domain}"
    address = f"user{row:05d}@{domain}"
    if scenario.name == "role address":
        address = f"info@d{row:05d}.example.jp"
    elif scenario.name == "malformed address":
        address = rng.choice([f"user{row}.example.jp", f"user {row}@example.jp", f"user{row}@", f"@d{row}.example.jp"])
    return Person(row, address, rng.choice(_SURNAMES), rng.choice(_GIVEN), rng.choice(_COMPANIES), scenario)
