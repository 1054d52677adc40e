"""Sign and open tokens: the only thing of ours in a mail address or a URL (design decision 6).

A token names one delivery (tenant, broadcast, recipient) and what may be done with it (its type). It is
stateless: opening one needs the key ring and nothing else. Layout, 30 octets:

    kid 1 | type (3 bits) and flags (5 bits) 1 | tenant 2 | broadcast 6 | recipient 8 | day 2 | MAC 10

Lower-case base32 (48 characters) where mail systems may fold case, base64url (40 characters) in URLs. The MAC
is BLAKE2b keyed by the tenant's own key, so that a key handed to one tenant's sender signs for no other.
A click's MAC covers its target as well, which is why links outlive every database.
"""

from __future__ import annotations

import base64
import struct
from binascii import a2b_base64
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from hashlib import blake2b
from hmac import compare_digest

from model.errors import TokenError
from model.keyring import KeyRing

#: Octets of a MAC, and what its hash is told it is for.
MAC_SIZE = 10
PERSON = b"yamabiko-token"
_BODY_SIZE = 20
_SIZE = _BODY_SIZE + MAC_SIZE
# No format is six octets long, so the broadcast's number comes in two parts.
_LAYOUT = struct.Struct(">BBHHIQH10s")
#: Characters of a token in a mail address and in a URL.
MAIL_LENGTH = _SIZE * 8 // 5
URL_LENGTH = _SIZE * 4 // 3

MAX_TENANT = 2**16 - 1
MAX_BROADCAST = 2**48 - 1
MAX_RECIPIENT = 2**64 - 1
_SECONDS_PER_DAY = 86_400
_MAX_BEGUN = 1_024
#: What the decoder would take for another alphabet, or for padding.
_NOT_IN_URL = frozenset("+/=")
# base64url to base64; what only base64 has becomes what neither has.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")


class TokenType(IntEnum):
    """What a token allows; types never stand in for one another."""

    #: local part of a return path (VERP)
    RETURN_PATH = 1
    #: pixel URL
    OPEN = 2
    #: click URL; its MAC also covers link number and target
    CLICK = 3
    #: unsubscribe URL and mail address
    UNSUBSCRIBE = 4
    #: address that feedback loops report to; names a tenant only
    FEEDBACK = 5
    #: header of the mail itself (Message-ID, X-Yamabiko-Token, Feedback-ID, ENVID)
    MESSAGE = 6


class TokenFlag(IntFlag):
    """Facts about the mail that must be known without any database."""

    NONE = 0
    #: a test send: nothing it causes is counted (K02)
    TEST = 1
    #: the mail has an HTML part, so opens can be seen (S12)
    HTML = 2
    #: a link no person sees; whoever follows it is a machine
    HONEYPOT = 4


# base64.b32decode is a loop in Python; this makes the 32 digits of int() from base32's, and "!" from all else.
_DIGITS = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[at] if at >= 0 else ord("!")
    for at in (b"abcdefghijklmnopqrstuvwxyz234567".find(bytes((octet,)).lower()) for octet in range(256))
)

# Making a flag, and the enum's own &, take longer than all else that opening a token does beside the MAC.
_FLAGS = tuple(TokenFlag(number) for number in range(32))
_TEST, _HTML = TokenFlag.TEST.value, TokenFlag.HTML.value


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. ``day`` is the day it was minted, counted from 1970-01-01 UTC."""

    type: TokenType
    tenant: int
    broadcast: int
    recipient: int
    day: int
    flags: TokenFlag = TokenFlag.NONE

    @property
    def is_test(self) -> bool:
        """Whether the mail was a test send."""
        return int.__and__(self.flags, _TEST) != 0

    @property
    def is_html(self) -> bool:
        """Whether the mail has an HTML part."""
        return int.__and__(self.flags, _HTML) != 0


def day_of(at_us: int) -> int:
    """Return the day number, from 1970-01-01 UTC, of a time in microseconds."""
    return at_us // 1_000_000 // _SECONDS_PER_DAY


def sign(token: Token, keys: KeyRing, *, bound: bytes = b"") -> bytes:
    """Return the 30 octets of ``token`` signed with the current key of its tenant.

    Arguments: ``bound`` is covered by the MAC but not carried (a click's link number and target).
    Raises ValueError when a number is out of its range.
    """
    try:
        body = b"".join(
            (
                bytes((keys.current_kid, token.type << 5 | token.flags)),
                token.tenant.to_bytes(2, "big"),
                token.broadcast.to_bytes(6, "big"),
                token.recipient.to_bytes(8, "big"),
                token.day.to_bytes(2, "big"),
            )
        )
    except OverflowError:
        raise ValueError("tenant, broadcast, recipient or day is out of range") from None
    return body + _mac(body, keys.tenant_key(keys.current_kid, token.tenant), bound)


def open_token(raw: bytes, expected: TokenType, keys: KeyRing, *, bound: bytes = b"") -> Token:
    """Check 30 signed octets and return what they say.

    Raises TokenError when the size, type, key or MAC is wrong; the error does not tell which to a caller
    that only shows its text. The comparison takes the same time wherever the difference is.
    """
    if len(raw) != _SIZE:
        raise TokenError("not a token")
    kid, kind, tenant, broadcast_high, broadcast_low, recipient, day, mac = _LAYOUT.unpack(raw)
    key = keys.verifying_key(kid, tenant)
    if key is None or not compare_digest(_mac(raw[:_BODY_SIZE], key, bound), mac):
        raise TokenError("not a token")
    if kind >> 5 != expected:
        raise TokenError("not a token")
    return Token(expected, tenant, broadcast_high << 32 | broadcast_low, recipient, day, _FLAGS[kind & 0b11111])


def to_mail(raw: bytes) -> str:
    """Encode signed octets for a mail address: lower-case base32, 48 characters."""
    return base64.b32encode(raw).decode("ascii").lower()


def from_mail(text: str) -> bytes:
    """Decode a token from a mail address; upper case is accepted, since some MTAs fold it (S22).

    Raises TokenError when the text is not 48 base32 characters.
    """
    try:
        if len(text) == MAIL_LENGTH:
            return int(text.encode("ascii").translate(_DIGITS), 32).to_bytes(_SIZE, "big")
    except ValueError:
        pass
    raise TokenError("not a token")


def to_url(raw: bytes) -> str:
    """Encode signed octets for a URL: base64url, 40 characters, no padding."""
    return base64.urlsafe_b64encode(raw).decode("ascii")


def from_url(text: str) -> bytes:
    """Decode a token from a URL. Raises TokenError when the text is not 40 base64url characters."""
    if len(text) != URL_LENGTH or not text.isascii() or not _NOT_IN_URL.isdisjoint(text):
        raise TokenError("not a token")
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        raise TokenError("not a token") from None


class UrlTokens:
    """Checks tokens of one type in URLs, for who has 50,000 a second of them.

    Opens exactly what ``open_token(from_url(...))`` opens, without making a Token. The hash that a key begins is kept
    and copied.
    """

    def __init__(self, keys: KeyRing, expected: TokenType) -> None:
        """Hold ``keys``; a changed ring needs another UrlTokens."""
        self.keys = keys
        self._expected = expected
        #: by the first four octets (kid, type and flags, tenant): the hash of these, and the flags
        self._begun: dict[bytes, tuple[blake2b, int]] = {}

    def open(self, text: bytes, bound: bytes = b"") -> tuple[bytes, int] | None:
        """Return what the token that stands in a URL as ``text`` says, or None if it does not verify.

        That is DeliveryKey.pack() of its delivery, and its flags as a plain number. ``bound`` is as for ``open_token``.
        """
        try:
            # The decoder passes over what is not of its alphabet, so the size below tells of that too.
            raw = a2b_base64(text.translate(_TO_BASE64))
        except ValueError:
            return None
        if len(raw) != _SIZE or len(text) != URL_LENGTH:
            return None
        begun = self._begun.get(raw[:4]) or self._begin(raw[:4])
        if begun is None:
            return None
        mac = begun[0].copy()
        mac.update(raw[4:_BODY_SIZE] + bound)
        return (raw[2:18], begun[1]) if compare_digest(mac.digest(), raw[_BODY_SIZE:]) else None

    def _begin(self, start: bytes) -> tuple[blake2b, int] | None:
        if start[1] >> 5 != self._expected:
            return None
        key = self.keys.verifying_key(start[0], int.from_bytes(start[2:4], "big"))
        if key is None:
            return None
        # Forged tokens may name any tenant: the memory they can take is bounded.
        if len(self._begun) >= _MAX_BEGUN:
            self._begun.clear()
        begun = blake2b(start, digest_size=MAC_SIZE, key=key, person=PERSON), start[1] & 0b11111
        self._begun[start] = begun
        return begun


def _mac(body: bytes, key: bytes, bound: bytes) -> bytes:
    return blake2b(body + bound, digest_size=MAC_SIZE, key=key, person=PERSON).digest()
