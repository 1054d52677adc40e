"""The receiving servers: one small SMTP server a domain, each answering every recipient by a script.

They remember what they said, which is the truth the report is compared with.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

_PATH = re.compile(r"<([^>]*)>")


class At(StrEnum):
    """Where in the dialogue a turn is taken."""

    GREETING = "greeting"
    MAIL = "mail"
    RCPT = "rcpt"
    #: after the final dot
    END = "end"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one attempt hears. ``reply`` None closes the connection without a word, empty says nothing at all."""

    at: At = At.END
    reply: str | None = "250 2.0.0 Ok: queued as 1SINK"


ACCEPT = Turn()


@dataclass
class Mailbox:
    """One recipient: the turns of its attempts (the last one stays), and what became of them."""

    turns: tuple[Turn, ...]
    #: replies given, "" for a dropped or silent connection
    said: list[str] = field(default_factory=list)
    #: mails taken: (reverse-path, content)
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def turn(self) -> Turn:
        """What the next attempt will hear."""
        return self.turns[min(len(self.said), len(self.turns) - 1)]


@dataclass
class Host:
    """The server of one domain."""

    mailboxes: dict[str, Mailbox]
    features: tuple[str, ...]
    port: int = 0
    #: connections made to it
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak to one client."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            await _Dialogue(self, reader, writer).run()
        writer.close()


class _HungUpError(ConnectionError):
    """The script says to end the connection."""


class _Dialogue:
    def __init__(self, host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host, self._reader, self._writer = host, reader, writer
        self._reverse_path = ""
        self._has_sender = False
        self._recipients: list[str] = []

    async def run(self) -> None:
        first = next(iter(self._host.mailboxes.values()), None)
        if first is not None and first.turn.at is At.GREETING and first.turn.reply != "250":
            await self._play(first)
            raise _HungUpError
        self._say("220 mx.sink.example ESMTP")
        while True:
            line = (await self._reader.readuntil(b"\n")).decode("utf-8", "replace").strip()
            verb = line[:4].upper()
            if verb in ("EHLO", "HELO"):
                lines = ["mx.sink.example", *self._host.features]
                self._say("\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{text}" for i, text in enumerate(lines)))
            elif verb == "MAIL":
                await self._mail(_path(line))
            elif verb == "RCPT":
                await self._rcpt(_path(line))
            elif verb == "DATA":
                await self._data()
            elif verb == "QUIT":
                self._say("221 2.0.0 Bye")
                return
            else:
                self._say("250 2.0.0 Ok")

    async def _mail(self, reverse_path: str) -> None:
        self._reverse_path, self._recipients = reverse_path, []
        first = next(iter(self._host.mailboxes.values()), None)
        self._has_sender = first is None or first.turn.at is not At.MAIL
        if first is not None and not self._has_sender:
            await self._play(first)
        else:
            self._say("250 2.1.0 Ok")

    async def _rcpt(self, address: str) -> None:
        mailbox = self._host.mailboxes.get(address)
        if not self._has_sender:
            self._say("503 5.5.1 Need MAIL first")
        elif mailbox is None:
            self._say(f"550 5.1.1 <{address}>: not in the script")
        elif mailbox.turn.at is At.RCPT:
            await self._play(mailbox)
        else:
            self._recipients.append(address)
            self._say("250 2.1.5 Ok")

    async def _data(self) -> None:
        if not self._recipients:
            self._say("554 5.5.1 No valid recipients")
            return
        self._say("354 End data with <CR><LF>.<CR><LF>")
        content = await self._reader.readuntil(b"\r\n.\r\n")
        mailboxes = [self._host.mailboxes[address] for address in self._recipients]
        reply = mailboxes[0].turn.reply
        if reply is not None and reply.startswith("2"):
            for mailbox in mailboxes:
                mailbox.taken.append((self._reverse_path, content[:-5].replace(b"\r\n..", b"\r\n.")))
        for mailbox in mailboxes[1:]:
            mailbox.said.append(reply or "")
        await self._play(mailboxes[0])

    async def _play(self, mailbox: Mailbox) -> None:
        turn = mailbox.turn
        mailbox.said.append(turn.reply or "")
        if turn.reply is None:
            raise _HungUpError
        if not turn.reply:
            await asyncio.wait_for(self._reader.read(), 60)
            raise _HungUpError
        self._say(turn.reply)
        if turn.reply.startswith("421"):
            await self._writer.drain()
            raise _HungUpError

    def _say(self, text: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in text.split("\n")).encode("utf-8"))


def _path(line: str) -> str:
    match = _PATH.search(line)
    return match[1] if match else ""


@contextlib.contextmanager
def answering(
    scripts: Mapping[str, Mapping[str, Sequence[Turn]]],
    features: Mapping[str, tuple[str, ...]],
    places: Mapping[str, tuple[str, int]] | None = None,
) -> Iterator[dict[str, Host]]:
    """Run a server for each domain of ``scripts`` (domain -> address -> turns), on ports of 127.0.0.1.

    Arguments: ``features`` are what a domain's server offers after EHLO besides the usual; ``places`` say where
    a domain's server listens instead.
    """
    places = places or {}
    hosts = {
        domain: Host(
            {address: Mailbox(tuple(turns)) for address, turns in mailboxes.items()},
            features.get(domain, ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")),
        )
        for domain, mailboxes in scripts.items()
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sink", daemon=True)
    thread.start()

    async def start() -> list[asyncio.Server]:
        servers = []
        for domain, host in hosts.items():
            ip, port = places.get(domain, ("127.0.0.1", 0))
            server = await asyncio.start_server(host.serve, ip, port, limit=2**24)
            host.port = server.sockets[0].getsockname()[1]
            servers.append(server)
        return servers

    async def stop(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    servers = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield hosts
    finally:
        asyncio.run_coroutine_threadsafe(stop(servers), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
