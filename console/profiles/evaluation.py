"""Compute any figure of any profile from one report, each at most once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from console.profiles.bales import BALES
from console.profiles.context import Context
from console.profiles.counted import values_of
from console.profiles.engagelab import ENGAGELAB
from console.profiles.figure import Agreement, Definition, Exclusion, Profile, Value, WhyNone
from console.profiles.formula import Formula, compute, parse
from console.profiles.karte import KARTE
from console.profiles.native import NATIVE
from console.profiles.relation import RELATION
from console.profiles.sansan import SANSAN
from store.report import Report

#: Every profile by name, in the order in which they are shown.
PROFILES: Mapping[str, Profile] = {
    profile.name: profile for profile in (NATIVE, SANSAN, RELATION, ENGAGELAB, KARTE, BALES)
}
_RELATIONS: Mapping[str, Callable[[int | float, int | float], bool]] = {
    "=": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
}


class UnknownFigureError(ValueError):
    """There is no such figure; ``profile`` is where it was looked for."""

    def __init__(self, profile: str, name: str) -> None:
        """Keep what was asked for."""
        super().__init__(f"profile {profile} has no figure {name!r}")
        self.profile = profile
        self.name = name


@cache
def definitions_of(profile: str) -> Mapping[str, Definition]:
    """Return a profile's figures by id."""
    return {figure.id: figure for section in PROFILES[profile].sections for figure in section.figures}


def qualified(profile: str, name: str) -> str:
    """Return the full name of a figure as a formula of ``profile`` calls it."""
    return name if name.partition(".")[0] in PROFILES else f"{profile}.{name}"


@dataclass(frozen=True, slots=True)
class Term:
    """A figure used somewhere, with its value. ``name`` is ``profile.figure``."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreement with the numbers put in; ``holds`` None where a side has no value."""

    agreement: Agreement
    left: Value
    right: Value
    terms: tuple[Term, ...]
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A figure with everything that makes it up (moonshot 8)."""

    profile: str
    definition: Definition
    value: Value
    why_none: WhyNone | None
    #: the figures of the formula
    terms: tuple[Term, ...]
    excludes: tuple[tuple[Exclusion, Value], ...]
    agrees: tuple[Agreed, ...]


class Evaluation:
    """The figures of all profiles for one report."""

    def __init__(self, report: Report, context: Context | None = None) -> None:
        """Nothing is computed yet."""
        self.report = report
        self.context = context or Context()
        self._counted, self._whys = values_of(report, self.context)
        self._known: dict[str, tuple[Value, WhyNone | None]] = {}

    def value(self, name: str) -> tuple[Value, WhyNone | None]:
        """Return the value of ``profile.figure``, and why there is none. Raises UnknownFigureError."""
        known = self._known.get(name)
        if known is None:
            profile, _, figure = name.partition(".")
            known = self._known[name] = self._compute(profile, self.definition(profile, figure))
        return known

    def explain(self, profile: str, figure: str) -> Explanation:
        """Return what makes up a figure. Raises UnknownFigureError."""
        definition = self.definition(profile, figure)
        name = f"{profile}.{definition.id}"
        value, why = self.value(name)
        terms = self._terms(profile, parse(definition.formula)) if definition.formula else ()
        excludes = tuple((e, self._sum(profile, e.amount) if e.amount else None) for e in definition.excludes)
        agrees = tuple(self._agreed(value, agreement) for agreement in definition.agrees)
        return Explanation(profile, definition, value, why, terms, excludes, agrees)

    def definition(self, profile: str, figure: str) -> Definition:
        """Return what a figure is. Raises UnknownFigureError."""
        found = definitions_of(profile).get(figure) if profile in PROFILES else None
        if found is None:
            raise UnknownFigureError(profile, figure)
        return found

    def broken(self) -> list[tuple[str, Agreed]]:
        """Return every agreement of every profile that does not hold. There must be none."""
        found: list[tuple[str, Agreed]] = []
        for profile in PROFILES:
            for definition in definitions_of(profile).values():
                if definition.agrees:
                    name = f"{profile}.{definition.id}"
                    value, _ = self.value(name)
                    agreed = (self._agreed(value, agreement) for agreement in definition.agrees)
                    found += [(name, one) for one in agreed if one.holds is False]
        return found

    def _compute(self, profile: str, definition: Definition) -> tuple[Value, WhyNone | None]:
        if definition.formula:
            return compute(parse(definition.formula), lambda name: self.value(qualified(profile, name)))
        value = self._counted[definition.id]
        return value, self._whys.get(definition.id) if value is None else None

    def _sum(self, profile: str, text: str) -> Value:
        return compute(parse(text), lambda name: self.value(qualified(profile, name)))[0]

    def _terms(self, profile: str, formula: Formula) -> tuple[Term, ...]:
        names = [qualified(profile, name) for name in formula.names]
        return tuple(Term(name, self.value(name)[0]) for name in names)

    def _agreed(self, left: Value, agreement: Agreement) -> Agreed:
        right = self._sum("native", agreement.formula)
        holds = None if left is None or right is None else _RELATIONS[agreement.relation](left, right)
        return Agreed(agreement, left, right, self._terms("native", parse(agreement.formula)), holds)
