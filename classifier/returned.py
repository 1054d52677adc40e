"""Reads the header of the returned original: what ties a report to the mail we sent (mission 5)."""

from __future__ import annotations

from classifier.addresses import clean_address
from classifier.headers import Headers
from classifier.message import Message
from classifier.report import Report
from model.reading import Returned

# Most trusted first: a mail system keeps the envelope sender, gateways drop or rewrite the others.
_TOKEN_HEADERS = ("return-path", "x-yamabiko-token", "list-unsubscribe", "feedback-id", "message-id")
_MAX_VALUE = 2_048


def read_returned(message: Message, report: Report) -> Returned:
    """Return what the header of the original says; empty when the report carries no original."""
    tokens: list[tuple[str, str]] = []
    if report.original_mail_from:
        tokens.append(("original-mail-from", report.original_mail_from))
    headers = _headers_of(message, report)
    if headers is None:
        return Returned(token_headers=tuple(tokens))
    for name in _TOKEN_HEADERS:
        if values := headers.all(name):
            tokens += [(name, value[:_MAX_VALUE]) for value in values[:5] if value]
    return Returned(
        message_id=headers.raw("message-id")[:_MAX_VALUE] or None,
        to=clean_address(headers.raw("to")) or None,
        token_headers=tuple(tokens),
    )


def _headers_of(message: Message, report: Report) -> Headers | None:
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
            return Headers(part.header_block, is_original=True)
    return Headers(report.returned_head, is_original=True) if report.returned_head else None
