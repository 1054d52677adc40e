"""Which addresses we take mail for, decided by the address and the keys alone: no disk, no lookup (S18). Pure.

Forms, ``T`` being a token in lower-case base32, upper case accepted (S22)::

    b+T@domain  b-T@domain  anything@T.domain      a return path
    fbl+T@domain  fbl-T@domain                      where feedback loops report to
    unsubscribe+T@domain  unsubscribe-T@domain      where a mail unsubscribes
    postmaster@domain  abuse@domain  and others     plain addresses
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from model.address import to_ascii_domain
from model.errors import AddressError, TokenError
from model.keyring import KeyRing
from model.mint import FEEDBACK_PREFIX, RETURN_PATH_PREFIX, UNSUBSCRIBE_PREFIX
from model.token import MAIL_LENGTH, Token, TokenType, from_mail, open_token


class DestinationKind(StrEnum):
    """What an address of ours is for."""

    RETURN_PATH = "return_path"
    FEEDBACK = "feedback"
    UNSUBSCRIBE = "unsubscribe"
    #: read by people; its mail proves nothing
    PLAIN = "plain"


class Destination(NamedTuple):
    """An address of ours: what it is for, its opened token (None for a plain one), and itself as received."""

    kind: DestinationKind
    token: Token | None
    address: str


_PREFIXES: dict[str, tuple[DestinationKind, TokenType]] = {
    RETURN_PATH_PREFIX: (DestinationKind.RETURN_PATH, TokenType.RETURN_PATH),
    FEEDBACK_PREFIX: (DestinationKind.FEEDBACK, TokenType.FEEDBACK),
    UNSUBSCRIBE_PREFIX: (DestinationKind.UNSUBSCRIBE, TokenType.UNSUBSCRIBE),
}
#: plain local parts every mail domain must have (RFC 5321 4.5.1, RFC 2142 2)
_ALWAYS_PLAIN = ("postmaster", "abuse")


class ReturnPaths:
    """The addresses of one or more return-path domains."""

    def __init__(self, domains: Iterable[str], plain_addresses: Iterable[str] = ()) -> None:
        """``domains`` that bounces come to; ``plain_addresses``, whole, that are taken besides.

        Raises AddressError when a domain is malformed.
        """
        self._domains = frozenset(to_ascii_domain(domain) for domain in domains)
        plain = {f"{local}@{domain}" for local in _ALWAYS_PLAIN for domain in self._domains}
        self._plain = frozenset(plain | {address.strip().lower() for address in plain_addresses} | {"postmaster"})

    def find(self, address: str, keys: KeyRing) -> Destination | None:
        """Return what ``address`` is for, or None when it is none of ours or its token is not valid."""
        local, _, domain = address.rpartition("@")
        domain = domain.lower().rstrip(".")
        if domain not in self._domains:
            return self._find_elsewhere(address, local, domain, keys)
        local = local.lower()
        if len(local) > MAIL_LENGTH:
            prefix, separator = local[: -MAIL_LENGTH - 1], local[-MAIL_LENGTH - 1]
            form = _PREFIXES.get(prefix)
            if form is not None and separator in "+-":
                return _open(form, local[-MAIL_LENGTH:], address, keys)
        if f"{local}@{domain}" in self._plain:
            return Destination(DestinationKind.PLAIN, None, address)
        return None

    def _find_elsewhere(self, address: str, local: str, domain: str, keys: KeyRing) -> Destination | None:
        label, _, rest = domain.partition(".")
        if len(label) == MAIL_LENGTH and rest in self._domains:
            return _open(_PREFIXES[RETURN_PATH_PREFIX], label, address, keys)
        if not domain.isascii():
            try:
                ascii_domain = to_ascii_domain(domain)
            except AddressError:
                return None
            return self.find(f"{local}@{ascii_domain}", keys) if ascii_domain != domain else None
        if address.lower() in self._plain:
            return Destination(DestinationKind.PLAIN, None, address)
        return None


def _open(form: tuple[DestinationKind, TokenType], text: str, address: str, keys: KeyRing) -> Destination | None:
    kind, token_type = form
    try:
        return Destination(kind, open_token(from_mail(text), token_type, keys), address)
    except TokenError:
        return None
