"""``yamabiko suppressions``: who is not mailed, out of here and into here."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from yamabiko import exits
from yamabiko.json_line import json_line
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from console.block_csv import CsvLine
    from model.fact import Fact
    from model.keyring import KeyRing
    from store.reader import Reader, SuppressionRow

_PAGE = 500
_BATCH = 2_000
_KINDS = ["bounce", "complaint", "block", "unsubscribe", "soft"]
#: Columns of the CSV that goes out; the block list reads the same names.
_COLUMNS = ("address", "kind", "since", "expires_at", "cause", "failures", "domain", "company", "note")
_tenant = click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)


@click.group("suppressions")
def suppressions_group() -> None:
    """Who is not mailed, and why. Lifting one: DELETE /v1/suppressions/{recipient}/{kind}, see docs/api.md."""


@suppressions_group.command("list")
@_tenant
@click.option("--kind", type=click.Choice([kind for kind in _KINDS if kind != "block"]))
@click.pass_context
def list_command(context: click.Context, tenant: int, kind: str | None) -> None:
    """Print what holds now, one JSON object a line."""
    import msgspec

    from console.outgoing.event_log import BroadcastNames
    from console.suppressions import shown
    from store.reader import Reader

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        reader = Reader(env)
        names = BroadcastNames(reader)
        for row in _rows(reader, tenant):
            entry = shown(row, names)
            if kind is None or entry.kind == kind:
                click.echo(json_line(msgspec.to_builtins(entry)))


@suppressions_group.command("export", short_help="Write who is not mailed, and custom blocks, as CSV.")
@_tenant
@click.option(
    "--out",
    "--output",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write.  [standard output]",
)
@click.pass_context
def export_command(context: click.Context, tenant: int, output: Path | None) -> None:
    """Write everything that keeps somebody out now as CSV: entries of the list, then custom blocks.

    An entry whose address is not known here, since it was erased or never listed, has its recipient's number in
    the column note.
    """
    from store.reader import Reader

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        file = output.open("w", encoding="utf-8", newline="") if output else sys.stdout
        try:
            writer = csv.DictWriter(file, _COLUMNS, lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(_exported(Reader(env), tenant))
        finally:
            if output:
                file.close()


def _exported(reader: Reader, tenant: int) -> Iterator[dict[str, Any]]:
    from console.blocks import shown as shown_block
    from console.outgoing.event_log import BroadcastNames
    from console.suppressions import shown
    from store.gate import BLOCK_KIND

    names = BroadcastNames(reader)
    for row in _rows(reader, tenant):
        entry = shown(row, names)
        yield {
            "address": _plain(entry.address or ""), "kind": entry.kind, "since": entry.since.isoformat(),
            "expires_at": entry.expires_at.isoformat() if entry.expires_at else "", "cause": entry.cause or "",
            "failures": entry.failures, "note": "" if entry.address else f"recipient {entry.recipient}",
        }  # fmt: skip
    after = None
    now = datetime.now(UTC)
    while True:
        page = reader.documents(tenant, BLOCK_KIND, after=after, limit=_PAGE)
        for document in page.rows:
            block = shown_block(document)
            if block.expires_at is None or block.expires_at > now:
                yield {
                    block.kind: _plain(block.value), "kind": "block", "since": block.created_at.isoformat(),
                    "expires_at": block.expires_at.isoformat() if block.expires_at else "", "note": _plain(block.note),
                }  # fmt: skip
        after = page.after
        if after is None:
            return


def _plain(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


@suppressions_group.command("import", short_help="Take over a list kept elsewhere, as CSV.")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_tenant
@click.option("--kind", type=click.Choice(["block", "complaint", "unsubscribe"]), default="block", show_default=True,
              help="What the people in the file are.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def import_command(context: click.Context, source: Path, tenant: int, kind: str, dry_run: bool) -> None:
    """Take over a list kept elsewhere, as CSV (UTF-8 or Shift_JIS).

    The first line may name the columns address, domain, company, expires_at, note; else each line is an address or a
    domain. A list of bounces is taken as custom blocks: what another system saw proves nothing here. As complaints or
    unsubscribes, which end all streams, only addresses can be taken. The server may be running.
    """
    from console.block_csv import read_lines, read_text
    from store.reader import Reader
    from store.writer import write_now
    from yamabiko import key_file
    from yamabiko.key_file import KeyFile

    settings = load_settings(context)
    try:
        lines = list(read_lines(read_text(source.read_bytes()), ZoneInfo(settings.console.zone)))
    except ValueError as error:
        raise OperatorError(f"{source} is neither UTF-8, Shift_JIS nor UTF-16 with a mark.", exits.DATA) from error
    with friendly():
        keys = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring()
    facts: dict[tuple[object, ...], Fact] = {}
    problems: list[tuple[int, str]] = []
    for line in lines:
        fact, problem = _fact_of(line, kind, keys, tenant, settings.node)
        if fact is None:
            problems.append((line.number, problem))
        else:
            facts.setdefault((fact.key, getattr(fact.detail, "name", "")), fact)
    for number, problem in problems:
        click.echo(f"line {number}: {problem}", err=True)
    ended = _tell_ended(lines) if kind == "block" else 0
    added = 0
    if not dry_run:
        with friendly(), open_store(settings) as env:
            reader = Reader(env)
            batch = [fact for fact in facts.values() if not _is_set(reader, fact)]
            for start in range(0, len(batch), _BATCH):
                added += write_now(env, batch[start : start + _BATCH]).added
    doing = f"{len(facts)} would be taken" if dry_run else f"{added} taken"
    known = f", {len(facts) - added} known already" if not dry_run and added < len(facts) else ""
    twice = len(lines) - len(facts) - len(problems)
    over = f", {ended} ended already" if ended else ""
    click.echo(f"{len(lines)} lines: {doing}{known}, {twice} twice, {len(problems)} wrong{over}.")
    if problems:
        raise click.exceptions.Exit(exits.DATA)


def _tell_ended(lines: list[CsvLine]) -> int:
    """Tell which lines name a block that keeps nobody out any more; returns how many."""
    from console.block_csv import ended_at

    now_us = time.time_ns() // 1_000
    ended = [(line.number, at) for line in lines if line.block and (at := ended_at(line.block, now_us))]
    for number, at in ended:
        click.echo(f"line {number}: ended on {at.isoformat()}, keeps nobody out", err=True)
    return len(ended)


def _is_set(reader: Reader, fact: Fact) -> bool:
    """Whether a block is there already, in these very words."""
    from model.detail import DocumentSet

    detail = fact.detail
    if not isinstance(detail, DocumentSet):
        return False
    known = reader.document(fact.key.tenant, detail.kind, detail.name)
    return known is not None and known.body == detail.body


def _fact_of(line: CsvLine, kind: str, keys: KeyRing, tenant: int, node: int) -> tuple[Fact | None, str]:
    """Return the fact a line comes to, or what is wrong with it. The same line always gives the same fact."""
    from console.blocks import block_document
    from console.schema_suppressions import BlockKind
    from model.address import Address
    from model.detail import Complained, Unsubscribed, UnsubscribeVia
    from model.fact import DeliveryKey, Fact, FactType

    if line.block is None:
        return None, line.problem
    at_us = time.time_ns() // 1_000
    if kind == "block":
        detail = block_document(line.block, keys, tenant, "command line")
        return Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), at_us, detail, node), ""
    if line.block.kind is not BlockKind.ADDRESS:
        return None, f"only an address can be a {kind}"
    recipient = keys.recipient_number(tenant, Address.parse(line.block.value).folded)
    key, origin = DeliveryKey(tenant, 0, recipient), b"imported"
    if kind == "complaint":
        return Fact(FactType.COMPLAINED, key, at_us, Complained("imported", origin), node), ""
    wish = Unsubscribed(UnsubscribeVia.API, everything=True, origin=origin)
    return Fact(FactType.UNSUBSCRIBED, key, at_us, wish, node), ""


def _rows(reader: Reader, tenant: int) -> Iterator[SuppressionRow]:
    now_us, after = time.time_ns() // 1_000, None
    while True:
        page = reader.suppressions(tenant, after=after, limit=_PAGE, now_us=now_us)
        yield from page.rows
        after = page.after
        if after is None:
            return
