"""Mint for many recipients at once: the same octets as ``model.mint`` makes one by one, several times faster.

What all mails of a broadcast share is worked out once, and the texts of many tokens are encoded together.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from model.keyring import KeyRing
from model.mint import RETURN_PATH_PREFIX, UNSUBSCRIBE_PREFIX, Hosts
from model.token import MAC_SIZE, MAIL_LENGTH, PERSON, URL_LENGTH, TokenFlag, TokenType

_MAIL_TYPES = (TokenType.RETURN_PATH, TokenType.UNSUBSCRIBE, TokenType.MESSAGE)
_URL_TYPES = (TokenType.OPEN, TokenType.UNSUBSCRIBE)
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# base64 of a value below 32 to base32 of the same value.
_TO_BASE32 = bytes.maketrans(_BASE64[:32], b"abcdefghijklmnopqrstuvwxyz234567")
_TO_URL = bytes.maketrans(b"+/", b"-_")


class MintedTexts(NamedTuple):
    """What model.mint.MintedMail offers, as plain texts; ``pixel_url`` also where there is no HTML to put it into."""

    return_path: str
    pixel_url: str
    unsubscribe_url: str
    unsubscribe_address: str
    message_token: str


class BulkMint:
    """Mints for one broadcast on one day."""

    def __init__(self, keys: KeyRing, hosts: Hosts, *, tenant: int, broadcast: int, day: int) -> None:
        """``broadcast`` is its number, ``day`` as model.token.day_of counts."""
        self._hosts = hosts
        self._kid = keys.current_kid
        key = keys.tenant_key(keys.current_kid, tenant)
        self._hasher = blake2b(digest_size=MAC_SIZE, key=key, person=PERSON)
        self._middle = tenant.to_bytes(2, "big") + broadcast.to_bytes(6, "big")
        self._day = day.to_bytes(2, "big")
        self._heads: dict[tuple[int, int], bytes] = {}

    def mint(self, recipients: Sequence[int], flags: Sequence[TokenFlag]) -> list[MintedTexts]:
        """Return the texts for each recipient's number, with that place's flags."""
        raw: dict[TokenType, list[bytes]] = {kind: [] for kind in (*_MAIL_TYPES, TokenType.OPEN)}
        rests = [recipient.to_bytes(8, "big") + self._day for recipient in recipients]
        copy = self._hasher.copy
        for kind, tokens in raw.items():
            for rest, flag in zip(rests, flags, strict=True):
                body = self._head(kind, flag) + rest
                hasher = copy()
                hasher.update(body)
                tokens.append(body + hasher.digest())
        mail = [_cut(_to_mail(b"".join(raw[kind])), MAIL_LENGTH) for kind in _MAIL_TYPES]
        url = [_cut(_to_url(b"".join(raw[kind])), URL_LENGTH) for kind in _URL_TYPES]
        origin, domain = self._hosts.tracking_origin, self._hosts.return_path_domain
        return [
            MintedTexts(
                f"{RETURN_PATH_PREFIX}+{path}@{domain}",
                f"{origin}/o/{pixel}.gif",
                f"{origin}/u/{page}",
                f"{UNSUBSCRIBE_PREFIX}+{leave}@{domain}",
                message,
            )
            for path, leave, message, pixel, page in zip(*mail, *url, strict=True)
        ]

    def _head(self, kind: TokenType, flag: TokenFlag) -> bytes:
        head = self._heads.get((kind, flag))
        if head is None:
            head = self._heads[kind, flag] = bytes((self._kid, kind << 5 | flag)) + self._middle
        return head


def _to_mail(raw: bytes) -> str:
    """Return lower-case base32 of whole groups of five octets, by spreading 40 bits over 48 and base64.

    Each step halves the fields: 40 bits in 48, 20 in 24, 10 in 12, 5 in 6. All groups move at once, as one number.
    """
    groups = len(raw) // 5
    wide = bytearray(groups * 6)
    for place in range(5):
        wide[place + 1 :: 6] = raw[place::5]
    number = int.from_bytes(wide, "big")
    for low_mask, shift in ((0x0000000FFFFF, 4), (0x0003FF0003FF, 2), (0x01F01F01F01F, 1)):
        low = int.from_bytes(low_mask.to_bytes(6, "big") * groups, "big")
        high = number & ~low
        number = (number & low) | (high << shift)
    spread = number.to_bytes(groups * 6, "big")
    return binascii.b2a_base64(spread, newline=False).translate(_TO_BASE32).decode("ascii")


def _to_url(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).decode("ascii")


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
