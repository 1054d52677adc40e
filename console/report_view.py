"""A report in a profile as the API and the command line give it: in one language, JSON-ready."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from console.profiles.build import ProfileReport
from console.profiles.evaluation import PROFILES, Agreed, Explanation, definitions_of, qualified
from console.profiles.figure import UNITS, WHY_NONE, Figure, WhyNone, Words
from console.profiles.formula import parse
from console.profiles.settlement import EMPTY_REASONS, MARKS, Settlement
from console.schema import time_of

_SAME = Words("同じ数", "the same count")


class HintOut(Struct, frozen=True):
    """What to do about a class of failures, or the exact words a sender is told."""

    id: str
    text: str


class FigureOut(Struct, frozen=True):
    """One figure. ``value`` null is drawn as a hyphen, never as 0 (S12); ``why_none`` says why."""

    id: str
    label: str
    #: contact, mail, user, event or ratio (X6)
    unit: str
    unit_label: str
    value: int | float | None
    why_none: str | None
    #: over other figures; empty where it is counted
    formula: str
    hints: list[HintOut]
    #: a part of the figure above it
    is_detail: bool


class SectionOut(Struct, frozen=True):
    """Figures shown together."""

    id: str
    label: str
    note: str | None
    figures: list[FigureOut]


class SettlementOut(Struct, frozen=True):
    """How final the numbers are (S15, R27): later answers still count."""

    mark: str
    label: str
    checked_at: datetime
    settles_at: datetime
    #: mails are on their way, so the times are the earliest possible
    is_open: bool


class TermOut(Struct, frozen=True):
    """A figure used by another, with its value."""

    figure: str
    label: str
    value: int | float | None


class ExcludedOut(Struct, frozen=True):
    """What a figure leaves out; ``amount`` null where that cannot be counted."""

    text: str
    amount: int | float | None


class ReconciledOut(Struct, frozen=True):
    """How a figure agrees with its siblings; ``holds`` null where a side has no value."""

    #: ``profile.figure = profile.figure + ...``
    equation: str
    text: str
    #: of mission 4.6; null where both are one and the same count
    identity: str | None
    left: int | float | None
    right: int | float | None
    terms: list[TermOut]
    holds: bool | None


class ExplanationOut(Struct, frozen=True):
    """Everything that makes up a figure."""

    figure: str
    label: str
    value: int | float | None
    why_none: str | None
    meaning: str
    formula: str
    terms: list[TermOut]
    excludes: list[ExcludedOut]
    reconciles: list[ReconciledOut]


class ProfileOut(Struct, frozen=True):
    """A broadcast's numbers in the words, classes and rules of one profile."""

    profile: str
    label: str
    settlement: SettlementOut | None
    #: when this profile's users take the numbers as final (X7)
    final_at: datetime | None
    #: when the last delivery will be done (R09)
    eta: datetime | None
    empty_reason: str | None
    empty_text: str | None
    notices: list[str]
    sections: list[SectionOut]
    explanations: list[ExplanationOut]


def view_of(report: ProfileReport, language: str) -> ProfileOut:
    """Return a report in ``ja`` or ``en``."""
    profile = report.profile
    return ProfileOut(
        profile=profile.name,
        label=profile.label.of(language),
        settlement=_settlement(report.settlement, language) if report.settlement else None,
        final_at=time_of(report.final_at_us),
        eta=time_of(report.eta_us),
        empty_reason=report.empty_reason.value if report.empty_reason else None,
        empty_text=EMPTY_REASONS[report.empty_reason].of(language) if report.empty_reason else None,
        notices=[words.of(language) for words in profile.notices],
        sections=[
            SectionOut(
                section.definition.id,
                section.definition.label.of(language),
                section.definition.note.of(language) if section.definition.note else None,
                [_figure(figure, language) for figure in section.figures],
            )
            for section in report.sections
        ],
        explanations=[_explanation(explanation, language) for explanation in report.explanations],
    )


def _settlement(settlement: Settlement, language: str) -> SettlementOut:
    checked, settles = time_of(settlement.checked_at_us), time_of(settlement.settled_at_us)
    assert checked is not None and settles is not None
    label = MARKS[settlement.mark].of(language)
    return SettlementOut(settlement.mark.value, label, checked, settles, settlement.is_open)


def _figure(figure: Figure, language: str) -> FigureOut:
    definition = figure.definition
    return FigureOut(
        id=definition.id,
        label=definition.label.of(language),
        unit=definition.unit.value,
        unit_label=UNITS[definition.unit].of(language),
        value=figure.value,
        why_none=_why(figure.why_none, language),
        formula=definition.formula,
        hints=[HintOut(hint.id, hint.words.of(language)) for hint in definition.hints],
        is_detail=definition.is_detail,
    )


def _explanation(explanation: Explanation, language: str) -> ExplanationOut:
    definition = explanation.definition
    name = f"{explanation.profile}.{definition.id}"
    return ExplanationOut(
        figure=name,
        label=definition.label.of(language),
        value=explanation.value,
        why_none=_why(explanation.why_none, language),
        meaning=definition.meaning.of(language),
        formula=_qualified(explanation.profile, definition.formula),
        terms=[TermOut(term.name, label_of(term.name, language), term.value) for term in explanation.terms],
        excludes=[ExcludedOut(excluded.words.of(language), amount) for excluded, amount in explanation.excludes],
        reconciles=[_reconciled(name, agreed, language) for agreed in explanation.agrees],
    )


def _reconciled(name: str, agreed: Agreed, language: str) -> ReconciledOut:
    agreement = agreed.agreement
    text = agreement.words.of(language)
    return ReconciledOut(
        equation=f"{name} {agreement.relation} {agreement.formula}",
        text=text if agreement.identity else f"{text} ({_SAME.of(language)})",
        identity=agreement.identity or None,
        left=agreed.left,
        right=agreed.right,
        terms=[TermOut(term.name, label_of(term.name, language), term.value) for term in agreed.terms],
        holds=agreed.holds,
    )


def label_of(name: str, language: str) -> str:
    """Return what ``profile.figure`` is called in its profile."""
    profile, _, figure = name.partition(".")
    return definitions_of(profile)[figure].label.of(language)


def figures_of(profile: str) -> list[str]:
    """Return the ids of the figures that ``profile`` lists; others can be explained as well."""
    return [figure.id for section in PROFILES[profile].sections if section.is_listed for figure in section.figures]


def _qualified(profile: str, formula: str) -> str:
    """Return a formula with the full name of every figure, so that each can be asked for."""
    if not formula:
        return ""
    short = parse(formula).names
    words = formula.split(" ")
    return " ".join(qualified(profile, word) if word in short else word for word in words)


def _why(why: WhyNone | None, language: str) -> str | None:
    return WHY_NONE[why].of(language) if why else None
