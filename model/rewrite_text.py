"""Turn the URLs of a mail's text part into tracked ones: opt-in, since the reader sees them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from model.mint import MintedMail
from model.rewritten import PLACEHOLDER, WARNED, Edit, Link, RewrittenText, Warned, WarningKind, apply_edits
from model.target import origin_of, resolve

# Japanese text follows a URL without a space, so only ASCII counts as part of one.
_URL = re.compile(r"(?<![A-Za-z0-9+.\-])https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%{}|]++", re.IGNORECASE)
_TRAILING = ".,;:!?'*_~"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def rewrite_text(
    text: str,
    mail: MintedMail,
    *,
    unsubscribe: bool = True,
    known: Sequence[Link] = (),
    own_origins: Sequence[str] = (),
) -> RewrittenText:
    """Return a text part with its http(s) URLs tracked; call it only if that is wanted.

    Arguments: ``known`` are the links of the mail's HTML part, whose numbers the same targets keep. A URL ends
    at the first character that is not ASCII; closing punctuation and brackets after it are not part of it.
    """
    origins = {origin_of(mail.hosts.tracking_origin), *map(origin_of, own_origins)}
    numbers = {link.target: link.number for link in reversed(known)}
    links, warnings, places, has_unsubscribe = list(known), [], [], False
    for found in _URL.finditer(text):
        href = _trim(found.group())
        resolved = resolve(href, None, origins)
        if resolved.url is not None:
            if resolved.url not in numbers:
                numbers[resolved.url] = len(links) + 1
                links.append(Link(len(links) + 1, resolved.url, ""))
            places.append((found.start(), found.start() + len(href), resolved.url))
        elif resolved.left in WARNED:
            warnings.append(Warned(WARNED[resolved.left], found.start(), href[:100]))
        else:
            has_unsubscribe |= "/u/" in href
    edits = [Edit(start, end, mail.click_url(url, link=numbers[url], links=len(links))) for start, end, url in places]
    if unsubscribe:
        starts = [edit.start for edit in edits]
        for place in PLACEHOLDER.finditer(text):
            has_unsubscribe = True
            label = (place.group(1) or "").strip()
            before = bisect_left(starts, place.start()) - 1
            if before < 0 or edits[before].end <= place.start():
                words = f"{label}: {mail.unsubscribe_url}" if label else mail.unsubscribe_url
                edits.append(Edit(place.start(), place.end(), words))
        if not has_unsubscribe:
            warnings.append(Warned(WarningKind.NO_UNSUBSCRIBE))
    return RewrittenText(apply_edits(text, edits), tuple(links[len(known) :]), tuple(warnings))


def _trim(url: str) -> str:
    """Take off what ends the sentence or closes a bracket opened before the URL."""
    counts = {bracket: url.count(bracket) for pair in _BRACKETS.items() for bracket in pair}
    end = len(url)
    while end:
        last = url[end - 1]
        opening = _BRACKETS.get(last)
        if opening and counts[last] > counts[opening]:
            counts[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return url[:end]
