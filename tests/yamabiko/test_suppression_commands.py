"""``yamabiko suppressions`` import and export, ``yamabiko store erase``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from config.settings import load
from model.address import Address
from model.detail import Planned
from model.fact import DeliveryKey, Fact, FactType
from store.environment import Environment
from store.log import scan_log
from store.writer import write_now
from tests.store.world import T0_US, failed
from tests.yamabiko.serving import Server
from yamabiko.first_start import prepare_home
from yamabiko.key_file import KeyFile


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path / "home")
    prepare_home(load(None, {"YAMABIKO_HOME": str(made.home)}))
    return made


@pytest.mark.row("N15", "P28")
def test_lists_are_taken_over_and_given_out(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address,note\na@example.jp,one\nA@example.jp,twice\nnobody,\n+b@example.jp,plus\n")
    dry = server.run("suppressions", "import", str(file), "--dry-run")
    assert (dry.returncode, b"2 would be taken, 1 twice, 1 wrong" in dry.stdout) == (65, True), dry
    assert b"line 4" in dry.stderr
    done = server.run("suppressions", "import", str(file))
    assert b"2 taken, 1 twice, 1 wrong" in done.stdout, done
    assert b"0 taken, 2 known already, 1 twice, 1 wrong" in server.run("suppressions", "import", str(file)).stdout
    people = tmp_path / "people.csv"
    people.write_bytes("c@example.jp\r\n*.example.com\r\n".encode("utf-8-sig"))
    for kind in ("unsubscribe", "complaint"):
        done = server.run("suppressions", "import", str(people), "--kind", kind)
        assert b"1 taken" in done.stdout and b"only an address" in done.stderr, done
        again = server.run("suppressions", "import", str(people), "--kind", kind)
        assert b"0 taken" in again.stdout, again
    out = tmp_path / "out.csv"
    for option in ("--output", "--out"):  # the second as `yamabiko export` calls it
        out.unlink(missing_ok=True)
        assert server.run("suppressions", "export", option, str(out)).returncode == 0
    lines = out.read_text("utf-8").splitlines()
    assert lines[0].startswith("address,kind,since,expires_at")
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["block", "block", "complaint", "unsubscribe"]
    assert any(line.startswith("'+b@example.jp,block") for line in lines), "no formula in a spreadsheet"
    other = Server(tmp_path / "other")
    prepare_home(load(None, {"YAMABIKO_HOME": str(other.home)}))
    blocks = tmp_path / "blocks.csv"
    blocks.write_text("\n".join([lines[0], *(line for line in lines[1:] if ",block," in line)]))
    assert b"2 taken, 0 twice, 0 wrong" in other.run("suppressions", "import", str(blocks)).stdout
    ended = tmp_path / "ended.csv"
    ended.write_text("old.example,2020-01-01\nnew.example,2099-01-01\nc@example.jp,2020-01-01\n")
    for option, words in ((("--dry-run",), b"3 would be taken"), ((), b"3 taken")):
        told = server.run("suppressions", "import", str(ended), *option)
        assert told.returncode == 0, told
        assert words + b", 0 twice, 0 wrong, 2 ended already." in told.stdout
        assert b"line 1: ended on 2020-01-01T00:00:00+09:00, keeps nobody out" in told.stderr
        assert told.stderr.count(b"keeps nobody out") == 2
    assert server.run("store", "verify").returncode == 0


@pytest.mark.row("N14", "D14")
def test_a_person_is_forgotten_and_still_not_mailed(server: Server) -> None:
    settings = load(None, {"YAMABIKO_HOME": str(server.home)})
    keys = KeyFile.load(settings.secrets / "keys.json").ring()
    number = keys.recipient_number(1, Address.parse("Canary.Taro@example.jp").folded)
    env = Environment(settings.data)
    listed = Planned("Canary.Taro@example.jp", b"row", last_name="Canarymoto")
    write_now(env, [
        Fact(FactType.PLANNED, DeliveryKey(1, 1, number), T0_US, listed),
        failed(number, 1, at=T0_US, address="canary.taro@example.jp"),
    ])  # fmt: skip
    env.close()
    assert server.run("store", "erase", "--address", "nobody").returncode == 64
    # What is left of a restore, compact, rebuild and verify that were killed: each has the person.
    copies = [settings.data / ".data.mdb.part", settings.data / ".compact", settings.data / ".rebuild"]
    copies.append(settings.home / "yamabiko-verify-killed" / "data")
    for copy in copies:
        if copy.suffix != ".part":
            copy.mkdir(parents=True)
            copy = copy / "data.mdb"
        shutil.copyfile(settings.data / "data.mdb", copy)
    done = server.run("store", "erase", "--address", "canary.taro@EXAMPLE.jp")
    assert done.returncode == 0 and b"1 people forgotten; 2 of 2 facts" in done.stdout, done
    assert b"Backups" in done.stdout
    octets = (settings.data / "data.mdb").read_bytes().lower()
    env = Environment(settings.data, read_only=True)
    octets += b"".join(repr(fact).lower().encode() for _, fact in scan_log(env))
    env.close()
    assert b"canary" not in octets
    assert not any(copy.exists() for copy in copies)
    assert server.run("store", "verify").returncode == 0
    assert json.loads(server.run("store", "stat").stdout)["facts_by_type"]["failed"] == 1
