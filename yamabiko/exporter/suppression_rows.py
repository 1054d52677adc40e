"""Rows of the suppression list: entries that follow from facts, then custom blocks (E31, E38, E44)."""

from __future__ import annotations

import json
from typing import Any

from console.export_rules import SUPPRESSION_NAMES
from model.cause import BY_NUMBER
from store.documents import Document
from store.gate import BLOCK_KIND
from store.reader import Reader, SuppressionRow
from store.suppression import DENIALS, SuppressionKind
from yamabiko.exporter.job import Batch, ExportError, Rows, Source
from yamabiko.exporter.other_rows import Names

_PAGE = 500
_BLOCK = SuppressionKind.BLOCK.public_name
_BY_ADDRESS = "recipient:"


def suppressions(source: Source) -> Rows:
    """Yield the suppression list as it holds now; with ``scope=all`` also what has expired."""
    kind = source.filter("kind")
    if kind is not None and kind not in SUPPRESSION_NAMES:
        raise ExportError(f"kind: one of {', '.join(SUPPRESSION_NAMES)}.")
    if kind != _BLOCK:
        yield from _entries(source, kind)
    if kind in (None, _BLOCK):
        yield from _blocks(source)


def _entries(source: Source, kind: str | None) -> Rows:
    reader, job, names = Reader(source.env), source.job, Names(source)
    after = None
    while True:
        page = reader.suppressions(
            job.tenant, after=after, limit=_PAGE, now_us=None if source.is_whole else job.now_us,
            domain=source.filter("domain"), since_us=source.from_us, until_us=source.until_us,
        )  # fmt: skip
        after = page.after
        # Recipients are spread evenly over their numbers, so the cursor tells how far it is.
        share = 1.0 if after is None else int.from_bytes(after[2:10], "big") / 2**64
        yield Batch(
            [_entry(row, names, job.now_us) for row in page.rows if kind in (None, row.entry.kind.public_name)], share
        )
        if after is None:
            return


def _entry(row: SuppressionRow, names: Names, now_us: int) -> tuple[Any, ...]:
    entry = row.entry
    cause = BY_NUMBER.get(entry.cause)
    broadcast = row.fact.key.broadcast
    return (
        f"{row.recipient:016x}", row.address, entry.domain or None, entry.kind.public_name, DENIALS[entry.kind],
        entry.at_us, entry.expires_at_us, entry.is_active(now_us), cause.cause.value if cause else None,
        entry.failures, f"{broadcast:012x}" if broadcast else None, names.id_of(broadcast), None, None, None,
    )  # fmt: skip


def _blocks(source: Source) -> Rows:
    reader, job, domain = Reader(source.env), source.job, source.filter("domain")
    after = None
    while True:
        page = reader.documents(job.tenant, BLOCK_KIND, after=after, limit=_PAGE)
        after = page.after
        rows = [
            row
            for document, row in ((document, _block(document, job.now_us)) for document in page.rows)
            if source.from_us <= document.at_us < source.until_us
            and (source.is_whole or row[7])
            and (domain is None or (row[2] or "").removeprefix("*.") == domain.lower())
        ]
        # How many there are is not known beforehand; there are few beside the entries.
        yield Batch(rows, 1.0)
        if after is None:
            return


def _block(document: Document, now_us: int) -> tuple[Any, ...]:
    said = json.loads(document.body)
    kind, value, until_us = said["kind"], said["value"], said["expires_at_us"]
    recipient = document.name.removeprefix(_BY_ADDRESS) if document.name.startswith(_BY_ADDRESS) else None
    domain = {"address": value.rpartition("@")[2], "domain": value}.get(kind)
    return (
        recipient, value if kind == "address" else None, domain, _BLOCK, DENIALS[SuppressionKind.BLOCK],
        document.at_us, until_us, until_us is None or until_us > now_us, None,
        None, None, None, value if kind == "company" else None, document.actor, said["note"] or None,
    )  # fmt: skip
