"""Which delivery a mail belongs to: the ladder of mission 5, from the surest rung down. Pure.

Only a token of ours counts, one whose MAC is right; never a bare address and never text in a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from model.errors import TokenError
from model.keyring import KeyRing
from model.mint import RETURN_PATH_PREFIX
from model.reading import Reading
from model.token import MAIL_LENGTH, Token, TokenType, from_mail, from_url, open_token
from mta.headers import Headers
from mta.return_path import Destination, DestinationKind, ReturnPaths

#: candidate tokens tried for one mail (S19)
MAX_CANDIDATES = 200

# 48 base32 characters standing alone (model.token.to_mail), 40 base64url ones behind a slash (to_url).
_IN_MAIL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z2-7]{48}(?![A-Za-z0-9])")
_IN_URL = re.compile(r"(?<=/)[A-Za-z0-9_\-]{40}(?![A-Za-z0-9_\-])")
_ADDRESS = re.compile(r"[A-Za-z0-9.+\-_=]{1,64}@[A-Za-z0-9.\-]{1,253}")
_FORMS = (f"{RETURN_PATH_PREFIX}+", f"{RETURN_PATH_PREFIX}-")
#: where the address a mail was sent to shows after delivery, surest first
_ADDRESS_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to", "cc")
# What a mail of ours carries in its header; links, opens and feedback addresses name no delivery there.
_DELIVERY_TYPES = frozenset({TokenType.RETURN_PATH, TokenType.MESSAGE, TokenType.UNSUBSCRIBE})


class Step(StrEnum):
    """The rung on which the token was found."""

    #: the address given at RCPT
    RCPT = "rcpt"
    #: To, Delivered-To, X-Original-To of the mail that came
    HEADER = "header"
    #: header fields of the returned mail
    RETURNED = "returned"
    #: Original-Envelope-Id (RFC 3464 2.2.1)
    ENVID = "envid"


class Correlation(NamedTuple):
    """The delivery's token and how it was found, or None and why not.

    ``is_contradicted``: the returned mail carries a token of ours that names another delivery.
    """

    token: Token | None
    how: Step | None
    why: str = ""
    is_contradicted: bool = False


def find_destinations(headers: Headers, return_paths: ReturnPaths, keys: KeyRing) -> list[Destination]:
    """Return the addresses of ours that the mail's address fields name and whose tokens are valid."""
    found: list[Destination] = []
    for name in _ADDRESS_FIELDS:
        for value in headers.all(name)[:10]:
            for match in _ADDRESS.finditer(value[:10_000]):
                destination = return_paths.find(match.group(), keys)
                if destination is not None and destination.token is not None and destination not in found:
                    found.append(destination)
        if len(found) > MAX_CANDIDATES:
            break
    return found


def correlate(
    reading: Reading, destination: Destination, keys: KeyRing, *, named: Sequence[Destination] = ()
) -> Correlation:
    """Climb down the ladder for one recipient of a mail.

    Arguments: ``named`` are the destinations the mail's own address fields name (``find_destinations``).
    For a feedback address only the returned mail is looked at, and its token must be the same tenant's (S24).
    """
    if destination.kind is DestinationKind.RETURN_PATH and _is_named_first(reading, destination):
        return Correlation(destination.token, Step.RCPT)
    returned = _first(_returned_texts(reading), keys)
    if destination.kind is DestinationKind.FEEDBACK:
        return _correlate_feedback(returned, destination)
    if destination.token is not None:
        return Correlation(destination.token, Step.RCPT, "", _names_another(returned, destination.token))
    for other in named:
        if other.kind is DestinationKind.RETURN_PATH and other.token is not None:
            return Correlation(other.token, Step.HEADER, "", _names_another(returned, other.token))
    if returned is not None:
        return Correlation(returned, Step.RETURNED)
    token = _first((reading.envelope_id or "",), keys)
    if token is not None:
        return Correlation(token, Step.ENVID)
    token = _first((reading.returned.message_id or "",), keys)
    if token is not None:
        return Correlation(token, Step.RETURNED)
    return Correlation(None, None, "no token")


def _is_named_first(reading: Reading, destination: Destination) -> bool:
    """Whether the first that the returned mail says is the very address of RCPT, whose token was checked there.

    So it is with nearly every bounce: its return path is where it is sent. Left out is the form with the token in the
    domain (mta.return_path): what stands before it could be a token too.
    """
    texts, address = reading.returned.token_headers, destination.address
    if not texts or texts[0][1] != f"<{address}>" or not address.startswith(_FORMS):
        return False
    return len(address.rpartition("@")[2].partition(".")[0]) != MAIL_LENGTH


def _correlate_feedback(returned: Token | None, destination: Destination) -> Correlation:
    assert destination.token is not None
    if returned is None:
        return Correlation(None, None, "no token")
    if returned.tenant != destination.token.tenant:
        return Correlation(None, None, "other tenant")
    return Correlation(returned, Step.RETURNED)


def _returned_texts(reading: Reading) -> Iterator[str]:
    for _, value in reading.returned.token_headers:
        yield value
    yield reading.returned.message_id or ""


def _first(texts: Iterable[str], keys: KeyRing) -> Token | None:
    left = MAX_CANDIDATES
    for text in texts:
        for raw in _candidates(text[:10_000]):
            left -= 1
            if left < 0:
                return None
            token = _open_any(raw, keys)
            if token is not None:
                return token
    return None


def _candidates(text: str) -> Iterator[bytes]:
    for pattern, decode in ((_IN_MAIL, from_mail), (_IN_URL, from_url)):
        for match in pattern.finditer(text):
            try:
                yield decode(match.group())
            except TokenError:
                continue


def _open_any(raw: bytes, keys: KeyRing) -> Token | None:
    try:
        token_type = TokenType(raw[1] >> 5)
        return open_token(raw, token_type, keys) if token_type in _DELIVERY_TYPES else None
    except ValueError:  # no such type, or a TokenError: not ours
        return None


def _names_another(returned: Token | None, token: Token) -> bool:
    if returned is None:
        return False
    return (returned.tenant, returned.broadcast, returned.recipient) != (token.tenant, token.broadcast, token.recipient)
