"""The protocol of socketmap_table(5): netstrings of ``NAME KEY`` and of the answer."""

from __future__ import annotations

import re

from console.lookup.answer import Answer, Ask, Kind, answer, trouble

#: Postfix takes no larger answer; no question needs more.
MAX_PAYLOAD = 100_000
#: The map's name; after a dot the stream a mailing belongs to.
_NAME = re.compile(r"suppressed(?:\.(?P<stream>[A-Za-z0-9._-]{1,64}))?\Z")


def reply(payload: bytes, ask: Ask) -> bytes:
    """Return the payload of the reply to the payload of a request."""
    name, space, key = payload.partition(b" ")
    try:
        found = _NAME.match(name.decode("ascii"))
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        return _encode(trouble("the request is not UTF-8"))
    if found is None or not space:
        # Temporary: a slip in Postfix's configuration shall cost no mail.
        return _encode(trouble("the map is called suppressed, or suppressed.STREAM"))
    return _encode(answer(text, found["stream"] or "", ask))


def _encode(said: Answer) -> bytes:
    if said.kind is Kind.NOT_FOUND:
        return b"NOTFOUND "
    word = "OK" if said.kind is Kind.FOUND else "TEMP"
    return f"{word} {said.text}".encode()


def netstring(payload: bytes) -> bytes:
    """Return ``payload`` as a netstring."""
    return b"%d:%b," % (len(payload), payload)
