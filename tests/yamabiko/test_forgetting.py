"""Wishes of erasure are carried out before a server serves; nothing is put in the place of data somebody has open."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.export_erasure import remove_exports
from store.environment import Environment, is_open_elsewhere, wait_until_closed
from store.errors import StoreError
from tests.yamabiko.serving import LEAN, Server, wait_for

CANARY = "canary.hanako"
_HOLD = """
import sys
from pathlib import Path
from store.environment import Environment
env = Environment(Path(sys.argv[1]), read_only=sys.argv[2] == "read")
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(data: Path, how: str = "read") -> Iterator[subprocess.Popen[bytes]]:
    """Have another process open the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(data), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wish(server: Server) -> None:
    """List somebody and have it forgotten at the next occasion."""
    server.send_row(address=f"{CANARY}@example.jp")
    body = json.dumps({"recipient": f"{CANARY}@example.jp", "reason": "asked by letter"}).encode()
    assert server.ask("POST", "/v1/erasures", body, token=server.token())[0] == 202
    assert (server.home / "run" / "erasures").exists()


def states(server: Server) -> list[str]:
    answer = json.loads(server.get("/v1/erasures", token=server.token())[1])
    return [row["state"] for row in answer["erasures"]]


def is_in_file(server: Server) -> bool:
    return CANARY.encode() in (server.home / "data" / "data.mdb").read_bytes()


def has_logged(server: Server, words: str) -> bool:
    return any(words in line["event"] for line in server.log_lines())


@pytest.mark.row("N14", "D14")
def test_who_is_to_be_forgotten_is_forgotten_before_the_server_serves(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    try:
        wish(server)
        server.send_row(address="kept@example.jp")
        assert server.stop() == 0
        report = server.run("report", "spring").stdout
        server.start()
        assert states(server) == ["done"] and not (server.home / "run" / "erasures").exists()
        assert has_logged(server, "people forgotten")
        again = server.send_row(address=f"{CANARY}@example.jp", broadcast="summer")
        assert again["recipient"], "nothing speaks against mailing somebody who wants to come back"
        assert server.stop() == 0
    finally:
        server.kill()
    assert server.run("store", "verify").returncode == 0
    assert server.run("report", "spring").stdout == report, "figures stay"


@pytest.mark.row("N14", "D14", "E48")
@pytest.mark.parametrize("how", ["at the start", "by the command"])
def test_exports_made_before_go_with_the_person(how: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    try:
        server.send_row(address=f"{CANARY}@example.jp")
        ids = {kind: made(server, {"type": kind, "format": "ndjson"}) for kind in ("deliveries", "report")}
        files = {kind: server.home / "exports" / f"0001-{ids[kind]}.ndjson" for kind in ids}
        assert CANARY.encode() in files["deliveries"].read_bytes(), "the control"
        if how == "at the start":
            wish(server)
        assert server.stop() == 0
        others = files["deliveries"].with_name("0002" + files["deliveries"].name[4:])
        others.write_bytes(b"another tenant's")
        if how == "by the command":
            told = server.run("store", "erase", "--address", f"{CANARY}@example.jp")
            assert (told.returncode, b"1 files of exports" in told.stdout) == (0, True), told
        server.start()
        assert not files["deliveries"].exists()
        assert files["report"].exists() and others.exists()
        token = server.token()
        shown = json.loads(server.get(f"/v1/exports/{ids['deliveries']}", token=token)[1])
        assert (shown["state"], shown["url"], shown["removed"]) == ("succeeded", None, "erasure")
        status, text = server.get(f"/v1/exports/{ids['deliveries']}/file", token=token)
        assert (status, "was forgotten" in text) == (410, True), text
        assert json.loads(server.get(f"/v1/exports/{ids['report']}", token=token)[1])["removed"] is None
        audit = json.loads(server.get("/v1/audit", token=token)[1])["audit"]
        assert [row["target"] for row in audit if row["action"] == "export.erase"] == [f"export:{ids['deliveries']}"]
        assert server.ask("POST", f"/v1/exports/{ids['deliveries']}/retry", b"", token=token)[0] == 200
        wait_for(files["deliveries"].exists, 20, server.log_text)
        again = files["deliveries"].read_bytes()
        assert again and CANARY.encode() not in again
        assert server.stop() == 0
    finally:
        server.kill()
    assert server.run("store", "verify").returncode == 0


def made(server: Server, request: dict[str, str]) -> str:
    """Have an export made; returns its id."""
    status, text = server.ask("POST", "/v1/exports", json.dumps(request).encode(), token=server.token())
    assert status == 201, text
    found: str = json.loads(text)["id"]

    def is_made() -> bool:
        state: str = json.loads(server.get(f"/v1/exports/{found}", token=server.token())[1])["state"]
        return state == "succeeded"

    wait_for(is_made, 20, server.log_text)
    return found


def test_files_of_exports_that_nobody_knows_go_too(tmp_path: Path) -> None:
    """One whose row is lost, one that a killed process had begun; no mark of one under way, no file of others."""
    env = Environment(tmp_path / "data", map_size=2**24)
    exports = tmp_path / "exports"
    assert remove_exports(env, exports, {1}, now_us=0, actor="test") == 0, "there are none at all"
    exports.mkdir()
    stays = {"0001-00000000000000aa.part", "0002-00000000000000aa.csv", "notes.txt"}
    goes = {"0001-00000000000000aa.csv", ".0001-00000000000000ab.parquet.123.new"}
    for name in stays | goes:
        (exports / name).write_bytes(b"x")
    assert remove_exports(env, exports, {1}, now_us=0, actor="test") == len(goes)
    assert {path.name for path in exports.iterdir()} == stays
    env.close()


@pytest.mark.row("N14")
def test_large_data_waits_for_somebody_to_run_the_command(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", YAMABIKO_PRIVACY_ERASE_AT_START_MIB="0", **LEAN).start()
    try:
        wish(server)
        assert server.stop() == 0
        server.start()
        assert states(server) == ["wished"] and (server.home / "run" / "erasures").exists()
        assert has_logged(server, "run `yamabiko store erase`")
        assert server.stop() == 0
    finally:
        server.kill()
    assert is_in_file(server), "the control"
    assert server.run("store", "erase").returncode == 0
    assert not is_in_file(server)


@pytest.mark.row("N14")
def test_what_cannot_be_forgotten_now_keeps_nobody_from_being_served(tmp_path: Path) -> None:
    """A worker of a former server still has the data open: what it commits must not go into a file put aside."""
    server = Server(tmp_path / "home", **LEAN).start()
    try:
        wish(server)
        assert server.stop() == 0
        with held(server.home / "data", "write"):
            server.start()
            assert states(server) == ["wished"] and has_logged(server, "the wish stays")
            assert server.stop() == 0
        server.start()
        assert states(server) == ["done"]
    finally:
        server.kill()


def test_a_start_that_forgets_is_ended_by_a_signal_and_loses_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", **LEAN).start()
    try:
        wish(server)
        assert server.stop() == 0
        with held(server.home / "data"):  # so that it waits
            server.process = server.spawn()
            lines = len(server.log_lines())
            wait_for(lambda: any("forgetting" in line["event"] for line in server.log_lines()[lines - 1 :]), 20,
                     server.log_text)  # fmt: skip
            time.sleep(0.5)
            server.process.terminate()
            assert server.process.wait(3) == 0
        assert server.run("store", "erase").returncode == 0, "nobody is left who writes"
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_store_open_in_another_process_is_known(how: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    Environment(data, map_size=2**24).close()
    assert not is_open_elsewhere(data) and not is_open_elsewhere(tmp_path / "none")
    with held(data, how):
        assert is_open_elsewhere(data)
        with pytest.raises(StoreError, match="another process"):
            wait_until_closed(data, patience_s=0.1)
    assert not is_open_elsewhere(data), "killed: the kernel took its lock back"
    wait_until_closed(data, patience_s=0.0)


@pytest.fixture(scope="module")
def left_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server left that listed somebody; for copies."""
    server = Server(tmp_path_factory.mktemp("forgetting") / "home", **LEAN).start()
    try:
        server.send_row(address="kept@example.jp")
        assert server.stop() == 0
    finally:
        server.kill()
    return server.home


@pytest.mark.parametrize("command", ["compact", "rebuild", "erase"])
def test_no_command_replaces_data_that_is_open(command: str, left_home: Path, tmp_path: Path) -> None:
    server = Server(Path(shutil.copytree(left_home, tmp_path / "home")), **LEAN)
    before = (server.home / "data" / "data.mdb").read_bytes()
    with held(server.home / "data", "write"):
        refused = server.run("store", command)
    assert refused.returncode != 0 and b"another process" in refused.stderr
    assert (server.home / "data" / "data.mdb").read_bytes() == before
    assert server.run("store", command).returncode == 0
