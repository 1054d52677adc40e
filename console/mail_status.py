"""The log of all mails with six filters, and who opened and clicked what (E01-E21, E29, S33)."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial

from console.broadcasts import find_broadcast, number_of, read_cursor, write_cursor
from console.identity import Scope
from console.people import assuming
from console.problem import bad_request
from console.route import Answer, Call, Reply, Route, missing
from console.schema import BroadcastRefPath, time_of, us_of
from console.schema_people import (
    EngagementOut,
    EngagementPage,
    EngagementQuery,
    MailStatusOut,
    MailStatusPage,
    MailStatusQuery,
)
from model.address import Address
from model.cause import SPECS, Channel
from model.detail import Engaged
from model.errors import AddressError
from model.fact import Fact, FactType
from store.outcome import Outcome, State
from store.status_log import MAX_DAYS, STOPPED, MailStatus, StatusFilter

_DAY_US = 86_400_000_000


async def list_mail_status(call: Call) -> Reply:
    """Return a page of mails. A period over 30 days is refused: exports have no such limit (E21)."""
    services, tenant = call.services, call.identity.tenant
    query: MailStatusQuery = call.query
    from_us, to_us = us_of(query.from_) or 0, us_of(query.to) or 0
    if not from_us <= to_us:
        raise bad_request("`to` is before `from`.")
    if to_us - from_us > MAX_DAYS * _DAY_US:
        raise bad_request(f"A query spans at most {MAX_DAYS} days; use an export (POST /v1/exports) for more.")
    recipient = None
    if query.address is not None:
        try:
            recipient = services.keys().recipient_number(tenant, Address.parse(query.address).folded)
        except AddressError as error:
            raise bad_request(f"address: {error}.") from None
    wanted = StatusFilter(
        from_us, to_us, recipient, query.mail_type, query.tag, query.api_user, query.schedule_task_id,
        query.status.value if query.status else None,
    )  # fmt: skip
    assumes = cache(partial(assuming, call))  # a page has few broadcasts
    page = services.status_log.page(tenant, wanted, assumes=assumes, after=read_cursor(query.after))
    rows = [_shown(call, row) for row in page.rows]
    return Reply(200, MailStatusPage(rows, write_cursor(page.after)))


def status_class(outcome: Outcome) -> str | None:
    """Return the class of a soft bounce or an invalid mail in EngageLab's words (E06-E19)."""
    if outcome.state is State.EXCLUDED and outcome.excluded is not None:
        return STOPPED.get(outcome.excluded)
    if outcome.state is not State.UNDELIVERED or outcome.cause is None:
        return None
    spec = SPECS[outcome.cause]
    return spec.engagelab_soft or "other" if outcome.channel is Channel.OUT_OF_BAND else spec.engagelab_invalid


def _shown(call: Call, mail: MailStatus) -> MailStatusOut:
    listed, place = mail.listed, mail.key
    return MailStatusOut(
        status=mail.status,
        status_class=status_class(mail.outcome),
        api_user=listed.api_user,
        address=listed.address,
        recipient=f"{mail.key.recipient:016x}",
        broadcast=call.services.outgoing.names.broadcast(place.tenant, place.broadcast) or "",
        requested_at=time_of(listed.at_us),
        sent_at=time_of(mail.sent_us),
        request_ip=listed.request_ip,
        send_ip=mail.send_ip,
        send_log=mail.send_log,
        mail_type=listed.mail_type,
        tags=tuple(listed.tags),
    )


async def list_engagement(call: Call) -> Reply:
    """Return opens and clicks of a broadcast with time, link and address, recipient by recipient (E29, S33)."""
    services, tenant = call.services, call.identity.tenant
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    query: EngagementQuery = call.query
    metric = "listed" if query.machines else "engaged"
    page = services.people.page(tenant, number, metric=metric, after=read_cursor(query.after))
    rows: list[EngagementOut] = []
    for person in page.rows:
        for fact, is_machine in services.reader.judged(person.key):
            detail = fact.detail
            if isinstance(detail, Engaged) and (query.machines or not is_machine):
                rows.append(_event(fact, detail, person.listed.address or None, is_machine=is_machine))
    return Reply(200, EngagementPage(rows, write_cursor(page.after)))


def _event(fact: Fact, detail: Engaged, address: str | None, *, is_machine: bool) -> EngagementOut:
    return EngagementOut(
        at=time_of(fact.at_us) or datetime.min,
        type=fact.type.name.lower(),
        recipient=f"{fact.key.recipient:016x}",
        address=address,
        link=detail.link if fact.type is FactType.CLICKED else None,
        url=detail.target,
        ip=detail.ip,
        user_agent=detail.user_agent,
        agent=detail.agent.name.lower(),
        machine=is_machine,
    )


ROUTES = (
    Route(
        "GET", "/v1/mail-status", Scope.RECIPIENTS_READ, "listMailStatus",
        "All mails asked for in a period of at most 30 days, with six filters.", list_mail_status,
        (Answer(200, "A page.", MailStatusPage),), query_type=MailStatusQuery,
    ),
    Route(
        "GET", "/v1/broadcasts/{id}/engagement", Scope.RECIPIENTS_READ, "listEngagement",
        "Opens and clicks with time, link and address.", list_engagement,
        (
            Answer(200, "A page.", EngagementPage),
            missing("broadcast"),
        ),
        path_type=BroadcastRefPath, query_type=EngagementQuery,
    ),
)  # fmt: skip
