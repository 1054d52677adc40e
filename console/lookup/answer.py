"""What Postfix is told of one recipient. Pure but for the question to the suppression list."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from model.address import Address
from model.errors import AddressError
from store.errors import StoreError

_log = logging.getLogger("yamabiko.lookup")
#: RFC 5321 4.5.3.1.5: a reply line has at most 512 octets; some of them are Postfix's.
_MAX_TEXT = 400


class Kind(Enum):
    """The three things that can be said."""

    #: nothing speaks against the recipient: Postfix goes on with its other restrictions
    NOT_FOUND = 1
    #: refuse the recipient, with the text as Postfix's action
    FOUND = 2
    #: cannot be told just now: Postfix answers its client 4xx
    TROUBLE = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``text`` has no control characters."""

    kind: Kind
    text: str = ""


#: (address, stream) to the words to refuse it with, or None when it may be mailed. Raises StoreError.
Ask = Callable[[Address, str], str | None]

NOT_FOUND = Answer(Kind.NOT_FOUND)


def trouble(why: str) -> Answer:
    """Return the answer for what cannot be told; ``why`` is for Postfix's log."""
    return Answer(Kind.TROUBLE, clean(why))


def answer(key: str, stream: str, ask: Ask) -> Answer:
    """Return what to tell of ``key``, which is a whole address or (Postfix asks these too) a domain or ``user@``.

    What is no address is in no list. Trouble of ours is never an OK and never a refusal for good.
    """
    if "@" not in key or key.endswith("@"):
        return NOT_FOUND
    try:
        address = _parse(key)
    except AddressError:
        return NOT_FOUND
    try:
        words = ask(address, stream)
    except StoreError as error:
        _log.error("the store cannot answer", exc_info=error)
        return trouble("Yamabiko cannot answer just now")
    except Exception as error:  # noqa: BLE001 - the boundary of this server: a fault of ours defers, it never lets pass
        _log.error("lookup failed", exc_info=error)
        return trouble("Yamabiko cannot answer just now")
    # A number at the beginning makes it a reply, whatever words follow (access(5)).
    return NOT_FOUND if words is None else Answer(Kind.FOUND, f"550 5.7.1 {clean(words)}")


def clean(text: str) -> str:
    """Return ``text`` as one line that cannot be taken for anything but text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line.encode("utf-8", "replace")[:_MAX_TEXT].decode("utf-8", "ignore") or "not to be mailed"


def _parse(key: str) -> Address:
    """Return the address. Postfix asks without the quotes a local part may need in mail (RFC 5321 4.1.2)."""
    try:
        return Address.parse(key)
    except AddressError:
        local, _, domain = key.rpartition("@")
        quoted = local.replace("\\", "\\\\").replace('"', '\\"')
        return Address.parse(f'"{quoted}"@{domain}')
