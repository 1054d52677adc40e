"""What a figure of a report is: its words, unit, formula, what it leaves out and how it agrees with others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

#: A number as counted or computed; None where it is undefined, drawn as a hyphen and never as 0 (S12, mission 4.3).
Value = int | float | None


class Words(NamedTuple):
    """One text in both languages."""

    ja: str
    en: str

    def of(self, language: str) -> str:
        """Return the text in ``ja`` or ``en``."""
        return self.ja if language == "ja" else self.en


class Unit(StrEnum):
    """What is counted (X6)."""

    #: a person on the sender's list (名刺)
    CONTACT = "contact"
    #: one message to one recipient
    MAIL = "mail"
    #: a person, however often
    USER = "user"
    #: something that happened, each time
    EVENT = "event"
    #: one number divided by another
    RATIO = "ratio"


UNITS: dict[Unit, Words] = {
    Unit.CONTACT: Words("名刺の件数", "contacts"),
    Unit.MAIL: Words("メールの件数", "mails"),
    Unit.USER: Words("ユーザー数", "users"),
    Unit.EVENT: Words("発生回数", "events"),
    Unit.RATIO: Words("割合", "ratio"),
}


class WhyNone(StrEnum):
    """Why a figure has no value."""

    #: text mail: nobody can see whether it was opened (S12, K08)
    TEXT_MAIL = "text_mail"
    #: a ratio of nothing
    NO_DENOMINATOR = "no_denominator"
    #: no conversion was ever reported (K28)
    NOT_MEASURED = "not_measured"
    #: conversions are reported by user, and the sends name none (K28, K40)
    USER_NOT_LINKED = "user_not_linked"
    #: whoever asked for the report did not look it up
    NOT_LOOKED_UP = "not_looked_up"


WHY_NONE: dict[WhyNone, Words] = {
    WhyNone.TEXT_MAIL: Words("テキストメールの開封は計測できない", "opens of text mail cannot be seen"),
    WhyNone.NO_DENOMINATOR: Words("分母が0", "the denominator is 0"),
    WhyNone.NOT_MEASURED: Words("CVが報告されていない", "no conversion was ever reported"),
    WhyNone.USER_NOT_LINKED: Words(
        "送信時のuser_idとCVのuser_idが紐づいていない", "the sends name no user that conversions could be linked to"
    ),
    WhyNone.NOT_LOOKED_UP: Words("この表示では取得していない", "not looked up for this view"),
}


class Exclusion(NamedTuple):
    """Something a figure does not count, and where it can be counted a formula for how many."""

    words: Words
    amount: str | None = None


class Agreement(NamedTuple):
    """How a figure agrees with its siblings: ``figure relation formula`` always holds where both sides have values."""

    #: over figures of any profile, written ``profile.figure``
    formula: str
    #: of mission 4.6, ``I1`` to ``I10``; empty where both are one and the same count
    identity: str
    words: Words
    #: ``=``, ``<=`` or ``>=``
    relation: str = "="


class Hint(NamedTuple):
    """What a reader can do about a class of failures (S19-S26), or the exact words a sender is told (E34-E40)."""

    id: str
    words: Words


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure is, before any number is known."""

    id: str
    label: Words
    unit: Unit
    #: over figures: bare names are the same profile's. Empty: counted, not computed, as ``meaning`` says
    formula: str
    meaning: Words
    excludes: tuple[Exclusion, ...] = ()
    agrees: tuple[Agreement, ...] = ()
    hints: tuple[Hint, ...] = ()
    #: a part of the figure above it: shown only when it is not 0
    is_detail: bool = False


@dataclass(frozen=True, slots=True)
class SectionDefinition:
    """Figures shown together."""

    id: str
    label: Words
    figures: tuple[Definition, ...]
    #: what must be said beside them
    note: Words | None = None
    #: False: there to be explained and added up, not listed
    is_listed: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """One system's way to speak of a broadcast."""

    name: str
    label: Words
    sections: tuple[SectionDefinition, ...]
    #: what its readers must know of the numbers as a whole
    notices: tuple[Words, ...] = ()
    #: hours after the last delivery from which its own users take the numbers as final (X7)
    settled_after_h: int = 72


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its value."""

    definition: Definition
    value: Value
    why_none: WhyNone | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of a section."""

    definition: SectionDefinition
    figures: tuple[Figure, ...]
