"""Build a broadcast's report in a profile."""

from __future__ import annotations

from dataclasses import dataclass

from console.profiles.context import Context
from console.profiles.evaluation import PROFILES, Evaluation, Explanation
from console.profiles.figure import Definition, Figure, Profile, Section, SectionDefinition, Unit, Words
from console.profiles.karte import KARTE
from console.profiles.settlement import (
    HOUR_US,
    EmptyReason,
    Settlement,
    empty_reason_of,
    eta_us,
    settlement_of,
)
from store.report import Report

#: Asks for every figure that is listed.
EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """A broadcast's numbers as one profile shows them. Immutable; times in microseconds since 1970-01-01 UTC."""

    profile: Profile
    sections: tuple[Section, ...]
    settlement: Settlement | None
    #: when the profile's own users take the numbers as final (X7); None as for ``settlement``
    final_at_us: int | None
    empty_reason: EmptyReason | None
    #: when the last delivery will be done (R09)
    eta_us: int | None
    explanations: tuple[Explanation, ...]

    def figure(self, name: str) -> Figure:
        """Return a listed figure by its id. Raises KeyError."""
        return {figure.definition.id: figure for section in self.sections for figure in section.figures}[name]


def build_profile(
    profile: str, report: Report, context: Context | None = None, *, explain: str | None = None
) -> ProfileReport:
    """Return ``report`` in the words of ``profile``, a key of PROFILES.

    ``explain``: a figure's id, or EVERYTHING. Raises KeyError for a profile, UnknownFigureError for a figure
    there is none of.
    """
    chosen = PROFILES[profile]
    evaluation = Evaluation(report, context)
    settlement = settlement_of(report, evaluation.context)
    final = None
    if settlement is not None:
        final = settlement.last_done_us + chosen.settled_after_h * HOUR_US
    sections = [_section(evaluation, profile, section) for section in chosen.sections if section.is_listed]
    if evaluation.context.codes and profile == KARTE.name:
        sections.append(_other_codes(evaluation.context))
    return ProfileReport(
        chosen,
        tuple(sections),
        settlement,
        final,
        empty_reason_of(report, evaluation.context),
        eta_us(report, evaluation.context),
        _explanations(evaluation, chosen, explain),
    )


def _section(evaluation: Evaluation, profile: str, section: SectionDefinition) -> Section:
    return Section(
        section, tuple(Figure(figure, *evaluation.value(f"{profile}.{figure.id}")) for figure in section.figures)
    )


def _other_codes(context: Context) -> Section:
    """Return the failures of channels that are not mail (K15): opaque, in the order of their codes, in no sum."""
    meaning = Words(
        "メール以外のチャネルが報告したコード。メールの数字には入れない",
        "a code another channel reported; part of no figure of mail",
    )
    figures = tuple(
        Figure(Definition(f"other.{code}", Words(code, code), Unit.EVENT, "", meaning), amount)
        for code, amount in sorted(context.codes.items())
    )
    words = Words("メール以外のエラーコード", "Error codes of other channels")
    return Section(SectionDefinition("other", words, tuple(figure.definition for figure in figures)), figures)


def _explanations(evaluation: Evaluation, profile: Profile, explain: str | None) -> tuple[Explanation, ...]:
    if explain is None:
        return ()
    if explain != EVERYTHING:
        return (evaluation.explain(profile.name, explain),)
    listed = [figure.id for section in profile.sections if section.is_listed for figure in section.figures]
    return tuple(evaluation.explain(profile.name, name) for name in listed)
