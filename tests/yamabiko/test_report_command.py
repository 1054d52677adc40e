"""``yamabiko report``: a store on disk, the command as an operator types it, what stands on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from config.settings import load
from console.profiles.evaluation import PROFILES
from model.cause import Cause, Permanence
from store.environment import Environment
from store.writer import write_now
from tests.store.world import clicked, described, failed, planned
from yamabiko import exits, key_file
from yamabiko.cli import cli
from yamabiko.commands import report as command
from yamabiko.first_start import prepare_home
from yamabiko.key_file import KeyFile


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a broadcast of 1,234 recipients, one of whom is unknown and two of whom clicked."""
    path = tmp_path / "home"
    path.mkdir()
    settings = load(None, {"YAMABIKO_HOME": str(path)})
    prepare_home(settings)
    number = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring().broadcast_number(1, "spring")
    settings.data.mkdir(exist_ok=True)
    env = Environment(settings.data, map_size=64 * 2**20)
    facts = [described(number, broadcast_id="spring", format="html")]
    facts += [planned(i, number) for i in range(1, 1_235)]
    full = failed(2, number, cause=Cause.MAILBOX_FULL, permanence=Permanence.TRANSIENT)
    facts += [failed(1, number), full, clicked(3, number), clicked(4, number)]
    write_now(env, facts)
    env.close()
    return path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments], env={"YAMABIKO_HOME": str(home), "COLUMNS": "100"})


def shown(home: Path, *arguments: str) -> str:
    result = run(home, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_offers_every_profile() -> None:
    assert list(PROFILES) == list(command._PROFILES)


@pytest.mark.row("S06", "S07", "S09", "S10", "S11", "S16", "S22")
def test_sansan_in_japanese_stands_in_columns(home: Path) -> None:
    lines = shown(home, "spring", "--profile", "sansan", "--lang", "ja").splitlines()
    assert lines[0] == "Sansan メール配信"
    start = lines.index("配信数")
    numbers = lines[start + 1 : start + 8]
    assert [line.split() for line in numbers] == [
        ["宛先", "1,234"], ["到達", "1,232"], ["開封", "2"], ["リンククリック", "2"], ["不達", "2"],
        ["未開封", "1,230"], ["未クリック", "0"],
    ]  # fmt: skip
    ends = {cell_len(line.rstrip()) for line in numbers}
    assert len(ends) == 1, "wide letters are counted as two columns, so that the figures end in one"
    full = next(line for line in lines if line.startswith("ディスク容量不足"))
    assert "再送で届く可能性がある" in full
    assert not any("再送で届く" in line for line in lines if line.startswith("時間切れ")), "hints only where it matters"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_profile_is_shown_and_explained(home: Path, profile: str, lang: str) -> None:
    text = shown(home, "spring", "--profile", profile, "--lang", lang)
    first = PROFILES[profile].sections[0].figures[0].label.of(lang)
    assert first in text
    explained = shown(home, "spring", "--profile", profile, "--lang", lang, "--explain")
    for section in PROFILES[profile].sections:
        for figure in section.figures if section.is_listed else ():
            assert f"({profile}.{figure.id}): " in explained
    assert "DOES NOT HOLD" not in explained and "不一致" not in explained


@pytest.mark.row("N11")
def test_one_figure_explains_itself(home: Path) -> None:
    text = " ".join(shown(home, "spring", "--profile", "karte", "--explain", "soft_bounces").split())
    assert "Soft bounces (karte.soft_bounces): 1" in text
    assert "formula native.soft" in text
    assert "karte.soft_bounces = sansan.undelivered - karte.hard_bounces (1, 1: holds, I3)" in text
    assert "test sends: 0" in text
    hidden = " ".join(shown(home, "spring", "--explain", "failed.out_of_band.user_unknown").split())
    assert "(native.failed.out_of_band.user_unknown): 1" in hidden


@pytest.mark.parametrize(("zone", "offset"), [("Asia/Tokyo", "+0900"), ("America/New_York", "-0")])
def test_times_are_those_of_the_zone_that_reports_count_in(
    home: Path, zone: str, offset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YAMABIKO_CONSOLE_ZONE", zone)
    (line,) = [line for line in shown(home, "spring", "--lang", "ja").splitlines() if line.startswith("状態")]
    assert "確定の目安: " in line and f" {offset}" in line, line


def test_a_figure_that_is_not_there_is_told_with_those_that_are(home: Path) -> None:
    result = run(home, "spring", "--profile", "bales", "--explain", "bounces")
    assert result.exit_code == exits.USAGE
    assert "has no figure 'bounces'. It has: sent, reached, opens, clicks, unsubs." in result.output


def test_json_is_the_native_numbers_or_the_profile(home: Path) -> None:
    native = json.loads(shown(home, "spring", "--json"))
    assert (native["targeted"], native["undelivered"], native["sansan"]["user_unknown"]) == (1_234, 2, 1)
    view = json.loads(shown(home, "spring", "--json", "--profile", "relation", "--lang", "ja", "--explain", "done"))
    assert view["label"] == "Re:lation 一斉配信+"
    assert view["sections"][0]["figures"][0] | {} == {
        "id": "done", "label": "配信済み", "unit": "mail", "unit_label": "メールの件数", "value": 1_234,
        "why_none": None, "formula": "success + error", "hints": [], "is_detail": False,
    }  # fmt: skip
    assert [explanation["figure"] for explanation in view["explanations"]] == ["relation.done"]


@pytest.mark.row("S12")
def test_a_hyphen_is_drawn_and_never_zero_or_nan(home: Path) -> None:
    assert [command.drawn(value) for value in (None, 0, 1_234, 0.0, 1 / 3)] == ["-", "0", "1,234", "0.00%", "33.33%"]
    text = shown(home, "spring", "--profile", "karte", "--lang", "ja")
    assert next(line.split()[:2] for line in text.splitlines() if line.startswith("CV数")) == ["CV数", "-"]
    assert "nan" not in text.lower()


def test_a_broadcast_that_is_not_there_is_told(home: Path) -> None:
    result = run(home, "summer", "--profile", "sansan")
    assert result.exit_code == exits.DATA
    assert "no broadcast 'summer'" in result.output
