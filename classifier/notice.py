"""Cuts an automatic reply into the sentences its author wrote for this absence. Pure.

Quoted mail, forwarded mail and signatures go: a return date or an address in them is somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from classifier.quoted import cut_original

_MAX_TEXT = 8_192
_MAX_SENTENCE = 600
_QUOTE_START = re.compile(
    r"^[ \t]*(?:on\b[^\n]{5,160}\bwrote:|am\b[^\n]{5,160}\bschrieb\b[^\n]{0,80}:|le\b[^\n]{5,160}\ba écrit ?:"
    r"|-{2,} ?(?:original message|forwarded message|元のメッセージ|転送メッセージ|original-nachricht)[^\n]*"
    r"|begin forwarded message|[^\n]{0,80}\d[^\n]{0,60}(?:のメール|に書き(?:ました|込み)|wrote) ?:"
    r"|(?:from|差出人|送信者|von|de) ?[:：][^\n]{0,200}\n(?:[^\n]{0,200}\n){0,2}?[ \t]*"
    r"(?:sent|date|to|subject|送信日時|日時|宛先|件名|gesendet|envoyé) ?[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNATURE = re.compile(r"^--[ \t]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*([-=_*~+#・…─━═＝－＿＊☆★◇◆■□◎○●/]{1,2})(?:[ \t]?\1){3,}[^\n]{0,40}$", re.MULTILINE)
_CARD = re.compile(
    r"\b(?:tel|fax|phone|mobile|cell|url|https?)\b ?[:：./]|〒|株式会社|有限会社|\(株\)|（株）|電話 ?[:：]"
    r"|e-?mail ?[:：]"
    r"|\b(?:inc|ltd|llc|gmbh)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"[ \t]*(?:(?:with |many )?(?:kind|best|warm|kindest)(?: regards| wishes)?|(?:best |kind )?regards|sincerely"
    r"(?: yours)?|yours (?:sincerely|faithfully|truly)|cheers|many thanks|thanks|thank you|cordially|respectfully"
    r"|mit freundlichen grüßen|cordialement|敬具|以上|草々)[ \t]*[,.!、。]?[ \t]*\Z",
    re.IGNORECASE,
)
_SPOKEN = re.compile(r"(?:[.!?。！？]|です|ます|ません|ください)[\"')」』]?\s*\Z")
#: Characters in which what _SPOKEN looks for stands at the end of a text without white space behind it.
_TAIL = 16
_ABBREVIATED = r"(?:Mr|Mrs|Ms|Dr|St|No|Nr|Tel|Ext|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri)"
_END = re.compile(
    r"(?<=[。！？])|(?<=[!?])(?=\s)"
    r"|(?<=[^\W\d_][.])\s+(?=[A-ZÀ-Þ\"'(\u3040-\u9fff])|(?<=[)>\]\"'][.])\s+(?=[A-Z])"
    r"|(?<=\d[.])\s+(?=[A-Z])(?!(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Uhr))|(?<=;)\s"
)
# Behind one of these, which ``re`` skips to, stands what _END matches.
_STOP = re.compile(r"[。！？!?.;]")
_AFTER_ABBREVIATION = re.compile(rf"\b{_ABBREVIATED}\.\Z")
_LABELLED = re.compile(r"[ \t]*(?:[・*•◆■●○◇□▼▶※►-]|\d{1,2}[.)] |【|\[|<|[^\s:：]{1,12}[:：])")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff、。]")


def sentences_of(text: str) -> list[str]:
    """Return what the author of ``text`` says, sentence by sentence, each at most 600 characters."""
    sentences: list[str] = []
    for line in _lines_of(_own_words(text[:_MAX_TEXT])):
        sentences += _split(line)
    return [sentence[:_MAX_SENTENCE] for sentence in sentences]


def quotes_another(text: str) -> bool:
    """Whether somebody else's mail is quoted in ``text`` below a line that says whose it is."""
    return _QUOTE_START.search(text[:_MAX_TEXT]) is not None


def _own_words(text: str) -> str:
    text = text.replace("\u3000", " ")
    for pattern in (_QUOTE_START, _SIGNATURE):
        match = pattern.search(text)
        if match:
            text = text[: match.start()]
    text = cut_original(text)[0]
    for rule in _RULE.finditer(text):
        # Rules adorn headings too: one is a signature's only if words stand above and a visiting card below.
        if not text[: rule.start()].strip():
            continue
        # What does not stand below one rule does not stand below the next.
        return text[: rule.start()] if _CARD.search(text, rule.end()) else text
    return text


def _lines_of(text: str) -> list[str]:
    """Join lines that a mailer wrapped; leave out quoted lines, and what follows a closing but is no sentence."""
    joined: list[str] = []
    is_open, is_closed = False, False
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped.startswith((">", "|")) or _RULE.match(line):
            is_open = False
            continue
        if _CLOSING.match(stripped):
            is_open, is_closed = False, True
            continue
        if is_closed and not _SPOKEN.search(stripped):
            continue
        if is_open and joined and not _LABELLED.match(line) and not _SPOKEN.search(joined[-1][-_TAIL:]):
            gap = "" if _JAPANESE.match(stripped) and _JAPANESE.search(joined[-1][-1]) else " "
            joined[-1] += gap + stripped
        else:
            joined.append(stripped)
        is_open = not stripped.endswith((":", "："))
    return joined


def _pieces_of(line: str) -> Iterator[str]:
    """Yield what ``_END.split`` returns."""
    done = 0
    for stop in _STOP.finditer(line):
        end = _END.match(line, stop.end())
        if end is not None:
            yield line[done : end.start()]
            done = end.end()
    yield line[done:]


def _split(line: str) -> list[str]:
    parts: list[str] = []
    for piece in _pieces_of(line):
        if parts and _AFTER_ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {piece}"
        elif piece.strip():
            parts.append(piece.strip())
    return parts
