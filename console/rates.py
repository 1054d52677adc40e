"""Rates of hard failures and complaints of the last hour and day, and what they ask for (N16, P19)."""

from __future__ import annotations

from msgspec import Struct

from console.identity import Scope
from console.route import Answer, Call, Reply, Route
from store.rates import Rate


class RateOut(Struct, frozen=True):
    """One rate; ``broadcast`` null for all. ``level``: too_few, ok, warn or pause; shares are of 1."""

    broadcast: str | None
    metric: str
    window_s: int
    sends: int
    events: int
    share: float | None
    warn: float
    pause: float
    least_sends: int
    least_events: int
    level: str


class RatesOut(Struct, frozen=True):
    """Rates of the tenant first, then of each broadcast that sent anything in the last day."""

    rates: list[RateOut]


async def list_rates(call: Call) -> Reply:
    """Return the rates as they are now."""
    services, tenant = call.services, call.identity.tenant
    return Reply(200, RatesOut([_shown(call, rate) for rate in services.suppression.rates(tenant, services.now_us())]))


def _shown(call: Call, rate: Rate) -> RateOut:
    limit, names = rate.threshold, call.services.outgoing.names
    return RateOut(
        names.broadcast(call.identity.tenant, rate.broadcast), limit.metric, limit.window_s, rate.sends, rate.events,
        rate.share, limit.warn, limit.pause, limit.least_sends, limit.least_events, rate.level.value,
    )  # fmt: skip


ROUTES = (
    Route(
        "GET", "/v1/rates", Scope.REPORTS_READ, "listRates",
        "Hard failures and complaints of the last hour and day, and whether they ask for a pause.", list_rates,
        (Answer(200, "Rates as they are now.", RatesOut),),
    ),
)  # fmt: skip
