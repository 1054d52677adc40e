"""Numbers broken down: by period, day and hour, domain and provider, link and message; and a month's usage."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from console.broadcasts import find_broadcast, number_of
from console.identity import Scope
from console.problem import bad_request
from console.route import Answer, Call, Reply, Route, missing
from console.schema import BroadcastRefPath, us_of
from console.schema_numbers import (
    AgentOut,
    AgentsOut,
    DomainOut,
    DomainsOut,
    LinkOut,
    LinksOut,
    MessageOut,
    MessagesBy,
    MessagesOut,
    MessagesQuery,
    PeriodQuery,
    PeriodReportOut,
    PeriodRow,
    ProjectOut,
    SeriesOut,
    SeriesPoint,
    SeriesQuery,
    Step,
    UsageOut,
    UsageQuery,
)
from model.cause import SPECS
from model.provider import provider_of
from store.reader import Broadcast
from store.report import Report, build_report, is_assuming, reserve
from store.windows import Basis, WindowError

#: Longest period of one query (K27): exports have no limit.
_MAX_DAYS = 30
_MAX_DOMAINS = 500
_DAY_US = 86_400_000_000
#: Broadcasts one answer over all of them goes through.
_MAX_BROADCASTS = 2_000


async def get_period(call: Call) -> Reply:
    """Return a broadcast's numbers in a period (K04, K23, K24)."""
    number = number_of(call, call.path.id)
    broadcast = find_broadcast(call, number)
    from_us, to_us = _period(call.query.from_, call.query.to)
    basis = Basis(call.query.basis.value)
    counts = _window(call, number, basis, from_us, to_us)
    report = _of_basis(_report(call, counts, broadcast), basis)
    reason = None if any(counts.values()) else _why_empty(call, number, from_us, to_us)
    return Reply(200, PeriodReportOut(broadcast.broadcast_id, basis.value, report, reason))


async def get_project(call: Call) -> Reply:
    """Return all broadcasts in a period and their total (K22)."""
    from_us, to_us = _period(call.query.from_, call.query.to)
    basis = Basis(call.query.basis.value)
    total: dict[str, int] = {}
    rows: list[PeriodRow] = []
    for broadcast in _broadcasts(call):
        counts = _window(call, broadcast.number, basis, from_us, to_us)
        if not counts:
            continue
        for name, count in reserve(counts, broadcast).items():
            total[name] = total.get(name, 0) + count
        name = broadcast.broadcast_id or f"~{broadcast.number:012x}"
        rows.append(PeriodRow(name, broadcast.name, _of_basis(_report(call, counts, broadcast), basis)))
    reason = None if rows else "no_data"
    return Reply(200, ProjectOut(basis.value, _of_basis(_report(call, total, None), basis), rows, reason))


async def get_series(call: Call) -> Reply:
    """Return what happened day by day, or hour by hour."""
    services, query = call.services, call.query
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    from_us, to_us = _period(query.from_, query.to)
    found = services.windows.series(
        call.identity.tenant, number, from_us=from_us, to_us=to_us, zone=services.zone,
        is_hourly=query.step is Step.HOUR,
    )  # fmt: skip
    return Reply(200, SeriesOut(str(services.zone), [SeriesPoint(begin, counts) for begin, counts in found]))


async def get_domains(call: Call) -> Reply:
    """Return the receiving domains and their providers (N25, P06)."""
    number = number_of(call, call.path.id)
    broadcast = find_broadcast(call, number)
    found = call.services.breakdown.domains(call.identity.tenant, number)
    providers: dict[str, dict[str, int]] = {}
    rows: list[DomainOut] = []
    for row in found:
        provider = provider_of(row.domain)
        merged = providers.setdefault(provider or "", {})
        for name, count in row.counts.items():
            merged[name] = merged.get(name, 0) + count
        if len(rows) < _MAX_DOMAINS:
            rows.append(_domain(call, broadcast, row.domain, provider, row.counts))
    shown = [_domain(call, broadcast, name or "other", name or None, counts) for name, counts in providers.items()]
    shown.sort(key=lambda row: (-row.targeted, row.name))
    return Reply(200, DomainsOut(rows, shown, len(found)))


async def get_links(call: Call) -> Reply:
    """Return the links of a broadcast, the most clicked first."""
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    found = [
        LinkOut(url, row.get("clicks", 0), row.get("users", 0), row.get("clicks_machine", 0), 1, link)
        for link, url, row in call.services.reader.links(call.identity.tenant, number)
    ]
    return Reply(200, LinksOut(_ranked(found)))


async def get_project_links(call: Call) -> Reply:
    """Return the links of all broadcasts by where they lead, the most clicked first (K05)."""
    total: dict[str, list[int]] = {}
    for broadcast in _broadcasts(call):
        met: set[str] = set()
        for _, url, row in call.services.reader.links(call.identity.tenant, broadcast.number):
            sums = total.setdefault(url, [0, 0, 0, 0])
            for place, name in enumerate(("clicks", "users", "clicks_machine")):
                sums[place] += row.get(name, 0)
            sums[3] += url not in met
            met.add(url)
    return Reply(200, LinksOut(_ranked([LinkOut(url, *sums) for url, sums in total.items()])[:_MAX_DOMAINS]))


async def get_messages(call: Call) -> Reply:
    """Return for each cause, or each of KARTE's codes, its at most three most frequent messages (K20)."""
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    rows = [
        MessageOut(row.cause.value, SPECS[row.cause].ses, row.text, row.count)
        for row in call.services.breakdown.messages(
            call.identity.tenant, number, by_code=call.query.by is MessagesBy.CODE
        )
    ]
    return Reply(200, MessagesOut(rows))


async def get_agents(call: Call) -> Reply:
    """Return events by program and device; never rates of people (K36)."""
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    rows = [AgentOut(*row) for row in call.services.breakdown.agents(call.identity.tenant, number)]
    return Reply(200, AgentsOut(rows))


async def get_usage(call: Call) -> Reply:
    """Return what a calendar month comes to, by when mails were done (R02); errors count too (R03)."""
    services, tenant = call.services, call.identity.tenant
    query: UsageQuery = call.query
    now = datetime.fromtimestamp(services.now_us() / 1e6, services.zone)
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if query.month is not None:
        year, month = map(int, query.month.split("-"))
        if not 1970 <= year <= 2200:
            raise bad_request("month: from 1970-01 to 2200-12.")
        begin = begin.replace(year=year, month=month)
    end = (begin.replace(day=1) + timedelta(days=32)).replace(day=1)

    def adjusted(number: int, counts: dict[str, int]) -> dict[str, int]:
        return reserve(counts, services.reader.broadcast(tenant, number))

    counts = services.windows.usage(
        tenant, from_us=us_of(begin) or 0, to_us=us_of(end) or 0, adjusted=adjusted
    )  # fmt: skip
    report = _report(call, counts, None)
    done = report.reached + report.undelivered
    out = UsageOut(
        begin.strftime("%Y-%m"), str(services.zone), done, report.reached, report.undelivered,
        done - report.channels.get("pre_send", 0), report.in_flight - report.reserved, report.reserved,
        dict(report.excluded), counts.get("test_sends", 0),
    )  # fmt: skip
    return Reply(200, out)


def _period(begin: datetime, end: datetime) -> tuple[int, int]:
    from_us, to_us = us_of(begin) or 0, us_of(end) or 0
    if to_us < from_us:
        raise bad_request("`to` is before `from`.")
    if to_us - from_us > _MAX_DAYS * _DAY_US:
        raise bad_request(f"A query spans at most {_MAX_DAYS} days; use an export (POST /v1/exports) for more.")
    return from_us, to_us


def _window(call: Call, number: int, basis: Basis, from_us: int, to_us: int) -> dict[str, int]:
    try:
        return call.services.windows.counts(call.identity.tenant, number, basis=basis, from_us=from_us, to_us=to_us)
    except WindowError as error:
        raise bad_request(f"{error}.") from None


def _report(call: Call, counts: dict[str, int], broadcast: Broadcast | None) -> Report:
    services = call.services
    last = services.reader.last_attempt_us(call.identity.tenant)
    whole = services.reader.counts(call.identity.tenant, broadcast.number) if broadcast else None
    return build_report(counts, broadcast, last_attempt_us=last, now_us=services.now_us(), whole=whole)


def _of_basis(report: Report, basis: Basis) -> Report:
    """Leave out what has no meaning on a basis: people count where they first acted, deliveries where they were done.

    So on the basis of events the one cannot be taken from the other.
    """
    if basis is not Basis.EVENT:
        return report
    return replace(report, unopened=None, not_clicked=None, opened_inferred=None, rates=dict.fromkeys(report.rates))


def _why_empty(call: Call, number: int, from_us: int, to_us: int) -> str:
    """Return why a broadcast has no numbers in a period (K01, K04)."""
    span = call.services.windows.done_span(call.identity.tenant, number)
    if span is None:
        return "no_data"
    return "delivery_outside_window" if span[1] < from_us or span[0] >= to_us else "no_data"


def _broadcasts(call: Call) -> list[Broadcast]:
    """Return the newest broadcasts of the caller's tenant."""
    page = call.services.reader.broadcasts(call.identity.tenant, limit=_MAX_BROADCASTS)
    return page.rows


def _ranked(links: list[LinkOut]) -> list[LinkOut]:
    return sorted(links, key=lambda link: (-link.clicks, -link.users, link.url))


def _domain(call: Call, broadcast: Broadcast, name: str, provider: str | None, counts: dict[str, int]) -> DomainOut:
    assumes = is_assuming(broadcast, call.services.reader.last_attempt_us(call.identity.tenant), call.services.now_us())
    get = counts.get
    reached = get("state.reached", 0) + (get("state.planned", 0) if assumes else 0)
    reached_html = get("html.reached", 0) + (get("html.planned", 0) if assumes else 0)
    targeted, undelivered = get("targeted", 0), get("state.undelivered", 0)
    return DomainOut(
        name, provider, targeted, reached, undelivered, get("hard", 0), get("soft", 0), get("state.deferred", 0),
        get("opened_users", 0), get("clicked_users", 0), get("complaints", 0), get("unsubs", 0),
        reached / targeted if targeted else None, undelivered / targeted if targeted else None,
        get("opened_users", 0) / reached_html if reached_html else None,
    )  # fmt: skip


def _route(path: str, name: str, summary: str, handler: Any, body: Any, query: Any = None) -> Route:
    """Return a GET route of a broadcast's numbers."""
    answers: tuple[Answer, ...] = (Answer(200, "The numbers.", body),)
    is_of_one = "{id}" in path
    return Route(
        "GET", path, Scope.REPORTS_READ, name, summary, handler,
        (*answers, missing("broadcast")) if is_of_one else answers,
        path_type=BroadcastRefPath if is_of_one else None, query_type=query,
    )  # fmt: skip


ROUTES = (
    _route("/v1/broadcasts/{id}/period", "getPeriod", "The numbers of a broadcast in a period, on one of three bases.",
           get_period, PeriodReportOut, PeriodQuery),
    _route("/v1/broadcasts/{id}/series", "getSeries", "What happened day by day, or hour by hour.",
           get_series, SeriesOut, SeriesQuery),
    _route("/v1/broadcasts/{id}/domains", "getDomains", "By receiving domain and provider.", get_domains, DomainsOut),
    _route("/v1/broadcasts/{id}/links", "getLinks", "By link, the most clicked first.", get_links, LinksOut),
    _route("/v1/broadcasts/{id}/messages", "getMessages", "The most frequent messages of each cause, or code.",
           get_messages, MessagesOut, MessagesQuery),
    _route("/v1/broadcasts/{id}/agents", "getAgents", "Events by program and device.", get_agents, AgentsOut),
    _route("/v1/project", "getProject", "All broadcasts in a period.", get_project, ProjectOut, PeriodQuery),
    _route("/v1/links", "getProjectLinks", "Links of all broadcasts, the most clicked first.",
           get_project_links, LinksOut),
    _route("/v1/usage", "getUsage", "How many mails a month comes to.", get_usage, UsageOut, UsageQuery),
)  # fmt: skip
