"""Rows that are no deliveries: facts, broadcasts with their numbers, links."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import Any

from model.detail import DocumentSet, Engaged, Planned, Report, Unmatched
from model.fact import Fact, FactType
from store.log import scan_log
from store.reader import Broadcast, Reader
from store.report import build_report, status_of
from store.windows import Windows
from store.writer import next_seq
from yamabiko.exporter.job import Batch, Rows, Source
from yamabiko.exporter.people_rows import broadcasts_of
from yamabiko.exporter.tables import EVIDENCE, EXCLUDED, REPORT_CLASSES, REPORT_COUNTS, REPORT_RATES

_BATCH = 2_000
#: Octets that identify and say nothing to a reader.
_INTERNAL = frozenset({"origin", "row", "raw", "global_mark"})
#: Configuration may hold secrets of webhooks, and what people did has a list of its own.
_NOT_EXPORTED = frozenset({FactType.DOCUMENT_SET, FactType.AUDITED})


def events(source: Source) -> Rows:
    """Yield all facts of the window in the order they were stored, of one broadcast or of all (K21, K37)."""
    job, last = source.job, next_seq(source.env)
    names = Names(source)
    rows: list[tuple[Any, ...]] = []
    seq = 0
    for seq, fact in scan_log(source.env):
        if seq >= last:
            break  # what came since: an export ends though facts go on coming
        if seq % _BATCH == 0:
            yield Batch(rows, seq / last)
            rows = []
        if (
            fact.key.tenant == job.tenant
            and fact.type not in _NOT_EXPORTED
            and job.number in (None, fact.key.broadcast)
            and source.from_us <= fact.at_us < source.until_us
        ):
            if isinstance(fact.detail, Planned):
                source.take_sources([fact.detail.recipient_source])
            rows.append(_event(seq, fact, names))
    yield Batch(rows, 1.0)


class Names:
    """Ids of broadcasts and targets of links, looked up once."""

    def __init__(self, source: Source) -> None:
        self._reader, self._tenant = Reader(source.env), source.job.tenant
        self._ids: dict[int, str | None] = {}
        self._targets: dict[int, dict[int, str]] = {}

    def id_of(self, number: int) -> str | None:
        """Return the id the sender gave a broadcast."""
        if number not in self._ids:
            found = self._reader.broadcast(self._tenant, number) if number else None
            self._ids[number] = found.broadcast_id if found else None
        return self._ids[number]

    def target_of(self, number: int, link: int) -> str | None:
        """Return where a link usually leads."""
        if number not in self._targets:
            self._targets[number] = {place: url for place, url, _ in self._reader.links(self._tenant, number)}
        return self._targets[number].get(link)


def _event(seq: int, fact: Fact, names: Names) -> tuple[Any, ...]:
    detail, key = fact.detail, fact.key
    report = detail if isinstance(detail, Report | Unmatched) else None
    said = report if isinstance(report, Report) else None
    hit = detail if isinstance(detail, Engaged) else None
    url = hit.target if hit else None
    if hit and url is None and fact.type is FactType.CLICKED:
        url = names.target_of(key.broadcast, hit.link)
    return (
        seq, fact.id.hex(), fact.at_us, fact.type.name.lower(),
        f"{key.broadcast:012x}" if key.broadcast else None, names.id_of(key.broadcast),
        f"{key.recipient:016x}" if key.recipient else None,
        fact.is_test, fact.is_html, fact.node,
        getattr(detail, "address", None),
        said.channel.name.lower() if said else None,
        report.cause.value if report and report.cause else None,
        said.permanence.value if said else None,
        said.status if said else None,
        said.reply_code if said else None,
        report.diagnostic or None if report else None,
        hit.link or None if hit else None,
        url,
        hit.agent.name.lower() if hit else None,
        hit.ip if hit else None,
        hit.user_agent if hit else None,
        _json(fact),
    )  # fmt: skip


def _json(fact: Fact) -> str:
    """Return what a fact says as JSON, enumerations by name, what says nothing left out."""
    assert not isinstance(fact.detail, DocumentSet)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(fact.detail):
        value = getattr(fact.detail, field.name)
        if field.name in _INTERNAL or value is None or value in ("", ()):
            continue
        if isinstance(value, Enum):
            value = value.value if isinstance(value, str) else value.name.lower()
        values[field.name] = value
    return json.dumps(values, ensure_ascii=False)


def report(source: Source) -> Rows:
    """Yield a line a broadcast: its settings and its numbers as they are now (S34, K26).

    A window narrows to broadcasts last described in it.
    """
    reader = Reader(source.env)
    for number, _, share in broadcasts_of(source):
        found = reader.broadcast(source.job.tenant, number)
        if found is not None and source.from_us <= (found.updated_at_us or 0) < source.until_us:
            yield Batch([_report(source, reader, found)], share)


def _report(source: Source, reader: Reader, found: Broadcast) -> tuple[Any, ...]:
    tenant = source.job.tenant
    numbers = build_report(
        reader.counts(tenant, found.number), found, last_attempt_us=reader.last_attempt_us(tenant),
        now_us=source.job.now_us,
    )  # fmt: skip
    return (
        f"{found.number:012x}", found.broadcast_id, found.name,
        status_of(found, numbers, Windows(source.env).last_done_us(tenant, found.number), source.job.now_us),
        found.subject, found.format,
        found.stream, found.sender, found.schedule_task_id, found.scheduled_at_us, found.updated_at_us,
        *(getattr(numbers, name) for name in REPORT_COUNTS),
        *(numbers.evidence.get(name, 0) for name in EVIDENCE),
        *(numbers.excluded.get(name, 0) for name in EXCLUDED),
        *(numbers.sansan.get(name, 0) for name in REPORT_CLASSES),
        *(numbers.rates.get(name) for name in REPORT_RATES),
        numbers.is_assuming,
    )  # fmt: skip


def links(source: Source) -> Rows:
    """Yield every link that was clicked, the most clicked of a broadcast first (K05)."""
    reader = Reader(source.env)
    for number, broadcast_id, share in broadcasts_of(source):
        found = reader.broadcast(source.job.tenant, number)
        rows = [
            (
                f"{number:012x}", broadcast_id, found.name if found else None, link, url, counts.get("clicks", 0),
                counts.get("clicks_machine", 0), counts.get("users", 0),
            )
            for link, url, counts in reader.links(source.job.tenant, number)
        ]  # fmt: skip
        rows.sort(key=lambda row: (-row[5], row[3]))
        yield Batch(rows, share)
