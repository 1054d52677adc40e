"""Processes that die, hang or lose their supervisor (D2, D8)."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import keys
from store.environment import Environment
from tests.yamabiko.serving import LEAN, Server, fastest, is_alive, slowness, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that everything is done to, one after the other."""
    home = tmp_path_factory.mktemp("faults") / "home"
    running = Server(home, YAMABIKO_PROCESSES_STUCK_AFTER_S="2").start()
    try:
        yield running
        assert running.stop() == 0
        assert running.run("store", "verify").returncode == 0
    finally:
        running.kill()


def test_every_killed_worker_is_back_within_a_second(server: Server) -> None:
    for name, service in (("console-0", "console"), ("tracker-0", "tracker"), ("smtp-0", "smtp")):
        took = fastest(lambda name=name, service=service: _kill(server, name, service), 1.0)  # type: ignore[misc]
        print(f"{name}: back after {took:.2f} s")
        assert took <= 1.0 * slowness()


def _kill(server: Server, name: str, service: str) -> float:
    """Kill a worker that has a spare; returns after how many seconds its service answers again."""
    wait_for(lambda: server.status()["spares"] == 3, 20)
    time.sleep(1.5)  # they import
    before = server.worker(name)
    os.kill(before["pid"], signal.SIGKILL)
    took = wait_for(lambda: answers(server, service), 20, server.log_text)
    wait_for(lambda: server.worker(name)["restarts"] == before["restarts"] + 1, 5)
    return took


def answers(server: Server, service: str) -> bool:
    """Whether somebody listens and speaks."""
    try:
        with socket.create_connection(("127.0.0.1", server.port(service)), timeout=1) as connection:
            if service != "smtp":
                connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def test_a_worker_that_hangs_is_killed_and_replaced(server: Server) -> None:
    stuck = server.worker("tracker-0")["pid"]
    healthy = server.worker("smtp-0")["pid"]
    began = time.monotonic()
    os.kill(stuck, signal.SIGSTOP)
    wait_for(lambda: not is_alive(stuck), 6, server.log_text)
    took = time.monotonic() - began
    print(f"killed after {took:.2f} s")
    assert took >= 1.5, "not before its time"
    wait_for(lambda: answers(server, "tracker"), 5)
    assert is_alive(healthy), "negative control: only the stuck one"


def test_workers_end_with_a_killed_supervisor_and_a_new_one_starts(server: Server) -> None:
    workers = [worker["pid"] for worker in server.status()["workers"]]
    ports = {name: server.port(name) for name in ("smtp", "tracker", "console")}
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    for name, port in ports.items():  # the same ports, at once
        server.environment[f"YAMABIKO_{name.upper()}_PORT"] = str(port)
    began = time.monotonic()
    server.start()
    print(f"serving again after {time.monotonic() - began:.2f} s")
    assert not any(map(is_alive, workers))
    assert server.get("/healthz")[0] == 200


def test_a_worker_that_dies_at_once_is_tried_again_with_pauses(server: Server) -> None:
    lines, began = len(server.log_lines()), time.monotonic()
    tracker = before = server.worker("tracker-0")["restarts"]
    while time.monotonic() - began < 2.5:
        worker = server.worker("tracker-0")
        if worker["pid"]:
            try:
                os.kill(worker["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue
        tracker = worker["restarts"]
        time.sleep(0.02)
    assert 2 <= tracker - before <= 12, tracker
    died = [line for line in server.log_lines() if line["event"].startswith("worker died")]
    assert died[0]["pause_s"] == 0.0
    assert max(line["pause_s"] for line in server.log_lines()[lines:] if line in died) >= 0.2
    wait_for(lambda: answers(server, "tracker"), 12)


@pytest.mark.row("D20")
@pytest.mark.parametrize("name", ["console-0", "smtp-0", "tracker-0"])
def test_a_worker_without_a_file_left_to_open_goes_on(server: Server, name: str) -> None:
    before = server.worker(name)
    pid, service = before["pid"], name.partition("-")[0]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    held: list[socket.socket] = []
    try:
        # No number is left but those of files closed since, which connections take.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(open_files(pid)) + 1, limits[1]))
        for _ in range(100):
            held.append(socket.create_connection(("127.0.0.1", server.port(service)), timeout=5))
        spent = processor_s(pid)
        time.sleep(4)
        assert processor_s(pid) - spent < 0.2 * 4 * slowness(), "it goes round in no circle"
        assert is_alive(pid), server.log_text()
    finally:
        for connection in held:
            connection.close()
        if is_alive(pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    wait_for(lambda: answers(server, service), 10, server.log_text)
    assert server.worker(name)["restarts"] == before["restarts"]


@pytest.mark.row("D2", "D20")
def test_a_worker_that_cannot_be_started_is_tried_again(server: Server) -> None:
    assert server.process is not None
    supervisor = server.process.pid
    limits = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (4, limits[1]))
    lines = len(server.log_lines())
    try:
        # The first kill is for the spare, of which there is no other then.
        for _ in range(200):
            if any(line["event"] == "no worker can be started" for line in server.log_lines()[lines:]):
                break
            pid = server.worker("tracker-0")["pid"]
            if pid and is_alive(pid):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        else:
            raise AssertionError("the control: one could always be started")
        time.sleep(0.5)
    finally:
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, limits)
    wait_for(lambda: answers(server, "tracker"), 20, server.log_text)


def open_files(pid: int) -> list[int]:
    """Return the numbers of the files that a process has open."""
    return [int(entry) for entry in os.listdir(f"/proc/{pid}/fd")]


def processor_s(pid: int) -> float:
    """Return the processor seconds a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_starting_is_refused_with_bad_rules_secrets_or_settings(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "10-bad.toml").write_text("[[rule]]\nid = 'x'\n", "utf-8")
    bad_rules = Server(tmp_path / "a", YAMABIKO_RULES_DIRECTORY=str(rules)).run("serve")
    assert (bad_rules.returncode, b"10-bad.toml:" in bad_rules.stderr) == (78, True), bad_rules
    shared = Server(tmp_path / "b")
    assert shared.run("keys", "list").returncode == 78, "nothing there yet"
    (tmp_path / "b" / "secrets").mkdir(mode=0o700, parents=True)
    keys = tmp_path / "b" / "secrets" / "keys.json"
    keys.write_text("{}")
    keys.chmod(0o640)
    refused = shared.run("serve")
    assert refused.returncode == 78
    assert f"chmod 600 {keys}".encode() in refused.stderr
    lost = Server(tmp_path / "c")
    (tmp_path / "c" / "data").mkdir(parents=True)
    (tmp_path / "c" / "data" / "data.mdb").write_bytes(b"x")
    refused = lost.run("serve")
    assert (refused.returncode, b"Restore it from your backup" in refused.stderr) == (78, True), refused
    settings = Server(tmp_path / "d", YAMABIKO_SMTP_PORT="x").run("serve")
    assert (settings.returncode, b"YAMABIKO_SMTP_PORT" in settings.stderr) == (78, True)
    for result in (bad_rules, refused, settings):
        assert b"Traceback" not in result.stderr


@pytest.mark.row("D13")
def test_starting_is_refused_with_data_that_cannot_be_read(tmp_path: Path) -> None:
    """A service manager must not start it for ever: the data is as it is."""
    server = Server(tmp_path / "home", **LEAN).start()
    assert server.stop() == 0, "negative control: this is a good home"
    data = tmp_path / "home" / "data" / "data.mdb"
    env = Environment(data.parent)
    with env.write() as txn:
        txn.put(keys.META_VERSION, b"99", db=env.db(keys.META))
    env.close()
    newer = data.read_bytes()
    for content, code, words in (
        (newer, 78, b"has format '99'"),
        (b"something else", 65, b"is no store"),
        (bytes(65_536), 65, b"store restore DIR"),
    ):
        data.write_bytes(content)
        for command in (("serve",), ("store", "verify"), ("report", "spring")):
            result = server.run(*command)
            assert (result.returncode, words in result.stderr) == (code, True), (command, result)
            assert b"Traceback" not in result.stderr
            assert b"starting another" not in result.stderr
            assert data.read_bytes() == content
