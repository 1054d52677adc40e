"""POST /v1/sends: the sender lists recipients, we say what to put into each mail, or why not to send it.

Read and answered in batches: a batch's answers are written only after its facts are durable, while the next
one is being read. A row's facts are identified by the request and the row's number, so a request sent twice
lists nobody twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

import msgspec
from aiohttp import web

from console.answer_stream import AnswerStream
from console.broadcasts import described
from console.problem import ProblemError, bad_request, store_busy, too_large
from console.route import NDJSON, Call
from console.schema import BroadcastIn, MailFormat, SendRefused, SendRow, encode
from console.suppressions import ROLE_DETAIL, mark_of
from model.address import Address
from model.bulk import BulkMint, MintedTexts
from model.detail import (
    Excluded,
    ExcludedKind,
    Planned,
)
from model.errors import AddressError
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from model.keyring import KeyRing
from model.token import TokenFlag, day_of
from store.errors import StoreError
from store.fold import Receipt
from store.gate import Candidate
from store.reader import Listing
from store.suppression import SuppressionKind

_decode = msgspec.json.Decoder(SendRow).decode
_KINDS = {
    SuppressionKind.UNSUBSCRIBE: ExcludedKind.UNSUBSCRIBE,
    SuppressionKind.COMPLAINT: ExcludedKind.COMPLAINT,
    SuppressionKind.BLOCK: ExcludedKind.BLOCK,
    SuppressionKind.BOUNCE: ExcludedKind.BOUNCE,
    SuppressionKind.SOFT: ExcludedKind.BOUNCE,
    SuppressionKind.CLASS: ExcludedKind.BOUNCE,
}
#: (is HTML, is a test): flags of the tokens. Worked out once, since combining flags is slow.
_FLAGS = {
    (is_html, is_test): (TokenFlag.HTML if is_html else TokenFlag.NONE)
    | (TokenFlag.TEST if is_test else TokenFlag.NONE)
    for is_html in (False, True)
    for is_test in (False, True)
}
_ROLE = (ExcludedKind.ROLE, ROLE_DETAIL)
_IN_REQUEST = (ExcludedKind.DUPLICATE, "Listed before in this request")
_LISTED_DETAIL = "Listed in this broadcast already"
#: Batches whose commit is under way while the next one is read.
_MAX_UNDER_WAY = 3
#: Octets read from the connection at a time.
_CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class _Broadcast:
    """What rows of a broadcast have in common."""

    number: int
    stream: str
    is_html: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that names a recipient."""

    index: int
    row: SendRow
    key: DeliveryKey
    is_html: bool
    #: why it is not mailed whatever the suppression list says
    excluded: tuple[ExcludedKind, str] | None
    #: None where it is none
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch whose commit is awaited: its rows' numbers and the answers to give then."""

    durable: asyncio.Future[Receipt]
    rows: range
    answers: bytes


@dataclass(slots=True)
class _Listing:
    """What one request has seen so far."""

    call: Call
    idempotency_key: bytes
    broadcasts: dict[str, _Broadcast] = field(default_factory=dict)
    seen: set[tuple[int, int, bool]] = field(default_factory=set)
    rows: int = 0


async def post_sends(call: Call) -> web.StreamResponse:
    """Take the rows of the body, answer each."""
    listing = _Listing(call, _idempotency_key(call))
    stream = AnswerStream(call.request, NDJSON, call.services.limits.stream_idle_s)
    under_way: deque[_UnderWay] = deque()
    refused = b""
    try:
        try:
            async for lines in read_batches(call):
                under_way.append(_take_batch(listing, lines))
                if len(under_way) >= _MAX_UNDER_WAY:
                    await _answer_batch(stream, under_way.popleft())
                await asyncio.sleep(0)  # others are served between two batches
        except ProblemError as error:
            if not (stream.is_begun or under_way):
                raise
            # Rows before it are listed and durable: they are answered, the rest is told why not.
            refused = encode(SendRefused(listing.rows, error.detail)) + b"\n"
        while under_way:
            await _answer_batch(stream, under_way.popleft())
        if refused:
            await stream.write(refused)
        return await stream.finish(and_close=bool(refused))
    finally:
        stream.close()


async def _answer_batch(stream: AnswerStream, batch: _UnderWay) -> None:
    """Write a batch's answers once it is durable; if it cannot be, say so of each row, or of the whole request."""
    answers = batch.answers
    try:
        await batch.durable
    except StoreError as error:
        if not stream.is_begun:
            raise store_busy() from error
        text = "The store did not take this row; send the request again with the same Idempotency-Key."
        answers = b"".join(encode(SendRefused(index, text)) + b"\n" for index in batch.rows)
    await stream.write(answers)


def _idempotency_key(call: Call) -> bytes:
    text = call.request.headers.get("Idempotency-Key", "")
    if not text.isascii() or not text.isprintable() or len(text) > 128:
        raise bad_request("Idempotency-Key: at most 128 printable ASCII characters.")
    return text.encode("ascii")


async def read_batches(call: Call) -> AsyncIterator[list[bytes]]:
    """Yield the body's lines, so many at a time as one commit takes.

    Raises ProblemError when the body, or a line of it, is too large, or nothing comes any more.
    """
    limits, content = call.services.limits, call.request.content
    rest, total, lines = b"", 0, []
    while True:
        try:
            async with asyncio.timeout(limits.stream_idle_s):
                chunk = await content.read(_CHUNK)
        except TimeoutError:
            raise ProblemError(408, "timeout", "No more rows came; send the request again.") from None
        total += len(chunk)
        if total > limits.sends_bytes:
            raise too_large(limits.sends_bytes)
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop() if chunk else b""
        if len(rest) > limits.row_bytes:
            raise ProblemError(413, "too-large", f"A row may have at most {limits.row_bytes:,} octets.")
        lines.extend(pieces)
        while len(lines) >= limits.batch_rows:
            yield lines[: limits.batch_rows]
            del lines[: limits.batch_rows]
        if not chunk:
            if lines:
                yield lines
            return


def _take_batch(listing: _Listing, lines: list[bytes]) -> _UnderWay:
    """Submit the facts of some rows."""
    call, services = listing.call, listing.call.services
    answers: list[bytes] = []
    facts: list[Fact] = []
    places: list[tuple[int, _Row, bytes]] = []
    first = listing.rows
    for line in lines:
        if not line or line == b"\r":
            continue
        index = listing.rows
        listing.rows += 1
        read = _read_row(listing, index, line, facts)
        if isinstance(read, SendRefused):
            answers.append(encode(read))
            continue
        places.append((len(answers), read, _row_id(listing, index, line)))
        answers.append(b"")
    denials = _denials(listing, [row for _, row, _ in places])
    known = _known(listing, [row for _, row, _ in places])
    accepted: list[tuple[int, _Row]] = []
    for (place, row, row_id), denial, before in zip(places, denials, known, strict=True):
        # What a person or the list says goes before what kind of address it is (mission 4.5).
        why = denial if denial is not None and row.excluded == _ROLE else row.excluded or denial
        planned = _planned(call, row, row_id)
        if before is not None and why != _IN_REQUEST:
            if planned.id[:8] == before.mark:
                # The same request again: the same answer, whoever was suppressed meanwhile.
                if before.excluded is None:
                    accepted.append((place, row))
                else:
                    answers[place] = _excluded(row.index, before.excluded.kind, before.excluded.detail)
                continue
            why = (ExcludedKind.DUPLICATE, _LISTED_DETAIL)
        facts.append(planned)
        if why is None:
            accepted.append((place, row))
            continue
        kind, detail = why
        # The store counts a second row of the same recipient as a duplicate by itself; saying that the
        # delivery is excluded would take away the first.
        if kind is not ExcludedKind.DUPLICATE:
            facts.append(_fact(call, row, FactType.EXCLUDED, Excluded(kind, detail)))
        answers[place] = _excluded(row.index, kind, detail)
    _answer_accepted(listing, answers, accepted)
    text = b"\n".join(answers) + b"\n" if answers else b""
    return _UnderWay(services.writer.submit(facts), range(first, listing.rows), text)


def _read_row(listing: _Listing, index: int, line: bytes, facts: list[Fact]) -> _Row | SendRefused:
    call = listing.call
    if len(line) > call.services.limits.row_bytes:
        return SendRefused(index, f"A row may have at most {call.services.limits.row_bytes:,} octets.")
    try:
        row = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return SendRefused(index, f"Not a row: {error}")
    known = listing.broadcasts.get(row.broadcast)
    if known is None:
        known = _meet_broadcast(listing, row.broadcast, facts)
    tenant, keys = call.identity.tenant, call.services.keys()
    is_html = known.is_html if row.format is None else row.format is not MailFormat.TEXT
    try:
        address = Address.parse(row.address)
    except AddressError as error:
        number = keys.recipient_number(tenant, row.address.strip().casefold())
        return _Row(index, row, DeliveryKey(tenant, known.number, number), is_html, (ExcludedKind.SYNTAX, str(error)))
    key = DeliveryKey(tenant, known.number, keys.recipient_number(tenant, address.folded))
    seen = (key.broadcast, key.recipient, row.test)
    if seen in listing.seen:
        return _Row(index, row, key, is_html, _IN_REQUEST)
    listing.seen.add(seen)
    if address.local_part.lower() in call.services.role_addresses:
        return _Row(index, row, key, is_html, _ROLE, address)
    return _Row(index, row, key, is_html, None, address)


def _meet_broadcast(listing: _Listing, broadcast_id: str, facts: list[Fact]) -> _Broadcast:
    """Return a broadcast seen first in this request; one never described gets its id."""
    call = listing.call
    number = call.services.keys().broadcast_number(call.identity.tenant, broadcast_id)
    found = call.services.reader.broadcast(call.identity.tenant, number)
    if found is None or found.broadcast_id is None:
        facts.append(described(call, broadcast_id, number, BroadcastIn()))
    is_html = found is None or found.format != MailFormat.TEXT
    known = listing.broadcasts[broadcast_id] = _Broadcast(number, found.stream if found else "", is_html)
    return known


def _denials(listing: _Listing, rows: list[_Row]) -> list[tuple[ExcludedKind, str] | None]:
    """Ask the suppression list about each row, stream by stream, at this last moment (T27)."""
    services, tenant = listing.call.services, listing.call.identity.tenant
    result: list[tuple[ExcludedKind, str] | None] = [None] * len(rows)
    by_stream: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_stream.setdefault(listing.broadcasts[row.row.broadcast].stream, []).append(place)
    for stream, places in by_stream.items():
        asked = [_candidate(services.keys(), rows[place]) for place in places]
        denials = services.reader.preflight(tenant, asked, stream, services.now_us())
        for place, denial in zip(places, denials, strict=True):
            if denial is not None:
                result[place] = (_KINDS[denial.kind], denial.detail)
    return result


def _candidate(keys: KeyRing, row: _Row) -> Candidate:
    if row.address is None:
        return Candidate(row.key.recipient, company=row.row.company)
    return Candidate(row.key.recipient, row.address.domain, row.row.company, partial(mark_of, keys, row.address))


def _known(listing: _Listing, rows: list[_Row]) -> list[Listing | None]:
    """Return how each row's recipient is listed already, by this request sent before or by another."""
    reader = listing.call.services.reader
    result: list[Listing | None] = [None] * len(rows)
    for is_test in (False, True):
        places = [place for place, row in enumerate(rows) if row.row.test is is_test]
        if places:
            found = reader.listings([rows[place].key for place in places], is_test=is_test)
            for place, before in zip(places, found, strict=True):
                result[place] = before
    return result


def _planned(call: Call, row: _Row, row_id: bytes) -> Fact:
    said = row.row
    detail = Planned(
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
    return _fact(call, row, FactType.PLANNED, detail)


def _fact(call: Call, row: _Row, fact_type: FactType, detail: Planned | Excluded) -> Fact:
    services = call.services
    return Fact(fact_type, row.key, services.stamp(), detail, services.node, row.row.test, row.is_html)


def _row_id(listing: _Listing, index: int, line: bytes) -> bytes:
    """Return what is the same when the same request comes again: its key and the row's number.

    Without a key the row itself stands for the request: the hash of a whole body is known only at its end.
    """
    key = listing.idempotency_key
    return blake2b(key or line, digest_size=8, key=b"sends", salt=index.to_bytes(8, "big")).digest()


def _answer_accepted(listing: _Listing, answers: list[bytes], accepted: list[tuple[int, _Row]]) -> None:
    """Fill in the answers for those to be mailed, minting for a whole broadcast at a time."""
    by_broadcast: dict[int, list[tuple[int, _Row]]] = {}
    for place, row in accepted:
        by_broadcast.setdefault(row.key.broadcast, []).append((place, row))
    services = listing.call.services
    day = day_of(services.now_us())
    for broadcast, rows in by_broadcast.items():
        tenant = listing.call.identity.tenant
        mint = BulkMint(services.keys(), services.hosts, tenant=tenant, broadcast=broadcast, day=day)
        texts = mint.mint(
            [row.key.recipient for _, row in rows], [_FLAGS[row.is_html, row.row.test] for _, row in rows]
        )
        for (place, row), minted in zip(rows, texts, strict=True):
            answers[place] = _accepted(row, minted)


def _accepted(row: _Row, minted: MintedTexts) -> bytes:
    """Return the answer for a recipient to be mailed. Put together as text: nothing in it needs escaping."""
    path, pixel, url, address, token = minted
    pixel = f'"{pixel}"' if row.is_html else "null"
    return (
        f'{{"row":{row.index},"recipient":"{row.key.recipient:016x}","return_path":"{path}",'
        f'"pixel_url":{pixel},"unsubscribe_url":"{url}","unsubscribe_address":"{address}","headers":'
        f'{{"List-Unsubscribe":"<{url}>, <mailto:{address}>","List-Unsubscribe-Post":"List-Unsubscribe=One-Click",'
        f'"X-Yamabiko-Token":"{token}"}},"envid":"{token}"}}'
    ).encode("ascii")


def _excluded(index: int, kind: ExcludedKind, detail: str) -> bytes:
    return b'{"row":%d,"excluded":"%s","detail":%s}' % (index, kind.name.lower().encode(), encode(detail))
