"""Mails that prove nothing about any delivery: shown, never counted (S23)."""

from __future__ import annotations

from datetime import datetime

from console.broadcasts import read_cursor, write_cursor
from console.route import Call, Reply
from console.schema import UnmatchedOut, UnmatchedPage, time_of
from model.detail import Unmatched
from model.fact import Fact


async def list_unmatched(call: Call) -> Reply:
    """Return a page of mails without proof, oldest first."""
    page = call.services.reader.unmatched(call.identity.tenant, after=read_cursor(call.query.after))
    return Reply(200, UnmatchedPage([unmatched_of(fact) for fact in page.rows], write_cursor(page.after)))


def unmatched_of(fact: Fact) -> UnmatchedOut:
    """Return a mail without proof as the API shows it."""
    detail = fact.detail
    assert isinstance(detail, Unmatched)
    return UnmatchedOut(
        at=time_of(fact.at_us) or datetime.min,
        kind=detail.kind,
        why=detail.why,
        address=detail.address,
        cause=detail.cause.value if detail.cause else None,
        diagnostic=detail.diagnostic,
        subject=detail.subject,
    )
