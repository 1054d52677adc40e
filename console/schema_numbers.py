"""Types of numbers broken down: by domain, provider, link, message, day and hour; over periods and for the month."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from console.schema import whole
from store.report import Report

When = Annotated[datetime, Meta(tz=True)]
Month = Annotated[
    str, Meta(pattern=whole(r"\d{4}-(0[1-9]|1[0-2])"), description="a calendar month of the tenant's zone")
]


class BasisName(StrEnum):
    """What a period selects (mission 4.4; docs/reports.md)."""

    COHORT = "cohort"
    EVENT = "event"
    LIFETIME = "lifetime"


class Step(StrEnum):
    """How finely a period is cut."""

    DAY = "day"
    HOUR = "hour"


class PeriodQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A period of at most 30 days, [from, to), on whole quarters of an hour, and the basis."""

    from_: When
    to: When
    basis: BasisName = BasisName.COHORT


class SeriesQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A period of at most 30 days and how it is cut."""

    from_: When
    to: When
    step: Step = Step.DAY


class SeriesPoint(Struct, frozen=True):
    """What happened in one day or hour; names as in docs/reports.md."""

    begin: datetime
    counts: dict[str, int]


class SeriesOut(Struct, frozen=True):
    """The period, day by day or hour by hour, quiet ones included."""

    zone: str
    points: list[SeriesPoint]


class DomainOut(Struct, frozen=True):
    """One receiving domain, or provider (all its domains together)."""

    name: str
    provider: str | None
    targeted: int
    reached: int
    undelivered: int
    hard: int
    soft: int
    deferred: int
    opened_users: int
    clicked_users: int
    complaints: int
    unsubs: int
    reach_rate: float | None
    bounce_rate: float | None
    open_rate: float | None


class DomainsOut(Struct, frozen=True):
    """The receiving domains of a broadcast, most mailed first, at most 500; and the providers behind them (N25)."""

    domains: list[DomainOut]
    providers: list[DomainOut]
    total_domains: int


class LinkOut(Struct, frozen=True):
    """One link: clicks by people, people who clicked, clicks by machines."""

    url: str
    clicks: int
    users: int
    clicks_machine: int
    broadcasts: int
    link: int | None = None


class LinksOut(Struct, frozen=True):
    """Links, the most clicked first (K05). Their people add up to at least those who clicked (I10)."""

    links: list[LinkOut]


class MessageOut(Struct, frozen=True):
    """One of the three most frequent messages of a cause (K20)."""

    cause: str
    ses: str | None
    text: str
    count: int


class MessagesBy(StrEnum):
    """Of what three messages are shown: of each cause, or of each of KARTE's codes."""

    CAUSE = "cause"
    CODE = "code"


class MessagesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How messages are grouped."""

    by: MessagesBy = MessagesBy.CAUSE


class MessagesOut(Struct, frozen=True):
    """Messages of failure, with what makes each different replaced."""

    messages: list[MessageOut]


class AgentOut(Struct, frozen=True):
    """Events by what was used. Of people nothing follows from it: one mail may be read on several devices (K36)."""

    family: str
    opens_raw: int
    clicks_raw: int


class AgentsOut(Struct, frozen=True):
    """Families of programs and devices, the most frequent first; machines' events included."""

    agents: list[AgentOut]


class UsageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which month; the current one by default."""

    month: Month | None = None


class UsageOut(Struct, frozen=True):
    """What a month's mails come to (R02-R04, X8): ``sends`` = success + error; excluded and test sends are apart.

    ``billed`` are those of them that were handed to a receiving server, ``reserved`` of broadcasts not begun.
    """

    month: str
    zone: str
    sends: int
    success: int
    error: int
    billed: int
    in_flight: int
    reserved: int
    excluded: dict[str, int]
    test_sends: int


class PeriodRow(Struct, frozen=True):
    """One broadcast in a period."""

    broadcast: str
    name: str | None
    numbers: Report


class ProjectOut(Struct, frozen=True):
    """All broadcasts that have something in a period, newest first, and their total (K22, K30, K31)."""

    basis: str
    total: Report
    broadcasts: list[PeriodRow]
    empty_reason: str | None


class PeriodReportOut(Struct, frozen=True):
    """A broadcast's numbers in a period; ``empty_reason`` says why there are none (K01, K04)."""

    broadcast: str | None
    basis: str
    numbers: Report
    empty_reason: str | None
