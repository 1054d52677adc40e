"""What a report needs to know beside the counts: times, window, and numbers kept elsewhere. All of it optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from store.report import Report
from store.windows import Basis


@dataclass(frozen=True, slots=True)
class Context:
    """Whatever the caller knows. Times in microseconds since 1970-01-01 UTC; None: not looked up, or not known."""

    now_us: int | None = None
    #: when the first and the last delivery of the broadcast was done (reached or failed)
    done_first_us: int | None = None
    done_last_us: int | None = None
    #: half-open: from, to
    window: tuple[int, int] | None = None
    basis: Basis = Basis.LIFETIME
    #: of the broadcast: ``draft``, ``scheduled``, ``sending``, ``sent``, ``cancelled``
    status: str | None = None
    #: the numbers of basis EVENT for the same window, beside those of basis COHORT (K24); None: they are the same
    events: Report | None = None
    #: sum over the links of a broadcast of the people who clicked each (I10)
    link_clickers: int | None = None
    #: errors nobody has acknowledged (R22)
    unacknowledged: int | None = None
    #: test sends listed (K02): counted nowhere
    test_listed: int | None = None
    #: how many deliveries are done a second, just now; of the sender's own estimate only the time is used (R09)
    done_per_s: float | None = None
    eta_us: int | None = None
    #: whether sends name the users that conversions name (K28, K40)
    has_user_refs: bool | None = None
    #: failures of channels that are not mail, by their own codes (K15): shown, added to nothing
    codes: Mapping[str, int] = field(default_factory=dict)
