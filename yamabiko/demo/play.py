"""Let the world answer: every person's steps, in order, many persons at once; then what nobody should believe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from model.mint import Mint
from yamabiko.demo import mails
from yamabiko.demo.postman import Postman
from yamabiko.demo.sender import Minted
from yamabiko.demo.visitors import GMAIL, PERSON, PREFETCH, SCANNER, Visitors

#: A click this long after a scan is no part of it (mission 4.8: within ten seconds).
_LATER_S = 11.0
_AT_ONCE = 48


@dataclass(slots=True)
class Play:
    """One run of the world against one Yamabiko."""

    postman: Postman
    visitors: Visitors
    feedback_address: str
    return_path_domain: str
    on_step: Callable[[str], None]
    #: people begin at random moments of this time
    spread_s: float = 0.0
    scanned_at: dict[int, float] = field(default_factory=dict)

    async def run(self, people: Sequence[Minted], rng: random.Random) -> None:
        """Do every step of everybody; raises ConnectionError or AssertionError when the server does not behave."""
        limit = asyncio.Semaphore(_AT_ONCE)
        order = list(people)
        rng.shuffle(order)

        async def one(minted: Minted) -> None:
            await asyncio.sleep(rng.uniform(0.0, self.spread_s))
            for step in minted.person.scenario.steps:
                name, _, argument = step.partition(":")
                if name == "late-click":
                    wait = self.scanned_at[minted.person.row] + _LATER_S - asyncio.get_running_loop().time()
                    await asyncio.sleep(max(0.0, wait))
                async with limit:
                    await _STEPS[name](self, minted, argument)
                self.on_step(name)

        async with asyncio.TaskGroup() as group:
            for minted in order:
                group.create_task(one(minted))

    # Engagement

    async def _open(self, minted: Minted, _: str) -> None:
        await self.visitors.fetch("opens", minted.pixel_url, PERSON)

    async def _proxy_open(self, minted: Minted, _: str) -> None:
        await self.visitors.fetch("opens", minted.pixel_url, GMAIL)

    async def _prefetch(self, minted: Minted, _: str) -> None:
        await self.visitors.fetch("opens_machine", minted.pixel_url, PREFETCH)

    async def _head(self, minted: Minted, _: str) -> None:
        await self.visitors.fetch("opens_machine", minted.pixel_url, PERSON, method="HEAD")
        await self.visitors.fetch("clicks_machine", minted.clicks[0], PERSON, method="HEAD")

    async def _click(self, minted: Minted, argument: str) -> None:
        answer = await self.visitors.fetch("clicks", minted.clicks[int(argument) - 1], PERSON)
        if not answer.get("Location", "").startswith("https://shop.example/"):
            raise AssertionError(f"a click was sent to {answer.get('Location')}")

    async def _scan(self, minted: Minted, _: str) -> None:
        await asyncio.gather(*(self.visitors.fetch("clicks_machine", url, SCANNER) for url in minted.clicks))
        await self.visitors.status(minted.unsubscribe_url)
        await self.visitors.status(minted.unsubscribe_url, method="HEAD")
        self.scanned_at[minted.person.row] = asyncio.get_running_loop().time()

    async def _one_click(self, minted: Minted, _: str) -> None:
        await self.visitors.post(minted.unsubscribe_url, {"List-Unsubscribe": "One-Click"})

    async def _page(self, minted: Minted, argument: str) -> None:
        form = {"action": "unsubscribe", "scope": "list", "reason": argument, "lang": "ja"}
        await self.visitors.post(minted.unsubscribe_url, form)

    async def _resubscribe(self, minted: Minted, _: str) -> None:
        await self.visitors.post(minted.unsubscribe_url, {"action": "resubscribe", "scope": "list", "lang": "ja"})

    # Mail

    async def _bounce(self, minted: Minted, _: str) -> None:
        failure = minted.person.scenario.failure
        assert failure is not None
        await self._mail(mails.bounce(minted.original, failure), minted.original.return_path)

    async def _delay(self, minted: Minted, _: str) -> None:
        await self._mail(mails.delay(minted.original), minted.original.return_path)

    async def _success(self, minted: Minted, _: str) -> None:
        await self._mail(mails.success(minted.original), minted.original.return_path)

    async def _vacation(self, minted: Minted, _: str) -> None:
        await self._mail(mails.vacation(minted.original), minted.original.return_path)

    async def _complaint(self, minted: Minted, _: str) -> None:
        content = mails.complaint(minted.original, self.feedback_address)
        await self._mail(content, self.feedback_address, "feedback@provider.example")

    async def _not_spam(self, minted: Minted, _: str) -> None:
        content = mails.complaint(minted.original, self.feedback_address, "not-spam")
        await self._mail(content, self.feedback_address, "feedback@provider.example")

    async def _unsubscribe_mail(self, minted: Minted, _: str) -> None:
        content = mails.unsubscribe(minted.person.address, minted.unsubscribe_address)
        await self._mail(content, minted.unsubscribe_address, minted.person.address)

    async def _mail(self, content: bytes, forward_path: str, reverse_path: str = "") -> None:
        code = await self.postman.deliver(content, forward_path, reverse_path)
        if code != 250:
            raise AssertionError(f"a mail to {forward_path.partition('+')[0]} was answered {code}")


_STEPS = {
    "open": Play._open,
    "proxy-open": Play._proxy_open,
    "prefetch": Play._prefetch,
    "head": Play._head,
    "click": Play._click,
    "late-click": Play._click,
    "scan": Play._scan,
    "unsubscribe-one-click": Play._one_click,
    "unsubscribe-page": Play._page,
    "resubscribe": Play._resubscribe,
    "bounce": Play._bounce,
    "delay": Play._delay,
    "success": Play._success,
    "vacation": Play._vacation,
    "complaint": Play._complaint,
    "not-spam": Play._not_spam,
    "unsubscribe-mail": Play._unsubscribe_mail,
}


async def forge(play: Play, victims: Sequence[Minted], other: Mint, count: int) -> dict[str, int]:
    """Send forged bounces, complaints, unsubscribes, opens and clicks; returns how many of each.

    ``other`` mints with keys that are not this server's. None of it may change any number.
    """
    done = {"refused at RCPT": 0, "taken, proves nothing": 0, "forged URLs": 0}
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        victim = victims[number % len(victims)]
        async with limit:
            kind = await _forge_one(play, victim, other, number)
        done[kind] += 1
        play.on_step("forged")

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return done


async def _forge_one(play: Play, victim: Minted, other: Mint, number: int) -> str:
    """Send one forgery of the sort ``number`` says."""
    forged = other.mail(tenant=1, broadcast_id="spring-sale", address=victim.person.address, day=20_000)
    failure = mails.unknown_user()
    content = mails.bounce(victim.original, failure)
    domain = play.return_path_domain
    match number % 6:
        case 0:  # another's key
            return await _expect(play, content, forged.return_path.rpartition("@")[0] + "@" + domain, 550)
        case 1:  # a true token of the wrong type
            local = victim.unsubscribe_address.partition("@")[0].replace("unsubscribe+", "b+")
            return await _expect(play, content, f"{local}@{domain}", 550)
        case 2:  # a complaint to nobody's feedback address
            content = mails.complaint(victim.original, f"fbl@{domain}")
            return await _expect(play, content, f"fbl@{domain}", 550)
        case 3:  # an unsubscribe that only its From speaks for
            content = mails.unsubscribe(victim.person.address, f"unsubscribe@{domain}")
            return await _expect(play, content, f"unsubscribe@{domain}", 550)
        case 4:  # a bounce to the postmaster that names the victim
            content = content.replace(victim.original.return_path.encode(), b"someone@example.net")
            for _, value in victim.original.headers:
                content = content.replace(value.encode(), b"none")
            content = content.replace(b"Message-ID: <", b"Message-ID: <%d." % number)
            return await _expect(play, content, f"postmaster@{domain}", 250)
        case _:
            folder, _, name = victim.pixel_url.rpartition("/")
            token = name.removesuffix(".gif")
            flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
            await play.visitors.status(f"{folder}/{flipped}.gif")
            click = victim.clicks[0] if victim.clicks else f"{folder.replace('/o', '/c')}/{token}/1.1/aHR0cDovL2E"
            if await play.visitors.status(click.replace("/c/", "/c/A")) == 302:
                raise AssertionError("a forged click was redirected")
            if await play.visitors.status(victim.unsubscribe_url[:-1] + "*", method="POST") == 200:
                raise AssertionError("a forged unsubscribe was taken")
            return "forged URLs"


async def _expect(play: Play, content: bytes, forward_path: str, code: int) -> str:
    answer = await play.postman.deliver(content, forward_path)
    if answer != code:
        raise AssertionError(f"a forgery was answered {answer}, not {code}")
    return "refused at RCPT" if code == 550 else "taken, proves nothing"
