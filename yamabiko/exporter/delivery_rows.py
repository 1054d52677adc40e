"""Rows of deliveries: everything known of each (K26, K27), the status log of E01, and who clicked what (S33)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model.cause import SPECS, SansanClass
from model.detail import Engaged, Report
from model.fact import Fact, FactType
from store.acks import Ack, acked_us
from store.bulk import Brief, Deliveries, FactReader, read_deliveries
from store.outcome import Outcome, judge_machines
from store.reader import Reader
from store.record import Entry
from store.roster import RosterRow
from store.status_log import STATUSES, attempt_place, status_of
from yamabiko.exporter.job import Batch, ExportError, Rows, Source
from yamabiko.exporter.people_rows import (
    assuming,
    broadcasts_of,
    metric_filter,
    needed_broadcast,
    read_all_acks,
    words_of,
)

#: Words that end it, where they came from the sending side (store.bulk.Settled.done).
_ENDS = frozenset({FactType.ACCEPTED, FactType.RELAYED, FactType.FAILED})
_Deliveries = Iterator[tuple[int, str | None, Deliveries, float]]


def _walk(source: Source) -> _Deliveries:
    """Yield (broadcast, its id, deliveries, share) of the broadcast asked for, or of all."""
    is_one = source.job.number is not None
    for number, broadcast_id, share in broadcasts_of(source):
        for found in read_deliveries(
            source.env, source.job.tenant, number, query=source.filter("q") or "",
            from_us=source.from_us, until_us=source.until_us,
        ):  # fmt: skip
            yield number, broadcast_id, found, found.share if is_one else share


def deliveries(source: Source) -> Rows:
    """Yield all deliveries, in one broadcast or in all."""
    facts = FactReader(source.env)
    known = -1
    holds: Callable[[Outcome], bool] | None = None
    acks: list[Ack] = []
    for number, broadcast_id, found, share in _walk(source):
        if number != known:
            known, acks = number, read_all_acks(source, number)
            holds = metric_filter(source, is_assuming=assuming(source, number))
        kept = [
            (row, brief) for row, brief in zip(found.rows, found.briefs, strict=True)
            if holds is None or holds(brief.settled.outcome)
        ]  # fmt: skip
        source.take_sources({row.recipient_source for row, _ in kept})
        said = facts.read(seq for _, brief in kept if (seq := _detail_seq(brief)))
        rows = []
        for row, brief in kept:
            fact = said.get(_detail_seq(brief))
            rows.append((f"{number:012x}", broadcast_id, *_delivery(row, brief, fact, acks)))
        yield Batch(rows, share)


def _detail_seq(brief: Brief) -> int:
    """Return the number of the fact that says why it failed or was excluded; 0 when there is none."""
    place = brief.settled.failure
    place = place if place is not None else brief.settled.exclusion
    return 0 if place is None else brief.seq_at(place)


def _delivery(row: RosterRow, brief: Brief, fact: Fact | None, acks: Sequence[Ack]) -> tuple[Any, ...]:
    settled = brief.settled
    outcome = settled.outcome
    spec = SPECS[outcome.cause] if outcome.cause else None
    report = fact.detail if fact and isinstance(fact.detail, Report) else None
    detail, address = words_of(fact) if fact else (None, None)
    address = row.address or address
    failure = settled.failure
    return (
        row.recipient.hex(), address, address.rpartition("@")[2].lower() or None if address else None,
        row.last_name, row.first_name, row.company, row.contact_ref, tuple(row.tags), row.mail_type, row.api_user,
        row.request_ip, row.recipient_source, row.schedule_task_id, row.user_ref, row.list_ref,
        row.at_us if row.is_listed else None,
        None if settled.done is None else brief.time_at(settled.done),
        brief.last_us or None,
        outcome.state.value,
        outcome.evidence.value if outcome.evidence else None,
        outcome.excluded.name.lower() if outcome.excluded else None,
        outcome.channel.name.lower() if outcome.channel else None,
        outcome.cause.value if outcome.cause else None,
        outcome.permanence.value if spec else None,
        outcome.is_hard,
        spec.reason.value if spec else None,
        (spec.sansan or SansanClass.OTHER).value if spec else None,
        None if failure is None else brief.time_at(failure),
        None if failure is None else acked_us(acks, brief.seq_at(failure)),
        report.status if report else None,
        report.reply_code if report else None,
        detail,
        report.rule or None if report else None,
        outcome.is_html, outcome.opens, outcome.opens_machine, outcome.clicks, outcome.clicks_machine,
        outcome.has_complaint, outcome.has_form_complaint, outcome.was_unsubscribed, outcome.was_resubscribed,
        outcome.has_auto_reply, outcome.conversions,
    )  # fmt: skip


def mail_status(source: Source) -> Rows:
    """Yield the status log: all mails asked for in the window, whatever broadcast, by six filters (E01, E20, E22)."""
    wanted = source.filter("status")
    if wanted is not None and wanted not in STATUSES:
        raise ExportError(f"status: one of {', '.join(STATUSES)}.")
    facts, known, assumes = FactReader(source.env), -1, False
    for number, _, found, share in _walk(source):
        if number != known:
            known, assumes = number, assuming(source, number)
        kept = []
        for place, (row, brief) in enumerate(zip(found.rows, found.briefs, strict=True)):
            status = status_of(brief.settled.outcome, is_assuming=assumes)
            if row.is_listed and wanted in (None, status) and _is_wanted(source, row):
                kept.append((row, brief, status, _tried(found, place)))
        source.take_sources({row.recipient_source for row, *_ in kept})
        said = facts.read({
            seq for _, brief, _, tried in kept for seq in (_seq(brief, brief.settled.report), _seq(brief, tried)) if seq
        })  # fmt: skip
        yield Batch([_mail(row, brief, status, tried, said) for row, brief, status, tried in kept], share)


def _is_wanted(source: Source, row: RosterRow) -> bool:
    mail_type, api_user, tag = (source.filter(name) for name in ("mail_type", "api_user", "tag"))
    return mail_type in (None, row.mail_type) and api_user in (None, row.api_user) and (tag is None or tag in row.tags)


def _tried(found: Deliveries, place: int) -> int | None:
    """Return the place in its record of the word about the attempt (store.status_log), mostly without reading it."""
    settled = found.briefs[place].settled
    if settled.report is None:
        return None
    if settled.done_type in _ENDS:
        return settled.done
    return attempt_place(found.record(place).entries)


def _seq(brief: Brief, place: int | None) -> int:
    return 0 if place is None else brief.seq_at(place)


def _mail(row: RosterRow, brief: Brief, status: str, tried: int | None, said: dict[int, Fact]) -> tuple[Any, ...]:
    last = brief.settled.report
    report, attempt = _report_of(said.get(_seq(brief, last))), _report_of(said.get(_seq(brief, tried)))
    return (
        status, row.api_user, row.address, row.at_us, None if tried is None else brief.time_at(tried),
        row.request_ip, attempt.send_ip if attempt else None, report.diagnostic or None if report else None,
    )  # fmt: skip


def _report_of(fact: Fact | None) -> Report | None:
    return fact.detail if fact is not None and isinstance(fact.detail, Report) else None


def clicks(source: Source) -> Rows:
    """Yield every click of a broadcast with who made it, recipient by recipient (S33)."""
    number = needed_broadcast(source)
    facts = FactReader(source.env)
    targets = {link: target for link, target, _ in Reader(source.env).links(source.job.tenant, number)}
    # The window is that of the clicks: every recipient is looked at, whenever listed.
    for found in read_deliveries(source.env, source.job.tenant, number, query=source.filter("q") or ""):
        clicked = [
            place for place, brief in enumerate(found.briefs)
            if brief.settled.outcome.clicks + brief.settled.outcome.clicks_machine
        ]  # fmt: skip
        hits = [(place, entry, is_machine) for place in clicked for entry, is_machine in _hits(source, found, place)]
        source.take_sources({found.rows[place].recipient_source for place, _, _ in hits})
        said = facts.read(entry.seq for _, entry, _ in hits)
        broadcast_id = _id_of(source, number)
        rows = []
        for place, entry, is_machine in hits:
            row, detail = found.rows[place], said[entry.seq].detail
            if isinstance(detail, Engaged):
                rows.append((
                    entry.at_us, f"{number:012x}", broadcast_id, row.recipient.hex(), row.last_name, row.first_name,
                    row.address, row.company, row.contact_ref, detail.link, detail.target or targets.get(detail.link),
                    is_machine, detail.agent.name.lower(), detail.ip, detail.user_agent,
                ))  # fmt: skip
        yield Batch(rows, found.share)


def _hits(source: Source, found: Deliveries, place: int) -> list[tuple[Entry, bool]]:
    """Return the clicks of one delivery in the window, and of each whether a machine made it."""
    entries = found.record(place).entries
    machine = judge_machines(entries)
    return [
        (entry, i in machine) for i, entry in enumerate(entries)
        if entry.type == FactType.CLICKED and source.from_us <= entry.at_us < source.until_us
    ]  # fmt: skip


def _id_of(source: Source, number: int) -> str | None:
    found = Reader(source.env).broadcast(source.job.tenant, number)
    return found.broadcast_id if found else None
