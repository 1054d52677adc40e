"""Whom each profile stops mailing after a failure, for how long and for whom: data, for the store to apply (X5, X10).

Depends on the vocabulary only, so that it can be bound wherever suppression is decided. Facts are kept and counted
the same under every profile; only what follows from them differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.cause import SPECS, Cause, Fault, SansanClass, SuppressPolicy

#: Nobody is kept out for these: the sender's own doing, or a list somebody else keeps (N03, store.policy).
_NOT_THEIRS = frozenset({Fault.SENDER, Fault.LOCAL})


class Scope(StrEnum):
    """For whom an address that bounced is not mailed (X10)."""

    #: for every mailing of the tenant
    TENANT = "tenant"
    #: for every tenant, by a keyed hash of the address
    GLOBAL_HASH = "global_hash"
    #: for mailings of the same stream
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class ProfilePolicy:
    """What a profile does about addresses. ``suppress`` has a row for each of the 45 causes."""

    profile: str
    #: what a proven failure of each cause leads to, before the sender-fault guard
    suppress: Mapping[Cause, SuppressPolicy]
    #: days of the first, second, third and any later failure on the ladder (E42); empty: until deleted
    ladder_days: tuple[int, ...]
    #: the ladder of Tencent's domains doubles from one day up to this (E41); 0: as any other
    tencent_max_days: int
    #: from the latest complaint on (E33)
    complaint_days: int
    scope: Scope
    #: whether permanence decides: True where only a permanent failure suppresses at once
    permanent_only: bool
    #: how many distinct reports an unparsable one needs before it suppresses (A11)
    unparsable_reports: int
    #: whether what is the sender's own fault is kept from suppressing; on unless an operator turns it off (A12)
    is_guarded: bool = True

    def action(self, cause: Cause, *, is_guarded: bool | None = None) -> SuppressPolicy:
        """Return what a proven failure leads to. ``is_guarded`` False turns the guard off (W16)."""
        guarded = self.is_guarded if is_guarded is None else is_guarded
        if guarded and SPECS[cause].fault in _NOT_THEIRS:
            return SPECS[cause].suppress
        return self.suppress[cause]

    def days(self, failures: int, *, is_tencent: bool = False) -> int | None:
        """Return how long the ``failures``-th failure on the ladder suppresses; None: until deleted."""
        if failures < 1:
            raise ValueError("the first failure is number 1")
        if not self.ladder_days:
            return None
        if is_tencent and self.tencent_max_days:
            return int(min(2 ** (failures - 1), self.tencent_max_days))
        return self.ladder_days[min(failures, len(self.ladder_days)) - 1]


#: Classes added to フィルター管理 [不達] by themselves (S19-S21, S30, S31).
AUTO_SUPPRESSED = frozenset(
    {SansanClass.USER_UNKNOWN, SansanClass.HOST_UNKNOWN, SansanClass.REJECTED, SansanClass.UNPARSABLE}
)


def _sansan(cause: Cause) -> SuppressPolicy:
    """The literal rule: four classes, for ever, whatever the permanence (S31)."""
    return SuppressPolicy.FOREVER if SPECS[cause].sansan in AUTO_SUPPRESSED else SuppressPolicy.NO


def _engagelab(cause: Cause) -> SuppressPolicy:
    """Only an address that does not exist, up the ladder (E39, E42); the provider's own list adds nothing to it."""
    return SuppressPolicy.LADDER if SPECS[cause].engagelab_invalid == "address_not_exist" else SuppressPolicy.NO


def _karte(cause: Cause) -> SuppressPolicy:
    """Whoever bounced is kept out of later campaigns (K29): what has a Permanent code."""
    return SuppressPolicy.FOREVER if (SPECS[cause].ses or "").startswith("Permanent:") else SuppressPolicy.NO


def _own(cause: Cause) -> SuppressPolicy:
    return SPECS[cause].suppress


def _default(profile: str) -> ProfilePolicy:
    """Yamabiko's own, also where a system's manual says nothing about bounces (Re:lation, BALES)."""
    table = {cause: _own(cause) for cause in Cause}
    return ProfilePolicy(profile, table, (30, 60, 180), 30, 180, Scope.TENANT, True, 2)


POLICIES: Mapping[str, ProfilePolicy] = {
    "native": _default("native"),
    "sansan": ProfilePolicy("sansan", {cause: _sansan(cause) for cause in Cause}, (), 0, 180, Scope.TENANT, False, 1),
    "relation": _default("relation"),
    "engagelab": ProfilePolicy(
        "engagelab", {cause: _engagelab(cause) for cause in Cause}, (30, 60, 180), 30, 180, Scope.GLOBAL_HASH, True, 1
    ),
    "karte": ProfilePolicy("karte", {cause: _karte(cause) for cause in Cause}, (), 0, 180, Scope.STREAM, True, 1),
    "bales": _default("bales"),
}
