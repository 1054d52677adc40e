"""The addresses of those who wrote and got a notification, and who wrote its original: none is a failed recipient."""

from __future__ import annotations

import re

from classifier.addresses import clean_address
from classifier.headers import Headers

_OWN = ("from", "to", "reply-to", "return-path", "sender", "delivered-to")
#: Asked about more addresses than these, it pays to read its own.
_FEW = 4
_PLAIN_ADDRESS = re.compile(r"[\w.+=@-]{1,256}", re.ASCII)
# Whoever wrote the original; its fields may stand indented or quoted.
_AUTHORS = (b"from:", b"reply-to:", b"sender:", b"return-path:", b"errors-to:")
_MAX_HEAD = 16 * 1024
#: Places of one address in the header of the original that are looked at.
_MAX_PLACES = 16
_MAX_LINES = 300


class Parties:
    """The addresses, in lower case, that a notification names for other reasons than failing.

    Headers are read only when one of them may be meant.
    """

    def __init__(self, headers: Headers, original: bytes = b"") -> None:
        """Take the notification's ``headers`` and, if it stands in the text, the header block of the original."""
        self._headers = headers
        self._original = original[:_MAX_HEAD].lower()
        self._addresses: frozenset[str] | None = None
        self._asked = 0

    def __contains__(self, address: object) -> bool:
        self._asked += 1
        if self._addresses is None and self._asked <= _FEW and not self._may_hold(str(address)):
            return False
        return address in self._read()

    def _may_hold(self, address: str) -> bool:
        # An address of other characters may be written otherwise in the header.
        if _PLAIN_ADDRESS.fullmatch(address) is None or self._headers.may_hold(address):
            return True
        return bool(self._original) and self._may_be_author(address.encode())

    def _may_be_author(self, address: bytes) -> bool:
        """Whether ``address`` stands in a field of the original that names its author."""
        original = self._original
        at = original.find(address)
        for _ in range(_MAX_PLACES):
            if at < 0:
                return False
            if original[original.rfind(b"\n", 0, at) + 1 : at].lstrip(b" \t>").startswith(_AUTHORS):
                return True
            at = original.find(address, at + 1)
        return True

    def __bool__(self) -> bool:
        return bool(self._original or self._read())

    def _read(self) -> frozenset[str]:
        if self._addresses is None:
            cleaned = [clean_address(self._headers.raw(name)).lower() for name in _OWN]
            lines = [line.lstrip(b" \t>") for line in self._original.split(b"\n", _MAX_LINES)[:_MAX_LINES]]
            cleaned += [clean_address(_text(line)) for line in lines if line.startswith(_AUTHORS)]
            self._addresses = frozenset(address for address in cleaned if address)
        return self._addresses


def _text(line: bytes) -> str:
    """Return the value of the header line ``line``."""
    return line.partition(b":")[2].decode("utf-8", "replace")
