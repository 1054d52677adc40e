"""What values a setting may have: each check returns None, or what is wrong and how to mend it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DOMAIN = re.compile(
    r"(?=.{1,200}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_HOST_NAME = re.compile(r"[A-Za-z0-9.\-]{1,253}\Z")


def between(low: int, high: int) -> Callable[[int], str | None]:
    """Return a check for whole numbers from ``low`` to ``high``, both included."""

    def check(value: int) -> str | None:
        return None if low <= value <= high else f"must be from {low} to {high}, is {value}."

    return check


def one_of(*words: str) -> Callable[[str], str | None]:
    """Return a check for one of ``words``."""

    def check(value: str) -> str | None:
        return None if value in words else f"must be one of {', '.join(words)}, is {value!r}."

    return check


def is_host(value: str) -> str | None:
    """Check an address or name to listen on."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST_NAME.match(value):
            return f"must be an IP address or a host name without a port, is {value!r}. Try 127.0.0.1."
    return None


def is_domain(value: str) -> str | None:
    """Check a mail domain; at most 200 characters, so that a return path stays within RFC 5321 4.5.3.1."""
    if _DOMAIN.match(value):
        return None
    return f"must be a lower-case domain in A-labels such as bounce.example.jp, is {value!r}."


def is_zone(value: str) -> str | None:
    """Check the name of a time zone."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return f"must be a time zone such as Asia/Tokyo or UTC, is {value!r}."
    return None


def is_domain_or_empty(value: str) -> str | None:
    """Check a domain, or an empty text."""
    return is_domain(value) if value else None


def is_origin_or_empty(value: str) -> str | None:
    """Check an http(s) origin without path, or an empty text."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return f"must be an origin such as https://t.example.jp, is {value!r}."
    has_rest = bool(parts.path or parts.query or parts.fragment or "@" in parts.netloc or value.endswith(("?", "#")))
    if parts.scheme not in ("http", "https") or not parts.hostname or has_rest or re.search(r"[\s\\<>\"]", value):
        return (
            f"must be http or https and a host, without a slash at the end, such as https://t.example.jp, is {value!r}."
        )
    return None


def is_networks(values: Sequence[str]) -> str | None:
    """Check a list of IP networks in CIDR form."""
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            return f"must list networks such as 10.0.0.0/8, has {value!r}."
    return None


def is_words(values: Sequence[str]) -> str | None:
    """Check a list of local parts: lower case, no @."""
    for value in values:
        if "@" in value or value != value.lower() or not value:
            return f"must list lower-case local parts without an @, has {value!r}."
    return None
