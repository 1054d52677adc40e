"""Signatures of webhooks after the Standard Webhooks specification (standardwebhooks.com), symmetric form v1.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``; with two secrets in force
there are two, separated by a space, so that a receiver may change its secret whenever it likes in between.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
#: A signature older or newer than this is refused: a recorded request cannot be played back later.
TOLERANCE_S = 300
_PREFIX = "whsec_"
_SECRET_BYTES = 32


class SignatureError(Exception):
    """A request is not proven to be from who it says. The text says what is wrong."""


def new_secret() -> str:
    """Return a new random secret: ``whsec_`` and the base64 of 32 octets."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def sign(valid_secrets: Sequence[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers for ``body``, sent at ``at_s`` (seconds since 1970), signed with every secret."""
    marks = (_mark(secret, message_id, str(at_s), body) for secret in valid_secrets)
    return {ID: message_id, TIMESTAMP: str(at_s), SIGNATURE: " ".join(f"v1,{mark}" for mark in marks)}


def verify(valid_secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """Check a request as a receiver must; returns its id, to see repetitions by.

    Arguments: ``headers`` by lower-case name. Raises SignatureError.
    """
    try:
        message_id, timestamp, given = headers[ID], headers[TIMESTAMP], headers[SIGNATURE]
    except KeyError as error:
        raise SignatureError(f"there is no header {error.args[0]}") from None
    if not timestamp.isascii() or not timestamp.isdigit():
        raise SignatureError("the timestamp is no number of seconds")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError("the timestamp is too old or in the future")
    wanted = [_mark(secret, message_id, timestamp, body).encode("ascii") for secret in valid_secrets]
    for part in given.split(" "):
        version, _, mark = part.partition(",")
        if version == "v1" and any(hmac.compare_digest(one, mark.encode("utf-8", "replace")) for one in wanted):
            return message_id
    raise SignatureError("no signature fits")


def _mark(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    return base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode("ascii")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("a secret is whsec_ and base64") from None
