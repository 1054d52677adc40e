"""Read receipts (RFC 8098 message disposition notifications): the mail arrived and somebody opened or deleted it."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.message import Message
from classifier.report import DeliveryStatus, Report
from model.reading import Action, Kind

_FIELD = re.compile(r"^([A-Za-z][\w-]{2,40})[ \t]*:[ \t]*(.*)", re.MULTILINE)

# Mail programs older than RFC 8098, and some of today, tell it in words only: subject and text must both say it.
_SUBJECT = re.compile(
    r"(?:read|gelesen|lu|le[íi]do|letto|lid[oa]|gelezen|l[äa]st|l[æe]st|luettu|przeczytan[ea]|прочитано|開封済み|已读|已讀"
    r"|읽음) ?[:：]|read(?:ing)? (?:receipt|confirmation)|confirmation of reading|lesebest[äa]tigung|開封確認"
    r"|(?:accus[ée] de|confirmation de) lecture|confirmaci[óo]n de lectura|conferma di lettura|leesbevestiging",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"receipt (?:verifies|(?:for|of) (?:the|your|a) (?:e-?mail|mail|message))|(?:was|were) read (?:on|by|at)"
    r"|(?:has|have) been (?:displayed|read|opened)|\b(?:gelesen|angezeigt|ge[öo]ffnet)\b"
    r"|\ba [ée]t[ée] (?:lu|ouvert|affich)"
    r"|ha sido (?:le[íi]d|abiert)|(?:[èe] stato|stata) (?:lett|apert|visualizzat)|foi (?:lid|abert|exibid)|is gelezen"
    r"|開封|已(?:阅|讀|读)",
    re.IGNORECASE,
)


def read(message: Message) -> Report | None:
    """Read a disposition notification, or a receipt in words; None when the mail is neither."""
    part = message.first("message/disposition-notification", "message/global-disposition-notification")
    if part is None:
        is_typed = message.report_type == "disposition-notification"
        if not is_typed and not _tells_in_words(message):
            return None
        if "(rejected)" in message.headers.raw("auto-submitted").lower():
            # A delivery agent refused; what it says in words tells whom.
            return None
        return Report(
            form="rfc8098" if is_typed else "receipt-in-words", kind=Kind.DELIVERED_NOTICE, is_read_receipt=True
        )
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


def _tells_in_words(message: Message) -> bool:
    if not _SUBJECT.match(message.headers.subject.strip()):
        return False
    words = message.first("text/plain", "text/html")
    return words is not None and _WORDS.search(words.opening[:2_048]) is not None


def _address_in(fields: dict[str, str]) -> str:
    return clean_address(fields.get("original-recipient", "")) or clean_address(fields.get("final-recipient", ""))
