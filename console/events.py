"""The event stream: everything that happened, in order, with stable ids and a cursor that is a number (N23, T18)."""

from __future__ import annotations

import asyncio

from console.broadcasts import number_of
from console.identity import Scope
from console.outgoing.event import EventType
from console.outgoing.event_log import EventSlice, Filter
from console.outgoing.schema import EventPage, EventsQuery
from console.problem import bad_request
from console.route import Answer, Call, Reply, Route


async def list_events(call: Call) -> Reply:
    """Return a page of events; waits for the first one up to ``wait`` seconds."""
    query, log = call.query, call.services.outgoing.log
    pulse = call.services.outgoing.dispatcher.pulse
    wanted = _filter(call)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.wait
    found = EventSlice([], query.after)
    while True:
        found = await asyncio.to_thread(log.read, call.identity.tenant, found.reached, query.limit, wanted)
        if found.events or query.wait == 0:
            break
        left = deadline - loop.time()
        if left <= 0:
            break
        # Looked at without a pause before waiting: what comes later is announced by the pulse.
        if found.reached >= log.head() and not await pulse.wait(left):
            break
    return Reply(200, EventPage(found.events, found.reached, found.reached < log.head()))


def _filter(call: Call) -> Filter:
    query = call.query
    number = number_of(call, query.broadcast) if query.broadcast else None
    try:
        types = frozenset(EventType(name) for name in query.types.split(",")) if query.types else frozenset()
    except ValueError:
        raise bad_request(f"`types` has words that are none of {', '.join(EventType)}.") from None
    return Filter(types, number, query.test)


ROUTES = (
    Route(
        "GET", "/v1/events", Scope.EVENTS_READ, "listEvents",
        "Everything that happened, in order; ids never change, the cursor is a number.", list_events,
        (Answer(200, "A page.", EventPage),), query_type=EventsQuery,
    ),
)  # fmt: skip
