"""The people behind the numbers: lists of recipients, errors to acknowledge, one recipient's history (S17, R14-R25)."""

from __future__ import annotations

import asyncio

from console.audit import audited
from console.broadcasts import find_broadcast, number_of, read_cursor, write_cursor
from console.identity import Scope
from console.kept import kept
from console.problem import bad_request, not_found
from console.reports import event_of
from console.route import Answer, Call, Reply, Route, missing
from console.schema import BroadcastRefPath, time_of
from console.schema_people import (
    AckIn,
    AckOut,
    ErrorsPage,
    ErrorsQuery,
    PeoplePage,
    PeopleQuery,
    PersonOut,
    RecipientDelivery,
    RecipientOut,
    RecipientQuery,
)
from model.address import Address
from model.cause import SPECS, SansanClass
from model.detail import ExcludedKind
from model.errors import AddressError
from model.fact import DeliveryKey
from store.acks import ACK_KIND, Ack, ack_name, acked_until, acked_us, read_acks, write_acks
from store.messages import normalise_message
from store.outcome import Evidence, Outcome, State
from store.people import MetricError, Person
from store.report import is_assuming

DAY_US = 86_400_000_000
#: Classes of failure of which a second try may go better, and of which the address may be wrong (S22-S26).
_RESEND = frozenset({
    SansanClass.DISK_FULL, SansanClass.TIMEOUT, SansanClass.RELAY_ERROR, SansanClass.SERVER_CONFIG,
    SansanClass.USER_CONFIG,
})  # fmt: skip
_CHECK_ADDRESS = frozenset({SansanClass.SERVER_CONFIG, SansanClass.USER_CONFIG, SansanClass.USER_UNKNOWN,
                            SansanClass.HOST_UNKNOWN, SansanClass.ADDRESS_SYNTAX})  # fmt: skip
#: One acknowledgement at a time: each is written from the one before.
_ack_lock = asyncio.Lock()


def assuming(call: Call, number: int) -> bool:
    """Return whether a broadcast's deliveries without news count as reached just now."""
    services, tenant = call.services, call.identity.tenant
    broadcast = services.reader.broadcast(tenant, number)
    return is_assuming(broadcast, services.reader.last_attempt_us(tenant), services.now_us())


async def list_people(call: Call) -> Reply:
    """Return a page of the people behind a number (S17), found by word where asked (R15)."""
    services, tenant = call.services, call.identity.tenant
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    query: PeopleQuery = call.query
    wanted, assumes = query.unsubscribed, assuming(call, number)
    try:
        page = services.people.page(
            tenant, number, metric=query.metric, query=query.q.strip(), is_assuming=assumes,
            after=read_cursor(query.after),
            where=None if wanted is None else lambda person: _is_unsubscribed(person.outcome) is wanted,
        )  # fmt: skip
    except MetricError as error:
        raise bad_request(f"There is no number {str(error)[:80]!r} with people behind it; see docs/lists.md.") from None
    acks = _acks(call, number)
    now_us = services.now_us()
    rows = [shown(row, acks, now_us, is_assuming=assumes) for row in page.rows]
    return Reply(200, PeoplePage(rows, write_cursor(page.after)))


def _is_unsubscribed(outcome: Outcome) -> bool:
    """Whether somebody unsubscribed, by this mail or so that this one was not sent (B21)."""
    return outcome.was_unsubscribed or outcome.excluded is ExcludedKind.UNSUBSCRIBE


async def list_errors(call: Call) -> Reply:
    """Return a page of errors, those not acknowledged by default of ``acked=false`` (R22, R23)."""
    services, tenant = call.services, call.identity.tenant
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    acks = _acks(call, number)
    seen = acked_until(acks)
    after_seq = seen if call.query.acked is False else 0
    page = services.people.errors(tenant, number, after_seq=after_seq, after=read_cursor(call.query.after))
    rows = page.rows
    if call.query.acked:
        rows = [row for row in rows if row.failure_seq <= seen]
    unacked, until = services.people.count_errors(tenant, number, after_seq=seen)
    now_us = services.now_us()
    people = [shown(row, acks, now_us, is_assuming=False) for row in rows]
    return Reply(200, ErrorsPage(people, unacked, until, write_cursor(page.after)))


async def ack_errors(call: Call) -> Reply:
    """Acknowledge all errors up to what was seen, on whatever page they are (R25); later ones stay (W14).

    Nobody has seen what is not there yet, whatever number a client sends.
    """
    services, identity = call.services, call.identity
    number = number_of(call, call.path.id)
    find_broadcast(call, number)
    body: AckIn = call.body
    async with _ack_lock:
        acks = _acks(call, number)
        before, last = services.people.count_errors(identity.tenant, number, after_seq=acked_until(acks))
        until = min(body.until, last)
        if until > acked_until(acks):
            acks.append(Ack(until, services.now_us(), identity.name))
            said = kept(call, ACK_KIND, ack_name(number), write_acks(acks))
            deed = audited(call, "errors.ack", f"broadcast:{number:012x}", f'{{"until": {until}}}')
            await services.writer.submit([said, deed])
        left, _ = services.people.count_errors(identity.tenant, number, after_seq=acked_until(acks))
    return Reply(200, AckOut(before - left, left))


async def find_recipient(call: Call) -> Reply:
    """Return everything about the recipient with an address (B17, B20)."""
    services, tenant = call.services, call.identity.tenant
    query: RecipientQuery = call.query
    try:
        address = Address.parse(query.address)
    except AddressError as error:
        raise bad_request(f"address: {error}.") from None
    recipient = services.keys().recipient_number(tenant, address.folded)
    deliveries: list[RecipientDelivery] = []
    for number in services.reader.mailed(tenant, recipient):
        key = DeliveryKey(tenant, number, recipient)
        delivery = services.reader.delivery(key)
        broadcast = services.reader.broadcast(tenant, number)
        if delivery is None:
            continue
        events = [event_of(*judged) for judged in services.reader.judged(key)]
        name = broadcast.broadcast_id if broadcast and broadcast.broadcast_id else f"~{number:012x}"
        status, _ = standing_of(delivery.outcome, is_assuming=assuming(call, number))
        deliveries.append(RecipientDelivery(name, broadcast.name if broadcast else None, status, events))
    deliveries.sort(key=lambda row: row.events[0].at, reverse=True)
    holding = services.suppression.holding(tenant, recipient, services.now_us())
    kinds = [entry.kind.public_name for entry in holding]
    if not deliveries and not kinds:
        raise not_found("Nothing is known of this address.")
    return Reply(200, RecipientOut(f"{recipient:016x}", str(address), sorted(set(kinds)), deliveries))


def standing_of(outcome: Outcome, *, is_assuming: bool) -> tuple[str, str | None]:
    """Return how a delivery stands and the evidence that it reached, as its report counts it (mission 0.3)."""
    if outcome.state is State.PLANNED and is_assuming:
        return State.REACHED.value, Evidence.ASSUMED.value
    return outcome.state.value, outcome.evidence.value if outcome.evidence else None


def shown(person: Person, acks: list[Ack], now_us: int, *, is_assuming: bool) -> PersonOut:
    """Return a person as lists show it; ``is_assuming``: whether no news counts as reached just now."""
    status, evidence = standing_of(person.outcome, is_assuming=is_assuming)
    outcome, listed, failure = person.outcome, person.listed, person.failure
    spec = SPECS[outcome.cause] if outcome.cause else None
    word = (spec.sansan or SansanClass.OTHER) if spec else SansanClass.AUTO_REPLY if outcome.has_auto_reply else None
    is_failed = person.failed_us is not None
    delay = person.failed_us - outcome.done_us if person.failed_us is not None else 0
    acked = acked_us(acks, person.failure_seq) if is_failed else None
    return PersonOut(
        recipient=f"{person.key.recipient:016x}",
        address=listed.address or None,
        last_name=listed.last_name,
        first_name=listed.first_name,
        company=listed.company,
        contact_ref=listed.contact_ref,
        status=status,
        evidence=evidence,
        excluded=outcome.excluded.name.lower() if outcome.excluded else None,
        delivery_status=word.value if word else None,
        cause=outcome.cause.value if outcome.cause else None,
        reason=spec.reason.value if spec else None,
        permanence=outcome.permanence.value if spec else None,
        hard=outcome.is_hard if spec else None,
        channel=outcome.channel.name.lower() if outcome.channel else None,
        detail=normalise_message(failure.diagnostic) if failure else None,
        diagnostic=failure.diagnostic if failure else None,
        resend_hint=word in _RESEND if spec else False,
        address_check_hint=word in _CHECK_ADDRESS if spec else False,
        failed_at=time_of(person.failed_us),
        after_24h=delay > DAY_US if is_failed else None,
        late=delay > 3 * DAY_US if is_failed else None,
        error_acked_at=time_of(acked),
        fetched_at=time_of(person.fetched_us or None),
        settle=settle_mark(outcome.done_us, now_us),
        opens=outcome.opens,
        clicks=outcome.clicks,
        unsubscribed=outcome.was_unsubscribed,
        complained=outcome.has_complaint,
        auto_replied=outcome.has_auto_reply,
    )


def settle_mark(done_us: int, now_us: int) -> str:
    """Return how far a delivery is settled: provisional, checked after 24 h, settled after 72 h (X7)."""
    age = now_us - done_us
    return "provisional" if age < DAY_US else "checked" if age < 3 * DAY_US else "settled"


def _acks(call: Call, number: int) -> list[Ack]:
    document = call.services.reader.document(call.identity.tenant, ACK_KIND, ack_name(number))
    return read_acks(document.body if document else None)


_NOT_FOUND = missing("thing")
ROUTES = (
    Route(
        "GET", "/v1/broadcasts/{id}/recipients", Scope.RECIPIENTS_READ, "listPeople",
        "The people behind a number of a broadcast, fifty a page.", list_people,
        (Answer(200, "A page.", PeoplePage), _NOT_FOUND), path_type=BroadcastRefPath, query_type=PeopleQuery,
    ),
    Route(
        "GET", "/v1/broadcasts/{id}/errors", Scope.RECIPIENTS_READ, "listErrors",
        "Errors of a broadcast in the order they became known.", list_errors,
        (Answer(200, "A page, and how many nobody has acknowledged.", ErrorsPage), _NOT_FOUND),
        path_type=BroadcastRefPath, query_type=ErrorsQuery,
    ),
    Route(
        "POST", "/v1/broadcasts/{id}/errors/ack", Scope.ERRORS_ACK, "ackErrors",
        "Acknowledge all errors up to what was seen.", ack_errors,
        (Answer(200, "Durable.", AckOut), _NOT_FOUND), path_type=BroadcastRefPath, body_type=AckIn,
    ),
    Route(
        "GET", "/v1/recipients", Scope.RECIPIENTS_READ, "findRecipient",
        "All broadcasts of one address and what happened in each.", find_recipient,
        (Answer(200, "The recipient.", RecipientOut), _NOT_FOUND), query_type=RecipientQuery,
    ),
)  # fmt: skip
