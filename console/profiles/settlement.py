"""How final a report is, when it will be, and why it is empty if it is (S15, R09, R27, X7, K01, K04)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from console.profiles.context import Context
from console.profiles.figure import Words
from store.report import Report
from store.windows import Basis

HOUR_US = 3_600_000_000
#: Most servers that answer at all have answered by then (R27); error mails still come for days (S15).
CHECKED_AFTER_H = 24
SETTLED_AFTER_H = 72
_UNSENT = frozenset({"draft", "scheduled"})


class Mark(StrEnum):
    """How far late answers can still be expected. Whatever comes later still counts."""

    #: mails are still on their way, or less than 24 hours have passed
    PROVISIONAL = "provisional"
    #: 24 hours have passed since the last delivery (R27)
    CHECKED = "checked"
    #: 72 hours have passed (S15)
    SETTLED = "settled"


MARKS: dict[Mark, Words] = {
    Mark.PROVISIONAL: Words("暫定", "provisional"),
    Mark.CHECKED: Words("24時間経過", "24 hours have passed"),
    Mark.SETTLED: Words("確定 (72時間経過)", "settled: 72 hours have passed"),
}


@dataclass(frozen=True, slots=True)
class Settlement:
    """How final the numbers are. The times are the earliest possible while mails are on their way."""

    mark: Mark
    #: when the last delivery was done; now, at the earliest, while some are not
    last_done_us: int
    checked_at_us: int
    settled_at_us: int
    #: whether some deliveries are not done yet, so that the times may move
    is_open: bool


def settlement_of(report: Report, context: Context) -> Settlement | None:
    """Return how final the numbers are; None when it is not known when the last delivery was done, or now is."""
    if context.now_us is None:
        return None
    last = context.done_last_us
    is_open = report.in_flight > 0
    if is_open:
        last = max(context.now_us, last or 0)
    if last is None:
        return None
    checked, settled = last + CHECKED_AFTER_H * HOUR_US, last + SETTLED_AFTER_H * HOUR_US
    mark = Mark.PROVISIONAL
    if context.now_us >= settled:
        mark = Mark.SETTLED
    elif context.now_us >= checked:
        mark = Mark.CHECKED
    return Settlement(mark, last, checked, settled, is_open)


def eta_us(report: Report, context: Context) -> int | None:
    """Return when the last delivery will be done (R09): as the sender says, else by the rate of the moment.

    None when nothing is on its way, or neither is known.
    """
    started = report.in_flight - report.reserved
    if not started:
        return None
    if context.eta_us is not None:
        return context.eta_us
    if context.now_us is None or not context.done_per_s:
        return None
    return context.now_us + round(started / context.done_per_s * 1e6)


class EmptyReason(StrEnum):
    """Why a report, or its opens, are empty (K01). A number that is really 0 has no such reason."""

    NOT_YET_SENT = "not_yet_sent"
    #: the window chosen does not hold the time of delivery (K04)
    DELIVERY_OUTSIDE_WINDOW = "delivery_outside_window"
    #: only test sends, which count nowhere (K02)
    ONLY_TEST_SENDS = "only_test_sends"
    NO_DATA = "no_data"
    EVERYBODY_EXCLUDED = "everybody_excluded"
    CANCELLED = "cancelled"
    STILL_SENDING = "still_sending"
    #: of the opens only (S12, K08)
    TEXT_MAIL = "text_mail"


EMPTY_REASONS: dict[EmptyReason, Words] = {
    EmptyReason.NOT_YET_SENT: Words("まだ配信されていません", "It has not been sent yet"),
    EmptyReason.DELIVERY_OUTSIDE_WINDOW: Words(
        "集計期間に配信日が含まれていません。開封とクリックはこの期間に配信したメールだけを数えます",
        "It was not delivered within the window; opens and clicks are counted for deliveries of the window only",
    ),
    EmptyReason.ONLY_TEST_SENDS: Words(
        "テスト送信だけです。テスト送信は集計されません", "There are test sends only, which are not counted"
    ),
    EmptyReason.NO_DATA: Words("データがありません", "There is no data"),
    EmptyReason.EVERYBODY_EXCLUDED: Words(
        "宛先がすべて配信前に除外されました", "Everybody on the list was excluded before sending"
    ),
    EmptyReason.CANCELLED: Words("配信が中止されました", "It was cancelled"),
    EmptyReason.STILL_SENDING: Words("すべて配信中で、まだ結果がありません", "Everything is still on its way"),
    EmptyReason.TEXT_MAIL: Words(
        "テキストメールのため開封は計測できません", "It is text mail, whose opens cannot be seen"
    ),
}


def empty_reason_of(report: Report, context: Context) -> EmptyReason | None:
    """Return why there is nothing to see; None when there is something."""
    if report.reached + report.undelivered:
        return EmptyReason.TEXT_MAIL if report.opened_users is None else None
    if context.status in _UNSENT:
        return EmptyReason.NOT_YET_SENT
    if _is_outside_window(context):
        return EmptyReason.DELIVERY_OUTSIDE_WINDOW
    if not report.listed:
        return EmptyReason.ONLY_TEST_SENDS if context.test_listed else EmptyReason.NO_DATA
    if not report.targeted:
        return EmptyReason.EVERYBODY_EXCLUDED
    if report.cancelled == report.targeted:
        return EmptyReason.CANCELLED
    return EmptyReason.STILL_SENDING


def _is_outside_window(context: Context) -> bool:
    """Whether every delivery was done before the window or after it."""
    if context.window is None or context.basis is Basis.EVENT:
        return False
    if context.done_first_us is None or context.done_last_us is None:
        return False
    start, end = context.window
    return context.done_last_us < start or context.done_first_us >= end
