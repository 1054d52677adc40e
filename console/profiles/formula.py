"""Formulas as they are shown to readers, read and computed: sums, differences and one division of figures.

``reached + undelivered``, ``hard / targeted``, ``0``. Operators stand between spaces, so names may hold any other
character. Nothing here can do more than add, subtract and divide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from console.profiles.figure import Value, WhyNone


@dataclass(frozen=True, slots=True)
class Formula:
    """A sum of signed figures, divided by ``divisor`` where there is one."""

    terms: tuple[tuple[int, str], ...]
    divisor: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The figures used, in order."""
        return tuple(name for _, name in self.terms) + ((self.divisor,) if self.divisor else ())


@lru_cache(maxsize=4_096)
def parse(text: str) -> Formula:
    """Read a formula. Raises ValueError when it is none."""
    if text == "0":
        return Formula(())
    words = text.split(" ")
    names, operators = words[::2], words[1::2]
    if len(words) % 2 == 0 or not all(names) or any(name in "+-/=" for name in names):
        raise ValueError(f"not a formula: {text!r}")
    if operators == ["/"]:
        return Formula(((1, names[0]),), names[1])
    if not set(operators) <= {"+", "-"}:
        raise ValueError(f"not a sum, difference or ratio: {text!r}")
    signs = [1, *(1 if operator == "+" else -1 for operator in operators)]
    return Formula(tuple(zip(signs, names, strict=True)))


def compute(formula: Formula, value_of: Callable[[str], tuple[Value, WhyNone | None]]) -> tuple[Value, WhyNone | None]:
    """Return the formula's value, or None and why: a figure it uses has none, or it divides by 0 (mission 4.3)."""
    total: int | float = 0
    for sign, name in formula.terms:
        value, why = value_of(name)
        if value is None:
            return None, why
        total += sign * value
    if formula.divisor is None:
        return total, None
    divisor, why = value_of(formula.divisor)
    if divisor is None:
        return None, why
    return (total / divisor, None) if divisor else (None, WhyNone.NO_DENOMINATOR)


def add(*names: str) -> str:
    """Return the text of a sum; ``0`` of nothing."""
    return " + ".join(names) or "0"
