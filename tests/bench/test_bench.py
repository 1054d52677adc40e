"""The benchmark measures what it says: rows, the checks against the store, the load generator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import classify, recovery, smtp, web
from bench.__main__ import main
from bench.comparison import Comparison, Options, Sample, compare
from bench.errors import BenchError
from bench.mailings import write_mails
from bench.ours import Ours, running_ours
from bench.processes import cpu_seconds
from bench.registry import ENTRIES, Entry
from bench.visits import PIXEL, Visits
from bench.web_load import OurRun
from model.mint import Mint
from store.environment import Environment
from yamabiko.demo.server import Server

_SHORT = Options(seconds=1, runs=1)


def _sample(events: int) -> Sample:
    return Sample(events, 2.0, 1.0, {"server": 1.0, "load": 0.5}, 0.0)


def test_a_row_holds_the_medians_and_their_ratio() -> None:
    row = compare("x_vs_y", "mails/s", [_sample(n) for n in (100, 900, 200)], [_sample(n) for n in (400, 100, 800)])
    assert (row.ours, row.peer, row.ratio) == (100.0, 200.0, 0.5)
    assert set(row.as_json()) == {"name", "ours", "peer", "ratio", "unit", "note"}


def test_without_a_peer_there_is_no_ratio() -> None:
    row = compare("x_vs_y", "mails/s", [_sample(100)], [], "no peer: y is not installed")
    assert (row.peer, row.ratio) == (None, None)
    assert "no peer: y is not installed" in row.note


def test_cpu_of_a_process_that_ended_voids_the_run() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(BenchError, match="ended"):
        cpu_seconds([gone.pid])


def test_answers_without_facts_void_the_run(env: Environment, mint: Mint, tmp_path: Path) -> None:
    ours = Ours(Server(tmp_path / "home"), env, mint)
    ours.check_facts(before=0, answered=0)
    with pytest.raises(BenchError, match="1 answers but 0 facts"):
        ours.check_facts(before=0, answered=1)


def test_reports_are_as_long_as_real_ones_and_all_different(mint: Mint, tmp_path: Path) -> None:
    mean = write_mails(tmp_path / "mails", mint, day=20_000, first=0, count=50)
    assert 3_500 < mean < 4_500
    raw = (tmp_path / "mails").read_bytes()
    assert raw.count(b"\r\n.\r\n") == 50
    recipients = {line for line in raw.split(b"\r\n") if line.startswith(b"To: b+")}
    assert len(recipients) > 30


def test_a_missing_compiler_is_told_in_the_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.processes._PATH", "/nowhere")
    rows = [*web.compare_pixel(_SHORT), *web.compare_click(_SHORT), *smtp.compare_smtp(_SHORT)]
    rows += recovery.measure_recovery(_SHORT)
    assert [row.name for row in rows] == [
        "pixel_vs_nginx",
        "pixel_vs_sqlite",
        "pixel_two_processes",
        "pixel_p99",
        "memory",
        "click_vs_nginx",
        "smtp_vs_sink",
        "smtp_vs_aiosmtpd",
        "smtp_vs_postfix_pipe",
        "smtp_vs_postfix_discard",
        "recovery",
    ]
    assert all(row.ours is None and "gcc is not installed" in row.note for row in rows)


@pytest.mark.system("gcc")
def test_reports_reach_our_server_and_its_store(smtp_load: Path, tmp_path: Path) -> None:
    with running_ours() as ours:
        run = smtp.OurRun(smtp_load, ours, tmp_path / "mails")
        sample = run(0.3)
        assert f"{sample.events:,} mails" in run.confirm()
    assert sample.events > 0 and sample.p99_ms and sample.cpu["worker"] > 0 and "supervisor" in sample.cpu


@pytest.mark.system("gcc")
def test_visits_reach_our_servers_and_their_store(web_load: Path, tmp_path: Path) -> None:
    with running_ours("[processes]\ntracker_workers = 2\n") as ours:
        assert len(ours.workers("tracker")) == 2
        visits = Visits(tmp_path / "visits", 2_000)
        visits.write(ours, PIXEL)
        run = OurRun(web_load, ours, visits, PIXEL)
        fast = run(0.5)
        slow = run(1, rate=50)
        assert slow.events == 50 and fast.events > 0
        assert run.latency.p99 >= run.latency.p50 > 0
        assert visits.place == (fast.events + slow.events) % 2_000
        assert f"{fast.events + 50:,} facts opened" in run.confirm()


def test_a_void_comparison_does_not_keep_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: Options) -> list[Comparison]:
        raise BenchError("3 answers but 2 facts in the store")

    def succeed(options: Options) -> list[Comparison]:
        assert options.store is not None and options.store.is_dir()
        return [Comparison("x_vs_y", 1.0, 2.0, 0.5, "mails/s", "")]

    entries = {"one": Entry(fail, ""), "two": Entry(succeed, "")}
    monkeypatch.setattr("bench.__main__.ENTRIES", entries)
    result = CliRunner().invoke(main, ["all", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["name"] == "x_vs_y"
    assert "one is void: 3 answers but 2 facts" in result.stderr


def test_every_name_the_mission_asks_for_is_there() -> None:
    assert set(ENTRIES) == {"pixel", "click", "smtp", "classify", "reports", "growth", "recovery"}


def test_the_command_prints_one_object_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(classify, "_CORPUS", tmp_path / "missing")
    result = CliRunner().invoke(main, ["classify", "--json", "--seconds", "1", "--runs", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["name"] for row in rows] == ["classify_vs_flufl"]
    assert rows[0]["ours"] > 0 and "the parse takes" in rows[0]["note"]
    assert "corpus of real ones is not here" in rows[0]["note"]
