"""Facts as the tracker hands them to the store, made without a tracker: for stores of millions of facts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache

from bench.listing import row_of
from bench.ours import TENANT
from bench.user_agents import user_agents
from model.detail import Agent, Engaged
from model.fact import FactType, Hit, UniqueClock
from store.environment import Environment
from store.group import Facts
from store.listed import ListedTogether, list_together
from store.writer import write_now
from tracker.agent import judge_user_agent

#: Facts of a commit of a live server whose 256 connections are busy.
BATCH = 250
#: 2026-04-01 00:00:00 UTC
START_US = 1_775_001_600_000_000
_AGENTS = 5_000
_NETWORKS = 20_000
_LINKS = 8
#: From one recipient of a list to the next.
LISTING_US = 50
#: Fields of a row behind the tags, of which our rows have none.
_SAID_BY_NOBODY = 7
_US_PER_S = 1_000_000


class Opens:
    """Makes hits, one after another in time, each by a visitor drawn anew."""

    def __init__(self, rng: random.Random, start_us: int = START_US, per_s: float = 20.0) -> None:
        """``per_s`` is how many come in a second of the time they tell."""
        self._rng = rng
        self._clock = UniqueClock(0)
        self._now_us = float(start_us)
        self._step_us = 2 * _US_PER_S / per_s
        self._agents, self._networks = _population()

    @property
    def now_us(self) -> int:
        """The time of the last hit."""
        return int(self._now_us)

    def opens(self, places: Sequence[bytes]) -> list[Hit]:
        """Return an open of each delivery, in this order of time."""
        return [self._hit(FactType.OPENED, place) for place in places]

    def clicks(self, places: Sequence[bytes]) -> list[Hit]:
        """Return a click in each delivery, in this order of time."""
        return [self._hit(FactType.CLICKED, place) for place in places]

    def _hit(self, kind: FactType, place: bytes) -> Hit:
        draw = self._rng.random
        self._now_us += draw() * self._step_us
        text, agent = self._agents[int(draw() * _AGENTS)]
        # As in tracker.engagement: an image proxy's address says nothing of who opened.
        ip = None if agent is Agent.PROXY else self._networks[int(draw() * _NETWORKS)]
        detail = Engaged(agent, ip=ip, user_agent=text)
        if kind is FactType.CLICKED:
            link = int(draw() * _LINKS) + 1
            detail = Engaged(agent, link, _LINKS, ip, text, f"https://shop.example/new?utm_source=mail&item={link}")
        return Hit(kind, place, self._clock.stamp(int(self._now_us)), detail, 0, False, True)


@cache
def _population() -> tuple[list[tuple[str, Agent]], list[str]]:
    """Return the programs of visitors, with what our tracker thinks of them, and the networks they come from."""
    rng = random.Random(1)
    agents = [(agent, judge_user_agent(agent)[0]) for agent in user_agents(rng, _AGENTS)]
    octets = [(rng.randrange(1, 224), rng.randrange(256), rng.randrange(256)) for _ in range(_NETWORKS)]
    return agents, [f"{a}.{b}.{c}.0" for a, b, c in octets]


def places_of(broadcast: int, recipients: Sequence[int]) -> list[bytes]:
    """Return the keys of the deliveries of one broadcast."""
    prefix = TENANT.to_bytes(2, "big") + broadcast.to_bytes(6, "big")
    return [prefix + recipient.to_bytes(8, "big") for recipient in recipients]


def listings(places: Sequence[bytes], numbers: Sequence[int], start_us: int) -> ListedTogether:
    """Return that recipients are listed, as by the rows that bench.listing sends of these ``numbers``."""
    rows = [json.loads(row_of(number)) for number in numbers]
    addresses, contacts, last, first, companies = (
        [row[name] for row in rows] for name in ("address", "contact_ref", "last_name", "first_name", "company")
    )
    said = [addresses, contacts, last, first, companies, [()] * len(rows), *([[None] * len(rows)] * _SAID_BY_NOBODY)]
    return list_together(
        places,
        [number.to_bytes(8, "big") for number in numbers],
        said,
        [address.partition("@")[2] for address in addresses],
        [start_us + at * LISTING_US for at in range(len(rows))],
        [True] * len(rows),
        node=0,
    )


def commit(env: Environment, facts: Facts) -> None:
    """Store facts in one commit. Raises AssertionError when one of them was known: it would not have been stored."""
    receipt = write_now(env, facts)
    assert not receipt.known, receipt
