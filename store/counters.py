"""What one delivery adds to its broadcast's counts, so that counts move by changes of outcome.

Every count is a sum over deliveries of what ``contribution`` returns; the identities I1-I10 follow from that.
"""

from __future__ import annotations

from functools import lru_cache

from model.detail import Agent
from model.fact import FactType
from store.outcome import Outcome, State, settle
from store.record import Entry, Overflow, Record

Counts = dict[str, int]
#: Clicks from which on their times matter to whether a machine made them.
_JUDGED_TOGETHER = 3


def contributions(record: Record) -> tuple[Counts, dict[int, Counts]]:
    """Return what a record adds to its broadcast's counts, and to those of each link. Do not change either.

    Most records look like many others: a planned mail opened once counts like any planned mail opened once.
    Where times play no part in the outcome the answer is remembered by the rest of the evidence.
    """
    clicks = 0
    for entry in record.entries:
        if entry.type == FactType.CLICKED:
            clicks += 1
        if clicks >= _JUDGED_TOGETHER or (entry.type in (FactType.OPENED, FactType.CLICKED) and
                                          entry.extra[0] == Agent.HONEYPOT):  # fmt: skip
            return _contributions(record)
    if len(record.entries) > 8:
        return _contributions(record)
    shape = tuple((entry.type, entry.extra) for entry in record.entries)
    return _remembered(record.is_html, shape, record.overflow)


@lru_cache(maxsize=16_384)
def _remembered(
    is_html: bool, shape: tuple[tuple[int, tuple[int, ...]], ...], overflow: Overflow
) -> tuple[Counts, dict[int, Counts]]:
    # Entries are kept in the order of their times, so places can stand for times.
    entries = [Entry(fact_type, place, bytes((place,)), extra, 0) for place, (fact_type, extra) in enumerate(shape)]
    return _contributions(Record(is_html, entries, overflow))


def _contributions(record: Record) -> tuple[Counts, dict[int, Counts]]:
    outcome = settle(record)
    return contribution(outcome), link_contribution(outcome)


def contribution(outcome: Outcome) -> Counts:
    """Return the counts one delivery adds to its broadcast; zero counts are left out.

    Names: ``listed``, ``targeted``, ``state.<state>``, ``excluded.<kind>``, ``reached.<evidence>``,
    ``failed.<channel>.<cause>.<permanence>``, ``hard``, ``soft``, engagement and overlay counts of mission 4.2,
    with ``html.`` in front where only HTML mail counts.
    """
    counts: Counts = {"listed": outcome.rows}
    if outcome.rows > 1:
        counts["excluded.duplicate"] = outcome.rows - 1
    if outcome.state is State.EXCLUDED:
        assert outcome.excluded is not None
        kind = f"excluded.{outcome.excluded.name.lower()}"
        counts[kind] = counts.get(kind, 0) + 1
        _count_overlays(outcome, counts)
        return counts
    counts["targeted"] = 1
    counts[f"state.{outcome.state}"] = 1
    if outcome.is_html:
        counts[f"html.{outcome.state}"] = 1
    if outcome.evidence is not None:
        counts[f"reached.{outcome.evidence}"] = 1
    if outcome.cause is not None and outcome.channel is not None:
        counts[f"failed.{outcome.channel.name.lower()}.{outcome.cause}.{outcome.permanence}"] = 1
        counts["hard" if outcome.is_hard else "soft"] = 1
    _count_engagement(outcome, counts)
    _count_overlays(outcome, counts)
    return counts


def _count_engagement(outcome: Outcome, counts: Counts) -> None:
    raw_opens = outcome.opens + outcome.opens_machine
    if raw_opens:
        counts["opens_raw"] = raw_opens
        counts["opens_machine"] = outcome.opens_machine
    raw_clicks = outcome.clicks + outcome.clicks_machine
    if raw_clicks:
        counts["clicks_raw"] = raw_clicks
        counts["clicks_machine"] = outcome.clicks_machine
    if outcome.state is not State.REACHED:
        # A bounced mail that is opened all the same: kept, shown, not counted (A30).
        if outcome.is_engaged and outcome.state is State.UNDELIVERED:
            counts["conflicts"] = 1
        return
    if outcome.clicks:
        counts["clicks"] = outcome.clicks
        counts["clicked_users"] = 1
    if outcome.is_html:
        if outcome.opens:
            counts["opens"] = outcome.opens
            counts["opened_pixel"] = 1
        if outcome.is_engaged:
            counts["opened_users"] = 1
            if not outcome.opens:
                counts["opened_inferred"] = 1
        if outcome.clicks:
            counts["clicked_of_opened"] = 1


def _count_overlays(outcome: Outcome, counts: Counts) -> None:
    for name, holds in (
        ("complaints", outcome.has_complaint),
        ("complaints_form", outcome.has_form_complaint),
        ("unsubs", outcome.was_unsubscribed),
        ("resubs", outcome.was_resubscribed),
        ("auto_replies", outcome.has_auto_reply),
    ):
        if holds:
            counts[name] = 1


def link_contribution(outcome: Outcome) -> dict[int, Counts]:
    """Return what one delivery adds to the counts of each link: clicks, machine clicks, people."""
    counted = outcome.state is State.REACHED
    result: dict[int, Counts] = {}
    for link, people, machines in outcome.links:
        counts: Counts = {}
        if people and counted:
            counts = {"clicks": people, "users": 1}
        if machines:
            counts["clicks_machine"] = machines
        if counts:
            result[link] = counts
    return result


def is_empty(record: Record) -> bool:
    """Whether a record holds nothing yet, and so adds nothing to any count."""
    return not record.entries and not any(record.overflow)
