"""Turn a mail's links into tracked ones and add the pixel: HTML in, the same with our URLs out.

Only the values of link attributes change; every other character stays as it was. Rewriting twice tracks nothing
twice, since URLs of ours are left alone. No input is refused for its form: a browser reads every string as HTML,
and so is it read here.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from model.markup import Attribute, Markup, Part, decode_value, scan_html
from model.mint import MintedMail
from model.rewritten import (
    DEFAULT_LABEL,
    PLACEHOLDER,
    WARNED,
    Edit,
    Link,
    RewriteError,
    Rewritten,
    Warned,
    WarningKind,
    apply_edits,
)
from model.target import Left, absolute, origin_of, resolve

#: An attribute of ours: ``data-yamabiko-track="off"`` leaves a link alone and is taken out.
TRACK_ATTRIBUTE = "data-yamabiko-track"
#: The same within the URL, as Postal writes it: ``https+notrack://example.jp/`` (P14).
NOTRACK = "+notrack"
_MAX_TEXT = 200
# Longer than any target can be written, every character of it as a reference.
_MAX_VALUE = 65_536
_BLANKS = re.compile(r"\s+")


@dataclass(slots=True)
class _Found:
    """A link to track: where its value stands, before numbers are given."""

    start: int
    end: int
    target: str
    is_conditional: bool
    words: list[str] = field(default_factory=list)
    words_length: int = 0


class _Rewriter:
    def __init__(self, html: str, mail: MintedMail, origins: Collection[str]) -> None:
        self.html = html
        self.mail = mail
        self.origins = {origin_of(mail.hosts.tracking_origin), *origins}
        self.base: str | None = None
        self.edits: list[Edit] = []
        self.found: list[_Found] = []
        self.warnings: list[Warned] = []
        self.has_pixel = self.has_trap = False
        #: input positions of unsubscribe links
        self.unsubscribes: list[int] = []
        self.svg_depth = 0
        #: input positions: after the body's start tag, before the last end tag of body and of html, of what is broken
        self.body_start = 0
        self.ends: dict[str, int] = {}

    def walk(self, *, fills_placeholders: bool) -> None:
        """Collect what is to be changed."""
        current: _Found | None = None
        waiting: list[tuple[Markup, Attribute, str, _Found]] = []
        for token in scan_html(self.html):
            part = token.part
            if part is Part.TEXT:
                self._read_text(token, current, fills_placeholders=fills_placeholders)
            elif part is Part.START_TAG:
                if token.name in ("a", "area") or (token.is_conditional and token.name.startswith("v:")):
                    link = self._read_link(token, fills_placeholders=fills_placeholders)
                    current = link[3] if link and token.name != "area" else None
                    if link:
                        waiting.append(link)
                else:
                    self._note_start(token, current)
            elif part is Part.END_TAG:
                if token.name in ("a", "v:roundrect"):
                    current = None
                elif token.name == "svg":
                    self.svg_depth = max(0, self.svg_depth - 1)
                elif not token.is_conditional and token.name in ("body", "html"):
                    self.ends[token.name] = token.start
            # In a conditional comment "<![endif]" and the comment's end share their ">".
            elif part is Part.BROKEN and not token.is_conditional:
                self.ends["broken"] = token.start
                self._warn(WarningKind.UNFINISHED, token.start, token.end)
        # Last, since a base counts for the links before it too.
        for link in waiting:
            self._resolve(*link)
        self.warnings.sort(key=lambda warned: warned.offset)

    def _note_start(self, token: Markup, current: _Found | None) -> None:
        """Note what a start tag that is no link says."""
        match token.name:
            case "img":
                self._read_image(token, current)
            case "svg":
                self.svg_depth += 1
            case "body":
                self.body_start = self.body_start or token.end
            case "base" if self.base is None and not token.is_conditional:
                # Only the first with an href counts; one that is no web address makes none of the links absolute.
                href = token.attribute("href")
                if href:
                    url = absolute(decode_value(self._value(href)[:_MAX_VALUE]).strip(), None)
                    self.base = url if url and origin_of(url) else ""

    def _read_text(self, token: Markup, current: _Found | None, *, fills_placeholders: bool) -> None:
        text = self.html[token.start : token.end]
        if current is not None:
            _add_words(current, text)
        if fills_placeholders and "{{" in text:
            url = entities.escape(self.mail.unsubscribe_url)
            for place in PLACEHOLDER.finditer(text):
                label = (place.group(1) or "").strip() or DEFAULT_LABEL
                start, end = token.start + place.start(), token.start + place.end()
                self.edits.append(Edit(start, end, f'<a href="{url}">{label}</a>'))
                self.unsubscribes.append(start)

    def _read_image(self, token: Markup, current: _Found | None) -> None:
        source, alt = token.attribute("src"), token.attribute("alt")
        if source:
            url = decode_value(self._value(source)[:_MAX_VALUE]).strip()
            self.has_pixel |= self._is_ours(url, "/o/")
        if alt and current is not None:
            _add_words(current, " " + self._value(alt) + " ")

    def _read_link(self, token: Markup, *, fills_placeholders: bool) -> tuple[Markup, Attribute, str, _Found] | None:
        """Return a link that may have to be tracked: its tag, attribute, value, and where its words go."""
        if self._is_opted_out(token):
            return None
        href = token.attribute("href")
        # SVG 2 16.1.5: href wins over the older xlink:href, which means nothing outside SVG.
        if href is None and self.svg_depth:
            href = token.attribute("xlink:href")
        if href is None:
            return None
        raw = self._value(href)
        if len(raw) > _MAX_VALUE:
            self._warn(WarningKind.UNSAFE, href.value_start, href.value_end)
            return None
        value = decode_value(raw)
        if fills_placeholders and PLACEHOLDER.fullmatch(value.strip()):
            self._replace(href, self.mail.unsubscribe_url)
            self.unsubscribes.append(token.start)
            return None
        if NOTRACK in value[:20].lower():
            at = raw.lower().find(NOTRACK)
            if at >= 0:
                start = href.value_start + at
                self.edits.append(Edit(start, start + len(NOTRACK), ""))
                return None
        found = _Found(href.value_start, href.value_end, "", token.is_conditional)
        if token.name == "area" and (alt := token.attribute("alt")):
            _add_words(found, self._value(alt))
        return token, href, value, found

    def _resolve(self, token: Markup, href: Attribute, value: str, found: _Found) -> None:
        resolved = resolve(value, self.base or None, self.origins)
        if resolved.url is None:
            self._note_left(token, href, value.strip(), resolved.left)
        else:
            found.target = resolved.url
            self.found.append(found)

    def _note_left(self, token: Markup, href: Attribute, value: str, left: Left | None) -> None:
        if left is Left.OURS:
            if self._is_ours(value, "/u/"):
                self.unsubscribes.append(token.start)
            tabindex = token.attribute("tabindex")
            self.has_trap |= tabindex is not None and self._value(tabindex) == "-1" and self._is_ours(value, "/c/")
        elif left in WARNED:
            self._warn(WARNED[left], href.value_start, href.value_end)

    def _is_opted_out(self, token: Markup) -> bool:
        """Return whether the author wants this link left alone, and take our attribute out."""
        choices = [attribute for attribute in token.attributes if attribute.name == TRACK_ATTRIBUTE]
        for choice in choices:
            start = choice.start
            while self.html[start - 1] in "\t\n\f\r ":
                start -= 1
            # What follows must stay apart from what stands before.
            gap = " " if self.html[choice.end] not in "\t\n\f\r />" else ""
            self.edits.append(Edit(start, choice.end, gap))
        return bool(choices) and self._value(choices[0]).strip().lower() in ("off", "no", "false", "0")

    def number_links(self) -> tuple[Link, ...]:
        """Give numbers and mint. Outlook's copy of a link (in a conditional comment) has the original's number."""
        numbers: dict[str, int] = {}
        links: list[Link] = []
        places: list[tuple[_Found, int]] = []
        for found in sorted(self.found, key=lambda found: found.is_conditional):
            number = numbers.get(found.target) if found.is_conditional else None
            if number is None:
                number = len(links) + 1
                numbers.setdefault(found.target, number)
                links.append(Link(number, found.target, _tidy("".join(found.words))))
            places.append((found, number))
        for found, number in places:
            url = self.mail.click_url(found.target, link=number, links=len(links))
            self.edits.append(Edit(found.start, found.end, entities.escape(url)))
        return tuple(links)

    def add_pixel(self) -> None:
        """Put the pixel before the last ``</body>``, else before a trailing ``</html>``, else at the end."""
        if not self.has_pixel:
            image = (
                f'<img src="{entities.escape(self.mail.pixel_url)}" alt="" width="1" height="1"'
                ' style="display:block;width:1px;height:1px;border:0">'
            )
            self._insert(self._end_of_body(), image)

    def add_trap(self, target: str, links: int) -> None:
        """Put a link no person sees at the end of the mail that is farther from the unsubscribe link."""
        if self.has_trap:
            return
        url = entities.escape(self.mail.click_url(target, link=links + 1, links=links, honeypot=True))
        style = "display:none;visibility:hidden;max-height:0;overflow:hidden"
        trap = f'<a href="{url}" aria-hidden="true" tabindex="-1" rel="nofollow" style="{style}"></a>'
        first, last = self.body_start, self._end_of_body()
        near = min((abs(at - first) for at in self.unsubscribes), default=last)
        far = min((abs(at - last) for at in self.unsubscribes), default=0)
        self._insert(first if near >= far else last, trap)

    def result(self) -> str:
        """Return the input with all edits made."""
        return apply_edits(self.html, self.edits)

    def _end_of_body(self) -> int:
        return self.ends.get("body", self.ends.get("html", self.ends.get("broken", len(self.html))))

    def _insert(self, at: int, text: str) -> None:
        self.edits.append(Edit(at, at, text))

    def _replace(self, attribute: Attribute, value: str) -> None:
        self.edits.append(Edit(attribute.value_start, attribute.value_end, entities.escape(value)))

    def _is_ours(self, url: str, route: str) -> bool:
        return origin_of(url) in self.origins and urlsplit(url).path.startswith(route)

    def _value(self, attribute: Attribute) -> str:
        return self.html[attribute.value_start : attribute.value_end]

    def _warn(self, kind: WarningKind, start: int, end: int) -> None:
        self.warnings.append(Warned(kind, start, self.html[start : min(end, start + 100)]))


def rewrite_html(
    html: str,
    mail: MintedMail,
    *,
    unsubscribe: bool = True,
    add_pixel: bool = True,
    track_links: bool = True,
    require_unsubscribe: bool = False,
    honeypot: str | None = None,
    own_origins: Sequence[str] = (),
) -> Rewritten:
    """Return ``html`` with tracked links and a pixel, all else unchanged (B07).

    Arguments: ``unsubscribe`` fills ``{{Unsubscribe}}`` and warns when the body has no unsubscribe link (B03,
    B09); ``require_unsubscribe`` refuses instead of warning; ``honeypot`` is the http(s) URL of a link only
    machines follow (mission 4.8), None for none; ``own_origins`` are tracking origins beside the mail's whose
    URLs are left alone. Raises RewriteError when refused, TargetError for a bad ``honeypot``.
    """
    rewriter = _Rewriter(html, mail, {origin_of(origin) for origin in own_origins})
    rewriter.walk(fills_placeholders=unsubscribe)
    if not track_links:
        rewriter.found.clear()
    links = rewriter.number_links()
    if unsubscribe and not rewriter.unsubscribes:
        if require_unsubscribe:
            raise RewriteError("the mail has no unsubscribe link: put {{Unsubscribe}} into it")
        rewriter.warnings.append(Warned(WarningKind.NO_UNSUBSCRIBE))
    if honeypot is not None:
        rewriter.add_trap(honeypot, len(links))
    if add_pixel:
        rewriter.add_pixel()
    return Rewritten(rewriter.result(), links, tuple(rewriter.warnings))


def _add_words(found: _Found, text: str) -> None:
    if found.words_length < _MAX_TEXT:
        found.words.append(text[:_MAX_TEXT])
        found.words_length += len(text)


def _tidy(raw: str) -> str:
    """Return the words of a link as a reader sees them, at most 200 characters."""
    return _BLANKS.sub(" ", entities.unescape(raw)).strip()[:_MAX_TEXT]
