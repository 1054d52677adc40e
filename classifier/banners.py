"""What gateways on the way put above and below other people's mail: it says nothing of why a mail failed. Pure."""

from __future__ import annotations

import re

# Words that stand in them, in lower case. Few notices have any.
_HINTS = (
    "originat",
    "outside",
    "external",
    "intended",
    "confidential",
    "scanned",
    "virus-free",
    "believed to be clean",
    "vertraulich",
    "confidentiel",
    "ウイルスチェック",
    "ウィルスチェック",
)
_BANNER = re.compile(
    r"\A\W*(?:caution|warning|attention|achtung|vorsicht|note|\[?external)\b[^@]{0,200}\b(?:outside|extern)"
    r"|\A\W*(?:this|the) (?:e-?mail|message|mail) (?:has )?originat"
    r"|\b(?:intended|meant) (?:only|solely) for|if you are not the (?:intended|named)"
    r"|\bmay contain (?:confidential|privileged)|\b(?:is|are|be) (?:strictly )?(?:confidential|privileged)"
    r"|vertrauliche (?:informationen|daten)|est confidentiel|informations confidentielles"
    r"|\b(?:was|were|been|is) (?:virus[- ])?(?:scanned|checked) (?:for|by) "
    r"|\bvirus-free\b|believed to be clean|ウ[イィ]ルスチェック(?:済|を(?:行|実施|し)|され)",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"(\n[ \t]*\n)")
# What a banner has not, and what a mail system says of a mail has.
_OF_ONE_MAIL = re.compile(
    r"@|\b[45]\d\d[ -]|\b[45]\.\d\.\d|\b(?:reject|refus|block|bounc|undeliver|quarantin|infected|abgelehnt|rejet)"
    r"|\bnot (?:be(?:en)? )?(?:deliver|accept|allow|permit|sent)|拒否|配信|届け",
    re.IGNORECASE,
)
_MAX_BANNER = 1_200
#: Banners stand first or last; no more paragraphs are looked at.
_MAX_PARAGRAPHS = 4
#: Characters at either end in which one is looked for.
_EDGE = 2_048
_MAX_TEXT = 64 * 1024
# Marks before a subject: "[EXTERNAL]", "***SPAM***", "{Spam?}", "[SPAM 6.1]".
_MARK = r"(?:external|extern|ext|outside|bulk|junk|(?:(?:possible|probable|likely|suspected) )?spam|迷惑メール)"
_OPENED = r"\s{0,4}[\[{(<*]{1,5} ?-?"
_CLOSED = r"(?:[ _?:/-]{1,3}[\w.?/]{0,16})?[ -]?[\]})>*?]{1,5}\s{0,4}"
_MARKS = re.compile(rf"(?:{_OPENED}{_MARK}{_CLOSED}){{1,3}}", re.IGNORECASE)


def may_have_banner(lowered: str) -> bool:
    """Whether a banner may be in a text, of which ``lowered`` is the copy in lower case: most have none."""
    if len(lowered) > 2 * _EDGE:
        lowered = f"{lowered[:_EDGE]}\n{lowered[-_EDGE:]}"
    return any([hint in lowered for hint in _HINTS])


def without_banners(text: str) -> str:
    """Return ``text`` without the paragraphs that any mail from outside gets."""
    if len(text) > _MAX_TEXT:
        return text
    pieces = _PARAGRAPH.split(text)
    # Every second piece is a gap.
    paragraphs = range(0, len(pieces), 2)
    for number in {*paragraphs[:_MAX_PARAGRAPHS], *paragraphs[-_MAX_PARAGRAPHS:]}:
        if _is_banner(pieces[number]):
            pieces[number] = ""
    return "".join(pieces)


def _is_banner(paragraph: str) -> bool:
    if (
        len(paragraph) > _MAX_BANNER
        or not may_have_banner(paragraph.lower())
        or _OF_ONE_MAIL.search(paragraph) is not None
    ):
        return False
    return _BANNER.search(" ".join(paragraph.split())) is not None


def without_marks(subject: str) -> str:
    """Return ``subject`` without the marks that a filter on the way put before it."""
    match = _MARKS.match(subject)
    return subject[match.end() :] if match is not None else subject
