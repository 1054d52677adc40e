"""Amazon SES notifications that SNS sends by mail: a JSON object as the text of an ordinary message."""

from __future__ import annotations

import json
from typing import Any

from classifier.addresses import MAX_RECIPIENTS, clean_address
from classifier.message import Message
from classifier.report import DeliveryStatus, Report
from model.reading import Action, Kind

# docs.aws.amazon.com/ses, "Amazon SNS notification contents for Amazon SES": type to the key of its details,
# the key of its recipients, and what happened to them.
_TYPES = {
    "bounce": ("bounce", "bouncedRecipients", Action.FAILED),
    "deliverydelay": ("deliveryDelay", "delayedRecipients", Action.DELAYED),
    "delivery": ("delivery", "recipients", Action.DELIVERED),
    "complaint": ("complaint", "complainedRecipients", Action.DELIVERED),
}
_MAX_JSON = 256 * 1024
#: Octets that hold the first 64 characters, however they are coded.
_HEAD = 1_024


def read(message: Message) -> Report | None:
    """Read a notification; None when the text is no JSON object of a known type."""
    part = message.first("text/plain", "application/json")
    if part is None or part.begins_without(b"{", _HEAD) or not part.text[:64].lstrip().startswith("{"):
        return None
    data = _parse(part.text[:_MAX_JSON])
    known = _TYPES.get(str(data.get("notificationType", data.get("eventType", ""))).lower())
    details = data.get(known[0]) if known else None
    if known is None or not isinstance(details, dict):
        return None
    entries = details.get(known[1])
    recipients = [
        _recipient(entry, known[2]) for entry in (entries if isinstance(entries, list) else [])[:MAX_RECIPIENTS]
    ]
    is_complaint = known[0] == "complaint"
    return Report(
        form="ses-notification",
        kind=Kind.FEEDBACK_REPORT if is_complaint else None,
        recipients=recipients or [DeliveryStatus(action=known[2])],
        feedback_type=str(details.get("complaintFeedbackType") or "abuse").lower() if is_complaint else "",
        reporting_mta=str(details.get("reportingMTA", "")).rpartition(";")[2].strip(),
    )


def _parse(text: str) -> dict[str, Any]:
    # SNS appends a footer in clear text below the object.
    try:
        data, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _recipient(entry: object, action: Action) -> DeliveryStatus:
    if isinstance(entry, str):
        return DeliveryStatus(address=clean_address(entry), action=action)
    values = entry if isinstance(entry, dict) else {}
    return DeliveryStatus(
        address=clean_address(str(values.get("emailAddress", ""))),
        action=action,
        status=str(values.get("status", "")),
        diagnostic=str(values.get("diagnosticCode", "")).removeprefix("smtp;").strip(),
    )
