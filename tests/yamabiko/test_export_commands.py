"""``yamabiko export`` and ``yamabiko sql``, on the store itself; exports of a server whose console is killed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.schema_exports import ExportType
from store.environment import Environment
from store.writer import write_now
from tests.store.world import DAY, HOUR, T0_US, clicked, complained, described, failed, opened, planned
from tests.yamabiko.serving import LEAN, Server, wait_for
from yamabiko import exits
from yamabiko.commands.sql import VIEWS
from yamabiko.exporter.tables import TABLES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A home with secrets and a store of one broadcast; not running."""
    server = Server(tmp_path_factory.mktemp("export") / "home", **LEAN)
    assert server.run("token", "list").returncode in (exits.OK, exits.CONFIG)
    server.start()
    assert server.stop() == 0
    env = Environment(server.home / "data")
    facts = [described(7, broadcast_id="spring", name="春", format="html", status="sent")]
    facts += [planned(recipient, 7, at=T0_US + recipient) for recipient in range(1, 101)]
    facts += [failed(recipient, 7, at=T0_US + HOUR + recipient) for recipient in range(1, 11)]
    facts += [opened(recipient, 7, at=T0_US + 2 * HOUR) for recipient in range(20, 50)]
    facts += [clicked(recipient, 7, at=T0_US + 3 * HOUR) for recipient in range(20, 25)]
    facts += [complained(30, 7, at=T0_US + DAY)]
    write_now(env, facts)
    env.close()
    return server


def rows_of(content: bytes, encoding: str = "utf-8-sig") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


SPRING = ("--broadcast", "~000000000007")


@pytest.mark.row("R16", "R18", "K35")
def test_recipients_to_a_file_and_to_standard_output(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "people.csv"
    told = server.run("export", "recipients", *SPRING, "--metric", "undelivered", "--out", str(out))
    assert told.returncode == 0, told.stderr
    assert told.stderr.decode().strip() == f"10 rows to {out}."
    assert out.stat().st_mode & 0o777 == 0o600
    rows = rows_of(out.read_bytes())
    assert rows[0] == ["状況", "エラー確認日時", "姓", "名", "宛先", "会社名", "詳細メッセージ", "取得日時"]
    assert {row[0] for row in rows[1:]} == {"配信エラー"} and len(rows) == 11
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]
    piped = server.run("export", "recipients", *SPRING, "--metric", "undelivered", "--all", "--encoding", "cp932")
    assert piped.returncode == 0 and len(rows_of(piped.stdout, "cp932")) == 101


@pytest.mark.parametrize("kind", ["report", "unacked_errors", "mail_status", "suppressions", "events", "clicks",
                                  "deliveries", "links"])  # fmt: skip
def test_every_type_in_every_format(server: Server, tmp_path: Path, kind: str) -> None:
    # What the facts of April suppressed has expired: the whole list has it still.
    broadcast = SPRING if kind != "suppressions" else ("--all",)
    count = -1
    for form in ("csv", "ndjson", "parquet"):
        out = tmp_path / f"x.{form}"
        told = server.run("export", kind, *broadcast, "--format", form, "--out", str(out))
        assert told.returncode == 0, told.stderr
        if form == "csv":
            count = len(rows_of(out.read_bytes())) - 1
        elif form == "ndjson":
            assert len([json.loads(line) for line in out.read_bytes().splitlines()]) == count > 0
        else:
            import pyarrow.parquet as parquet

            assert parquet.read_table(out).num_rows == count
    piped = server.run("export", kind, *broadcast, "--format", "parquet")
    assert piped.stdout == (tmp_path / "x.parquet").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("recipients",), exits.USAGE, "needs a `broadcast`"),
        (("recipients", "--broadcast", "nowhere"), exits.DATA, "no such broadcast"),
        (("recipients", *SPRING, "--metric", "joy"), exits.USAGE, "no number"),
        (("everything",), exits.USAGE, "everything"),
        (("report", "--zone", "Mars"), exits.USAGE, "zone"),
        (("report", "--format", "csv", "--out", "/nowhere/at/all.csv"), exits.IO, "/nowhere/at/all.csv: No such"),
        (("report", "--out", "/"), exits.IO, "/: Is a directory"),
        (("events", "--from", "2026-13-01"), exits.USAGE, "'2026-13-01' is no time such as 2026-04-01"),
        (("events", "--from", "2026-04-02", "--to", "2026-04-01"), exits.USAGE, "before `to`"),
    ],
)
def test_mistakes_end_in_a_line_of_text(server: Server, arguments: tuple[str, ...], code: int, words: str) -> None:
    told = server.run("export", *arguments)
    assert told.returncode == code, told.stderr
    assert words in told.stderr.decode() and b"Traceback" not in told.stderr
    assert told.stdout in (b"", b"\xef\xbb\xbf")


@pytest.mark.row("K26", "K27")
def test_sql_over_the_views(server: Server) -> None:
    def ask(query: str, form: str = "json") -> list[dict[str, Any]]:
        told = server.run("sql", query, "--format", form)
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    assert ask("SELECT state, count(*) AS n FROM deliveries GROUP BY 1 ORDER BY 1") == [
        {"state": "planned", "n": 60}, {"state": "reached", "n": 30}, {"state": "undelivered", "n": 10},
    ]  # fmt: skip
    assert ask("SELECT b.name, b.undelivered, l.clicks FROM broadcasts b JOIN links l USING (broadcast)") == [
        {"name": "春", "undelivered": 10, "clicks": 5}
    ]
    assert ask("SELECT kind, count(*) AS n FROM suppressions GROUP BY 1 ORDER BY 1")[-1]["kind"] == "complaint"
    assert ask("SELECT min(happened_at)::VARCHAR AS first FROM events WHERE type = 'opened'") == [
        {"first": "2026-04-01 02:00:00+00"}
    ]
    table = server.run("sql", "SELECT broadcast_id, targeted FROM broadcasts")
    assert table.stdout.decode().split() == ["broadcast_id", "targeted", "spring", "100"]
    lines = server.run("sql", "SELECT '=1+1' AS x, 2 AS y", "--format", "csv")
    assert lines.stdout == b"x,y\n'=1+1,2\n"
    wide = server.run("sql", "SELECT * FROM deliveries LIMIT 2").stdout.decode().splitlines()
    assert [line for line in wide if line.startswith("row ")] == ["row 1", "row 2"]
    assert [line.split() for line in wide].count(["domain", "example.jp"]) == 2
    assert "The views are broadcasts, deliveries" in server.run("sql", "SELECT * FROM people").stderr.decode()
    wrong = server.run("sql", "SELEC 1")
    assert wrong.returncode == exits.DATA and b"DuckDB" in wrong.stderr and b"Traceback" not in wrong.stderr


def test_no_column_needs_quotes(server: Server) -> None:
    for view, kind in VIEWS.items():
        names = ", ".join(TABLES[ExportType(kind)].names)
        told = server.run("sql", f"SELECT {names} FROM {view} LIMIT 1", "--format", "json")
        assert told.returncode == 0, told.stderr


def test_sql_without_duckdb_says_what_to_install(server: Server, tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ImportError('not here')")
    bare = Server(server.home, PYTHONPATH=str(tmp_path))
    told = bare.run("sql", "SELECT 1")
    assert told.returncode == exits.UNAVAILABLE
    assert b"yamabiko[analytics]" in told.stderr and b"Traceback" not in told.stderr


@pytest.fixture
def running(server: Server) -> Iterator[Server]:
    server.start()
    yield server
    server.stop()


@pytest.mark.row("E46", "E47")
def test_an_export_of_a_console_that_is_killed_fails_and_is_retried(running: Server) -> None:
    token = running.token()

    def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        status, text = running.ask(method, path, body, token=token)
        return status, json.loads(text)

    console = running.worker("console-0")["pid"]
    status, asked = ask("POST", "/v1/exports", b'{"type":"deliveries","broadcast":"~000000000007"}')
    assert status == 201 and asked["state"] == "running"
    os.kill(console, signal.SIGKILL)  # before the process that makes it has so much as started
    wait_for(lambda: running.worker("console-0")["pid"] != console and running.worker("console-0")["ready"], 20)
    status, shown = ask("GET", f"/v1/exports/{asked['id']}")
    assert status == 200 and shown["state"] == "failed" and "Retry" in shown["error"], shown
    assert shown["ended_at"] is not None
    exports = running.home / "exports"
    wait_for(lambda: list(exports.iterdir()) == [], 10)
    assert ask("POST", f"/v1/exports/{asked['id']}/retry")[0] == 200
    wait_for(lambda: ask("GET", f"/v1/exports/{asked['id']}")[1]["state"] != "running", 30, running.log_text)
    shown = ask("GET", f"/v1/exports/{asked['id']}")[1]
    assert (shown["state"], shown["rows"], shown["id"]) == ("succeeded", 100, asked["id"])
    status, text = running.ask("GET", shown["url"], token=token)
    assert status == 200 and len(list(csv.reader(io.StringIO(text)))) == 101
