"""The benchmark measures what it says: rows, the checks against the store, the load generator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import classify, smtp, web
from bench.__main__ import main
from bench.comparison import Options, Sample, compare
from bench.errors import BenchError
from bench.mailings import write_mails
from bench.ours import Ours, running_ours
from bench.processes import cpu_seconds
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
    ours.check_facts(before=0, answered=0, in_flight=0)
    with pytest.raises(BenchError, match="1 answers but 0 facts"):
        ours.check_facts(before=0, answered=1, in_flight=256)


def test_reports_are_as_long_as_real_ones_and_all_different(mint: Mint, tmp_path: Path) -> None:
    mean = write_mails(tmp_path / "mails", mint, day=20_000, first=0, count=50)
    assert 3_500 < mean < 4_500
    raw = (tmp_path / "mails").read_bytes()
    assert raw.count(b"\r\n.\r\n") == 50
    recipients = {line for line in raw.split(b"\r\n") if line.startswith(b"To: b+")}
    assert len(recipients) > 30


def test_a_missing_generator_is_told_in_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.processes._PATH", "/nowhere")
    rows = [*web.compare_pixel(_SHORT), *smtp.compare_smtp(_SHORT)]
    assert [row.name for row in rows] == ["pixel_vs_nginx", "smtp_vs_sink", "smtp_vs_aiosmtpd"]
    assert all(row.peer is None and "is not installed" in row.note for row in rows)


@pytest.mark.system("gcc")
def test_reports_reach_our_server_and_its_store(tmp_path: Path) -> None:
    load = smtp._build_load(tmp_path)
    with running_ours() as ours:
        run = smtp._OurRun(load, ours, tmp_path / "mails")
        sample = run(0.3)
        assert f"{sample.events:,} mails" in run.confirm()
    assert sample.events > 0 and sample.p99_ms > 0 and sample.cpu["server"] > 0


def test_the_command_prints_one_object_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(classify, "_CORPUS", tmp_path / "missing")
    result = CliRunner().invoke(main, ["classify", "--json", "--seconds", "1", "--runs", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["name"] for row in rows] == ["classify_vs_flufl"]
    assert rows[0]["ours"] > 0 and "the parse takes" in rows[0]["note"]
    assert "corpus of real ones is not here" in rows[0]["note"]
