"""Ten thousand forgeries over real sockets change nothing; one genuine report does (S23, S24, S25, T5)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint, MintedMail
from model.token import day_of
from tests.interop import world
from yamabiko.demo import mails
from yamabiko.demo.mails import Original

_BROADCAST = "poisoned"
_DOMAIN = world.RETURN_PATH_DOMAIN
_VICTIMS = 400
_BY_SMTP, _BY_HTTP = 7_500, 2_500
_CONNECTIONS = 12
_STORED, _REFUSED = 250, 550
_NOT_FOUND = (403, 404, 405, 410, 429)
_BROWSER = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"}


@dataclass(frozen=True)
class Forgery:
    """A mail nobody should believe, and how it must be answered. ``content`` is not needed where RCPT refuses."""

    kind: str
    forward_path: str
    content: bytes
    code: int
    reverse_path: str = ""


@dataclass(frozen=True)
class Victim:
    address: str
    #: what POST /v1/sends answered; a forger has none of it but what stands in a mail he was sent
    answer: dict[str, Any]


@dataclass
class Scene:
    """A mailing with some history, and keys that are not this server's for it."""

    yamabiko: world.Yamabiko
    victims: list[Victim]
    genuine: Mint
    strangers: list[Mint]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with world.running(tmp_path_factory.mktemp("forged") / "home") as yamabiko:
        addresses = [f"victim{i}@poison{i % 7}.example" for i in range(_VICTIMS)]
        answers = yamabiko.list_people(_BROADCAST, addresses)
        victims = [Victim(address, answer) for address, answer in zip(addresses, answers, strict=True)]
        hosts = Hosts(_DOMAIN, yamabiko.server.origin("tracker"))
        mine, other = (json.loads(yamabiko.server.run("keys", "export", "--tenant", tenant)) for tenant in "12")
        keyless = KeyRing({mine["kid"]: Key(mine["kid"], os.urandom(32), KeyStatus.CURRENT)}, os.urandom(32))
        # Tenant 2 holds its own keys and writes tenant 1 into its tokens.
        neighbour = KeyRing.from_export(other | {"tenant": 1, "pepper": mine["pepper"]})
        scene = Scene(yamabiko, victims, Mint(KeyRing.from_export(mine), hosts),
                      [Mint(keyless, hosts), Mint(neighbour, hosts)])  # fmt: skip
        # Something to be changed: bounces, a complaint, an unsubscribe that are real.
        for victim in victims[:5]:
            assert _deliver_bounce(scene, victim) == _STORED
        fbl = scene.genuine.feedback_address(1)
        complaint = mails.complaint(world.original(answers[5], addresses[5]), fbl)
        assert world.deliver(yamabiko.server.address("smtp"), fbl, complaint) == _STORED
        wish = mails.unsubscribe(addresses[6], answers[6]["unsubscribe_address"])
        smtp = yamabiko.server.address("smtp")
        assert world.deliver(smtp, answers[6]["unsubscribe_address"], wish, addresses[6]) == _STORED
        yield scene


def _deliver_bounce(scene: Scene, victim: Victim) -> int:
    content = mails.bounce(world.original(victim.answer, victim.address), mails.unknown_user())
    return world.deliver(scene.yamabiko.server.address("smtp"), victim.answer["return_path"], content)


class Forger:
    """Makes up forgeries. What is stored is different each time, or the store would take it for a copy."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self._scene, self._rng = scene, rng
        self._number = 0

    def mail(self) -> Forgery:
        """Return one of any kind."""
        kinds: dict[Callable[[Victim, MintedMail], Forgery], int] = {
            self._strangers_key: 20,
            self._altered_token: 20,
            self._wrong_type: 12,
            self._no_token: 8,
            self._complaint_at_random: 10,
            self._unsubscribe_by_from: 10,
            self._bounce_to_postmaster: 8,
            self._complaint_to_abuse: 4,
            self._wish_of_a_machine: 4,
            self._not_a_report: 4,
        }
        make = self._rng.choices(list(kinds), list(kinds.values()))[0]
        victim = self._rng.choice(self._scene.victims[10:])
        self._number += 1
        stranger = self._rng.choice(self._scene.strangers)
        forged = stranger.mail(tenant=1, broadcast_id=_BROADCAST, address=victim.address, day=_today())
        return make(victim, forged)

    def url(self) -> tuple[str, str, str, dict[str, str] | None, tuple[int, ...]]:
        """Return kind, method, URL, form and the answers that are right, of one of any kind."""
        victim = self._rng.choice(self._scene.victims[10:])
        stranger = self._rng.choice(self._scene.strangers)
        forged = stranger.mail(tenant=1, broadcast_id=_BROADCAST, address=victim.address, day=_today())
        real = victim.answer
        one_click = {"List-Unsubscribe": "One-Click"}
        target = "https://evil.example/"
        click = self._scene.genuine.mail(
            tenant=1, broadcast_id=_BROADCAST, address=victim.address, day=_today()
        ).click_url("https://shop.example/", link=1, links=3)
        console = self._scene.yamabiko.server.origin("console")
        choices: list[tuple[str, str, str, dict[str, str] | None, tuple[int, ...]]] = [
            ("one-click, another's key", "POST", forged.unsubscribe_url, one_click, _NOT_FOUND),
            ("one-click, altered", "POST", self._altered(real["unsubscribe_url"]), one_click, _NOT_FOUND),
            ("one-click at a pixel", "POST", real["pixel_url"], one_click, _NOT_FOUND),
            ("unsubscribe by GET", "GET", real["unsubscribe_url"] + "?List-Unsubscribe=One-Click", None, (200,)),
            ("unsubscribe by HEAD", "HEAD", real["unsubscribe_url"], None, (200,)),
            ("unsubscribe without a wish", "POST", real["unsubscribe_url"], {"List-Unsubscribe": "no"}, (400,)),
            ("open, another's key", "GET", forged.pixel_url, None, (200, 429)),
            ("open, altered", "GET", self._altered(real["pixel_url"].removesuffix(".gif")) + ".gif", None, (200, 429)),
            ("click, another's key", "GET", forged.click_url(target, link=1, links=1), None, _NOT_FOUND),
            ("click to elsewhere", "GET", click.rpartition("/")[0] + "/aHR0cHM6Ly9ldmlsLmV4YW1wbGUv", None, _NOT_FOUND),
            ("click, another place", "GET", click.replace("/1.3/", "/2.3/"), None, _NOT_FOUND),
            ("list without a token", "POST", f"{console}/v1/sends", {"broadcast": "x"}, (401,)),
            ("release without a token", "DELETE",
             f"{console}/v1/suppressions/{real['recipient']}/bounce?reason=none", None, (401,)),
        ]  # fmt: skip
        return self._rng.choice(choices)

    # Refused at RCPT: the address is none of ours.

    def _strangers_key(self, victim: Victim, forged: MintedMail) -> Forgery:
        path = self._rng.choice(
            [forged.return_path, forged.return_path.replace("b+", "b-"), forged.return_path.upper()]
        )
        return Forgery("bounce, another's key", path, b"", _REFUSED)

    def _altered_token(self, victim: Victim, forged: MintedMail) -> Forgery:
        local = victim.answer["return_path"].partition("@")[0]
        return Forgery("bounce, altered token", f"{self._altered(local)}@{_DOMAIN}", b"", _REFUSED)

    def _wrong_type(self, victim: Victim, forged: MintedMail) -> Forgery:
        back = victim.answer["return_path"].partition("@")[0].partition("+")[2]
        wish = victim.answer["unsubscribe_address"].partition("@")[0].partition("+")[2]
        token = victim.answer["envid"]
        local = self._rng.choice([f"b+{wish}", f"b+{token}", f"unsubscribe+{back}", f"unsubscribe+{token}",
                                  f"fbl+{back}", f"fbl+{wish}"])  # fmt: skip
        return Forgery("token of the wrong type", f"{local}@{_DOMAIN}", b"", _REFUSED)

    def _no_token(self, victim: Victim, forged: MintedMail) -> Forgery:
        local = self._rng.choice(
            ["b", "b+", "bounce", "b+victim=poison.example", "mailer-daemon", victim.address.partition("@")[0]]
        )
        return Forgery("bounce, no token", f"{local}@{_DOMAIN}", b"", _REFUSED)

    def _complaint_at_random(self, victim: Victim, forged: MintedMail) -> Forgery:
        stranger = self._rng.choice(self._scene.strangers)
        path = self._rng.choice([f"fbl@{_DOMAIN}", f"complaints@{_DOMAIN}", stranger.feedback_address(1)])
        return Forgery("complaint, no feedback address", path, b"", _REFUSED, "feedback@provider.example")

    def _unsubscribe_by_from(self, victim: Victim, forged: MintedMail) -> Forgery:
        path = self._rng.choice([f"unsubscribe@{_DOMAIN}", forged.unsubscribe_address, f"unsubscribe+{victim.address}"])
        return Forgery("unsubscribe, only From", path, b"", _REFUSED, victim.address)

    # Taken, and kept as a note.

    def _bounce_to_postmaster(self, victim: Victim, forged: MintedMail) -> Forgery:
        """Everything about it is right but the token, which stands only where anybody can write it."""
        returned = Original(victim.address, forged.return_path, tuple(forged.headers().items()))
        content = mails.bounce(returned, mails.unknown_user())
        words = f"Mail from {victim.answer['return_path']} <{victim.answer['return_path']}> came back.\r\n"
        content = content.replace(b"Your message could not", words.encode() + b"Your message could not", 1)
        return Forgery("bounce to postmaster", f"postmaster@{_DOMAIN}", self._new(content), _STORED)

    def _complaint_to_abuse(self, victim: Victim, forged: MintedMail) -> Forgery:
        """A forger who was sent the mail has its headers, but not our feedback address."""
        content = mails.complaint(world.original(victim.answer, victim.address), f"abuse@{_DOMAIN}")
        return Forgery("complaint to abuse@", f"abuse@{_DOMAIN}", self._new(content), _STORED, "fbl@provider.example")

    def _wish_of_a_machine(self, victim: Victim, forged: MintedMail) -> Forgery:
        path = victim.answer["unsubscribe_address"]
        content = self._new(b"Auto-Submitted: auto-replied\r\n" + mails.unsubscribe(victim.address, path))
        if self._rng.random() < 0.5:
            content = self._new(mails.bounce(world.original(victim.answer, victim.address), mails.unknown_user()))
        return Forgery("automatic mail to unsubscribe", path, content, _STORED, "")

    def _not_a_report(self, victim: Victim, forged: MintedMail) -> Forgery:
        head = f"From: <{victim.address}>\r\nTo: <{victim.answer['return_path']}>\r\nSubject: Re: Spring sale\r\n"
        content = (head + "Message-ID: <r@client.example>\r\n\r\nThank you. See you in spring.\r\n").encode()
        return Forgery("reply to the return path", victim.answer["return_path"], self._new(content), _STORED,
                       victim.address)  # fmt: skip

    def _altered(self, text: str) -> str:
        """Change one character of the token that ``text`` ends with."""
        at = len(text) - 1 - self._rng.randrange(30)
        return (
            text[:at]
            + self._rng.choice([c for c in "abcdefghijkmnpqrstuvwxyz" if c != text[at].lower()])
            + text[at + 1 :]
        )

    def _new(self, content: bytes) -> bytes:
        return content.replace(b"Message-ID: <", b"Message-ID: <%d." % self._number, 1)


async def _send_all(address: tuple[str, int], forgeries: list[Forgery]) -> Counter[str]:
    """Send over several connections, again where the server ended one for its refusals; returns how many a kind."""
    waiting = iter(forgeries)
    done: Counter[str] = Counter()

    async def client() -> None:
        session: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for forgery in waiting:
            while True:
                if session is None:
                    session = await asyncio.open_connection(*address)
                    await _command(session, "")
                    await _command(session, "EHLO mta.evil.example")
                code = await _try_once(session, forgery)
                if code not in (0, 421):
                    break
                session[1].close()
                session = None
            assert code == forgery.code, f"{forgery.kind} to {forgery.forward_path} was answered {code}"
            done[forgery.kind] += 1
        if session is not None:
            session[1].close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(client())
    return done


async def _try_once(session: tuple[asyncio.StreamReader, asyncio.StreamWriter], forgery: Forgery) -> int:
    """Return the reply that decides: to RCPT if it refuses, otherwise to the final dot; 0 when the session broke."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        code = await _command(session, f"MAIL FROM:<{forgery.reverse_path}>")
        if code == 250:
            code = await _command(session, f"RCPT TO:<{forgery.forward_path}>")
        if code != 250:
            if code != 421 and await _command(session, "RSET") == 421:
                session[1].close()
            return code
        if await _command(session, "DATA") == 354:
            session[1].write(forgery.content.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            return await _command(session, None)
    return 0


async def _command(session: tuple[asyncio.StreamReader, asyncio.StreamWriter], line: str | None) -> int:
    reader, writer = session
    if line:
        writer.write(line.encode("ascii") + b"\r\n")
    while True:
        reply = await reader.readuntil(b"\n")
        if reply[3:4] != b"-":
            return int(reply[:3])


async def _visit_all(forger: Forger, count: int) -> Counter[str]:
    done: Counter[str] = Counter()

    async def client(http: aiohttp.ClientSession, times: int) -> None:
        for _ in range(times):
            kind, method, url, form, right = forger.url()
            async with http.request(method, url, data=form, allow_redirects=False) as reply:
                await reply.read()
            assert reply.status in right, f"{kind}: {method} {url} was answered {reply.status}"
            done[kind] += 1

    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with (
        aiohttp.ClientSession(connector=connector, headers=_BROWSER, cookie_jar=aiohttp.DummyCookieJar()) as http,
        asyncio.TaskGroup() as group,
    ):
        for i in range(_CONNECTIONS):
            group.create_task(client(http, count * (i + 1) // _CONNECTIONS - count * i // _CONNECTIONS))
    return done


def _today() -> int:
    return day_of(time.time_ns() // 1_000)


def _everything(scene: Scene) -> dict[str, Any]:
    """Return all that could be changed; a mailing that a forgery made up would show too."""
    found = scene.yamabiko.everything(_BROADCAST)
    found["broadcasts"] = scene.yamabiko.ask("GET", "/v1/broadcasts")["broadcasts"]
    return found


async def test_ten_thousand_forgeries_change_nothing(scene: Scene) -> None:
    rng = world.seeded()
    forger = Forger(scene, rng)
    forgeries = [forger.mail() for _ in range(_BY_SMTP)]
    before, notes = _everything(scene), scene.yamabiko.facts().get("unmatched", 0)
    assert (before["numbers"]["undelivered"], before["numbers"]["complaints"], before["numbers"]["unsubs"]) == (5, 1, 1)
    assert Counter(key.rpartition(" ")[2] for key in before["suppressions"]) == {
        "bounce": 5, "complaint": 1, "unsubscribe": 1,
    }  # fmt: skip

    began = time.monotonic()
    by_smtp, by_http = await asyncio.gather(
        _send_all(scene.yamabiko.server.address("smtp"), forgeries), _visit_all(forger, _BY_HTTP)
    )
    took = time.monotonic() - began

    for kind, count in sorted((by_smtp + by_http).items()):
        print(f"{count:>6}  {kind}")
    total = by_smtp.total() + by_http.total()
    print(f"{total:>6}  forgeries in {took:.1f} s")
    assert total == 10_000
    assert _everything(scene) == before
    # Nothing that was answered 250 is lost: what proves nothing is kept as a note.
    stored = sum(forgery.code == _STORED for forgery in forgeries)
    assert scene.yamabiko.facts().get("unmatched", 0) - notes == stored


def test_one_genuine_report_of_each_kind_does_change(scene: Scene) -> None:
    """The negative control: the same comparison sees a real bounce, a real complaint and a real wish."""
    yamabiko, (bounced, complained, wished) = scene.yamabiko, scene.victims[7:10]
    smtp = yamabiko.server.address("smtp")
    before = _everything(scene)
    assert _deliver_bounce(scene, bounced) == _STORED
    one = _everything(scene)
    fbl = scene.genuine.feedback_address(1)
    content = mails.complaint(world.original(complained.answer, complained.address), fbl)
    assert world.deliver(smtp, fbl, content, "feedback@provider.example") == _STORED
    two = _everything(scene)
    path = wished.answer["unsubscribe_address"]
    assert world.deliver(smtp, path, mails.unsubscribe(wished.address, path), wished.address) == _STORED
    three = _everything(scene)

    steps = [before, one, two, three]
    assert [step["numbers"]["undelivered"] - before["numbers"]["undelivered"] for step in steps] == [0, 1, 1, 1]
    assert [step["numbers"]["complaints"] - before["numbers"]["complaints"] for step in steps] == [0, 0, 1, 1]
    assert [step["numbers"]["unsubs"] - before["numbers"]["unsubs"] for step in steps] == [0, 0, 0, 1]
    assert set(three["suppressions"]) - set(before["suppressions"]) == {
        f"{bounced.address} bounce", f"{complained.address} complaint", f"{wished.address} unsubscribe",
    }  # fmt: skip


def test_what_is_genuine_but_old_or_about_another_suppresses_nobody(scene: Scene) -> None:
    """S23: a bounce of a mail older than thirty days, or whose returned mail is another's, only counts."""
    yamabiko, (old, mixed, other) = scene.yamabiko, scene.victims[-3:]
    smtp = yamabiko.server.address("smtp")
    before = yamabiko.suppressions()
    aged = scene.genuine.mail(tenant=1, broadcast_id=_BROADCAST, address=old.address, day=_today() - 32)
    content = mails.bounce(Original(old.address, aged.return_path, tuple(aged.headers().items())), mails.unknown_user())
    assert world.deliver(smtp, aged.return_path, content) == _STORED
    content = mails.bounce(world.original(other.answer, mixed.address), mails.unknown_user())
    assert world.deliver(smtp, mixed.answer["return_path"], content) == _STORED
    assert yamabiko.suppressions() == before
