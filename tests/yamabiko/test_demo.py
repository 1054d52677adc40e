"""The demo: its truth agrees with itself, it passes under kills, and it notices a wrong figure."""

from __future__ import annotations

import subprocess
import sys

import pytest

from yamabiko.demo.show import compare
from yamabiko.demo.world import build_world


@pytest.mark.parametrize("size", [400, 2_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_truth_keeps_the_identities(seed: int, size: int) -> None:
    truth = build_world(seed, size).truth()
    excluded = sum(count for name, count in truth.items() if name.startswith("excluded."))
    assert truth["listed"] == size == truth["targeted"] + excluded
    assert truth["targeted"] == truth["reached"] + truth["undelivered"] + truth["in_flight"]
    assert truth["undelivered"] == truth["hard"] + truth["soft"]
    assert truth["reached"] == truth["opened_users"] + truth["unopened"]


def test_the_same_seed_makes_the_same_world() -> None:
    assert build_world(7, 400) == build_world(7, 400)
    assert build_world(7, 400) != build_world(8, 400)


def test_a_wrong_figure_is_noticed() -> None:
    """The control: what the demo compares can fail, in either direction and for figures nobody expected."""
    truth = {"reached": 10, "opens": 5, "causes.user_unknown": 2}
    numbers = {"reached": 10, "opens": 5, "causes": {"user_unknown": 2}}
    assert all(row.is_right for row in compare(truth, numbers, {}))
    for wrong in ({"reached": 9}, {"opens": 6}, {"opens": None}, {"causes": {"user_unknown": 1, "no_reason": 1}}):
        assert not all(row.is_right for row in compare(truth, numbers | wrong, {}))
    assert all(row.is_right for row in compare(truth, numbers | {"opens": 6}, {"opens": 1}))


@pytest.mark.timeout(180)
def test_every_figure_is_true_while_processes_are_killed() -> None:
    command = [sys.executable, "-m", "yamabiko", "demo", "--recipients", "400", "--kill", "4", "--seed", "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert "all true" in done.stdout and "sound" in done.stdout
