"""Parse many mail addresses at once: what ``Address.parse`` says of each, several times faster.

Most addresses of a list are plain: ASCII, without quotes, of a domain that many others have. One pattern over all of
them finds those; only the rest is parsed one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from model.address import MAX_ADDRESS, MAX_LOCAL_PART, Address, to_ascii_domain
from model.errors import AddressError

_ATOM = r"a-z0-9!#$%&'*+/=?^_`{|}~\-"
#: A line, in lower case, of a local part that Address.parse takes (its dots are free) and what may be a domain. Every
#: other line matches too, without groups.
_PLAIN = re.compile(rf"^(?:(\.*[{_ATOM}][{_ATOM}.]*)@([a-z0-9._\-]+)|.*)$", re.MULTILINE)


class ParsedAddresses(NamedTuple):
    """What each of many texts is, in columns. Of a text that is no address these have an empty word."""

    #: as Address.folded
    folded: list[str]
    #: as Address.domain
    domains: list[str]
    #: local parts in lower case
    local_parts: list[str]
    #: why a text is no address, by its place
    errors: dict[int, AddressError]


def parse_addresses(texts: Sequence[str]) -> ParsedAddresses:
    """Parse each of ``texts`` as ``Address.parse`` does; what that would raise is in ``errors``."""
    if not texts:
        return ParsedAddresses([], [], [], {})
    text = "\n".join(texts)
    if not text.isascii() or text.count("\n") != len(texts) - 1:
        # What cannot be plain leaves its line empty.
        text = "\n".join([one if one.isascii() and "\n" not in one else "" for one in texts])
    text = text.lower()
    found: list[tuple[str, str]] = _PLAIN.findall(text)
    folded, domains, local_parts = text.split("\n"), [domain for _, domain in found], [local for local, _ in found]
    plain = {domain for domain in set(domains) if _is_plain(domain)}
    errors: dict[int, AddressError] = {}
    if (
        not plain.issuperset(domains)
        or max(map(len, folded)) > MAX_ADDRESS
        or max(map(len, local_parts)) > MAX_LOCAL_PART
    ):
        for place, (local, domain) in enumerate(found):
            if domain not in plain or len(local) > MAX_LOCAL_PART or len(folded[place]) > MAX_ADDRESS:
                folded[place], domains[place], local_parts[place] = _parse(texts[place], place, errors)
    return ParsedAddresses(folded, domains, local_parts, errors)


def _is_plain(domain: str) -> bool:
    """Whether an ASCII domain in lower case is one, and stays as it is."""
    try:
        return to_ascii_domain(domain) == domain
    except AddressError:
        return False


def _parse(text: str, place: int, errors: dict[int, AddressError]) -> tuple[str, str, str]:
    """Return folded form, domain and local part of an address; note in ``errors`` why it is none."""
    try:
        address = Address.parse(text)
    except AddressError as error:
        errors[place] = error
        return "", "", ""
    return address.folded, address.domain, address.local_part.lower()
