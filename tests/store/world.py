"""Facts to test with: short to write, and random ones that touch every rule of the fold."""

from __future__ import annotations

import random

from model.cause import Cause, Channel, Permanence
from model.detail import (
    Agent,
    AutoReplied,
    BroadcastSet,
    Complained,
    Detail,
    Engaged,
    Excluded,
    ExcludedKind,
    Planned,
    Released,
    Report,
    Trust,
    Unsubscribed,
    UnsubscribeReason,
    UnsubscribeVia,
)
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)

T0_US = 1_775_001_600_000_000
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR


def key(recipient: int = 1, broadcast: int = 1, tenant: int = 1) -> DeliveryKey:
    """A delivery's key."""
    return DeliveryKey(tenant, broadcast, recipient)


def planned(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, row: bytes = b"row00001",
            address: str | None = None, is_html: bool = True, is_test: bool = False) -> Fact:  # fmt: skip
    """A listed recipient."""
    detail = Planned(address or f"r{recipient}@example.jp", row)
    return Fact(FactType.PLANNED, key(recipient, broadcast), at, detail, is_html=is_html, is_test=is_test)


def failed(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, cause: Cause = Cause.USER_UNKNOWN,
           channel: Channel = Channel.OUT_OF_BAND, origin: bytes = b"", trust: Trust = Trust.SUPPRESS,
           permanence: Permanence = Permanence.PERMANENT, is_test: bool = False,
           address: str | None = None, remote_mta: str | None = None) -> Fact:  # fmt: skip
    """A failure our token proves."""
    mark = origin or b"o%d-%d-%d" % (recipient, broadcast, at)
    detail = Report(
        channel, mark, cause, permanence, trust, status="5.1.1", diagnostic="no such user", address=address,
        remote_mta=remote_mta,
    )  # fmt: skip
    return Fact(FactType.FAILED, key(recipient, broadcast), at, detail, is_html=True, is_test=is_test)


def report(fact_type: FactType, recipient: int = 1, broadcast: int = 1, *, at: int = T0_US,
           channel: Channel = Channel.IN_SESSION, is_html: bool = True) -> Fact:  # fmt: skip
    """An ACCEPTED, DEFERRED or RELAYED fact."""
    detail = Report(channel, b"r%d-%d-%d" % (recipient, broadcast, at))
    return Fact(fact_type, key(recipient, broadcast), at, detail, is_html=is_html)


def opened(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, agent: Agent = Agent.PERSON,
           is_test: bool = False) -> Fact:  # fmt: skip
    """A pixel fetch."""
    detail = Engaged(agent, ip="192.0.2.0", user_agent="Mozilla/5.0 (X11)")
    return Fact(FactType.OPENED, key(recipient, broadcast), at, detail, is_html=True, is_test=is_test)


def clicked(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, link: int = 1, links: int = 3,
            agent: Agent = Agent.PERSON, is_html: bool = True, target: str | None = None) -> Fact:  # fmt: skip
    """A followed link."""
    detail = Engaged(agent, link, links, target=target or f"https://example.jp/{link}")
    return Fact(FactType.CLICKED, key(recipient, broadcast), at, detail, is_html=is_html)


def unsubscribed(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, again: bool = False,
                 everything: bool = False) -> Fact:  # fmt: skip
    """An unsubscribe, or with ``again`` a resubscribe."""
    fact_type = FactType.RESUBSCRIBED if again else FactType.UNSUBSCRIBED
    detail = Unsubscribed(UnsubscribeVia.ONE_CLICK, UnsubscribeReason.NONE, everything)
    return Fact(fact_type, key(recipient, broadcast), at, detail, is_html=True)


def complained(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US, via_form: bool = False) -> Fact:
    """A complaint."""
    detail = Complained("abuse", b"c%d-%d-%d" % (recipient, broadcast, at), via_form)
    return Fact(FactType.COMPLAINED, key(recipient, broadcast), at, detail, is_html=True)


def described(broadcast: int = 1, *, at: int = T0_US, **fields: str) -> Fact:
    """A described broadcast."""
    detail = BroadcastSet(fields.pop("broadcast_id", f"b{broadcast}"), **fields)  # type: ignore[arg-type]
    return Fact(FactType.BROADCAST_SET, key(0, broadcast), at, detail)


def random_facts(rng: random.Random, count: int, *, recipients: int = 40, broadcasts: int = 3) -> list[Fact]:
    """Facts of every sort, at times that collide, overlap and come in any order; some of them twice."""
    facts: list[Fact] = []
    for _ in range(count):
        facts.append(_random_fact(rng, rng.randint(1, recipients), rng.randint(1, broadcasts)))
        if rng.random() < 0.1:
            facts.append(rng.choice(facts))
    return facts


def _random_fact(rng: random.Random, recipient: int, broadcast: int) -> Fact:
    at = T0_US + rng.randint(0, 40) * DAY // 8 + rng.randint(0, 30) * SECOND
    place = {"recipient": recipient, "broadcast": broadcast, "at": at}
    causes = list(Cause)[:38]
    pick = rng.randint(0, 13)
    if pick == 0:
        return planned(**place, row=b"row%05d" % rng.randint(0, 3))  # type: ignore[arg-type]
    if pick == 1:
        detail: Detail = Excluded(ExcludedKind.BOUNCE, "")
        return Fact(FactType.EXCLUDED, key(recipient, broadcast), at, detail) if rng.random() < 0.2 else opened(**place)
    if pick in (2, 3):
        return failed(
            **place, cause=rng.choice(causes), channel=rng.choice(list(Channel)),  # type: ignore[arg-type]
            permanence=rng.choice(list(Permanence)), trust=rng.choice(list(Trust)),
            remote_mta=rng.choice([None, "dns; mx.example.jp", "dns; mxbiz1.qq.com"]),
        )  # fmt: skip
    if pick in (4, 5):
        return report(rng.choice([FactType.ACCEPTED, FactType.DEFERRED, FactType.RELAYED]), **place)
    if pick in (6, 7):
        return opened(**place, agent=rng.choice(list(Agent)), is_test=rng.random() < 0.1)
    if pick in (8, 9, 10):
        links = rng.randint(1, 6)
        return clicked(**place, link=rng.randint(1, links), links=links, agent=rng.choice(list(Agent)))
    if pick == 11:
        return unsubscribed(**place, again=rng.random() < 0.3, everything=rng.random() < 0.2)
    if pick == 12:
        return complained(**place, via_form=rng.random() < 0.3)
    if rng.random() < 0.3:
        released = Released(rng.choice(["bounce", "soft", "complaint"]), "checked by telephone", "admin")
        return Fact(FactType.RELEASED, key(recipient, 0), at, released)
    detail = AutoReplied("vacation", b"a%d" % rng.randint(0, 5))
    return Fact(FactType.AUTO_REPLIED, key(recipient, broadcast), at, detail)
