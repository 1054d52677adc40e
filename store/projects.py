"""Whom a project of KARTE stops mailing: whoever bounced in it, until somebody lifts it (K29, X5, X10).

A project is a stream here. What follows from a bounce in one stream holds in that stream only, so there is an entry for
each broadcast that bounced. Few tenants choose this and few recipients bounced, so nothing is stored: it is folded from
the recipient's evidence when it is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.cause import BY_NUMBER, Permanence
from model.fact import DeliveryKey, FactType
from store.counters import footprint
from store.record import Record
from store.standing import Ignored, is_lifted, is_own_fault, is_proven
from store.suppression import Suppression, SuppressionKind

#: Causes with a Permanent code, by their numbers; those that are the sender's own fault never count (N03).
KEPT_OUT = frozenset(
    number for number, spec in BY_NUMBER.items()
    if (spec.ses or "").startswith("Permanent:") and not is_own_fault(number)
)  # fmt: skip
_PERMANENT = tuple(Permanence).index(Permanence.PERMANENT)
_LIFTING = (SuppressionKind.BOUNCE, SuppressionKind.CLASS)


def project_bounces(deliveries: Sequence[tuple[DeliveryKey, Record]], is_ignored: Ignored) -> list[Suppression]:
    """Return an entry for each broadcast in which a recipient bounced for good.

    ``deliveries`` are the recipient's records over all broadcasts. Failures of which ``is_ignored`` holds do not count.
    A later success changes nothing: in that stream nobody tries again.
    """
    released = [entry for _, record in deliveries for entry in record.entries if entry.type == FactType.RELEASED]
    domain = min((record.domain for _, record in deliveries if record.domain), default=b"")[1:]
    found: list[Suppression] = []
    for key, record in deliveries:
        failure = footprint(record).failure
        if failure is None or not key.broadcast or not is_proven(failure) or is_ignored(failure):
            continue
        cause, is_permanent = failure.extra[1], failure.extra[2] == _PERMANENT
        if cause not in KEPT_OUT or not is_permanent:
            continue
        if not any(is_lifted(released, kind, failure.at_us) for kind in _LIFTING):
            found.append(Suppression(
                SuppressionKind.CLASS, failure.at_us, None, failure.seq, key.broadcast, 1, cause,
                domain=domain.decode("ascii", "replace"),
            ))  # fmt: skip
    return found
