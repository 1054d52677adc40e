"""The numbers of a broadcast, and what happened to one recipient of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from console.broadcasts import find_broadcast, number_of
from console.labels import labels
from console.outgoing.event import plain
from console.problem import bad_request, not_found
from console.profiles.build import build_profile
from console.profiles.context import Context
from console.profiles.evaluation import UnknownFigureError
from console.report_source import ReportSource, wants_errors
from console.report_view import ProfileOut, view_of
from console.route import Call, Reply
from console.schema import DeliveryOut, ReportQuery, TimelineEvent, time_of
from model.detail import Report as ReportDetail
from model.fact import DeliveryKey, Fact
from store.report import Report


class ReportOut(msgspec.Struct, frozen=True):
    """The numbers of a broadcast and what they are called; null is to be drawn as a hyphen (S12)."""

    broadcast: str | None
    number: str
    at: datetime
    test: bool
    numbers: Report
    labels: dict[str, str]
    #: the same numbers in the profile asked for with ``profile=`` or ``explain=``
    view: ProfileOut | None = None


async def get_report(call: Call) -> Reply:
    """Return the numbers as they are now; what was acknowledged before is in them (K32)."""
    services, tenant, query = call.services, call.identity.tenant, call.query
    number = number_of(call, call.path.id)
    broadcast = find_broadcast(call, number)
    now_us = services.now_us()
    source = ReportSource(services.reader, services.windows, services.people, tenant)
    view = None
    if query.profile or query.explain:
        report, context = source.report_and_context(
            number, broadcast, now_us=now_us, is_test=query.test, has_errors=wants_errors(query.profile, query.explain)
        )
        view = _view(query, report, context)
    else:
        report = source.report(number, broadcast, now_us=now_us, is_test=query.test)
    at = time_of(now_us) or datetime.min
    words = labels(query.lang.value)
    return Reply(200, ReportOut(broadcast.broadcast_id, f"{number:012x}", at, query.test, report, words, view))


def _view(query: ReportQuery, report: Report, context: Context) -> ProfileOut:
    """Return the numbers in a profile. Raises ProblemError 400 for a figure it does not have."""
    profile = query.profile.value if query.profile else "native"
    try:
        return view_of(build_profile(profile, report, context, explain=query.explain), query.lang.value)
    except UnknownFigureError as error:
        raise bad_request(
            f"The profile {error.profile} has no such figure: ask `profile={error.profile}` for those it has, "
            "or `explain=all`."
        ) from None


async def get_delivery(call: Call) -> Reply:
    """Return one recipient's delivery with everything that happened, oldest first (B17, B20)."""
    services = call.services
    number = number_of(call, call.path.id)
    key = DeliveryKey(call.identity.tenant, number, int(call.path.recipient, 16))
    is_test = call.query.test
    delivery = services.reader.delivery(key, is_test=is_test)
    if delivery is None:
        raise not_found("This broadcast has no such recipient.")
    outcome, failure = delivery.outcome, delivery.failure
    diagnostic = failure.detail.diagnostic if failure and isinstance(failure.detail, ReportDetail) else None
    shown = DeliveryOut(
        broadcast=call.path.id,
        recipient=call.path.recipient,
        address=delivery.planned.address if delivery.planned else None,
        state=outcome.state.value,
        evidence=outcome.evidence.value if outcome.evidence else None,
        excluded=outcome.excluded.name.lower() if outcome.excluded else None,
        cause=outcome.cause.value if outcome.cause else None,
        permanence=outcome.permanence.value if outcome.cause else None,
        diagnostic=diagnostic,
        events=[event_of(*judged) for judged in services.reader.judged(key, is_test=is_test)],
    )
    return Reply(200, shown)


def event_of(fact: Fact, is_machine: bool = False) -> TimelineEvent:
    """Return a fact as the API shows it; ``is_machine`` of a hit that is taken for a machine's beside all others."""
    at = time_of(fact.at_us) or datetime.min
    detail = plain(fact.detail)
    return TimelineEvent(at, fact.type.name.lower(), detail | {"machine": True} if is_machine else detail)
