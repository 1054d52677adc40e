"""Notices of opens, clicks and the like: who wants to hear of what, and the feed of when, who, what (B12, B16)."""

from __future__ import annotations

from console.identity import Scope
from console.outgoing.notices import EVERY, WHAT, Wish
from console.outgoing.schema import FeedQuery, NoticeIn, NoticeOut, NoticePage, NoticeWish, NoticeWishes, Who
from console.route import Answer, Call, Reply, Route
from model.fact import Fact

_PAGE = 50


async def put_notices(call: Call) -> Reply:
    """Say what to tell of a broadcast, or of all; an empty list tells nothing."""
    services, identity, body = call.services, call.identity, call.body
    number = services.keys().broadcast_number(identity.tenant, body.broadcast) if body.broadcast else 0
    wish = Wish(number, tuple(dict.fromkeys(body.notify_on)))
    await services.outgoing.notices.wish(identity.tenant, body.broadcast or EVERY, wish, identity.name)
    return Reply(200, NoticeWish(body.broadcast, list(wish.notify_on)))


async def get_notices(call: Call) -> Reply:
    """Return what is told of which broadcast."""
    wishes = call.services.outgoing.notices.wishes(call.identity.tenant)
    return Reply(
        200,
        NoticeWishes([NoticeWish(None if name == EVERY else name, list(wish.notify_on)) for name, wish in wishes]),
    )


async def get_feed(call: Call) -> Reply:
    """Return a page of notices, the newest first."""
    found = await call.services.outgoing.notices.read(call.identity.tenant, call.query.before, _PAGE)
    return Reply(200, NoticePage([_shown(call, seq, fact) for seq, fact in found.rows], found.before))


def _shown(call: Call, seq: int, fact: Fact) -> NoticeOut:
    event = call.services.outgoing.log.shown(seq, fact)
    assert event is not None  # the feed has facts of public types only
    delivery = call.services.reader.delivery(fact.key)
    planned = delivery.planned if delivery is not None else None
    names = (planned.last_name, planned.first_name) if planned else ()
    who = Who(
        recipient=f"{fact.key.recipient:016x}",
        address=planned.address if planned else None,
        name=" ".join(name for name in names if name) or None,
        company=planned.company if planned else None,
    )
    return NoticeOut(
        event.id, seq, event.at, who, WHAT[fact.type], event.broadcast, event.detail.get("target")
    )  # fmt: skip


ROUTES = (
    Route(
        "PUT", "/v1/notices", Scope.NOTICES_WRITE, "putNotices",
        "Say of which events of a broadcast, or of all, there shall be notices.", put_notices,
        (Answer(200, "Kept; durable.", NoticeWish),), body_type=NoticeIn,
    ),
    Route(
        "GET", "/v1/notices", Scope.NOTICES_READ, "getNotices", "Of what there are notices.", get_notices,
        (Answer(200, "All wishes.", NoticeWishes),),
    ),
    Route(
        "GET", "/v1/notices/feed", Scope.NOTICES_READ, "getNoticeFeed", "When, who, what: the newest first.",
        get_feed, (Answer(200, "A page.", NoticePage),), query_type=FeedQuery,
    ),
)  # fmt: skip
