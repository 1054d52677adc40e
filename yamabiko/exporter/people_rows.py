"""Rows of people: the eight columns of R18, of all recipients or of the failures nobody has acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model.detail import Excluded, Report
from model.fact import Fact
from store.acks import ACK_KIND, Ack, ack_name, acked_until, acked_us, read_acks
from store.bulk import Deliveries, FactReader, read_deliveries
from store.outcome import STATES, Outcome, State
from store.people import MetricError, People, Person, predicate_of
from store.reader import Reader
from store.report import is_assuming
from yamabiko.exporter.job import Batch, ExportError, Rows, Source

#: Failures read at a time.
_ERRORS = 500
_ACKED, _ADDRESS, _DETAIL = 1, 4, 6


def recipients(source: Source) -> Rows:
    """Yield the recipients of a broadcast behind a number, in the order listed (R16, R17)."""
    number = needed_broadcast(source)
    assumes = assuming(source, number)
    holds = metric_filter(source, is_assuming=assumes)
    acks, facts = read_all_acks(source, number), FactReader(source.env)
    words = ["" if state is None else status_word(state, is_assuming=assumes) for state in STATES]
    for found in read_deliveries(
        source.env, source.job.tenant, number, query=source.filter("q") or "",
        from_us=source.from_us, until_us=source.until_us,
    ):  # fmt: skip
        yield Batch(_people(source, found, words, holds, acks, facts), found.share)


def _people(
    source: Source, found: Deliveries, words: Sequence[str], holds: Callable[[Outcome], bool] | None,
    acks: Sequence[Ack], facts: FactReader,
) -> list[list[Any]]:  # fmt: skip
    listed, briefs = found.rows, found.briefs
    if holds is not None:
        kept = [place for place, brief in enumerate(briefs) if holds(brief.settled.outcome)]
        listed, briefs = [listed[place] for place in kept], [briefs[place] for place in kept]
    source.take_sources({row.recipient_source for row in listed})
    rows = [
        [words[brief.settled.state], None, row.last_name, row.first_name, row.address, row.company, None, brief.last_us]
        for row, brief in zip(listed, briefs, strict=True)
    ]
    #: row -> number of the fact that has its words
    details: dict[int, int] = {}
    for place, brief in enumerate(briefs):
        settled = brief.settled
        if settled.failure is not None:
            seq = details[place] = brief.seq_at(settled.failure)
            rows[place][_ACKED] = acked_us(acks, seq)
        elif settled.exclusion is not None:
            details[place] = brief.seq_at(settled.exclusion)
    said = facts.read(details.values())
    for place, seq in details.items():
        row = rows[place]
        row[_DETAIL], address = words_of(said[seq])
        row[_ADDRESS] = row[_ADDRESS] or address
    return rows


def unacked_errors(source: Source) -> Rows:
    """Yield the failures of a broadcast that nobody has acknowledged, in the order they became known (R24)."""
    number, tenant = needed_broadcast(source), source.job.tenant
    acks = read_all_acks(source, number)
    people = People(source.env)
    seen = 0 if source.is_whole else acked_until(acks)
    total, _ = people.count_errors(tenant, number, after_seq=seen)
    after, done = None, 0
    while True:
        page = people.errors(tenant, number, after_seq=seen, after=after, limit=_ERRORS)
        done += len(page.rows)
        source.take_sources({person.listed.recipient_source for person in page.rows})
        yield Batch([_error(person, acks) for person in page.rows], min(done / total, 1.0) if total else 1.0)
        after = page.after
        if after is None:
            return


def _error(person: Person, acks: Sequence[Ack]) -> list[Any]:
    listed, failure = person.listed, person.failure
    return [
        "error", acked_us(acks, person.failure_seq), listed.last_name, listed.first_name, listed.address,
        listed.company, failure.diagnostic if failure else None, person.fetched_us,
    ]  # fmt: skip


def needed_broadcast(source: Source) -> int:
    """Return the number of the broadcast asked for. Raises ExportError when none was."""
    if source.job.number is None:
        raise ExportError(f"An export of {source.request.type.value} needs a broadcast.")
    return source.job.number


def broadcasts_of(source: Source) -> Iterator[tuple[int, str | None, float]]:
    """Yield (number, id, share) of the broadcast asked for, else of all, the newest first."""
    reader, tenant = Reader(source.env), source.job.tenant
    if source.job.number is not None:
        found = reader.broadcast(tenant, source.job.number)
        yield source.job.number, found.broadcast_id if found else None, 0.0
        return
    numbers: list[tuple[int, str | None]] = []
    after = None
    while True:
        page = reader.broadcasts(tenant, after=after)
        numbers += [(row.number, row.broadcast_id) for row in page.rows]
        after = page.after
        if after is None:
            break
    for place, (number, broadcast_id) in enumerate(numbers):
        yield number, broadcast_id, place / len(numbers)


def metric_filter(source: Source, *, is_assuming: bool) -> Callable[[Outcome], bool] | None:
    """Return what must hold of a recipient; None when nothing needs to. Raises ExportError for an unknown number."""
    metric = source.filter("metric")
    if metric is None or metric == "listed":
        return None
    try:
        return predicate_of(metric, is_assuming=is_assuming)
    except MetricError:
        raise ExportError(f"There is no number {metric!r} that people stand behind.") from None


def assuming(source: Source, number: int) -> bool:
    """Return whether no news counts as reached in a broadcast, as its report says."""
    reader, tenant = Reader(source.env), source.job.tenant
    return is_assuming(reader.broadcast(tenant, number), reader.last_attempt_us(tenant), source.job.now_us)


def read_all_acks(source: Source, number: int) -> list[Ack]:
    """Return what was acknowledged of a broadcast."""
    document = Reader(source.env).document(source.job.tenant, ACK_KIND, ack_name(number))
    return read_acks(document.body if document else None)


def status_word(state: State, *, is_assuming: bool) -> str:
    """Return the state of a recipient in Re:lation's words (R10-R13)."""
    match state:
        case State.UNDELIVERED:
            return "error"
        case State.CANCELLED:
            return "cancelled"
        case State.EXCLUDED:
            return "excluded"
        case State.REACHED:
            return "success"
        case State.PLANNED if is_assuming:
            return "success"
    return "in_flight"


def words_of(fact: Fact) -> tuple[str | None, str | None]:
    """Return the words of a failure or an exclusion, and the address they name."""
    match fact.detail:
        case Report() as report:
            return report.diagnostic or None, report.address
        case Excluded() as excluded:
            return excluded.detail or excluded.kind.name.lower(), None
    return None, None
