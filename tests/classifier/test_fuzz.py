"""The fuzz target runs, and finds what it is made to find."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.classify import FindingError, Record, Target, search
from fuzz.mutate import mutate
from model.reading import Kind, Reading

ROOT = Path(__file__).parents[2]
SEED = (Path(__file__).parent / "cases" / "001-rfc3464-user-unknown.eml").read_bytes()


@pytest.fixture(scope="module")
def target() -> Target:
    return Target()


def test_it_runs_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz.classify", "--plain", "--seconds", "2", "--findings", str(tmp_path / "f")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings" in done.stdout
    assert not (tmp_path / "f").exists()


def test_one_mail_is_checked(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "one.eml"
    path.write_bytes(SEED)
    command = [sys.executable, "-m", "fuzz.classify", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, "1 executions" in done.stdout) == (0, True)


def test_equal_seeds_make_equal_mails() -> None:
    first, again, other = (mutate([SEED], random.Random(seed)) for seed in (1, 1, 2))
    assert first == again != other


class Broken(Target):
    """A classifier with a fault for mails that hold an exclamation mark, and another for tabs."""

    def check(self, raw: bytes) -> tuple[object, ...]:
        if b"!" in raw:
            raise FindingError("an exclamation mark")
        if b"\t" in raw:
            raise ZeroDivisionError("a tab")
        return (len(raw) % 3,)


def test_findings_are_told_apart_and_kept(tmp_path: Path) -> None:
    record = Record(Broken(), tmp_path / "findings")
    for raw in (b"fine", b"a long one!", b"x!", b"\t"):
        record.run(raw)
    search(record, [b"fine"], 0.1, 1)
    assert set(record.found) >= {"an exclamation mark"}
    assert len(record.found) == 2
    assert record.found["an exclamation mark"] in (b"x!", b"!")
    assert len(list((tmp_path / "findings").iterdir())) == 2
    assert record.end(0) == 1


def test_a_wrong_answer_is_a_finding(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    assert target.check(SEED)[0] is Kind.BOUNCE
    for wrong in (Reading(Kind.BOUNCE), Reading(Kind.NOT_BOUNCE, form="unreadable")):
        with monkeypatch.context() as patched:
            patched.setattr(type(target.classifier), "read", lambda *_, wrong=wrong, **__: wrong)
            with pytest.raises(FindingError):
                target.check(SEED)
