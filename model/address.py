"""Mail addresses: parse, normalise, fold (RFC 5321 4.1.2, RFC 5890, RFC 6531)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from model.errors import AddressError

# What hands and spreadsheets leave in an address and no mailbox has in its name: controls, spaces, invisible marks, and
# full-width forms of ASCII, which names of users never keep (RFC 8265 3.3).
_FULL_WIDTH = "\uff01-\uff5e"
_STRAY = rf"\x80-\xa0\u1680\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff{_FULL_WIDTH}"
# RFC 5322 3.2.3 atext, with RFC 6531 3.3 UTF8-non-ascii added: all but controls, specials and what strays in.
_ATOM = rf'[^\x00-\x20"(),.:;<>@\[\\\]\x7f{_STRAY}]+'
# Japanese carriers once issued local parts with leading, trailing or doubled dots, so dots are free here.
_LOCAL = re.compile(rf"(?:\.*{_ATOM}(?:\.+{_ATOM})*\.*)\Z")
_HAS_FULL_WIDTH = re.compile(f"[{_FULL_WIDTH}]")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"\Z')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?\Z")
# RFC 5321 4.1.3
_LITERAL = re.compile(r"\[(?:ipv6:)?[0-9a-f:.]+\]\Z", re.IGNORECASE)
#: Octets, RFC 5321 4.5.3.1: of the path less its angle brackets, and of what stands before the @.
MAX_ADDRESS, MAX_LOCAL_PART = 254, 64


@dataclass(frozen=True, slots=True)
class Address:
    """An addr-spec: ``local_part`` as written, ``domain`` as lower-case A-labels."""

    local_part: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"

    @property
    def folded(self) -> str:
        """The form two spellings of one mailbox share: NFC, local part case-folded, plain quotes dropped."""
        local = self.local_part
        if local.startswith('"') and _LOCAL.match(local[1:-1]):
            local = local[1:-1]
        return f"{unicodedata.normalize('NFC', local).casefold()}@{self.domain}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse ``text`` (with or without angle brackets).

        Raises AddressError when it is not an addr-spec, is longer than 254 octets, or has a local part
        longer than 64 octets (RFC 5321 4.5.3.1).
        """
        text = text.strip()
        if text.startswith("<") and text.endswith(">"):
            text = text[1:-1].strip()
        local, at, domain = text.rpartition("@")
        if not at or not local or not domain:
            raise AddressError("an address needs a local part, an @ and a domain")
        is_local_long = len(local.encode("utf-8", "surrogatepass")) > MAX_LOCAL_PART
        if is_local_long or len(text.encode("utf-8", "surrogatepass")) > MAX_ADDRESS:
            raise AddressError("an address has at most 64 octets before the @ and 254 in all")
        if not (_LOCAL.match(local) or _QUOTED.match(local)):
            if _HAS_FULL_WIDTH.search(local):
                raise AddressError("the local part has full-width characters; write them in half width")
            raise AddressError("the local part has a character that is not allowed")
        return cls(local, to_ascii_domain(domain))


def domain_of(text: str) -> str:
    """Return the domain that ``Address.parse`` would give, without looking at the local part.

    Raises AddressError when there is none.
    """
    text = text.strip()
    if text.endswith(">"):
        text = text[:-1].strip()
    _, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("an address needs an @ and a domain")
    return to_ascii_domain(domain)


# The same few domains come again and again; the answer depends on nothing else.
@lru_cache(maxsize=8_192)
def to_ascii_domain(domain: str) -> str:
    """Return ``domain`` lower-cased, as A-labels, without the root dot. Raises AddressError if it is none."""
    if domain.startswith("["):
        if not _LITERAL.match(domain):
            raise AddressError("the address literal is malformed")
        return domain.lower()
    domain = unicodedata.normalize("NFKC", domain).rstrip(".").lower()
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise AddressError("the domain is not a valid international domain name") from None
    if not 0 < len(ascii_domain) <= 253 or not all(_LABEL.match(label) for label in ascii_domain.split(".")):
        raise AddressError("the domain is malformed")
    return ascii_domain
