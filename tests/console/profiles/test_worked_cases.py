"""The worked cases W1-W20 of mission 4.7, read off the reports as each system's user would read them.

Facts are written to a real store; each step names the figures that must be seen afterwards, `profile.figure`. What is
about suppression or intake alone is shown where that lives (tests/store, tests/mta); here it must not move a number.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.profiles.build import build_profile
from console.profiles.context import Context
from console.profiles.evaluation import Evaluation
from console.profiles.figure import Value
from console.profiles.policy import POLICIES
from console.profiles.settlement import Mark
from console.report_source import ReportSource
from model.cause import Cause, Channel, Permanence, SuppressPolicy
from model.detail import Agent, AutoReplied, DocumentSet, Excluded, ExcludedKind, Unmatched
from model.fact import Fact, FactType
from store.acks import ACK_KIND, Ack, ack_name, write_acks
from store.environment import Environment
from store.gate import Candidate
from store.people import People
from store.reader import Reader
from store.report import Report
from store.suppression import DENIALS, SuppressionKind
from store.windows import Windows
from store.writer import write_now
from tests.store.world import (
    DAY,
    HOUR,
    SECOND,
    T0_US,
    clicked,
    complained,
    failed,
    key,
    opened,
    planned,
    report,
    unsubscribed,
)

IN_SESSION, OUT_OF_BAND = Channel.IN_SESSION, Channel.OUT_OF_BAND


class Reports:
    """What every profile says of a broadcast, after the facts so far."""

    def __init__(self, env: Environment) -> None:
        self.env, self.now = env, T0_US + 30 * DAY

    def write(self, *facts: Fact) -> None:
        write_now(self.env, list(facts))

    def of(self, broadcast: int = 1, *, is_test: bool = False) -> tuple[Report, Context]:
        reader = Reader(self.env)
        source = ReportSource(reader, Windows(self.env), People(self.env), 1)
        found = reader.broadcast(1, broadcast)
        return source.report_and_context(broadcast, found, now_us=self.now, is_test=is_test, has_errors=True)

    def values(self, *names: str, broadcast: int = 1, is_test: bool = False) -> list[Value]:
        evaluation = Evaluation(*self.of(broadcast, is_test=is_test))
        assert evaluation.broken() == []
        return [evaluation.value(name)[0] for name in names]

    def value(self, name: str, broadcast: int = 1) -> Value:
        return self.values(name, broadcast=broadcast)[0]

    def shows(self, expected: dict[str, Value], broadcast: int = 1, *, is_test: bool = False) -> None:
        names = list(expected)
        values = self.values(*names, broadcast=broadcast, is_test=is_test)
        assert dict(zip(names, values, strict=True)) == expected


@pytest.fixture
def reports(env: Environment) -> Iterator[Reports]:
    yield Reports(env)


@pytest.mark.row("W1", "K06", "I3", "R08")
def test_w1_a_thousand_targeted(reports: Reports) -> None:
    reports.write(*(planned(i) for i in range(1, 1001)))
    reports.write(*(report(FactType.ACCEPTED, i) for i in range(1, 701)))
    reports.write(*(failed(i, channel=IN_SESSION) for i in range(701, 801)))
    reports.write(*(
        failed(i, channel=IN_SESSION, cause=Cause.DELIVERY_EXPIRED, permanence=Permanence.TRANSIENT)
        for i in range(801, 1001)
    ))  # fmt: skip
    reports.shows({
        "karte.targets": 1000, "karte.deliveries": 700, "karte.hard_bounces": 100, "karte.soft_bounces": 200,
        "native.reach_rate": 0.7, "karte.code.Permanent:General": 100, "karte.code.Transient:General": 200,
        "sansan.reached": 700, "sansan.undelivered": 300, "sansan.class.timeout": 200,
        "relation.done": 1000, "relation.success": 700, "relation.error": 300, "relation.progress": 1.0,
        "engagelab.delivered": 700, "engagelab.soft_bounce": 0, "engagelab.invalid": 300,
        "bales.sent": 1000, "bales.reached": 700, "karte.fail_count": 300,
    })  # fmt: skip


@pytest.mark.row("W2", "R27", "S15", "R28", "S13", "E04", "E08", "S19")
def test_w2_accepted_then_bounced_after_26_hours(reports: Reports) -> None:
    reports.write(planned(), report(FactType.ACCEPTED))
    reports.shows({"relation.success": 1, "relation.error": 0, "sansan.reached": 1, "engagelab.delivered": 1})
    reports.write(failed(at=T0_US + 26 * HOUR))
    reports.shows({
        "relation.success": 0, "relation.error": 1, "engagelab.soft_bounce": 1, "engagelab.soft.address_not_exist": 1,
        "engagelab.invalid": 0, "sansan.class.user_unknown": 1, "sansan.reached": 0, "karte.hard_bounces": 1,
        "relation.done": 1, "bales.sent": 1,
    })  # fmt: skip
    for hours, mark in ((24, Mark.PROVISIONAL), (26, Mark.CHECKED), (73, Mark.SETTLED)):
        reports.now = T0_US + hours * HOUR
        settlement = build_profile("relation", *reports.of()).settlement
        assert settlement is not None and settlement.mark is mark, "from when it was sent, to the quarter of an hour"


@pytest.mark.row("W3", "S14", "R13", "E02")
def test_w3_deferred_then_accepted(reports: Reports) -> None:
    reports.now = T0_US + HOUR
    reports.write(planned(), report(FactType.DEFERRED))
    reports.shows({"sansan.reached": 0, "sansan.undelivered": 0, "relation.in_flight": 1, "engagelab.requested": 1})
    reports.write(report(FactType.ACCEPTED, at=T0_US + 2 * HOUR))
    reports.shows({"sansan.reached": 1, "sansan.undelivered": 0, "relation.in_flight": 0, "engagelab.delivered": 1})


@pytest.mark.row("W4")
def test_w4_a_delay_is_no_bounce(reports: Reports) -> None:
    reports.write(planned(), report(FactType.DEFERRED, channel=OUT_OF_BAND))
    for _ in range(2):
        reports.shows({"sansan.undelivered": 0, "engagelab.soft_bounce": 0, "karte.soft_bounces": 0})
        reports.write(report(FactType.ACCEPTED, at=T0_US + HOUR))
    assert reports.value("sansan.reached") == 1


@pytest.mark.row("W5")
def test_w5_one_failure_told_three_times(reports: Reports) -> None:
    dsn = failed(origin=b"one-and-the-same")
    reports.write(planned(), dsn, dsn, failed(origin=b"by-webhook", at=T0_US + SECOND))
    reports.shows({"sansan.undelivered": 1, "karte.fail_count": 1, "engagelab.soft_bounce": 1, "relation.error": 1})


@pytest.mark.row("W6", "S12", "K08", "X4")
def test_w6_text_mail_shows_hyphens(reports: Reports) -> None:
    reports.write(planned(is_html=False), clicked(is_html=False))
    reports.shows({
        "sansan.opened": None, "sansan.unopened": None, "sansan.not_clicked": None, "sansan.link_clicked": None,
        "karte.clicked_users": 1, "karte.open_rate": None, "bales.opens": None, "bales.clicks": 1,
        "karte.click_rate": 1.0,
    })  # fmt: skip


@pytest.mark.row("W7", "K38")
def test_w7_a_click_without_the_pixel(reports: Reports) -> None:
    reports.write(planned(), clicked())
    reports.shows({
        "native.opened_pixel": 0, "native.opened_inferred": 1, "sansan.opened": 1, "sansan.link_clicked": 1,
        "sansan.unopened": 0, "sansan.not_clicked": 0, "karte.clicked_users": 1,
    })  # fmt: skip


@pytest.mark.row("W8", "S37")
def test_w8_a_scanner_then_a_person(reports: Reports) -> None:
    scan = [clicked(at=T0_US + 4 * SECOND + i * SECOND // 4, link=i + 1, links=12) for i in range(12)]
    reports.write(planned(), report(FactType.ACCEPTED), *scan)
    reports.shows({"bales.clicks": 0, "sansan.link_clicked": 0, "sansan.clicks_machine": 12})
    reports.write(clicked(at=T0_US + 2 * HOUR, links=12))
    reports.shows({
        "bales.clicks": 1, "karte.clicks": 1, "karte.clicked_users": 1, "sansan.clicks_machine": 12, "bales.unsubs": 0
    })  # fmt: skip


@pytest.mark.row("W9", "K02")
def test_w9_a_test_send_changes_nothing(reports: Reports) -> None:
    reports.write(planned(is_test=True), failed(is_test=True), opened(is_test=True))
    for profile in ("sansan", "relation", "engagelab", "karte", "bales"):
        built = build_profile(profile, *reports.of())
        assert not any(figure.value for section in built.sections for figure in section.figures), profile
        assert built.empty_reason == "only_test_sends"
    reports.shows({"sansan.undelivered": 1}, is_test=True)
    assert reports.value("native.test_listed") == 1


@pytest.mark.row("W10", "K29", "E12", "E40", "X3", "X8", "E13", "B22")
def test_w10_failed_in_one_campaign_and_excluded_in_the_next(reports: Reports) -> None:
    reports.write(planned(), failed(channel=IN_SESSION))
    denied = Reader(reports.env).preflight(1, [Candidate(1)], "", T0_US + DAY)[0]
    assert denied is not None and denied.kind is SuppressionKind.BOUNCE
    excluded = Excluded(ExcludedKind.BOUNCE, denied.detail)
    reports.write(planned(broadcast=2, at=T0_US + DAY))
    reports.write(Fact(FactType.EXCLUDED, key(1, 2), T0_US + DAY, excluded))
    reports.shows({"karte.fail_count": 1, "engagelab.invalid": 1, "engagelab.billed": 1, "relation.billed": 1})
    reports.shows({
        "sansan.excluded.bounce": 1, "sansan.undelivered": 0, "sansan.targeted": 0, "karte.fail_count": 0,
        "karte.hard_bounces": 0, "engagelab.invalid": 1, "engagelab.invalid.blacklist": 1, "engagelab.billed": 0,
        "relation.error": 0, "relation.billed": 0, "bales.sent": 0,
    }, 2)  # fmt: skip
    blacklist = build_profile("engagelab", *reports.of(2)).figure("invalid.blacklist").definition
    assert "Blacklist: Bounce (worker:address in bounce list)" in [hint.words.ja for hint in blacklist.hints]


@pytest.mark.row("E34", "E37", "E40")
def test_engagelab_shows_the_exact_words_of_each_list(reports: Reports) -> None:
    figures = build_profile("engagelab", *reports.of())
    blacklist = {hint.words.en for hint in figures.figure("invalid.blacklist").definition.hints}
    assert blacklist == {
        "Blacklist: Spam Report (worker:address in complaint list)",
        "Blacklist: Custom Block (worker:address in block list)",
        "Blacklist: Bounce (worker:address in bounce list)",
    }
    unsubscribed_hints = figures.figure("invalid.unsubscribed").definition.hints
    assert [hint.words.ja for hint in unsubscribed_hints] == ["購読解除"]
    assert blacklist < set(DENIALS.values())


@pytest.mark.row("K29")
def test_only_a_first_failure_counts_as_fail_count(reports: Reports) -> None:
    reports.write(planned(1), failed(1), planned(2), failed(2))
    reports.write(planned(1, 2, at=T0_US + DAY), failed(1, 2, at=T0_US + DAY))
    reports.write(planned(3, 2, at=T0_US + DAY), failed(3, 2, at=T0_US + DAY))
    reports.shows({"karte.fail_count": 2, "native.failed_again": 0})
    reports.shows({"karte.fail_count": 1, "native.failed_again": 1, "sansan.undelivered": 2}, 2)


@pytest.mark.row("W13")
def test_w13_complaints_are_an_overlay(reports: Reports) -> None:
    reports.write(planned(), report(FactType.ACCEPTED), complained(), complained(at=T0_US + 100 * DAY))
    reports.shows({"engagelab.spam_reports": 1, "engagelab.delivered": 1, "sansan.reached": 1,
                   "native.complaint_rate": 1.0})  # fmt: skip


@pytest.mark.row("W14", "R22", "R25")
def test_w14_errors_that_come_after_the_list_was_shown_stay_unacknowledged(reports: Reports) -> None:
    reports.write(*(planned(i) for i in range(123)), *(failed(i, channel=IN_SESSION) for i in range(120)))
    count, until = People(reports.env).count_errors(1, 1)
    assert count == 120
    reports.write(*(failed(i, channel=IN_SESSION) for i in range(120, 123)))
    reports.shows({"relation.unacknowledged": 123, "relation.error": 123})
    seen = DocumentSet(ACK_KIND, ack_name(1), write_acks([Ack(until, T0_US + HOUR, "hanako")]))
    reports.write(Fact(FactType.DOCUMENT_SET, key(0, 0), T0_US + HOUR, seen))
    reports.shows({"relation.unacknowledged": 3, "relation.error": 123})
    not_asked = build_profile("relation", reports.of()[0]).figure("unacknowledged")
    assert (not_asked.value, not_asked.why_none) == (None, "not_looked_up"), "not looked up is not 0"


@pytest.mark.row("W15", "W16", "S21", "A12")
def test_w15_w16_our_own_fault(reports: Reports) -> None:
    facts = [
        failed(i, channel=IN_SESSION, cause=Cause.IP_BLOCKLISTED, permanence=Permanence.TRANSIENT) for i in range(400)
    ]
    reports.write(*(planned(i) for i in range(400)), *facts)
    reports.shows({
        "sansan.undelivered": 400, "sansan.class.rejected": 400, "karte.soft_bounces": 400, "karte.hard_bounces": 0,
        "engagelab.invalid.spam": 400,
    })  # fmt: skip
    assert Reader(reports.env).suppressions(1).rows == []
    policy = POLICIES["sansan"]
    assert policy.action(Cause.IP_BLOCKLISTED) is SuppressPolicy.NEVER
    assert policy.action(Cause.IP_BLOCKLISTED, is_guarded=False) is SuppressPolicy.FOREVER


@pytest.mark.row("W18", "S28", "X9", "I4")
def test_w18_an_automatic_reply_moves_no_number_but_its_own(reports: Reports) -> None:
    reports.write(planned(), report(FactType.ACCEPTED))
    before = every_value(reports)
    reports.write(Fact(FactType.AUTO_REPLIED, key(), T0_US + HOUR, AutoReplied("vacation", b"a1")))
    after = every_value(reports)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"native.auto_replies", "sansan.class.auto_reply"}
    assert after["sansan.undelivered"] == 0


@pytest.mark.row("W19")
def test_w19_what_proves_nothing_moves_no_number(reports: Reports) -> None:
    reports.write(planned(), report(FactType.ACCEPTED))
    before = every_value(reports)
    forged = Unmatched("bounce", b"f1", "r1@example.jp", Cause.USER_UNKNOWN, "550", "returned", "no token")
    reports.write(Fact(FactType.UNMATCHED, key(0, 0), T0_US + HOUR, forged))
    assert every_value(reports) == before
    reports.write(failed(at=T0_US + HOUR))
    assert every_value(reports) != before, "the control: a proven one does"


@pytest.mark.row("W20", "K30", "K31")
def test_w20_one_unsubscribe_however_often_it_is_told(reports: Reports) -> None:
    reports.write(planned(), report(FactType.ACCEPTED), unsubscribed(), unsubscribed(at=T0_US + SECOND))
    reports.shows({"bales.unsubs": 1, "karte.unsubs": 1, "engagelab.unsubscribed": 1, "karte.resubs": 0})
    reports.write(unsubscribed(at=T0_US + HOUR, again=True))
    reports.shows({"bales.unsubs": 1, "karte.unsubs": 1, "karte.resubs": 1})


@pytest.mark.row("A30")
def test_an_open_after_a_bounce_is_shown_and_not_counted(reports: Reports) -> None:
    reports.write(planned(), failed(), opened(at=T0_US + HOUR, agent=Agent.PERSON))
    reports.shows({"sansan.undelivered": 1, "sansan.opened": 0, "bales.opens": 0, "native.conflicts": 1,
                   "native.opens_raw": 1})  # fmt: skip


@pytest.mark.row("K28")
def test_conversions_are_a_hyphen_until_one_is_reported(reports: Reports) -> None:
    reports.write(planned())
    numbers, _ = reports.of()
    assert build_profile("karte", numbers).figure("cv").why_none == "not_measured"
    unlinked = build_profile("karte", numbers, Context(has_user_refs=False)).figure("cv")
    assert (unlinked.value, unlinked.why_none) == (None, "user_not_linked")


def every_value(reports: Reports) -> dict[str, Value]:
    """Every figure of every profile."""
    from console.profiles.evaluation import PROFILES, definitions_of

    evaluation = Evaluation(*reports.of())
    assert evaluation.broken() == []
    names = [f"{profile}.{figure}" for profile in PROFILES for figure in definitions_of(profile)]
    return {name: evaluation.value(name)[0] for name in names}
