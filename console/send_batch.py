"""Some rows of POST /v1/sends: asked about, listed and answered together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from msgspec.structs import astuple

from console import send_answers
from console.route import Call
from console.schema import SendRow
from console.send_rows import IN_REQUEST, ROLE, Columns, Request, Sort, Why, decode_all, read_rows, sort_of
from model.bulk import BulkMint
from model.detail import Excluded, ExcludedKind, Planned
from model.fact import DeliveryKey, Fact, FactType
from model.token import TokenFlag, day_of
from store.fold import Receipt
from store.gate import Candidate
from store.listed import ListedTogether, list_together, marks_of
from store.listing import Listing
from store.suppression import SuppressionKind

_KINDS = {
    SuppressionKind.UNSUBSCRIBE: ExcludedKind.UNSUBSCRIBE,
    SuppressionKind.COMPLAINT: ExcludedKind.COMPLAINT,
    SuppressionKind.BLOCK: ExcludedKind.BLOCK,
    SuppressionKind.BOUNCE: ExcludedKind.BOUNCE,
    SuppressionKind.SOFT: ExcludedKind.BOUNCE,
    SuppressionKind.CLASS: ExcludedKind.BOUNCE,
}
_IN_BROADCAST: Why = (ExcludedKind.DUPLICATE, "Listed in this broadcast already")
#: Where in SendRow the fields of Planned stand, ``row`` left out.
_SAID = slice(1, 14)
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows that were taken: what is to be stored of them, and what is answered once it is."""

    facts: Sequence[Fact | ListedTogether]
    #: numbers of the rows in the request
    rows: Sequence[int]
    #: by number of the row
    answers: dict[int, bytes]
    #: None where no row names a recipient
    columns: Columns | None = None
    #: places of those of whom it was asked beforehand whether they are listed
    asked: Set[int] = frozenset()

    def answered(self, call: Call, receipt: Receipt) -> bytes:
        """Return the answers, now that the facts are durable.

        Whether somebody was listed before is known from storing it, which must look anyway, and sees what others list
        at the same time. Only where the suppression list has a word is it asked beforehand.
        """
        if receipt.found and self.columns is not None:
            self._mend(self.columns, call.services.reader.listings_before(receipt.found))
        return b"".join([self.answers[number] for number in self.rows])

    def _mend(self, columns: Columns, listings: Mapping[bytes, Listing]) -> None:
        for place, delivery in enumerate(columns.deliveries):
            before = listings.get(delivery)
            if before is None or place in self.asked:
                continue
            why = _IN_BROADCAST
            if _is_same(columns, place, before):
                if before.excluded is None:
                    continue
                why = before.excluded.kind, before.excluded.detail
            number = columns.numbers[place]
            self.answers[number] = send_answers.excluded(number, *why)


def take_batch(request: Request, lines: Sequence[bytes]) -> Taken:
    """Return what is to be stored of some rows and answered then."""
    numbers = range(request.rows, request.rows + len(lines))
    request.rows += len(lines)
    rows, refused = decode_all(lines, request.call.services.limits.row_bytes)
    answers = {numbers[at]: send_answers.refused(numbers[at], why) for at, why in refused.items()}
    if refused:
        kept = [at for at in range(len(lines)) if at not in refused]
        lines = [lines[at] for at in kept]
    if not rows:
        return Taken([], numbers, answers)
    facts: list[Fact | ListedTogether] = []
    columns = read_rows(request, rows, [number for number in numbers if number not in answers], lines, facts)
    denied, asked = _list(request, columns, facts)
    for place, (kind, detail) in denied.items():
        answers[columns.numbers[place]] = send_answers.excluded(columns.numbers[place], kind, detail)
    for sort, places in columns.sorts.items():
        answers.update(_accepted(request.call, columns, sort, [place for place in places if place not in denied]))
    return Taken(facts, numbers, answers, columns, asked)


def _list(request: Request, columns: Columns, facts: list[Fact | ListedTogether]) -> tuple[dict[int, Why], Set[int]]:
    """Add to ``facts`` that the recipients are listed.

    Returns, by place, who is not mailed, and the places of those of whom it was asked whether they are listed already.
    """
    services = request.call.services
    times = services.clock.stamps(services.now_us(), len(columns.rows))
    denials = _denials(request.call, columns)
    tests = {place for sort, places in columns.sorts.items() if sort.is_test for place in places}
    asked = {*columns.excluded, *denials, *tests}
    known = {
        **_known(request.call, columns, sorted(asked - tests), is_test=False),
        **_known(request.call, columns, sorted(tests), is_test=True),
    }
    denied: dict[int, Why] = {}
    repeated: set[int] = set()
    excluded: list[Fact] = []
    for place in sorted({*columns.excluded, *known, *denials}):
        why = columns.excluded.get(place)
        if why is None or why == ROLE:
            # What a person or the list says goes before what kind of address it is (mission 4.5).
            why = denials.get(place, why)
        before = known.get(place)
        if before is not None and why != IN_REQUEST:
            if _is_same(columns, place, before):
                # The same request again: the same answer, whoever was suppressed meanwhile.
                repeated.add(place)
                if before.excluded is not None:
                    denied[place] = before.excluded.kind, before.excluded.detail
                continue
            why = _IN_BROADCAST
        if why is None:
            raise AssertionError("a recipient is noted for no reason")
        denied[place] = why
        # The store counts a second row of the same recipient as a duplicate by itself; saying that the
        # delivery is excluded would take away the first.
        if why[0] is not ExcludedKind.DUPLICATE:
            excluded.append(_fact(request, columns, place, FactType.EXCLUDED, services.stamp(), Excluded(*why)))
    facts += _planned(request, columns, times, tests, repeated)
    facts += excluded
    return denied, asked


def _is_same(columns: Columns, place: int, before: Listing) -> bool:
    """Whether the recipient was listed by this very row."""
    return marks_of([columns.deliveries[place]], [columns.row_ids[place]]) == [before.mark]


def _planned(
    request: Request, columns: Columns, times: Sequence[int], tests: Set[int], repeated: Set[int]
) -> list[Fact | ListedTogether]:
    """Return the facts that the recipients are listed, but for those at the places ``repeated``."""
    html = [True] * len(columns.rows)
    for sort, places in columns.sorts.items():
        if not sort.is_html:
            for place in places:
                html[place] = False
    left_out = {*repeated, *tests}
    listed = [place for place in range(len(columns.rows)) if place not in left_out]
    planned: list[Fact | ListedTogether] = []
    if listed:
        said = list(zip(*map(astuple, _of(columns.rows, listed)), strict=True))[_SAID]
        planned.append(
            list_together(
                _of(columns.deliveries, listed),
                _of(columns.row_ids, listed),
                said,
                _of(columns.addresses.domains, listed),
                _of(times, listed),
                _of(html, listed),
                node=request.call.services.node,
            )
        )
    for place in sorted(tests - repeated):
        detail = _detail(columns.rows[place], columns.row_ids[place])
        planned.append(_fact(request, columns, place, FactType.PLANNED, times[place], detail))
    return planned


def _of(column: Sequence[_Item], places: Sequence[int]) -> Sequence[_Item]:
    """Return the items at these places, each there once and in order: all items where these are as many."""
    return column if len(places) == len(column) else [column[place] for place in places]


def _detail(said: SendRow, row_id: bytes) -> Planned:
    return Planned(
        said.address,
        row_id,
        said.contact_ref,
        said.last_name,
        said.first_name,
        said.company,
        said.tags,
        said.mail_type,
        said.api_user,
        said.request_ip,
        said.recipient_source,
        said.schedule_task_id,
        said.user_ref,
        said.list_ref,
    )


def _fact(
    request: Request, columns: Columns, place: int, fact_type: FactType, at_us: int, detail: Planned | Excluded
) -> Fact:
    row = columns.rows[place]
    sort = sort_of(request, row.broadcast, row.format, is_test=row.test)
    key = DeliveryKey.unpack(columns.deliveries[place])
    return Fact(fact_type, key, at_us, detail, request.call.services.node, sort.is_test, sort.is_html)


def _denials(call: Call, columns: Columns) -> dict[int, Why]:
    """Ask the suppression list about all rows, stream by stream, at this last moment (T27); by place."""
    services, tenant = call.services, call.identity.tenant
    keys, domains, folded = services.keys(), columns.addresses.domains, columns.addresses.folded

    def candidate(asked: Sequence[int], at: int) -> Candidate:
        place = asked[at]
        recipient, company = int.from_bytes(columns.recipients[place], "big"), columns.rows[place].company
        if not domains[place]:
            return Candidate(recipient, company=company)
        return Candidate(recipient, domains[place], company, lambda: keys.global_mark(folded[place]))

    by_stream: dict[str, list[int]] = {}
    for sort, places in columns.sorts.items():
        by_stream.setdefault(sort.broadcast.stream, []).extend(places)
    denials: dict[int, Why] = {}
    for stream, some in by_stream.items():
        asked = sorted(some)
        found = services.reader.denials(
            tenant,
            _of(columns.recipients, asked),
            _of(domains, asked),
            [columns.rows[place].company for place in asked],
            stream,
            services.now_us(),
            partial(candidate, asked),
        )
        denials.update((asked[at], (_KINDS[denial.kind], denial.detail)) for at, denial in found.items())
    return denials


def _known(call: Call, columns: Columns, places: Sequence[int], *, is_test: bool) -> dict[int, Listing]:
    """Return how the recipients at ``places`` are listed, by this request sent before or by another."""
    if not places:
        return {}
    found = call.services.reader.listings([columns.deliveries[place] for place in places], is_test=is_test)
    return {place: found[one] for place in places if (one := columns.deliveries[place]) in found}


def _accepted(call: Call, columns: Columns, sort: Sort, places: Sequence[int]) -> Iterable[tuple[int, bytes]]:
    """Return number and answer of each row that is to be mailed."""
    services, tenant = call.services, call.identity.tenant
    html = TokenFlag.HTML if sort.is_html else TokenFlag.NONE
    mint = BulkMint(services.keys(), tenant=tenant, broadcast=sort.broadcast.number, day=day_of(services.now_us()))
    numbers, recipients = _of(columns.numbers, places), _of(columns.recipients, places)
    tokens = mint.mint(recipients, html | TokenFlag.TEST if sort.is_test else html)
    answers = send_answers.accepted(services.hosts, numbers, recipients, tokens, is_html=sort.is_html)
    return zip(numbers, answers, strict=True)
