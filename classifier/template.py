"""Reduces a reply to what stays the same from one mail to the next (P03): no address, host, number or identifier."""

from __future__ import annotations

import re

from classifier.matcher import subject_of

#: What stands for a variable piece in a template, and in an example that may be shown to anybody.
_FILLS = {
    "mta": ("<mta>", ""),
    "addr": ("<addr>", "user@example.com"),
    "url": ("<url>", "https://example.com"),
    "time": ("<time>", "Mon, 1 Jan 2024 00:00:00 +0000"),
    "ip": ("<ip>", "192.0.2.1"),
    "code": ("<code>", ""),
    "host": ("<host>", "mx.example.com"),
    "id": ("<id>", "0a1b2c3d4e"),
    "number": ("<n>", "12345"),
}
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_VARIABLE = re.compile(
    # What the sending system puts around the words of the server.
    r"(?P<mta>(?:x@x:? )?host \S+ ?\[[^\]]{2,60}\] said:|\(in reply to (?:end of )?[A-Z]{4}(?: [A-Z]{2,4})? command\)"
    r"|smtp error from remote (?:mail )?server(?: after [a-z ]{4,20}(?: x@x)?)?:|remote server returned)"
    r"|(?P<addr>x@x)"
    r"|(?P<url>https?://[^\s<>\"']+)"
    rf"|(?P<time>(?:(?:Mon|Tue|Wed|Thu|Fri|Sat"
    rf"|Sun),? )?\d\d? (?:{_MONTHS}) \d{{4}}(?: \d\d:\d\d(?::\d\d)?)?(?: [+-]\d{{4}})?"
    r"|\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d\d:\d\d:\d\d\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}:?[0-9a-f]{1,4}\b|\b[0-9a-f:]*::[0-9a-f:]+)"
    r"|(?P<code>(?<![\w.@/\[:+-])[245][0-5]\d(?:[ -]#?[245]\.\d{1,3}\.\d{1,3})?(?=[ \-:;,]|$)-?"
    r"|(?<![\w.@/#-])\(?#?[245]\.\d{1,3}\.\d{1,3}\)?(?![\w.-]*[.@]?\d))"
    r"|(?P<host>\b(?:[a-z0-9_](?:[\w-]{0,62})\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]+)\b(?!\())"
    r"|(?P<id>\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{6,}(?:\.[\w-]{4,})*\b|\b(?=[0-9-]*[a-f])[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b"
    r"|(?<=[\[(<])[\w+/=.-]{12,}(?=[\])>]))"
    r"|(?P<number>\b\d+\b)",
    re.IGNORECASE | re.ASCII,
)
_HOST_SAID = re.compile(r"host \S+ ?\[[^\]]+\] said:", re.IGNORECASE)
# At the ends of a template codes and the sending system's words say nothing of what the server said.
_OUTER = re.compile(r"\A(?:<(?:code|mta|addr)>|[\s:;,#()'\"*-])+|(?:<(?:code|mta)>|[\s:;,'\"*-])+\Z")
_MAX_TEMPLATE = 1_000


def template_of(text: str) -> str:
    """Return ``text`` in lower case with ``<addr>``, ``<host>``, ``<id>`` … for what changes; no codes."""
    reduced = _VARIABLE.sub(lambda match: _FILLS[match.lastgroup or "number"][0], subject_of(text)[:4_000])
    return " ".join(_OUTER.sub("", reduced.lower()).split())[:_MAX_TEMPLATE]


def example_of(text: str) -> str:
    """Return ``text`` with its codes, but with example names for everything that could name somebody."""

    def fill(match: re.Match[str]) -> str:
        kind = match.lastgroup or "number"
        is_kept = kind == "code" or (kind == "number" and len(match.group()) <= 3)
        if kind == "mta":
            return _HOST_SAID.sub("host mx.example.com[192.0.2.1] said:", match.group())
        return match.group() if is_kept else _FILLS[kind][1]

    return _VARIABLE.sub(fill, subject_of(text)[:4_000])[:_MAX_TEMPLATE].strip()
