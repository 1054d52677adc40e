"""Formulas are read as they are shown, and compute what they say."""

from __future__ import annotations

import random

import pytest

from console.profiles.figure import Value, WhyNone
from console.profiles.formula import add, compute, parse

VALUES: dict[str, tuple[Value, WhyNone | None]] = {
    "a": (6, None),
    "b": (4, None),
    "none": (None, WhyNone.TEXT_MAIL),
    "zero": (0, None),
    "code.Transient:General": (2, None),
    "x-y/z": (1, None),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 6),
        ("a + b", 10),
        ("a - b - b", -2),
        ("a - b + code.Transient:General", 4),
        ("a / b", 1.5),
        ("zero / a", 0.0),
        ("0", 0),
        ("x-y/z + a", 7),
    ],
)
def test_a_formula_computes_what_it_says(text: str, value: float) -> None:
    assert compute(parse(text), VALUES.__getitem__) == (value, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a + none", WhyNone.TEXT_MAIL),
        ("none - none", WhyNone.TEXT_MAIL),
        ("none / a", WhyNone.TEXT_MAIL),
        ("a / none", WhyNone.TEXT_MAIL),
        ("a / zero", WhyNone.NO_DENOMINATOR),
        ("zero / zero", WhyNone.NO_DENOMINATOR),
    ],
)
def test_undefined_is_none_and_says_why(text: str, why: WhyNone) -> None:
    assert compute(parse(text), VALUES.__getitem__) == (None, why)


@pytest.mark.parametrize("text", ["", "a +", "+ a", "a  + b", "a + + b", "a / b / c", "a * b", "a + b / c", "a b"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse(text)


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_is_read_as_it_was_written(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    names = [rng.choice(["a", "b", "zero"]) for _ in range(rng.randint(1, 9))]
    assert parse(add(*names)).names == tuple(names)
    assert compute(parse(add(*names)), VALUES.__getitem__)[0] == sum(VALUES[name][0] or 0 for name in names)
    assert add() == "0"
