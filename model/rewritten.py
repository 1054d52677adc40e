"""What rewriting a mail's links needs and gives: edits, links, warnings. Plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from model.target import Left

#: What a placeholder without words of its own becomes.
DEFAULT_LABEL = "購読解除"
#: ``{{Unsubscribe}}`` and ``{{Unsubscribe:words to show}}``, the colon of either width (B09).
PLACEHOLDER = re.compile(
    r"\{\{[ \t]{0,8}unsubscribe[ \t]{0,8}(?:[:\N{FULLWIDTH COLON}]([^{}<>]{0,500}))?\}\}", re.IGNORECASE
)


class RewriteError(ValueError):
    """The mail may not be sent like this; the text says why, for its author."""


class WarningKind(StrEnum):
    """What an author should know."""

    #: no unsubscribe link in the body (B03, B09)
    NO_UNSUBSCRIBE = "no_unsubscribe"
    #: runs a script; mail programs refuse it
    SCRIPT = "script"
    #: a mail merge has yet to fill it in, so it cannot be tracked
    MERGE_FIELD = "merge_field"
    #: relative, and the mail names no base: it leads nowhere
    RELATIVE = "relative"
    #: cannot be signed: no host, user-info, too long
    UNSAFE = "unsafe"
    #: a tag, comment or element is not closed at the end; browsers drop it
    UNFINISHED = "unfinished"


#: Reasons to leave a link alone that its author should know.
WARNED = {
    Left.SCRIPT: WarningKind.SCRIPT,
    Left.MERGE_FIELD: WarningKind.MERGE_FIELD,
    Left.RELATIVE: WarningKind.RELATIVE,
    Left.UNSAFE: WarningKind.UNSAFE,
}


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning. ``offset`` counts characters of the input, ``excerpt`` shows the value concerned."""

    kind: WarningKind
    offset: int = 0
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A tracked link: its number in the mail from 1, where it leads, and the words a reader sees."""

    number: int
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A rewritten HTML part."""

    html: str
    links: tuple[Link, ...]
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class RewrittenText:
    """A rewritten text part."""

    text: str
    links: tuple[Link, ...]
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters ``start`` to ``end`` of the input give way to ``text``."""

    start: int
    end: int
    text: str


def apply_edits(source: str, edits: Iterable[Edit]) -> str:
    """Return ``source`` with ``edits`` made, all else unchanged. They must not overlap."""
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        pieces += (source[at : edit.start], edit.text)
        at = edit.end
    pieces.append(source[at:])
    return "".join(pieces)
