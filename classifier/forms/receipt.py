"""Read receipts (RFC 8098 message disposition notifications): the mail arrived and somebody opened or deleted it."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.message import Message
from classifier.report import DeliveryStatus, Report
from model.reading import Action, Kind

_FIELD = re.compile(r"^([A-Za-z][\w-]{2,40})[ \t]*:[ \t]*(.*)", re.MULTILINE)


def read(message: Message) -> Report | None:
    """Read a disposition notification; None when the mail is none."""
    part = message.first("message/disposition-notification", "message/global-disposition-notification")
    if part is None:
        if message.report_type != "disposition-notification":
            return None
        return Report(form="rfc8098", kind=Kind.DELIVERED_NOTICE, is_read_receipt=True)
    fields = {name.lower(): value.strip() for name, value in _FIELD.findall(part.text[:16_384])[:50]}
    words = next((part.text for part in message.find("text/plain")), "")
    if "rejected" in f"{message.headers.raw('auto-submitted')} {words}".lower() and "deleted" in fields.get(
        "disposition", ""
    ):
        # Some delivery agents refuse by a disposition "deleted" and say why in words only.
        return Report(
            form="rfc8098", recipients=[DeliveryStatus(address=_address_in(fields), diagnostic=words)], text=words
        )
    address = _address_in(fields)
    return Report(
        form="rfc8098",
        kind=Kind.DELIVERED_NOTICE,
        recipients=[DeliveryStatus(address=address, action=Action.DELIVERED)] if address else [],
        # RFC 8098 3.2.6.2: "displayed" is a person's doing; "deleted" without it is not.
        is_read_receipt="displayed" in fields.get("disposition", "").lower(),
    )


def _address_in(fields: dict[str, str]) -> str:
    return clean_address(fields.get("original-recipient", "")) or clean_address(fields.get("final-recipient", ""))
