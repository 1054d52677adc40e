"""The command line: its help is quick, mistakes are told without a traceback, commands do what they say."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.mint import Hosts, Mint
from model.token import day_of
from tests.yamabiko.serving import Server
from yamabiko import exits
from yamabiko.cli import COMMANDS, cli, main
from yamabiko.first_start import prepare_home
from yamabiko.key_file import KeyFile

BOUNCE = """Return-Path: <>
To: {return_path}
From: MAILER-DAEMON@mx.example.jp
Subject: Undelivered Mail Returned to Sender
Message-ID: <1@mx.example.jp>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

The mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.jp

Final-Recipient: rfc822; taro@example.jp
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b--
"""


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A home without a running server."""
    return Server(tmp_path / "home")


def spent_by_children() -> float:
    """Processor seconds: unlike time on the wall, the same however busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick_and_names_every_command(server: Server) -> None:
    best = 9.0
    for _ in range(3):
        began = spent_by_children()
        shown = server.run("--help")
        best = min(best, spent_by_children() - began)
    print(f"--help: {best:.2f} s")
    assert shown.returncode == 0
    for name in COMMANDS:
        if name != "demo":
            assert name in shown.stdout.decode()
    assert best < 0.3
    heavy = "{'aiohttp', 'lmdb', 're2', 'uvloop', 'msgspec', 'rich'}"
    code = f"import sys, yamabiko.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


def test_every_command_has_a_manual(server: Server) -> None:
    for name in COMMANDS:
        if name == "demo":
            continue
        shown = server.run(name, "--help")
        assert shown.returncode == 0, shown
        assert len(shown.stdout) > 150


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 64, "No such command"),
        (["serve", "--fast"], 64, "No such option"),
        (["keys", "revoke", "999", "--yes"], 64, "999"),
        (["token", "create", "--name", "x"], 64, "--role or --scope"),
        (["token", "create", "--name", "x", "--role", "viewer"], 78, "secrets is not there. Is --home right?"),
        (["keys", "rotate"], 78, "secrets is not there. Is --home right?"),
        (["token", "create", "--name", "", "--role", "viewer"], 64, "1 to 100 printable"),
        (["token", "create", "--name", "a\nb", "--role", "viewer"], 64, "1 to 100 printable"),
        (["rules", "explain", "x", "--status", "abc"], 64, "'abc' is no enhanced status code"),
        (["rules", "explain", "x", "--status", "5.1"], 64, "'5.1' is no enhanced status code"),
        (["demo", "--recipients", "10"], 64, "x>=400"),
        (["sql", " "], 64, "The query is empty"),
        (["keys", "revoke", "1"], 130, "Aborted."),
        (["--config", "/no/such.toml", "serve"], 78, "/no/such.toml: cannot be read"),
        (["keys", "list"], 78, "cannot be read"),
        (["report", "spring"], 78, "there is no store in"),
        (["store", "stat"], 78, "Is --home right?"),
        (["store", "restore", "/no/such"], 64, "does not exist"),
        (["timeline", "spring", "not an address"], 65, "not an address"),
        (["ingest", "/no/such.eml"], 74, "/no/such.eml"),
    ],
)
def test_mistakes_are_told_in_words_with_an_exit_code(
    server: Server, arguments: list[str], code: int, words: str
) -> None:
    done = server.run(*arguments)
    assert done.returncode == code, done
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_mail_from_a_file_is_counted_once_and_shown(server: Server, tmp_path: Path) -> None:
    from config.settings import load

    settings = load(None, {"YAMABIKO_HOME": str(server.home)})
    prepare_home(settings)
    keys = KeyFile.load(settings.secrets / "keys.json").ring()
    mint = Mint(keys, Hosts("bounce.localhost", "http://127.0.0.1:8025"))
    day = day_of(time.time_ns() // 1_000)
    mail = mint.mail(tenant=1, broadcast_id="spring", address="taro@example.jp", day=day)
    file = tmp_path / "bounce.eml"
    file.write_text(BOUNCE.format(return_path=mail.return_path))
    for known in (0, 1):
        done = server.run("ingest", str(file))
        assert done.returncode == 0, done
        assert f"1 mails, 1 facts, {known} of them known already" in done.stdout.decode()
    report = json.loads(server.run("report", "spring", "--json").stdout)
    assert (report["undelivered"], report["causes"]) == (1, {"user_unknown": 1})
    table = server.run("report", "spring", "--lang", "ja").stdout.decode()
    assert "不達" in table
    timeline = server.run("timeline", "spring", "Taro@example.jp").stdout.decode()
    assert "failed" in timeline
    assert "5.1.1" in timeline
    listed = json.loads(server.run("suppressions", "list").stdout)
    assert (listed["kind"], listed["address"]) == ("bounce", "taro@example.jp")
    look_after(server, tmp_path)


def look_after(server: Server, tmp_path: Path) -> None:
    """Back up, verify, restore elsewhere, compact and rebuild: the numbers stay."""
    backup = tmp_path / "backup"
    assert server.run("store", "backup", str(backup)).returncode == 0
    secret = json.loads((server.home / "secrets" / "keys.json").read_text())["pepper"]
    assert bytes.fromhex(secret) not in (backup / "data.mdb").read_bytes()
    other = Server(tmp_path / "other")
    assert other.run("store", "restore", str(backup)).returncode == 0
    again = other.run("store", "restore", str(backup))
    assert (again.returncode, b"Traceback" in again.stderr) == (78, False)
    for command in ("compact", "rebuild", "verify"):
        done = other.run("store", command)
        assert done.returncode == 0, done
    spoilt = bytearray((backup / "data.mdb").read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (backup / "data.mdb").write_bytes(spoilt)
    refused = Server(tmp_path / "third").run("store", "restore", str(backup))
    assert refused.returncode == 65, refused


def test_exported_keys_mint_offline_what_the_server_takes(server: Server) -> None:
    from config.settings import load
    from model.keyring import KeyRing

    settings = load(None, {"YAMABIKO_HOME": str(server.home)})
    prepare_home(settings)
    exported = json.loads(server.run("keys", "export", "--tenant", "7").stdout)
    ring = KeyRing.from_export(exported)
    master = KeyFile.load(settings.secrets / "keys.json").ring()
    assert ring.recipient_number(7, "a@example.jp") == master.recipient_number(7, "a@example.jp")
    assert exported["key"] not in (settings.secrets / "keys.json").read_text()


@pytest.mark.row("E30", "E32")
def test_the_address_for_feedback_loops_is_one_the_server_takes(server: Server) -> None:
    """Nobody could register it: nothing printed it."""
    from config.settings import load
    from mta.return_path import DestinationKind, ReturnPaths

    settings = load(None, {"YAMABIKO_HOME": str(server.home)})
    prepare_home(settings)
    address = server.run("keys", "feedback-address", "--tenant", "7").stdout.decode().strip()
    ring = KeyFile.load(settings.secrets / "keys.json").ring()
    found = ReturnPaths([settings.smtp.return_path_domain]).find(address, ring)
    assert found is not None and found.kind is DestinationKind.FEEDBACK
    assert found.token is not None and found.token.tenant == 7


def test_settings_are_shown_without_secrets(server: Server) -> None:
    shown = json.loads(server.run("settings", "show").stdout)
    assert shown["home"] == str(server.home)
    assert server.run("settings", "example").stdout.decode().startswith("# Every setting")


def test_a_fault_of_ours_is_told_apart_from_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_options: object) -> None:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(cli, "main", fails)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == exits.SOFTWARE == 70
    shown = capsys.readouterr().err
    assert "Traceback" in shown and "nobody thought of this" in shown and "a fault of ours" in shown


def test_mails_taken_in_that_prove_nothing_are_shown_to_who_asks(server: Server, tmp_path: Path) -> None:
    """Both commands mean the same tenant unless told otherwise, as does mail that comes over SMTP."""
    bounce = tmp_path / "bounce.eml"
    bounce.write_text(BOUNCE.format(return_path="news@example.com"))
    assert b"unmatched" in server.run("ingest", str(bounce)).stdout
    (line,) = server.run("unmatched").stdout.splitlines()
    assert json.loads(line)["address"] == "taro@example.jp"
    assert server.run("unmatched", "--tenant", "2").stdout == b""
