"""``serve`` as a whole: starts, refuses a second, follows secrets and rules, reloads, drains."""

from __future__ import annotations

import json
import re
import shutil
import signal
import smtplib
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import config
from tests.yamabiko.serving import LEAN, Server, fastest, is_alive, slowness, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it as they found it."""
    home = tmp_path_factory.mktemp("serve") / "home"
    rules = home.parent / "rules"
    shutil.copytree(Path(config.__file__).parent / "rules", rules)
    running = Server(home, YAMABIKO_RULES_DIRECTORY=str(rules), YAMABIKO_PROCESSES_TRACKER_WORKERS="2").start()
    yield running
    assert running.stop() == 0, running.log_text()[-3000:]


def test_all_workers_run_and_say_where(server: Server) -> None:
    names = [worker["name"] for worker in server.status()["workers"]]
    assert names == ["smtp-0", "tracker-0", "tracker-1", "console-0"]
    assert server.get("/healthz")[0] == 200
    assert server.health() == {}
    assert server.get("/healthz", service="tracker")[0] == 200
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=5) as client:
        assert client.noop()[0] == 250


def test_secrets_are_made_private_and_never_printed(server: Server) -> None:
    secrets = server.home / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for name in ("keys.json", "tokens.json", "admin-token"):
        assert stat.S_IMODE((secrets / name).stat().st_mode) == 0o600, name
    text = server.log_text()
    assert str(secrets / "admin-token") in text
    assert server.token() not in text
    assert server.token() not in (secrets / "tokens.json").read_text()


def test_logs_are_json_lines_and_hold_no_token(server: Server) -> None:
    server.get("/v1/broadcasts?after=x", token="ymb_canary")
    lines = server.log_lines()
    assert {line["worker"] for line in lines} >= {"supervisor", "smtp-0", "tracker-0", "console-0"}
    requests = [line for line in lines if line["event"] == "request"]
    assert requests
    assert "canary" not in server.log_text()
    others = [line for line in server.log_text().splitlines() if not line.startswith("{")]
    assert len(others) == 2, others  # what first start made


@pytest.mark.row("T8", "T19")
@pytest.mark.parametrize("service", ["console", "tracker"])
@pytest.mark.parametrize(
    "lines",
    [
        b"GET /v1/broadcasts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ymb_malformed\0",
        b"GET /v1/broadcasts?q=malformed@example.jp\0 HTTP/1.1\r\nHost: 127.0.0.1",
        b"malformed@example.jp",
        b"GET / HTTP/1.1\r\nmalformed@example.jp: " + b"x" * 9_000,
        b"POST /v1/sends HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nmalformed@example.jp",
    ],
)
def test_nothing_of_a_malformed_request_is_logged(server: Server, service: str, lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port(service)), timeout=5) as client:
        client.sendall(lines + b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.\d 4", client.recv(64)), "the control: it was read"
    assert server.get("/healthz", service=service)[0] == 200
    assert "malformed" not in server.log_text()


def test_a_second_serve_is_refused_and_told_why(server: Server) -> None:
    second = server.run("serve")
    assert second.returncode == 69
    assert b"already running" in second.stderr
    assert str(server.process.pid).encode() in second.stderr  # type: ignore[union-attr]
    assert b"Traceback" not in second.stderr


def test_another_home_on_the_same_port_is_refused(server: Server, tmp_path: Path) -> None:
    other = Server(tmp_path / "other", YAMABIKO_CONSOLE_PORT=str(server.port("console")))
    refused = other.run("serve")
    assert refused.returncode == 69
    assert b"console.port" in refused.stderr
    assert b"Traceback" not in refused.stderr


def test_a_key_is_rotated_and_revoked_in_all_processes(server: Server) -> None:
    before = server.send_row(address="a@example.jp")
    path = urlsplit(before["unsubscribe_url"]).path
    assert server.get(path, service="tracker")[0] == 200
    assert server.rcpt(before["return_path"]) == 250
    kid = int(server.run("keys", "list").stdout.split()[0])
    assert server.run("keys", "rotate").returncode == 0
    # While the processes change over no valid token may be refused.
    after = before
    end = time.monotonic() + 3
    while time.monotonic() < end:
        after = server.send_row(address="a@example.jp", test=True)
        assert server.get(path, service="tracker")[0] == 200
        assert server.rcpt(before["return_path"]) == 250
    assert after["return_path"][2:4] != before["return_path"][2:4], "the new key signs"
    fresh = urlsplit(after["unsubscribe_url"]).path
    wait_for(lambda: server.get(fresh, service="tracker")[0] == 200, 2)
    assert server.run("keys", "revoke", str(kid), "--yes").returncode == 0
    took = wait_for(
        lambda: (
            all(server.get(path, service="tracker")[0] == 404 for _ in range(6))
            and server.rcpt(before["return_path"]) == 550
        ),
        5,
    )
    print(f"revoked everywhere after {took:.2f} s")
    assert server.get(fresh, service="tracker")[0] == 200, "negative control: other keys are not touched"
    assert server.rcpt(after["return_path"]) == 250


def test_api_tokens_are_made_and_revoked_while_running(server: Server) -> None:
    token = server.run("token", "create", "--name", "eve", "--role", "viewer").stdout.decode().strip()
    assert token.startswith("ymb_")
    wait_for(lambda: server.get("/v1/broadcasts", token=token)[0] == 200, 2)
    assert server.ask("PUT", "/v1/broadcasts/x", b"{}", token=token)[0] == 403
    assert server.run("token", "revoke", "eve").returncode == 0
    wait_for(lambda: server.get("/v1/broadcasts", token=token)[0] == 401, 2)
    assert token.encode() not in server.run("token", "list").stdout


def test_a_spoilt_key_file_is_told_and_the_old_keys_stay(server: Server) -> None:
    keys = server.home / "secrets" / "keys.json"
    good = keys.read_bytes()
    row = server.send_row(address="b@example.jp")
    keys.write_bytes(b"{}")
    try:
        wait_for(lambda: "keys" in server.health(), 3)
        assert server.get("/healthz")[0] == 200
        assert server.get(urlsplit(row["unsubscribe_url"]).path, service="tracker")[0] == 200
    finally:
        keys.write_bytes(good)
    wait_for(lambda: "keys" not in server.health(), 3)


def test_rules_follow_their_files_and_bad_ones_are_refused(server: Server) -> None:
    rules = Path(server.environment["YAMABIKO_RULES_DIRECTORY"])
    mine = rules / "99-mine.toml"
    mine.write_text("[[rule]\n", "utf-8")
    wait_for(lambda: "rules" in server.health(), 3, server.log_text)
    assert "99-mine.toml" in server.health()["rules"]
    assert server.get("/healthz")[0] == 200, "the old rules stay in force"
    assert 'check="rules"' in server.get("/metrics")[1]
    mine.unlink()
    wait_for(lambda: "rules" not in server.health(), 4)

    def change() -> float:
        """The server's clock of changes is the file's content: a comment is a change."""
        before = [line for line in server.log_lines() if line["event"] == "rules changed"]
        with (rules / "95-reply.toml").open("a", encoding="utf-8") as file:
            file.write("\n# touched\n")
        return wait_for(
            lambda: len([line for line in server.log_lines() if line["event"] == "rules changed"]) > len(before), 20
        )

    took = fastest(change, 2.0)
    print(f"rules took effect after {took:.2f} s")
    assert took <= 2.0 * slowness()


def test_settings_are_read_again_at_sighup_and_bad_ones_refused(server: Server) -> None:
    file = server.home / "yamabiko.toml"
    assert server.process is not None
    try:
        file.write_text("[logging]\nlevel = 'debug'\n", "utf-8")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: server.get("/healthz") and "debug" in {line["level"] for line in server.log_lines()}, 5)
        file.write_text("[logging]\nlevel = 'loud'\n", "utf-8")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "logging.level" in server.health().get("settings", ""), 5)
        assert server.get("/healthz")[0] == 200
    finally:
        file.unlink()
        server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings" not in server.health(), 5)
    assert all(worker["restarts"] == 0 for worker in server.status()["workers"])


def test_metrics_cover_all_processes_and_hold_no_secret(server: Server) -> None:
    row = server.send_row(address="c@example.jp")
    server.get(urlsplit(row["pixel_url"]).path, service="tracker")
    server.rcpt("nobody@example.jp")

    def scraped() -> bool:
        text = server.get("/metrics")[1]
        return 'yamabiko_tracker_total{what="pixels"}' in text and 'what="recipients_unknown"' in text

    wait_for(scraped, 3, lambda: server.get("/metrics")[1])
    text = server.get("/metrics")[1]
    assert re.search(r'yamabiko_store_facts_total\{worker="console-0"\} [1-9]', text)
    assert 'yamabiko_worker_ready{worker="smtp-0"} 1.0' in text
    secrets = (server.home / "secrets" / "keys.json").read_text()
    canaries = [server.token(), *re.findall(r"[0-9a-f]{64}", secrets), "c@example.jp"]
    assert len(canaries) >= 4
    places = [text, server.log_text(), *(path.read_text("latin-1") for path in (server.home / "run").glob("*.json"))]
    places.append((server.home / "data" / "data.mdb").read_bytes().decode("latin-1"))
    for canary in canaries[:-1]:
        assert not any(canary in place or canary.upper() in place for place in places)
        if len(canary) == 64:
            assert bytes.fromhex(canary).decode("latin-1") not in places[-1]
    assert canaries[-1] in places[-1], "negative control: the search does find what is there"
    assert canaries[-1] not in server.log_text()


def test_a_mail_is_finished_at_sigterm_and_the_exit_is_clean(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    row = server.send_row(address="d@example.jp")
    workers = [worker["pid"] for worker in server.status()["workers"]]
    client = smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20)
    client.ehlo("mx.example.jp")
    client.mail("")
    assert client.rcpt(row["return_path"])[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(b"Subject: Delivery failure\r\n\r\n")
    codes: list[int] = []
    ending = threading.Thread(target=lambda: codes.append(server.stop()))
    ending.start()
    time.sleep(0.7)
    client.send(b"<d@example.jp>: 550 5.1.1 user unknown\r\n.\r\n")
    assert client.getreply()[0] == 250
    ending.join(20)
    assert codes == [0], server.log_text()[-3000:]
    assert not any(map(is_alive, workers))
    assert not (server.home / "run" / "status.json").exists()
    verified = server.run("store", "verify")
    assert verified.returncode == 0, verified
    server.start()
    timeline = json.loads(server.get(f"/v1/broadcasts/spring/recipients/{row['recipient']}", token=server.token())[1])
    assert len(timeline["events"]) == 2, "what was answered 250 is there"
    assert server.stop() == 0
