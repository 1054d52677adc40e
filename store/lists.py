"""Which lists of its broadcast a delivery is on, so that every number leads to its people at once (S17).

What is common is not listed: who was reached or has not opened is found by going through the roster.

A list is in the order in which that which brings somebody on it came: whoever opens is written behind those before, not
at a place of their own anywhere among a million.
"""

from __future__ import annotations

from model.cause import SPECS, Cause
from model.detail import ExcludedKind
from store.outcome import Outcome, State

DEFERRED = 1
CANCELLED = 2
ENGAGED = 3
CLICKED = 4
COMPLAINED = 5
COMPLAINED_FORM = 6
UNSUBSCRIBED = 7
RESUBSCRIBED = 8
AUTO_REPLIED = 9
CONFLICT = 10
CONVERTED = 11
_BY_HITS = (ENGAGED, CLICKED, CONFLICT)
#: excluded, by kind
_EXCLUDED = 32
#: undelivered, by cause, the hard ones one further
_FAILED = 64


def lists_of(outcome: Outcome) -> frozenset[int]:
    """Return the lists a delivery with this outcome is on."""
    found: set[int] = set()
    if outcome.state is State.EXCLUDED and outcome.excluded is not None:
        found.add(_EXCLUDED + outcome.excluded)
    elif outcome.state is State.UNDELIVERED and outcome.cause is not None:
        found.add(failed_list(outcome.cause, is_hard=outcome.is_hard))
        if outcome.is_engaged:
            found.add(CONFLICT)
    elif outcome.state is State.DEFERRED:
        found.add(DEFERRED)
    elif outcome.state is State.CANCELLED:
        found.add(CANCELLED)
    elif outcome.state is State.REACHED:
        if outcome.is_engaged:
            found.add(ENGAGED)
        if outcome.clicks:
            found.add(CLICKED)
    for which, holds in (
        (COMPLAINED, outcome.has_complaint),
        (COMPLAINED_FORM, outcome.has_form_complaint),
        (UNSUBSCRIBED, outcome.was_unsubscribed),
        (RESUBSCRIBED, outcome.was_resubscribed),
        (AUTO_REPLIED, outcome.has_auto_reply),
        (CONVERTED, outcome.conversions > 0),
    ):
        if holds:
            found.add(which)
    return frozenset(found)


def list_seq(which: int, first_seqs: tuple[int, int]) -> int:
    """Return the number that a delivery has on list ``which``.

    ``first_seqs`` is Record.first_seqs: nothing that comes later changes it.
    """
    hit, other = first_seqs
    return (hit or other) if which in _BY_HITS else (other or hit)


def failed_list(cause: Cause, *, is_hard: bool) -> int:
    """Return the list of those that failed for a cause."""
    return _FAILED + 2 * SPECS[cause].number + is_hard


def excluded_list(kind: ExcludedKind) -> int:
    """Return the list of those excluded for one reason."""
    return _EXCLUDED + kind


#: From the first to behind the last list of failures, and of exclusions.
FAILED_LISTS = range(_FAILED, _FAILED + 2 * max(spec.number for spec in SPECS.values()) + 2)
EXCLUDED_LISTS = range(_EXCLUDED, _EXCLUDED + max(ExcludedKind) + 1)
