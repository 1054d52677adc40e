"""Mint for many recipients at once: the same octets as ``model.mint`` makes one by one, several times faster.

What all mails of a broadcast share is worked out once, and the texts of many tokens are encoded together.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain, repeat
from typing import NamedTuple

from model.keyring import KeyRing
from model.mint import RETURN_PATH_PREFIX, UNSUBSCRIBE_PREFIX, Hosts
from model.token import MAC_SIZE, MAIL_LENGTH, PERSON, URL_LENGTH, TokenFlag, TokenType

_TO_URL = bytes.maketrans(b"+/", b"-_")
_BASE32 = b"abcdefghijklmnopqrstuvwxyz234567"
#: Of the eight digits of five octets those that lie in one of them: the digit, the octet, how far that is shifted to
#: the left (or right, where negative). Then those that lie in two, of which the second is the next one.
_WITHIN = ((0, 0, -3), (2, 1, -1), (5, 3, -2), (7, 4, 0))
_ACROSS = ((1, 0, 2, -6), (3, 1, 4, -4), (4, 2, 1, -7), (6, 3, 3, -5))


class TokenColumns(NamedTuple):
    """The tokens of many mails, each in the letters of the place it is for: a column for each place."""

    return_path: tuple[bytes, ...]
    #: also where there is no HTML to put a pixel into
    pixel_url: tuple[bytes, ...]
    unsubscribe_url: tuple[bytes, ...]
    unsubscribe_address: tuple[bytes, ...]
    message: tuple[bytes, ...]


class TokenFrames(NamedTuple):
    """What stands before and behind a token in what model.mint.MintedMail offers."""

    return_path: tuple[str, str]
    pixel_url: tuple[str, str]
    unsubscribe_url: tuple[str, str]
    unsubscribe_address: tuple[str, str]


def token_frames(hosts: Hosts) -> TokenFrames:
    """Return what stands around the tokens of all mails whose reports come back to ``hosts``."""
    origin, domain = hosts.tracking_origin, hosts.return_path_domain
    return TokenFrames(
        (f"{RETURN_PATH_PREFIX}+", f"@{domain}"),
        (f"{origin}/o/", ".gif"),
        (f"{origin}/u/", ""),
        (f"{UNSUBSCRIBE_PREFIX}+", f"@{domain}"),
    )


class BulkMint:
    """Mints for one broadcast on one day."""

    def __init__(self, keys: KeyRing, *, tenant: int, broadcast: int, day: int) -> None:
        """``broadcast`` is its number, ``day`` as model.token.day_of counts."""
        self._kid = keys.current_kid
        self._key = keys.tenant_key(keys.current_kid, tenant)
        self._middle = tenant.to_bytes(2, "big") + broadcast.to_bytes(6, "big")
        self._day = day.to_bytes(2, "big")

    def mint(self, recipients: Sequence[bytes], flags: TokenFlag) -> TokenColumns:
        """Return the tokens of mails to recipients, by the 8 octets of their numbers; all mails have ``flags``."""
        rests = [recipient + self._day for recipient in recipients]
        leave = self._sign(TokenType.UNSUBSCRIBE, flags, rests)
        return TokenColumns(
            cut(_to_mail(self._sign(TokenType.RETURN_PATH, flags, rests)), MAIL_LENGTH),
            cut(_to_url(self._sign(TokenType.OPEN, flags, rests)), URL_LENGTH),
            cut(_to_url(leave), URL_LENGTH),
            cut(_to_mail(leave), MAIL_LENGTH),
            cut(_to_mail(self._sign(TokenType.MESSAGE, flags, rests)), MAIL_LENGTH),
        )

    def _sign(self, kind: TokenType, flags: TokenFlag, rests: Sequence[bytes]) -> bytes:
        """Return signed tokens one behind the other; of each ``rests`` has recipient and day."""
        head = bytes((self._kid, kind << 5 | flags)) + self._middle
        # What comes behind the key's block makes hashlib work that off, once for all copies.
        copy = blake2b(head, digest_size=MAC_SIZE, key=self._key, person=PERSON).copy
        macs: list[bytes] = []
        for rest in rests:
            hasher = copy()
            hasher.update(rest)
            macs.append(hasher.digest())
        return b"".join(chain.from_iterable(zip(repeat(head), rests, macs, strict=False)))


def _shifted(by: int) -> bytes:
    """Return a table for bytes.translate: five bits of each octet shifted to the left, or right where negative."""
    return bytes((octet << by if by >= 0 else octet >> -by) & 31 for octet in range(256))


_WITHIN_TABLES = [(digit, octet, _shifted(by)) for digit, octet, by in _WITHIN]
_ACROSS_TABLES = [(digit, octet, _shifted(by), _shifted(next_by)) for digit, octet, by, next_by in _ACROSS]
_TO_BASE32 = bytes(_BASE32[octet & 31] for octet in range(256))


def _to_mail(raw: bytes) -> bytes:
    """Return lower-case base32 of whole groups of five octets.

    The first digits of all groups are found together, then all second ones, and so on. What digits have of two octets
    is put together for all of them at once, as two large numbers.
    """
    octets = [raw[place::5] for place in range(5)]
    size = len(octets[0])
    text = bytearray(size * 8)
    for digit, octet, table in _WITHIN_TABLES:
        text[digit::8] = octets[octet].translate(table)
    highs = b"".join([octets[octet].translate(table) for _, octet, table, _ in _ACROSS_TABLES])
    lows = b"".join([octets[octet + 1].translate(table) for _, octet, _, table in _ACROSS_TABLES])
    both = (int.from_bytes(highs, "little") | int.from_bytes(lows, "little")).to_bytes(size * 4, "little")
    for place, (digit, *_) in enumerate(_ACROSS_TABLES):
        text[digit::8] = both[place * size : place * size + size]
    return bytes(text.translate(_TO_BASE32))


def _to_url(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL)


def cut(text: bytes, size: int) -> tuple[bytes, ...]:
    """Return ``text`` in pieces of so many octets each."""
    return struct.unpack(f"{size}s" * (len(text) // size), text)
