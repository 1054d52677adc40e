"""Reduces HTML to the text a reader sees, line by line; no parser tree, linear in the size."""

from __future__ import annotations

import re
from html import unescape

_MAX_HTML = 256 * 1024
_INVISIBLE = re.compile(r"<(style|script|head|title)\b[^>]*>", re.IGNORECASE)
_COMMENT = "<!--"
_BREAK = re.compile(
    r"<(?:br|/?p|/?div|/?tr|/?li|/?h[1-6]|/?table|/?ul|/?ol|/?pre|hr|/?blockquote)\b[^<>]{0,2000}>", re.IGNORECASE
)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,4000}>")
_BLANKS = re.compile(r"[ \t\u00a0]+")
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def html_to_text(html: str) -> str:
    """Return the visible text of ``html`` (at most 256 KiB of it), one line per block element."""
    html = _drop_invisible(html[:_MAX_HTML]).replace("\n", " ")
    text = unescape(_TAG.sub("", _BREAK.sub("\n", html)))
    return _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()


def _drop_invisible(html: str) -> str:
    kept: list[str] = []
    at = 0
    lowered = html.lower() if html.isascii() else html
    never_closed: set[str] = set()
    for match in _INVISIBLE.finditer(html):
        name = match.group(1).lower()
        if match.start() < at or name in never_closed:
            continue
        end = lowered.find(f"</{name}", match.end())
        if end < 0:
            # A browser would show nothing of the rest, but a broken mail is read to its end.
            never_closed.add(name)
            continue
        kept.append(html[at : match.start()])
        at = end
    kept.append(html[at:])
    return _drop_comments("".join(kept))


def _drop_comments(html: str) -> str:
    if _COMMENT not in html:
        return html
    kept: list[str] = []
    at = 0
    while (start := html.find(_COMMENT, at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start + 4)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join(kept) + html[at:]
