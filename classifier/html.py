"""Reduces HTML to the text a reader sees, line by line; no parser tree, linear in the size."""

from __future__ import annotations

import re
from html import unescape

_MAX_HTML = 256 * 1024
_INVISIBLE = frozenset({"style", "script", "head", "title"})
_COMMENT = "<!--"
#: Elements that begin a new line, opened or closed; those that are never closed only opened.
_BLOCKS = ("p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "pre", "blockquote")
_BREAKS = frozenset({"br", "hr", *_BLOCKS, *(f"/{name}" for name in _BLOCKS)})
#: Cells of a row: a word and the next cell's address must not become one word.
_CELLS = frozenset({"td", "/td", "th", "/th"})
#: Tags come again and again with the same attributes; what is done with each is remembered within a mail.
_MAX_REMEMBERED_TAG = 200
_TAG_NAME = re.compile(r"/?[a-zA-Z!][\w!]*")
#: A longer tag is none: somebody wrote "<".
_MAX_TAG = 4_000
_BLANKS = re.compile(r"[ \t\u00a0]+")
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def html_to_text(html: str) -> str:
    """Return the visible text of ``html`` (at most 256 KiB of it), one line per block element."""
    text = unescape(_drop_tags(_drop_comments(html[:_MAX_HTML]).replace("\n", " ")))
    return _EMPTY_LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()


def _drop_tags(html: str) -> str:
    pieces = html.split("<")
    kept = [pieces[0]]
    ends: dict[str, int] = {}
    resume = 0
    #: by tag, its name if its element is not seen, and what is seen in its place
    known: dict[str, tuple[str, str]] = {}
    for place, piece in enumerate(pieces):
        if place < resume or not place:
            continue
        end = piece.find(">", 0, _MAX_TAG + 1)
        tag = piece[:end] if end > 0 else ""
        invisible, shown = known.get(tag) or _read_tag(tag, known)
        if shown == "<":
            kept.append("<" + piece)
            continue
        if invisible:
            resume = ends[invisible] = _find_end(pieces, invisible, place, ends.get(invisible, 0))
            if resume > place:
                continue
        elif shown:
            kept.append(shown)
        kept.append(piece[end + 1 :])
    return "".join(kept)


def _read_tag(tag: str, known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """Return what ``known`` holds of ``tag``, and remember it; "<" is seen where it is no tag."""
    found = _TAG_NAME.match(tag)
    name = found.group().lower() if found is not None else ""
    if not name:
        return "", "<"
    read = (name, "") if name in _INVISIBLE else ("", "\n" if name in _BREAKS else " " if name in _CELLS else "")
    if len(tag) <= _MAX_REMEMBERED_TAG:
        known[tag] = read
    return read


def _find_end(pieces: list[str], name: str, place: int, known: int) -> int:
    """Return the piece that ends an element opened in piece ``place``; -1 when none does.

    ``known`` is what was found for the last one of that name: of those never closed, none is looked for again. A
    browser would show nothing of the rest, but a broken mail is read to its end.
    """
    if known < 0:
        return known
    closing = f"/{name}"
    size = len(closing)
    for later in range(place + 1, len(pieces)):
        if pieces[later][:size].lower() == closing:
            return later
    return -1


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
