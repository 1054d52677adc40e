"""POST /v1/rewrite: a mail's HTML and text with tracked links, a pixel and the unsubscribe link (B07, B09)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from console.problem import ProblemError
from console.route import Call, Reply
from console.schema import BroadcastId
from model.errors import RemoteError
from model.mint import Mint
from model.rewrite import rewrite_html
from model.rewrite_text import rewrite_text
from model.rewritten import RewriteError, WarningKind
from model.token import day_of


class RewriteOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do; by default all of it but the trap."""

    #: fill {{Unsubscribe}}, and warn when there is no unsubscribe link
    unsubscribe: bool = True
    #: refuse a mail without an unsubscribe link instead of warning
    require_unsubscribe: bool = False
    pixel: bool = True
    track_links: bool = True
    #: URL of a link only machines follow; none unless given
    honeypot: str | None = None


class RewriteIn(Struct, frozen=True, forbid_unknown_fields=True):
    """One mail to one recipient; nothing of it is kept."""

    broadcast: BroadcastId
    address: Annotated[str, Meta(max_length=1_000)]
    html: str | None = None
    text: str | None = None
    test: bool = False
    options: RewriteOptions = RewriteOptions()


class LinkOut(Struct, frozen=True):
    """A tracked link: its number in the mail, where it leads, the words a reader sees."""

    number: int
    target: str
    text: str


class WarningOut(Struct, frozen=True):
    """What the author should know; ``offset`` counts characters of that part."""

    part: str
    kind: WarningKind
    offset: int
    excerpt: str


class RewriteOut(Struct, frozen=True):
    """The mail to send."""

    html: str | None
    text: str | None
    links: list[LinkOut]
    warnings: list[WarningOut]


async def rewrite(call: Call) -> Reply:
    """Rewrite the parts given; the same link has the same number in both."""
    body, services, options = call.body, call.services, call.body.options
    if body.html is None and body.text is None:
        raise _refused("Give html, text, or both.")
    links, warnings, html, text = [], [], None, None
    try:
        mail = Mint(services.keys(), services.hosts).mail(
            tenant=call.identity.tenant,
            broadcast_id=body.broadcast,
            address=body.address,
            day=day_of(services.now_us()),
            is_test=body.test,
            is_html=body.html is not None,
        )
        if body.html is not None:
            done = rewrite_html(
                body.html,
                mail,
                unsubscribe=options.unsubscribe,
                add_pixel=options.pixel,
                track_links=options.track_links,
                require_unsubscribe=options.require_unsubscribe,
                honeypot=options.honeypot,
            )
            html, links = done.html, list(done.links)
            warnings = [WarningOut("html", w.kind, w.offset, w.excerpt) for w in done.warnings]
        if body.text is not None:
            text = body.text
            if options.track_links:
                plain = rewrite_text(body.text, mail, unsubscribe=options.unsubscribe, known=links)
                text = plain.text
                numbers = {link.number for link in links}
                links.extend(link for link in plain.links if link.number not in numbers)
                warnings.extend(WarningOut("text", w.kind, w.offset, w.excerpt) for w in plain.warnings)
    except (RewriteError, RemoteError) as error:
        raise _refused(f"{error}.") from None
    shown = [LinkOut(link.number, link.target, link.text) for link in links]
    return Reply(200, RewriteOut(html, text, shown, warnings))


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "refused", detail)
