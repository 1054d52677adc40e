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
_TAG_NAME = re.compile(r"/?[a-zA-Z!][\w!]*")
#: A longer tag is none: somebody wrote "<".
_MAX_TAG = 4_000
_BLANKS = re.compile(r"[ \t\u00a0]+")
#: White space around line ends shows nowhere: an indentation would seem to say what belongs to what.
_MARGINS = re.compile(r" ?\n ?")
#: Stands for a blank that is shown as it is, inside of ``pre``.
_HARD_BLANK = "\x00"
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def html_to_text(html: str) -> str:
    """Return the visible text of ``html`` (at most 256 KiB of it), one line per block element."""
    text = unescape(_drop_tags(_drop_comments(html[:_MAX_HTML].replace(_HARD_BLANK, ""))))
    text = _MARGINS.sub("\n", _BLANKS.sub(" ", text)).replace(_HARD_BLANK, " ")
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _drop_tags(html: str) -> str:
    pieces = html.split("<")
    kept = [pieces[0].replace("\n", " ")]
    ends: dict[str, int] = {}
    resume = 0
    is_pre = False
    #: the names of tags: they come again and again, with all their attributes
    names: dict[str, str] = {}
    for place, piece in enumerate(pieces):
        if place < resume or not place:
            continue
        end = piece.find(">", 0, _MAX_TAG + 1)
        name = ""
        if end > 0:
            tag = piece[:end]
            known = names.get(tag)
            name = names[tag] = _name_of(tag) if known is None else known
        if not name:
            kept.append("<" + (piece if is_pre else piece.replace("\n", " ")))
            continue
        if name in _INVISIBLE:
            resume = ends[name] = _find_end(pieces, name, place, ends.get(name, 0))
            if resume > place:
                continue
        elif name in _BREAKS:
            kept.append("\n")
            is_pre = name == "pre" or (is_pre and name != "/pre")
        elif name in _CELLS:
            kept.append(" ")
        words = piece[end + 1 :]
        kept.append(words.replace(" ", _HARD_BLANK) if is_pre else words.replace("\n", " "))
    return "".join(kept)


def _name_of(tag: str) -> str:
    """Return the name of ``tag`` in lower case, with its slash; "" when it is none."""
    found = _TAG_NAME.match(tag)
    return found.group().lower() if found is not None else ""


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
