"""One module for each shape of report. ``FORMS`` is the order in which they are asked; the first answer holds."""

from __future__ import annotations

from collections.abc import Callable

from classifier.forms import (
    auto_reply,
    delivered,
    delivery_status,
    feedback,
    plain,
    receipt,
    sendmail,
    ses_notification,
)
from classifier.message import Message
from classifier.report import Report

#: Name and reader. Structured reports come first; a responder is told from a bounce by its headers, so it is
#: asked before the forms that look at words.
FORMS: tuple[tuple[str, Callable[[Message], Report | None]], ...] = (
    ("arf", feedback.read),
    ("rfc8098", receipt.read),
    ("rfc3464", delivery_status.read),
    ("ses-notification", ses_notification.read),
    ("delivered", delivered.read),
    ("rfc3834", auto_reply.read),
    ("sendmail", sendmail.read),
    ("plain", plain.read),
    ("unmarked-reply", auto_reply.read_unmarked),
)
