"""What the tracker is asked for: URLs of mails, each with the program of whoever opens it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.mailings import address_of
from bench.ours import BROADCAST, TENANT, Ours
from bench.user_agents import user_agents
from model.mint import MintedMail

_LINKS = 8
_SEED = 20_260_401


@dataclass(frozen=True, slots=True)
class Route:
    """One of the tracker's hot routes: the fact each answer leaves, the answer's status, how to mint a URL."""

    fact: str
    status: int
    mint: Callable[[MintedMail, int], str]


def _pixel(mail: MintedMail, _number: int) -> str:
    return mail.pixel_url


def _click(mail: MintedMail, number: int) -> str:
    link = number % _LINKS + 1
    target = f"https://shop.example/new?utm_source=mail&utm_campaign=spring&item={link}"
    return mail.click_url(target, link=link, links=_LINKS)


PIXEL = Route("opened", 200, _pixel)
CLICK = Route("clicked", 302, _click)


@dataclass(slots=True)
class Visits:
    """A file of distinct URLs and their visitors, as web_load.c reads it."""

    path: Path
    count: int
    #: where the next run begins
    place: int = 0

    def write(self, ours: Ours, route: Route) -> None:
        """Mint the URLs offline, as a sender would who has our exported key."""
        origin = len(ours.mint.hosts.tracking_origin)
        agents = user_agents(random.Random(_SEED), self.count)
        with self.path.open("w", encoding="ascii") as file:
            for url, agent in zip(islice(_urls(ours, route), self.count), agents, strict=True):
                file.write(f"{url[origin:]}\t{agent}\n")

    def advance(self, used: int) -> None:
        """Let the next run begin after ``used`` more URLs."""
        self.place = (self.place + used) % self.count


def _urls(ours: Ours, route: Route) -> Iterator[str]:
    day, number = ours.today(), 0
    while True:
        mail = ours.mint.mail(tenant=TENANT, broadcast_id=BROADCAST, address=address_of(number), day=day)
        yield route.mint(mail, number)
        number += 1
