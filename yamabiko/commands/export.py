"""``yamabiko export``: tables of what the store knows as CSV, NDJSON or Parquet, without a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from yamabiko import exits, key_file
from yamabiko.key_file import KeyFile
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from console.schema_exports import ExportIn

TYPES = ("report", "recipients", "unacked_errors", "mail_status", "suppressions", "events", "clicks", "deliveries",
         "links")  # fmt: skip


class _Time(click.DateTime):
    """A day or a moment (RFC 3339); without an offset it is of the zone of --zone."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See click.ParamType."""
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-04-01 or 2026-04-01T09:00:00+09:00.", param, ctx)


@click.command("export")
@click.argument("kind", metavar="TYPE", type=click.Choice(TYPES))
@click.option("--broadcast", help="Id of a broadcast, or ~ and its number.")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson", "parquet"]), default="csv", show_default=True)
@click.option(
    "--encoding", type=click.Choice(["utf-8-sig", "utf-8", "cp932"]), default="utf-8-sig", show_default=True,
    help="Of CSV; utf-8-sig begins with a byte order mark.",
)  # fmt: skip
@click.option("--out", default="-", show_default=True, help="File to write; - is standard output.")
@click.option("--lang", type=click.Choice(["ja", "en"]), default="ja", show_default=True, help="Of CSV.")
@click.option("--zone", help="Time zone of CSV and of --from and --to.  [console.zone]")
@click.option("--metric", help="Only people behind this number, e.g. undelivered or cause:user_unknown.")
@click.option("--query", "--q", "q", help="Only people whose name, address or company has this.")
@click.option(
    "--from",
    "from_",
    type=_Time(),
    metavar="TIME",
    help="Only from this time on: 2026-04-01 or 2026-04-01T09:00:00+09:00.",
)
@click.option("--to", type=_Time(), metavar="TIME", help="Only before this time.")
@click.option("--mail-type", help="Of mail_status.")
@click.option("--tag", help="Of mail_status.")
@click.option("--api-user", help="Of mail_status.")
@click.option("--status", help="Of mail_status: requested, delivered, soft_bounce, invalid, cancelled.")
@click.option("--kind", "suppression_kind", help="Of suppressions: bounce, complaint, block, unsubscribe, soft.")
@click.option("--domain", help="Of suppressions.")
@click.option("--all", "is_whole", is_flag=True, help="Leave filters aside: the whole table.")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.pass_context
def export_command(
    context: click.Context, /, kind: str, out: str, tenant: int, suppression_kind: str | None, *, is_whole: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Export a table of TYPE: report, recipients, unacked_errors, mail_status, suppressions, events, clicks,
    deliveries or links.

    \b
    yamabiko export recipients --broadcast spring --metric undelivered --out errors.csv
    yamabiko export deliveries --format parquet --out deliveries.parquet

    What columns each has is in docs/exports.md. A server may be running meanwhile.
    """  # noqa: D205, D301 - click takes \b as a real backspace
    from console.schema_exports import ExportJob
    from yamabiko.exporter.job import ExportError
    from yamabiko.exporter.run import run_export, without_collection

    settings = load_settings(context)
    options["zone"] = options["zone"] or settings.console.zone
    request = _request(kind, suppression_kind, is_whole=is_whole, **options)
    with friendly(), open_store(settings, read_only=True) as env:
        number = None
        if request.broadcast is not None:
            ring = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring()
            reference = request.broadcast
            number = int(reference[1:], 16) if reference[:1] == "~" else ring.broadcast_number(tenant, reference)
        job = ExportJob(request, tenant, number, time.time_ns() // 1_000)
        try:
            with _output(out) as file, without_collection():
                done = run_export(env, job, file)
        except ExportError as error:
            raise OperatorError(str(error), exits.DATA) from error
    where = "" if out == "-" else f" to {out}"
    click.echo(f"{done.rows:,} rows{where}." + _substituted(done.replaced), err=True)


def _substituted(count: int) -> str:
    return f" {count:,} characters that the encoding does not have are written as a substitute." if count else ""


def _request(kind: str, suppression_kind: str | None, *, is_whole: bool, **options: Any) -> ExportIn:
    """Return the request the options make. Raises UsageError for what cannot be asked."""
    from zoneinfo import ZoneInfo

    import msgspec

    from console.export_rules import problem_of
    from console.schema_exports import ExportIn

    options["format"] = options.pop("form")
    values = {name: value for name, value in options.items() if value is not None}
    values |= {"type": kind, "scope": "all" if is_whole else "filtered"}
    if suppression_kind is not None:
        values["kind"] = suppression_kind
    try:
        zone = ZoneInfo(options["zone"])
    except (ValueError, OSError, KeyError) as error:
        raise click.UsageError(f"--zone: {options['zone']!r} is no time zone such as Asia/Tokyo.") from error
    for name in ("from_", "to"):
        at = values.pop(name, None)
        if at is not None:
            values[name.rstrip("_")] = at if at.tzinfo else at.replace(tzinfo=zone)
    try:
        request = msgspec.convert(values, ExportIn)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"{error}.") from error
    problem = problem_of(request)
    if problem:
        raise click.UsageError(problem)
    return request


@contextmanager
def _output(out: str) -> Iterator[IO[bytes]]:
    from yamabiko.exporter.whole_file import whole_file

    if out == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(Path(out)) as file:
        yield file
