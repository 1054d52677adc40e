"""The demo from beginning to end: list a mailing, let the world answer, compare, and look at what is kept."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint
from yamabiko.demo import show
from yamabiko.demo.play import Play, forge
from yamabiko.demo.postman import Postman
from yamabiko.demo.sender import Minted, Sender, minted
from yamabiko.demo.server import Server
from yamabiko.demo.show import Comparison
from yamabiko.demo.visitors import Visitors
from yamabiko.demo.world import Person, World

_BROADCAST, _NEXT = "spring-sale", "summer-sale"
_FORGERIES = 300
_TESTS = 3
#: The load is spread so that every kill meets some of it.
_SECONDS_A_KILL = 1.2
_LINKED = ("click", "scan", "head", "late-click")


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: ``kills`` random processes are killed with -9 under load."""

    seed: int
    kills: int = 0


async def run_demo(out: Console, server: Server, world: World, options: Options) -> bool:
    """Run the demo; returns whether every figure equals the truth."""
    rng = random.Random(options.seed)  # noqa: S311 - a simulation, not a secret
    connector = aiohttp.TCPConnector(limit=64)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
        sender = Sender(http, server.origin("console"), server.admin_token())
        demo = _Demo(out, server, world, sender, Visitors(http), rng, options)
        try:
            return await demo.run()
        finally:
            demo.postman.close()


class _Demo:
    def __init__(
        self, out: Console, server: Server, world: World, sender: Sender, visitors: Visitors, rng: random.Random,
        options: Options,
    ) -> None:  # fmt: skip
        self.out, self.server, self.world, self.sender = out, server, world, sender
        self.visitors, self.rng, self.options = visitors, rng, options
        self.postman = Postman(*server.address("smtp"))
        self.rows: list[Comparison] = []

    async def run(self) -> bool:
        people = await self._list_mailing()
        await self._play(people)
        report = await self.sender.get(f"/v1/broadcasts/{_BROADCAST}/report?lang=ja")
        show.show_numbers(self.out, report)
        show.show_reasons(self.out, report)
        unsure = self.visitors.unsure
        self.rows += show.compare(self.world.truth(), report["numbers"], _raw(unsure))
        await self._check_suppressions()
        await self._show_person(people)
        await self._check_next_mailing()
        await self._check_tests()
        self._check_store()
        show.show_comparisons(self.out, self.rows)
        return all(row.is_right for row in self.rows)

    async def _list_mailing(self) -> list[Minted]:
        """Describe the broadcast, list everybody, and rewrite the mails of those who will click."""
        started = time.monotonic()
        await self.sender.describe(
            _BROADCAST, name="春のご案内", status="sending", subject="春の新商品", format="html", stream="news"
        )
        answers = await self.sender.send(_BROADCAST, self.world.people, key=f"demo-{self.options.seed}")
        again = await self.sender.send(_BROADCAST, self.world.people, key=f"demo-{self.options.seed}")
        self._expect("rows answered alike when sent again", sum(a == b for a, b in zip(answers, again, strict=True)),
                     len(answers))  # fmt: skip
        people = [minted(p, a) for p, a in zip(self.world.people, answers, strict=True) if "return_path" in a]
        linked = [i for i, m in enumerate(people) if any(s.startswith(_LINKED) for s in m.person.scenario.steps)]
        links = await asyncio.gather(*(self._links(people[i]) for i in linked))
        for i, clicks in zip(linked, links, strict=True):
            people[i] = _with_clicks(people[i], clicks)
        await self.sender.describe(_BROADCAST, status="sent")
        took = time.monotonic() - started
        self.out.print(f"listed {len(answers):,} recipients, {len(people):,} to mail, in {took:.1f} s")
        return people

    async def _links(self, mail: Minted) -> tuple[str, ...]:
        return await self.sender.rewrite(_BROADCAST, mail.person.address)

    async def _play(self, people: Sequence[Minted]) -> None:
        steps = sum(len(m.person.scenario.steps) for m in people) + _FORGERIES
        columns = (TextColumn("the world answers"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("{task.fields[last]}"))  # fmt: skip
        exported = KeyRing.from_export(json.loads(self.server.run("keys", "export", "--tenant", "1")))
        domain = people[0].original.return_path.rpartition("@")[2]
        mine = Mint(exported, Hosts(domain, self.server.origin("tracker")))
        theirs = Mint(KeyRing({exported.current_kid: _stranger(exported.current_kid)}, os.urandom(32)), mine.hosts)
        with Progress(*columns, console=self.out) as progress:
            task = progress.add_task("", total=steps, last="")
            play = Play(self.postman, self.visitors, mine.feedback_address(1), domain,
                        lambda name: progress.update(task, advance=1, last=name),
                        self.options.kills * _SECONDS_A_KILL)  # fmt: skip
            is_over = asyncio.Event()
            killer = asyncio.create_task(self.server.kill_at_random(self.options.kills, self.rng, is_over))
            forged, _ = await asyncio.gather(forge(play, people, theirs, _FORGERIES), play.run(people, self.rng))
            is_over.set()
            killed = await killer
        codes = ", ".join(f"{code or 'lost'}: {count}" for code, count in sorted(self.postman.replies.items()))
        self.out.print(f"forged and without effect: {forged}", highlight=False)
        self.out.print(f"SMTP replies: {codes}", highlight=False)
        if self.options.kills:
            self._expect("processes killed under load", len(killed), self.options.kills)
            self.out.print(f"killed with -9 under load: {len(killed)} ({dict(Counter(killed))})", highlight=False)
        await self._play_tests(play)

    async def _play_tests(self, play: Play) -> None:
        """Send test mails that are opened and bounce: nothing of it may be counted (K02)."""
        testers = [p for p in self.world.people if p.scenario.name == "silence"][:_TESTS]
        answers = await self.sender.send(_BROADCAST, testers, key=f"test-{self.options.seed}", test=True)
        bouncing = next(p.scenario for p in self.world.people if p.scenario.failure)
        for person, answer in zip(testers, answers, strict=True):
            tester = Person(person.row, person.address, "", "", "", bouncing)
            await play._open(minted(tester, answer), "")
            await play._bounce(minted(tester, answer), "")

    async def _check_tests(self) -> None:
        report = await self.sender.get(f"/v1/broadcasts/{_BROADCAST}/report?test=true")
        self._expect("test sends that bounced, counted apart", report["numbers"]["undelivered"], _TESTS)

    async def _check_suppressions(self) -> None:
        rows: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await self.sender.get(f"/v1/suppressions{after}")
            rows += page["suppressions"]
            if not page["next"]:
                break
            after = f"?after={page['next']}"
        show.show_suppressions(self.out, rows[:8], len(rows))
        found = Counter(row["kind"] for row in rows)
        wanted = self.world.suppressed()
        # Who says on our page that it is spam or fraud is on the list twice (A26).
        wanted["complaint"] += sum(p.scenario.adds.get("complaints_form", 0) for p in self.world.people)
        for kind in sorted(found.keys() | wanted.keys()):
            self._expect(f"suppressed: {kind}", found[kind], wanted[kind])
        addresses = {p.address for p in self.world.people if p.scenario.suppressed}
        self._expect(
            "suppressed addresses that should be", len({r["address"] for r in rows} & addresses), len(addresses)
        )

    async def _show_person(self, people: Sequence[Minted]) -> None:
        mail = next(m for m in people if m.person.scenario.name == "delayed, then bounced")
        delivery = await self.sender.get(f"/v1/broadcasts/{_BROADCAST}/recipients/{mail.recipient}")
        show.show_timeline(self.out, delivery)
        self._expect("facts of that recipient", len(delivery["events"]), 3)

    async def _check_next_mailing(self) -> None:
        """List the same people again: who must not be mailed is left out, and told why (B22, W10)."""
        await self.sender.describe(_NEXT, name="夏のご案内", status="sending", format="html", stream="news")
        names = ("duplicate row", "role address", "malformed address")
        people = [p for p in self.world.people if p.scenario.name not in names]
        answers = await self.sender.send(_NEXT, people, key=f"next-{self.options.seed}")
        found = Counter(a["excluded"] for a in answers if "excluded" in a)
        for kind, wanted in self.world.suppressed().items():
            self._expect(f"next mailing leaves out: {kind}", found[kind], wanted)
        right = sum(("excluded" in a) == bool(p.scenario.suppressed) for p, a in zip(people, answers, strict=True))
        self._expect("next mailing: the right people left out", right, len(people))

    def _check_store(self) -> None:
        """Stop the server, then re-fold every fact and compare."""
        self.server.stop()
        self.out.print(self.server.run("store", "verify").strip(), highlight=False)

    def _expect(self, name: str, found: int, wanted: int) -> None:
        self.rows.append(Comparison(name, found, wanted, wanted))


def _with_clicks(mail: Minted, clicks: tuple[str, ...]) -> Minted:
    return Minted(mail.person, mail.recipient, mail.original, mail.pixel_url, mail.unsubscribe_url,
                  mail.unsubscribe_address, clicks)  # fmt: skip


def _stranger(kid: int) -> Key:
    """Return a key that is not this server's, under the same id."""
    return Key(kid, os.urandom(32), KeyStatus.CURRENT)


def _raw(unsure: Counter[str]) -> dict[str, int]:
    """Return how far each figure may exceed the truth because an answer was lost."""
    opens, opens_machine = unsure["opens"], unsure["opens_machine"]
    clicks, clicks_machine = unsure["clicks"], unsure["clicks_machine"]
    return {
        "opens": opens,
        "opens_machine": opens_machine,
        "opens_raw": opens + opens_machine,
        "clicks": clicks,
        "clicks_machine": clicks_machine,
        "clicks_raw": clicks + clicks_machine,
    }
