"""The store after kill -9, power loss and damaged bits; ``make torture`` runs the same with more tries."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.torture.store_crash import kill_cycles
from tests.torture.store_flips import flips
from tests.torture.store_power import power_loss_states

needs_gcc = pytest.mark.system("gcc")


@pytest.fixture
def seed() -> int:
    drawn = secrets.randbits(32)
    print("seed", drawn)
    return drawn


def test_kill_nine_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    acknowledged, lost, wrong = kill_cycles(tmp_path, cycles=5, seed=seed)
    assert acknowledged > 0
    assert (lost, wrong) == (0, 0)


def test_acknowledging_early_would_lose(tmp_path: Path, seed: int) -> None:
    _, lost, _ = kill_cycles(tmp_path, cycles=2, seed=seed, early=True)
    assert lost > 0, "the control"


@needs_gcc
def test_power_loss_loses_nothing_acknowledged(seed: int) -> None:
    lost, wrong, deaths = power_loss_states("default", seed=seed, tries=150)
    assert (lost, wrong, dict(deaths)) == (0, 0, {})


@needs_gcc
@pytest.mark.parametrize("mode", ["nosync", "nometasync"])
def test_modes_we_never_use_would_lose(mode: str, seed: int) -> None:
    lost, wrong, _ = power_loss_states(mode, seed=seed, tries=30)
    assert lost + wrong > 0, "the control"


def test_every_flip_in_the_log_is_refused(seed: int) -> None:
    counted = flips(seed=seed, tries=20, region="log")
    assert counted["wrong facts"] == 0
    assert counted["refused"] + counted["reader refused or died"] == 20


def test_flips_in_derived_records_are_reported(seed: int) -> None:
    counted = flips(seed=seed, tries=10, region="derived")
    assert counted["wrong facts"] == counted["wrong derived, not reported"] == 0
    assert counted["harmless"] < 10, "the control: flips do harm"
