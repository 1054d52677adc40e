"""Rows of POST /v1/sends, read many at a time, into columns.

A list of a million rows costs what one row costs a million times. So what can be done for many rows at once is, and
what rows have in common is looked up once; the few that are no rows, or name nobody to be mailed, are noted by place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from console import mistake
from console.broadcasts import described
from console.route import Call
from console.schema import BroadcastId, BroadcastIn, MailFormat, SendRow
from console.suppressions import ROLE_DETAIL
from model.bulk_address import ParsedAddresses, parse_addresses
from model.detail import ExcludedKind
from model.fact import DeliveryKey, Fact
from store.listed import ListedTogether

#: Why somebody is not mailed, and the words to tell.
Why = tuple[ExcludedKind, str]
ROLE: Why = (ExcludedKind.ROLE, ROLE_DETAIL)
IN_REQUEST: Why = (ExcludedKind.DUPLICATE, "Listed before in this request")


class _Row(SendRow, frozen=True, forbid_unknown_fields=True):
    """A row whose broadcast's id is looked at once for all rows that name it: that takes as long as all else."""

    broadcast: str


#: Octets of a row's identity.
_ROW_ID = 8
_decode = msgspec.json.Decoder(_Row).decode
_decode_strictly = msgspec.json.Decoder(SendRow).decode


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What rows of a broadcast have in common."""

    number: int
    stream: str
    is_html: bool


@dataclass(frozen=True, slots=True)
class Sort:
    """What rows have in common that are listed and minted together."""

    broadcast: Broadcast
    is_html: bool
    is_test: bool


@dataclass(slots=True)
class Request:
    """What one request has seen so far."""

    call: Call
    idempotency_key: bytes
    broadcasts: dict[str, Broadcast] = field(default_factory=dict)
    #: deliveries listed, by DeliveryKey.pack(): those of tests under True
    seen: dict[bool, set[bytes]] = field(default_factory=lambda: {False: set(), True: set()})
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of a batch that name a recipient, in columns of one length. A place is a place in these."""

    #: numbers of the rows in the request
    numbers: Sequence[int]
    rows: Sequence[SendRow]
    row_ids: Sequence[bytes]
    sorts: dict[Sort, Sequence[int]]
    #: 8 octets of each recipient's number
    recipients: Sequence[bytes]
    #: DeliveryKey.pack() of each delivery
    deliveries: Sequence[bytes]
    addresses: ParsedAddresses
    #: by place, who is not mailed whatever the suppression list says
    excluded: dict[int, Why]


def decode_all(lines: Sequence[bytes], row_bytes: int) -> tuple[list[SendRow], dict[int, str]]:
    """Return the rows that ``lines`` are, and by its place why a line is none."""
    if max(map(len, lines), default=0) <= row_bytes:
        try:
            rows: list[SendRow] = [_decode(line) for line in lines]
            msgspec.convert({row.broadcast for row in rows}, set[BroadcastId])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        else:
            return rows, {}
    rows, refused = [], {}
    for at, line in enumerate(lines):
        if len(line) > row_bytes:
            refused[at] = f"A row may have at most {row_bytes:,} octets."
            continue
        try:
            rows.append(_decode_strictly(line))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            refused[at] = f"Not a row: {mistake.of_body(error, SendRow)}"
    return rows, refused


def read_rows(
    request: Request,
    rows: Sequence[SendRow],
    numbers: Sequence[int],
    lines: Sequence[bytes],
    facts: list[Fact | ListedTogether],
) -> Columns:
    """Return what rows say, in columns; adds to ``facts`` what they say of broadcasts."""
    call = request.call
    tenant, keys = call.identity.tenant, call.services.keys()
    for name in dict.fromkeys([row.broadcast for row in rows]):
        if name not in request.broadcasts:
            request.broadcasts[name] = _meet_broadcast(call, name, facts)
    sorts = _sort(request, rows)
    addresses = parse_addresses([row.address for row in rows])
    excluded = {place: (ExcludedKind.SYNTAX, str(error)) for place, error in addresses.errors.items()}
    for place in excluded:
        addresses.folded[place] = rows[place].address.strip().casefold()
    recipients = keys.recipient_octets(tenant, addresses.folded)
    deliveries = [b""] * len(rows)
    for sort, places in sorts.items():
        prefix = DeliveryKey(tenant, sort.broadcast.number, 0).pack()[:8]
        for place in places:
            deliveries[place] = prefix + recipients[place]
    _note_repeated(request, rows, deliveries, excluded)
    if not call.services.role_addresses.isdisjoint(addresses.local_parts):
        for place, local_part in enumerate(addresses.local_parts):
            if local_part in call.services.role_addresses:
                excluded.setdefault(place, ROLE)
    row_ids = _row_ids(request.idempotency_key, numbers, lines)
    return Columns(numbers, rows, row_ids, sorts, recipients, deliveries, addresses, excluded)


def _meet_broadcast(call: Call, broadcast_id: str, facts: list[Fact | ListedTogether]) -> Broadcast:
    """Return a broadcast seen first in this request; one never described gets its id."""
    number = call.services.keys().broadcast_number(call.identity.tenant, broadcast_id)
    found = call.services.reader.broadcast(call.identity.tenant, number)
    if found is None or found.broadcast_id is None:
        facts.append(described(call, broadcast_id, number, BroadcastIn()))
    is_html = found is None or found.format != MailFormat.TEXT
    return Broadcast(number, found.stream if found else "", is_html)


def sort_of(request: Request, broadcast_id: str, mail_format: MailFormat | None, *, is_test: bool) -> Sort:
    """Return the sort of rows that say so of a broadcast met before."""
    broadcast = request.broadcasts[broadcast_id]
    is_html = broadcast.is_html if mail_format is None else mail_format is not MailFormat.TEXT
    return Sort(broadcast, is_html, is_test)


def _sort(request: Request, rows: Sequence[SendRow]) -> dict[Sort, Sequence[int]]:
    """Return the places of each sort of rows."""
    said = [(row.broadcast, row.format, row.test) for row in rows]
    # Found once for each way to say it, since these are few.
    sorts: dict[Sort, list[int]] = {}
    lists = {one: sorts.setdefault(sort_of(request, one[0], one[1], is_test=one[2]), []) for one in dict.fromkeys(said)}
    if len(sorts) == 1:
        return dict.fromkeys(sorts, range(len(rows)))
    for place, one in enumerate(said):
        lists[one].append(place)
    return {**sorts}


def _note_repeated(
    request: Request, rows: Sequence[SendRow], deliveries: Sequence[bytes], excluded: dict[int, Why]
) -> None:
    """Note who was listed before in this request."""
    seen = request.seen[False]
    fresh = set(deliveries)
    if len(fresh) == len(rows) and not excluded and seen.isdisjoint(fresh) and not any([row.test for row in rows]):
        seen |= fresh
        return
    for place, row in enumerate(rows):
        if place in excluded:
            continue
        seen = request.seen[row.test]
        if deliveries[place] in seen:
            excluded[place] = IN_REQUEST
        seen.add(deliveries[place])


def _row_ids(idempotency_key: bytes, numbers: Sequence[int], lines: Sequence[bytes]) -> list[bytes]:
    """Return of each row what is the same when the same request comes again: by its key and the row's number.

    Without a key the row itself stands for the request: the hash of a whole body is known only at its end.
    """
    if not idempotency_key:
        return [
            blake2b(line, digest_size=_ROW_ID, key=b"sends", salt=number.to_bytes(8, "big")).digest()
            for number, line in zip(numbers, lines, strict=True)
        ]
    # One hash for all rows: they count on from it, so that rows of two requests are as unlikely to meet as hashes are.
    first = int.from_bytes(blake2b(idempotency_key, digest_size=_ROW_ID, key=b"sends").digest(), "big")
    return [((first + number) % 2 ** (8 * _ROW_ID)).to_bytes(_ROW_ID, "big") for number in numbers]
