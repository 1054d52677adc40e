"""Find tags, text and comments in HTML as the HTML standard's tokenizer does, with their positions.

Never changes anything and never fails: every string is HTML to a browser. Linear in the length of its input.
Sections of https://html.spec.whatwg.org/multipage/parsing.html are named where they are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from html.entities import html5
from typing import NamedTuple

# 13.2.5.6: only these make a "<" more than text. Most tags have no attributes and end with their name.
_OPENING = re.compile(r"<(?:(/?)([A-Za-z][^\t\n\f\r />]*+)(>)?|(?=[/!?]))")
# 13.2.5.32-39: the end of a tag, or an attribute with a value in quotes or without. A quote that is never closed
# makes no match, as does the end of the input.
_IN_TAG = re.compile(
    r"""[\t\n\f\r /]*+(?:
        (?P<close>>)
      | (?P<name>=?[^\t\n\f\r />=]*+)
        (?:(?![\t\n\f\r ]*+=)
         | [\t\n\f\r ]*+=[\t\n\f\r ]*+
           (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?P<bare>[^\t\n\f\r >"'][^\t\n\f\r >]*+) | (?=>) )
        )
    )""",
    re.VERBOSE,
)
_COMMENT_END = re.compile(r"--!?>")
# Outlook for Windows reads what stands in these comments: [if mso]> ... <![endif]
_CONDITIONAL = re.compile(r"\[if[^\]>]{0,200}\]>", re.IGNORECASE)
# 13.2.5.2-5: in these nothing is a tag but their own end. noscript is not among them: mail runs no scripts.
_RAW = frozenset(("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"))
_RAW_END = {name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW}

_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|[A-Za-z][A-Za-z0-9]{0,31};?)")
_LONGEST_BARE_NAME = 6


class Part(Enum):
    """What a token is."""

    START_TAG = "start tag"
    END_TAG = "end tag"
    TEXT = "text"
    #: a comment, doctype, or the inside of an element that holds no markup
    OPAQUE = "opaque"
    #: an unfinished tag or comment at the end of the input; browsers drop it
    BROKEN = "broken"


class Attribute(NamedTuple):
    """An attribute of a start tag. Positions count characters of the input; ``name`` is lower case."""

    name: str
    #: where the attribute begins and ends, quotes included
    start: int
    end: int
    #: where its value begins and ends, quotes excluded
    value_start: int
    value_end: int


class Markup(NamedTuple):
    """One token: ``html[start:end]``. ``name`` is a tag's, lower case."""

    part: Part
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()
    #: inside a conditional comment, which only Outlook reads
    is_conditional: bool = False

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute ``name``: of several with one name the first counts (13.2.5.33)."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


def scan_html(html: str) -> Iterator[Markup]:
    """Yield the tokens of ``html`` in order; together they cover it, conditional comments apart."""
    yield from _scan(html, 0, len(html), is_conditional=False)


def decode_value(text: str) -> str:
    """Return an attribute's value with its character references replaced (13.2.5.72, the attribute's rule)."""
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda found: _resolve(found.group(), text[found.end() : found.end() + 1]), text)


def _scan(html: str, at: int, stop: int, *, is_conditional: bool) -> Iterator[Markup]:
    text_start = at
    while opening := _OPENING.search(html, at, stop):
        begin = opening.start()
        name = opening[2]
        if name:
            part = Part.END_TAG if opening[1] else Part.START_TAG
            token: Markup | None
            if opening[3]:
                token = Markup(part, begin, opening.end(), name.lower(), (), is_conditional)
            else:
                token = _read_tag(html, opening, stop, part, is_conditional=is_conditional)
        else:
            token = _read_declaration(html, begin, stop, is_conditional=is_conditional)
        if token is None:
            at = begin + 1
            continue
        if begin > text_start:
            yield Markup(Part.TEXT, text_start, begin, is_conditional=is_conditional)
        yield token
        at = token.end
        if token.part is Part.OPAQUE and not is_conditional and html.startswith("<!--", begin):
            yield from _scan_conditional(html, begin + 4, token.end)
        elif token.part is Part.START_TAG and token.name in _RAW:
            found = _RAW_END[token.name].search(html, at, stop)
            end = found.start() if found else stop
            if end > at:
                yield Markup(Part.OPAQUE if found else Part.BROKEN, at, end, is_conditional=is_conditional)
            at = end
        elif token.name == "plaintext" and token.part is Part.START_TAG:
            at = stop
        text_start = at
    if stop > text_start:
        yield Markup(Part.TEXT, text_start, stop, is_conditional=is_conditional)


def _scan_conditional(html: str, start: int, end: int) -> Iterator[Markup]:
    found = _CONDITIONAL.match(html, start, end)
    if found:
        yield from _scan(html, found.end(), max(found.end(), end - 3), is_conditional=True)


def _read_declaration(html: str, begin: int, stop: int, *, is_conditional: bool) -> Markup | None:
    """Read the comment, doctype or nonsense that begins at ``begin``; None for ``</`` at the end, which is text."""
    if html[begin + 1] == "/" and begin + 2 >= stop:
        return None
    if html.startswith("<!--", begin) and begin + 4 <= stop:
        return Markup(*_read_comment(html, begin, stop), is_conditional=is_conditional)
    end = html.find(">", begin, stop)
    if end < 0:
        return Markup(Part.BROKEN, begin, stop, is_conditional=is_conditional)
    return Markup(Part.OPAQUE, begin, end + 1, is_conditional=is_conditional)


def _read_comment(html: str, begin: int, stop: int) -> tuple[Part, int, int]:
    for abrupt in ("<!-->", "<!--->"):  # 13.2.5.43-44
        if html.startswith(abrupt, begin, stop):
            return Part.OPAQUE, begin, begin + len(abrupt)
    found = _COMMENT_END.search(html, begin + 4, stop)
    return (Part.OPAQUE, begin, found.end()) if found else (Part.BROKEN, begin, stop)


def _read_tag(html: str, opening: re.Match[str], stop: int, part: Part, *, is_conditional: bool) -> Markup:
    begin, at, name = opening.start(), opening.end(), opening[2].lower()
    attributes: list[Attribute] = []
    while (found := _IN_TAG.match(html, at, stop)) and found.end() > at:
        at = found.end()
        if found.lastgroup == "close":
            return Markup(part, begin, at, name, tuple(attributes), is_conditional)
        if part is Part.START_TAG:
            # The group of the value, or else of the name, whose end is where an empty value would stand.
            group = found.lastgroup or "name"
            start, end = (at, at) if group == "name" else found.span(group)
            attributes.append(Attribute(found["name"].lower(), found.start("name"), at, start, end))
    return Markup(Part.BROKEN, begin, stop, is_conditional=is_conditional)


def _resolve(reference: str, following: str) -> str:
    if reference[1] == "#":
        digits = reference[2:].rstrip(";")
        # More digits than any code point has; int() of a very long number would be slow and is refused.
        if len(digits.lstrip("xX0")) > 8:
            return "\N{REPLACEMENT CHARACTER}"
        return _code_point(int(digits[1:], 16) if digits[0] in "xX" else int(digits))
    name = reference[1:]
    if name in html5 and name.endswith(";"):
        return html5[name]
    # Without its semicolon only an old name counts, and not where it could be the start of another word:
    # "?a=1&copy=2" keeps its "&copy".
    for length in range(min(len(name), _LONGEST_BARE_NAME), 1, -1):
        if name[:length] in html5:
            rest = name[length:] + following
            if rest and (rest[0] == "=" or (rest[0].isascii() and rest[0].isalnum())):
                return reference
            return html5[name[:length]] + name[length:]
    return reference


def _code_point(number: int) -> str:
    """Return the character of a numeric reference (13.2.5.80)."""
    if number == 0 or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    if 0x80 <= number <= 0x9F:
        return bytes((number,)).decode("cp1252", "ignore") or chr(number)
    return chr(number)
