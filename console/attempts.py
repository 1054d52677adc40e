"""What the sending side reports: attempts, failures before sending, conversions (mission 5, M2 and M4).

The sender's word, under its token, is as good as a report that came back: it counts, and it may suppress. A row sent
again, or the same failure by another way, counts once.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from console import mistake
from console.answer_stream import AnswerStream
from console.broadcasts import number_of
from console.identity import Scope
from console.instants import far_time, time_to_come
from console.problem import store_busy
from console.route import NDJSON, Answer, Call, Route, refusal
from console.schema import encode, us_of
from console.schema_attempts import AttemptRow, ConversionRow, Outcome, RowRefused, RowTaken
from console.sends import read_batches
from model.address import Address
from model.cause import SPECS, Cause, Channel, Permanence
from model.detail import Cancelled, Converted, Detail, Report, Trust
from model.errors import AddressError, TokenError
from model.fact import DeliveryKey, Fact, FactType
from model.token import TokenType, from_mail, open_token
from store.errors import StoreError

_TYPES = {
    Outcome.ACCEPTED: FactType.ACCEPTED,
    Outcome.DEFERRED: FactType.DEFERRED,
    Outcome.FAILED: FactType.FAILED,
}
#: Codes of senders that failed before any server was asked (K16-K19), and what they mean here.
_CODES = {
    "INVALID_PARAMETER": (Cause.ADDRESS_SYNTAX, Permanence.PERMANENT),
    "RENDERING_FAILURE": (Cause.RENDER_FAILED, Permanence.PERMANENT),
    "HANDLEBARSERROR": (Cause.RENDER_FAILED, Permanence.PERMANENT),
    "FAILED": (Cause.SUBMIT_FAILED, Permanence.UNKNOWN),
    "UNKNOWN": (Cause.SUBMIT_FAILED, Permanence.UNKNOWN),
    "SUPPRESSED": (Cause.SUPPRESSED_UPSTREAM, Permanence.PERMANENT),
}
_MAIL_TOKENS = (TokenType.MESSAGE, TokenType.RETURN_PATH)


class _RowError(Exception):
    """A row that cannot be taken; the text says why."""


Read = Callable[[Call, Any], Fact]


async def post_attempts(call: Call) -> web.StreamResponse:
    """Take attempts, one a line; each is answered once it is durable."""
    return await _take_rows(call, AttemptRow, _attempt)


async def post_conversions(call: Call) -> web.StreamResponse:
    """Take conversions, one a line (K28, K40)."""
    return await _take_rows(call, ConversionRow, _conversion)


async def _take_rows(call: Call, kind: type[msgspec.Struct], read: Read) -> web.StreamResponse:
    decode = msgspec.json.Decoder(kind).decode
    stream = AnswerStream(call.request, NDJSON, call.services.limits.stream_idle_s)
    first = 0
    try:
        async for lines in read_batches(call):
            answers: list[bytes] = []
            facts: list[Fact] = []
            for index, line in enumerate(lines, first):
                try:
                    facts.append(read(call, decode(line)))
                    answers.append(encode(RowTaken(index, True)))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    answers.append(encode(RowRefused(index, f"Not a row: {mistake.of_body(error, kind)}")))
                except _RowError as error:
                    answers.append(encode(RowRefused(index, str(error))))
            try:
                await call.services.writer.submit(facts)
            except StoreError as error:
                if not stream.is_begun:
                    raise store_busy() from error
                text = "The store did not take this row; send it again."
                answers = [encode(RowRefused(index, text)) for index in range(first, first + len(lines))]
            first += len(lines)
            await stream.write(b"".join(answer + b"\n" for answer in answers))
        return await stream.finish()
    finally:
        stream.close()


def _attempt(call: Call, row: AttemptRow) -> Fact:
    key, is_test, is_html = _delivery(call, row.token, row.broadcast, row.address, row.recipient)
    services, at_us = call.services, _when(call, row)
    if row.outcome is Outcome.CANCELLED:
        detail: Detail = Cancelled(row.reply[:200])
        return Fact(FactType.CANCELLED, key, at_us, detail, services.node, is_test, is_html)
    return Fact(_TYPES[row.outcome], key, at_us, _report(call, row, key, at_us), services.node, is_test, is_html)


def _when(call: Call, row: AttemptRow | ConversionRow) -> int:
    """Return when a row says that it happened; now where it does not say. Raises _RowError for an impossible time."""
    now_us = call.services.now_us()
    at_us = us_of(row.at)
    if at_us is None:
        return now_us
    wrong = far_time(row) or time_to_come(at_us, now_us)
    if wrong is not None:
        raise _RowError(f"{wrong}.")
    return at_us


def _report(call: Call, row: AttemptRow, key: DeliveryKey, at_us: int) -> Report:
    said = row.id or f"{row.outcome}|{row.reply}|{row.reply_code}|{at_us}"
    origin = blake2b(said.encode("utf-8", "replace"), digest_size=16, key=b"attempt", salt=key.pack()).digest()
    channel = Channel.PRE_SEND if row.code else Channel.IN_SESSION
    plain = Report(
        channel, origin, status=row.status, reply_code=row.reply_code, command=row.command, diagnostic=row.reply,
        address=row.address, remote_mta=row.remote_mta, send_ip=row.send_ip,
    )  # fmt: skip
    if row.outcome is Outcome.ACCEPTED:
        return plain
    verdict = call.services.classifier().diagnose(
        row.reply, status=row.status, reply_code=row.reply_code, host=row.remote_mta, command=row.command
    )
    cause, permanence, rule = verdict.cause, verdict.permanence, verdict.rule
    if row.code:
        cause, permanence = _CODES.get(row.code.upper(), (Cause.SUBMIT_FAILED, Permanence.UNKNOWN))
        if cause is Cause.SUBMIT_FAILED and "rate exceeded" in row.reply.lower():
            cause, permanence = Cause.RATE_LIMITED, Permanence.TRANSIENT
        rule = f"code:{row.code.lower()[:64]}"
    return Report(
        channel, origin, cause, permanence, Trust.SUPPRESS, verdict.confidence, row.status, row.reply_code,
        row.command, row.reply, rule, verdict.rules_version, row.address, None, row.remote_mta, None, row.send_ip,
        _shared_mark(call, key, row.address, cause, permanence),
    )  # fmt: skip


def _shared_mark(
    call: Call, key: DeliveryKey, text: str | None, cause: Cause, permanence: Permanence
) -> bytes | None:  # fmt: skip
    """Return the mark under which other tenants may learn that this address does not exist (E39); None: nobody."""
    is_told = permanence is Permanence.PERMANENT and SPECS[cause].engagelab_soft == "address_not_exist"
    if text is None or not is_told or not call.services.suppression.policy(key.tenant).shares_bounces:
        return None
    try:
        folded = Address.parse(text).folded
    except AddressError:
        return None
    keys = call.services.keys()
    return keys.global_mark(folded) if keys.recipient_number(key.tenant, folded) == key.recipient else None


def _conversion(call: Call, row: ConversionRow) -> Fact:
    key, is_test, is_html = _delivery(call, row.token, row.broadcast, row.address, row.recipient)
    services, at_us = call.services, _when(call, row)
    said = row.id or f"{row.name}|{at_us}"
    origin = blake2b(said.encode("utf-8", "replace"), digest_size=16, key=b"conversion", salt=key.pack()).digest()
    return Fact(FactType.CONVERTED, key, at_us, Converted(origin, row.name, row.value), services.node, is_test, is_html)


def _delivery(
    call: Call, token: str | None, broadcast: str | None, address: str | None, recipient: str | None
) -> tuple[DeliveryKey, bool, bool]:
    """Return which delivery a row is about, and whether that is a test send and has HTML. Raises _RowError."""
    keys, tenant = call.services.keys(), call.identity.tenant
    if token is not None:
        for kind in _MAIL_TOKENS:
            try:
                opened = open_token(from_mail(token), kind, keys)
            except TokenError:
                continue
            if opened.tenant != tenant:
                break
            return DeliveryKey(tenant, opened.broadcast, opened.recipient), opened.is_test, opened.is_html
        raise _RowError("token: not one of this tenant's mails.")
    if broadcast is None or (address is None and recipient is None):
        raise _RowError("Give `token`, or `broadcast` with `address` or `recipient`.")
    number = number_of(call, broadcast)
    if recipient is not None:
        return _listed(call, DeliveryKey(tenant, number, int(recipient, 16)))
    try:
        folded = Address.parse(address or "").folded
    except AddressError:
        folded = (address or "").strip().casefold()
    return _listed(call, DeliveryKey(tenant, number, keys.recipient_number(tenant, folded)))


def _listed(call: Call, key: DeliveryKey) -> tuple[DeliveryKey, bool, bool]:
    """Return a delivery that was listed before: an attempt at what nobody listed is a mistake of the sender."""
    for is_test in (False, True):
        delivery = call.services.reader.delivery(key, is_test=is_test)
        if delivery is not None:
            return key, is_test, delivery.outcome.is_html
    raise _RowError("Nobody listed this recipient in this broadcast.")


_TAKEN = (RowTaken, RowRefused)
_NO_BODY = refusal(408, "The body stopped coming.")
ROUTES = (
    Route(
        "POST", "/v1/attempts", Scope.ATTEMPTS_WRITE, "postAttempts",
        "Report what became of mails, one attempt a line: accepted, deferred, failed or cancelled.", post_attempts,
        (Answer(200, "A line a row.", _TAKEN, NDJSON), _NO_BODY), body_type=AttemptRow, body_media_type=NDJSON,
    ),
    Route(
        "POST", "/v1/conversions", Scope.ATTEMPTS_WRITE, "postConversions",
        "Report conversions, one a line.", post_conversions,
        (Answer(200, "A line a row.", _TAKEN, NDJSON), _NO_BODY), body_type=ConversionRow, body_media_type=NDJSON,
    ),
)  # fmt: skip
