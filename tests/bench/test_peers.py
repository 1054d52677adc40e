"""The peers do what they are said to do, and a run of one that loses something is void."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.mailings import first_mails, write_mails
from bench.postfix import running_postfix
from bench.processes import clock_of_tree, cpu_seconds
from bench.smtp_peers import PEERS, PostfixRun
from bench.sqlite_app import Hits
from bench.sqlite_peer import running_sqlite
from bench.visits import Visits
from model.mint import Mint


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    path = tmp_path / "visits"
    path.write_text("".join(f"/o/token{n}.gif\tAgent {n}\n" for n in range(1_000)), encoding="ascii")
    return Visits(path, 1_000)


@pytest.mark.system("gcc")
def test_sqlite_has_every_hit_it_answered(web_load: Path, visits: Visits, tmp_path: Path) -> None:
    with running_sqlite(web_load, visits, tmp_path) as run:
        sample = run(0.5)
    assert sample.events > 0 and sample.cpu["server"] > 0


@pytest.mark.system("gcc")
def test_hits_missing_in_sqlite_void_the_run(
    web_load: Path, visits: Visits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_sqlite(web_load, visits, tmp_path) as run:
        monkeypatch.setattr(run, "_rows", lambda: 7)
        with pytest.raises(BenchError, match="but 0 rows in SQLite"):
            run(0.2)


async def test_sqlite_syncs_what_it_answers(tmp_path: Path) -> None:
    hits = Hits(str(tmp_path / "hits.sqlite"))
    await hits.add(("token", 1, None, "agent"))
    with closing(hits._database) as database:
        assert database.execute("SELECT token, user_agent FROM hits").fetchall() == [("token", "agent")]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.mark.system("gcc")
@pytest.mark.system("postfix")
def test_postfix_is_waited_for_until_its_queue_is_empty(smtp_load: Path, mint: Mint) -> None:
    # Other users' processes must get there: not below pytest's own directory.
    with tempfile.TemporaryDirectory(prefix="yamabiko-bench-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_mails(folder / "mails", mint, day=20_000, first=0, count=40)
        with running_postfix(folder / "pipe", "parser") as postfix:
            sample = PostfixRun(smtp_load, postfix, folder / "mails", is_piped=True)(0.4)
            named = postfix.results.read_text(encoding="utf-8").splitlines()
            assert sample.events == len(named) == postfix.delivered() == 10
            assert sum("@" in line for line in named) >= 5, "the parser finds who bounced"
            assert sample.cpu["postfix"] > 0.1, "what the parsers used is counted"
        with running_postfix(folder / "discard", "discard") as postfix:
            sample = PostfixRun(smtp_load, postfix, folder / "mails", is_piped=False)(0.5)
            assert sample.events == postfix.delivered() > 0


@pytest.mark.system("gcc")
def test_peers_that_discard_take_all_mails(smtp_load: Path, mint: Mint, tmp_path: Path) -> None:
    write_mails(tmp_path / "mails", mint, day=20_000, first=0, count=40)
    (peer,) = (peer for peer in PEERS if peer.name == "aiosmtpd")
    with peer.start(smtp_load, tmp_path / "mails", tmp_path) as run:
        assert run(0.3).events > 0


def test_the_first_mails_are_the_first(mint: Mint, tmp_path: Path) -> None:
    write_mails(tmp_path / "all", mint, day=20_000, first=0, count=10)
    whole = (tmp_path / "all").read_bytes()
    few = first_mails(tmp_path / "all", tmp_path / "few", 3).read_bytes()
    assert int.from_bytes(few[:4], sys.byteorder) == 3
    assert whole[4:].startswith(few[4:]) and few.count(b"\r\n.\r\n") == 3
    with pytest.raises(BenchError, match="11 mails wanted, 10 there"):
        first_mails(tmp_path / "all", tmp_path / "few", 11)


def test_the_clock_of_a_tree_counts_children_that_ended() -> None:
    spend = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {spend!r}]); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        clock, deadline = clock_of_tree(parent.pid), time.monotonic() + 20
        while clock() < 0.3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert clock() >= 0.3 > cpu_seconds([parent.pid])
        parent.kill()
