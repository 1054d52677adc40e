"""How final a report is, when it will be, and why it is empty."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.profiles.build import build_profile
from console.profiles.context import Context
from console.profiles.evaluation import Evaluation
from console.profiles.settlement import EMPTY_REASONS, MARKS, EmptyReason, Mark, empty_reason_of, eta_us, settlement_of
from store.reader import Broadcast
from store.report import Report, build_report
from store.windows import Basis
from tests.console.profiles.deliveries import HOUR, T0

DAY = 24 * HOUR
SENT = {"listed": 10, "targeted": 10, "state.reached": 9, "html.reached": 9, "state.undelivered": 1}
UNDER_WAY = {**SENT, "state.reached": 4, "html.reached": 4, "state.deferred": 5}


def report_of(counts: dict[str, int], *, status: str | None = None, mail_format: str | None = None) -> Report:
    return build_report(counts, Broadcast(1, 1, status=status, format=mail_format), last_attempt_us=T0, now_us=T0)


@pytest.mark.row("S15", "R27", "X7")
@pytest.mark.parametrize(
    ("after", "mark"),
    [
        (0, Mark.PROVISIONAL),
        (24 * HOUR - 1, Mark.PROVISIONAL),
        (24 * HOUR, Mark.CHECKED),
        (72 * HOUR - 1, Mark.CHECKED),
        (72 * HOUR, Mark.SETTLED),
        (9_000 * HOUR, Mark.SETTLED),
    ],
)
def test_marks_change_on_the_hour(after: int, mark: Mark) -> None:
    report, context = report_of(SENT), Context(now_us=T0 + after, done_last_us=T0)
    found = settlement_of(report, context)
    assert found is not None
    assert (found.mark, found.checked_at_us, found.settled_at_us) == (mark, T0 + 24 * HOUR, T0 + 72 * HOUR)
    assert not found.is_open


@pytest.mark.row("X7")
def test_each_system_takes_the_numbers_as_final_at_its_own_time() -> None:
    context = Context(now_us=T0, done_last_us=T0)
    hours = {
        profile: ((build_profile(profile, report_of(SENT), context).final_at_us or 0) - T0) // HOUR
        for profile in ("sansan", "relation", "native")
    }
    assert hours == {"sansan": 72, "relation": 24, "native": 72}


def test_while_mails_are_on_their_way_nothing_is_final() -> None:
    late = Context(now_us=T0 + 100 * HOUR, done_last_us=T0)
    found = settlement_of(report_of(UNDER_WAY), late)
    assert found is not None and found.is_open
    assert (found.mark, found.settled_at_us) == (Mark.PROVISIONAL, T0 + 172 * HOUR)
    assert settlement_of(report_of(SENT), late) != found, "the control"


def test_without_knowing_when_nothing_is_claimed() -> None:
    assert settlement_of(report_of(SENT), Context(now_us=T0)) is None
    assert settlement_of(report_of(SENT), Context(done_last_us=T0)) is None
    assert build_profile("sansan", report_of(SENT)).final_at_us is None


@pytest.mark.row("R28")
def test_an_error_after_the_numbers_were_settled_still_counts() -> None:
    context = Context(now_us=T0 + 80 * HOUR, done_last_us=T0)
    before, after = report_of(SENT), report_of({**SENT, "state.reached": 8, "html.reached": 8, "state.undelivered": 2})
    for report, numbers in ((before, (9, 1)), (after, (8, 2))):
        built = build_profile("relation", report, context)
        assert (built.figure("success").value, built.figure("error").value) == numbers
        assert built.figure("done").value == 10
        assert built.settlement is not None and built.settlement.mark is Mark.SETTLED


@pytest.mark.row("R09")
def test_the_end_is_expected_by_the_rate_or_as_the_sender_says() -> None:
    report = report_of(UNDER_WAY)
    assert eta_us(report, Context(now_us=T0, done_per_s=0.5)) == T0 + 10_000_000
    assert eta_us(report, Context(now_us=T0, done_per_s=0.5, eta_us=T0 + HOUR)) == T0 + HOUR
    assert eta_us(report, Context(now_us=T0, done_per_s=0.0)) is None
    assert eta_us(report, Context(now_us=T0)) is None
    assert eta_us(report_of(SENT), Context(now_us=T0, done_per_s=0.5, eta_us=T0 + HOUR)) is None, "it is over"


@pytest.mark.row("R04", "R13")
def test_what_is_reserved_is_not_under_way_and_not_billed() -> None:
    counts = {"listed": 10, "targeted": 10, "state.planned": 10, "html.planned": 10}
    planned = build_profile("relation", report_of(counts, status="scheduled"))
    assert [planned.figure(name).value for name in ("reserved", "in_flight", "done", "billed", "total")] == [
        10, 0, 0, 0, 10
    ]  # fmt: skip
    started = build_profile("relation", report_of(counts, status="sending"))
    assert [started.figure(name).value for name in ("reserved", "in_flight", "done", "total")] == [0, 10, 0, 10]
    assert eta_us(report_of(counts, status="scheduled"), Context(now_us=T0, done_per_s=1.0)) is None


@pytest.mark.row("K01", "K04")
@pytest.mark.parametrize(
    ("start", "end", "is_outside"),
    [
        (T0 + 2 * DAY, T0 + 9 * DAY, True),
        (T0 - 9 * DAY, T0, True),
        (T0, T0 + 1, False),
        (T0 - DAY, T0 + DAY, False),
        (T0 + HOUR, T0 + DAY, False),
        (T0 + HOUR + 1, T0 + DAY, True),
    ],
)
def test_a_window_without_the_delivery_is_empty_and_says_so(start: int, end: int, is_outside: bool) -> None:
    context = Context(done_first_us=T0, done_last_us=T0 + HOUR, window=(start, end), basis=Basis.COHORT)
    reason = empty_reason_of(report_of({}), context)
    assert (reason is EmptyReason.DELIVERY_OUTSIDE_WINDOW) is is_outside
    by_event = replace(context, basis=Basis.EVENT)
    assert empty_reason_of(report_of({}), by_event) is not EmptyReason.DELIVERY_OUTSIDE_WINDOW
    assert empty_reason_of(report_of(SENT), context) is None, "what has numbers is not empty"


@pytest.mark.row("K01", "K02", "S12", "K08")
@pytest.mark.parametrize(
    ("counts", "context", "mail_format", "reason"),
    [
        ({}, Context(), None, EmptyReason.NO_DATA),
        ({}, Context(test_listed=3), None, EmptyReason.ONLY_TEST_SENDS),
        ({}, Context(status="draft"), None, EmptyReason.NOT_YET_SENT),
        ({"listed": 2, "excluded.bounce": 2}, Context(), None, EmptyReason.EVERYBODY_EXCLUDED),
        ({"listed": 2, "targeted": 2, "state.cancelled": 2}, Context(), None, EmptyReason.CANCELLED),
        ({"listed": 2, "targeted": 2, "state.deferred": 2}, Context(), None, EmptyReason.STILL_SENDING),
        (SENT, Context(), "text", EmptyReason.TEXT_MAIL),
        (SENT, Context(), "html", None),
    ],
)
def test_an_empty_report_says_why(
    counts: dict[str, int], context: Context, mail_format: str | None, reason: EmptyReason | None
) -> None:
    assert empty_reason_of(report_of(counts, mail_format=mail_format), context) is reason


def test_every_mark_and_reason_has_words() -> None:
    assert set(EMPTY_REASONS) == set(EmptyReason)
    assert set(MARKS) == set(Mark)


@pytest.mark.row("K04", "K24")
def test_events_in_the_window_of_a_mail_delivered_before_it() -> None:
    """K04's own example: delivered on 5/1, window 5/3 to 5/10: users 0, events as they happened."""
    cohort = report_of({}, mail_format="html")
    events = report_of({**SENT, "opens": 5, "clicks": 2, "state.reached": 0}, mail_format="html")
    context = Context(
        done_first_us=T0, done_last_us=T0, window=(T0 + 2 * DAY, T0 + 9 * DAY), basis=Basis.COHORT, events=events
    )
    built = build_profile("karte", cohort, context)
    assert built.empty_reason is EmptyReason.DELIVERY_OUTSIDE_WINDOW
    values = [built.figure(name).value for name in ("delivered", "opened_users", "clicked_users", "opens", "clicks")]
    assert values == [0, 0, 0, 5, 2]
    assert Evaluation(cohort, context).broken() == []
