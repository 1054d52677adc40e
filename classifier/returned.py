"""Reads the header of the returned original: what ties a report to the mail we sent (mission 5)."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.headers import Headers
from classifier.message import Message
from classifier.report import Report
from model.reading import Returned

# Most trusted first: a mail system keeps the envelope sender, gateways drop or rewrite the others.
_TOKEN_HEADERS = ("return-path", "x-yamabiko-token", "list-unsubscribe", "feedback-id", "message-id")
_MAX_VALUE = 2_048
# RFC 5321 4.4: the uppermost trace field is of the last host, which may say whom the mail was for.
_RECEIVED = re.compile(rb"(?:\A|\n)received:((?:[^\n]{0,998}\n[ \t]){0,9}[^\n]{0,998})", re.IGNORECASE)
_FOR = re.compile(rb"\bfor[ \t]{1,4}<([^<>\s]{3,320})>", re.IGNORECASE)


def read_returned(message: Message, report: Report) -> Returned:
    """Return what the header of the original says; empty when the report carries no original."""
    tokens: list[tuple[str, str]] = []
    if report.original_mail_from:
        tokens.append(("original-mail-from", report.original_mail_from))
    block = _block_of(message, report)
    if block is None:
        return Returned(token_headers=tuple(tokens))
    headers = Headers(block, is_original=True)
    for name in _TOKEN_HEADERS:
        if values := headers.all(name):
            tokens += [(name, value[:_MAX_VALUE]) for value in values[:5] if value]
    return Returned(
        message_id=headers.raw("message-id")[:_MAX_VALUE] or None,
        to=clean_address(headers.raw("to")) or _received_for(block) or None,
        token_headers=tuple(tokens),
    )


def _received_for(block: bytes) -> str:
    """Return whom the uppermost Received field of ``block`` names; "" when it names nobody."""
    received = _RECEIVED.search(block)
    match = _FOR.search(received.group(1)) if received is not None else None
    return clean_address(match.group(1).decode("utf-8", "replace")) if match is not None else ""


def _block_of(message: Message, report: Report) -> bytes | None:
    """Return the header block of the original; None when there is no original."""
    # T23: the last such part is the original; an earlier one may be a report about a report.
    for part in reversed(message.parts):
        if part.type in (
            "message/rfc822",
            "text/rfc822-headers",
            "message/rfc822-headers",
            "message/global",
            "message/global-headers",
            "message/partial",
        ):
            return part.header_block
    return report.returned_head or None
