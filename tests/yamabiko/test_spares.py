"""Processes that wait for a post: they begin before there is anything to read, and nothing is left of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.yamabiko.serving import LEAN, Server, is_alive, wait_for
from yamabiko.post import Post
from yamabiko.spares import Spares, Started

_POST = Post("tracker", 0, 3, "127.0.0.1", 0)
#: What a start need not import before the tracker answers, though something imports it later.
_LATER = {
    "the command": ("yamabiko.cli, yamabiko.commands.serve", {"asyncio", "msgspec", "lmdb", "console", "classifier"}),
    "the tracker": ("yamabiko.worker, yamabiko.workers.tracker", {"jinja2", "prometheus_client", "classifier", "re2"}),
}


def test_a_post_is_read_as_it_was_written() -> None:
    assert Post.read(_POST.line()) == _POST
    assert _POST.line().endswith(b"\n")
    assert _POST.line().count(b"\n") == 1


def test_spares_are_ended_with_the_block(tmp_path: Path) -> None:
    with Spares(tmp_path / "run") as spares:
        spares.refill(("tracker", "smtp"))
        pids = [_waiting(spares, kind).process.pid for kind in ("tracker", "smtp")]
        assert len(spares) == 2
        assert all(map(is_alive, pids))
    assert len(spares) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids), "not even as zombies"


def test_a_spare_reads_no_settings_before_they_are_said_to_be_there(tmp_path: Path) -> None:
    with Spares(tmp_path / "run") as spares:  # no such directory
        spares.refill(("tracker",))
        waiting = _waiting(spares, "tracker").process
        wait_for(lambda: _is_waiting_for_orders(waiting.pid), 20)
        assert waiting.poll() is None
        spares.open()
        assert waiting.wait(20) == 1, "negative control: then it reads them, and there are none"


def test_a_spare_that_nobody_needs_ends_by_itself(tmp_path: Path) -> None:
    with Spares(tmp_path / "run") as spares:
        spares.refill(("tracker",))
        waiting = _waiting(spares, "tracker").process
        assert waiting.stdin is not None
        waiting.stdin.close()  # as when the supervisor is gone
        assert waiting.wait(20) == 0


def test_a_spare_that_cannot_start_is_not_started_again_at_once(tmp_path: Path) -> None:
    with Spares(tmp_path / "run") as spares:
        spares.refill(("tracker",))
        first = _waiting(spares, "tracker").process
        first.kill()
        first.wait()
        spares.refill(("tracker",))
        assert len(spares) == 0
        started = spares.take(_POST)
        try:
            assert started.process.poll() is None, "whoever needs a worker gets one"
            assert started.process.pid != first.pid
        finally:
            started.process.kill()
            started.bury()


def test_a_refused_serve_leaves_no_process_behind(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN, YAMABIKO_SMTP_PORT="x")
    assert server.run("serve").returncode == 78, "settings"
    assert _processes_of(server.home) == []
    server.environment["YAMABIKO_SMTP_PORT"] = "0"
    server.start()
    try:
        before = _processes_of(server.home)
        assert len(before) == 3, "negative control: they can be found"
        assert server.run("serve").returncode == 69, "the home is taken"
        wait_for(lambda: _processes_of(server.home) == before, 2)
    finally:
        assert server.stop() == 0
    assert _processes_of(server.home) == []


@pytest.mark.parametrize("name", _LATER)
def test_a_start_imports_no_more_than_it_needs(name: str) -> None:
    modules, later = _LATER[name]
    program = f"import sys, {modules}; print(*(module.partition('.')[0] for module in sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not later.intersection(found)
    assert "yamabiko" in found, "negative control: the names are those of packages"


def _waiting(spares: Spares, kind: str) -> Started:
    return spares._waiting[kind]


def _is_waiting_for_orders(pid: int) -> bool:
    """Whether a process has slept for a while and used no processor time: it has imported all it can."""
    seen = set()
    for _ in range(10):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seen.add((fields[0], fields[11], fields[12]))
        time.sleep(0.03)
    return len(seen) == 1 and seen.pop()[0] == "S"


def _processes_of(home: Path) -> list[int]:
    """The workers, spares included, of the server in ``home``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--run={home / 'run'}".encode() in words:
            found.append(int(entry.parent.name))
    return sorted(found)
