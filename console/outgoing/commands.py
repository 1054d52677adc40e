"""Commands for sending systems: we ask by a signed webhook, they do it and say so (E26; mission 5, commands out).

Yamabiko sends no mail, so it can resume or pause nothing itself. A command is a document; the fact that sets it is an
event like any other, in order, with a stable id, tried again until taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from console.outgoing.documents import Documents
from console.outgoing.event import COMMAND_KIND

#: Kind of the document that says how far a command is.
PROGRESS_KIND = "command.progress"
#: A command nobody took for so long is not sent any more: whoever asked has long done something else.
VALID_S = 3_600.0
_BEYOND = 2**63 - 1


class CommandName(StrEnum):
    """What a sending system can be asked to do."""

    QUEUE_PAUSE = "queue.pause"
    #: send at once what waits (E26)
    QUEUE_RESUME = "queue.resume"
    BROADCAST_PAUSE = "broadcast.pause"
    BROADCAST_RESUME = "broadcast.resume"
    BROADCAST_CANCEL = "broadcast.cancel"
    #: ask for the suppression list again before going on
    SUPPRESSION_REFRESH = "suppression.refresh"


class CommandState(StrEnum):
    """How far a command is."""

    #: kept, on its way
    ASKED = "asked"
    #: a receiver answered 2xx
    SENT = "sent"
    #: the sending system says it is done
    DONE = "done"
    #: the sending system says it cannot
    FAILED = "failed"
    #: nobody took it in time
    EXPIRED = "expired"


class Command(msgspec.Struct, frozen=True):
    """What is asked."""

    command: CommandName
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    broadcast: str | None = None
    #: a domain or a queue as the sending system calls it
    queue: str | None = None
    reason: str = ""
    #: for pauses: after how long to go on by itself
    for_s: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far it is, since when, and who said so (an endpoint's id, or a token's name)."""

    state: CommandState
    at: float
    by: str
    note: str = ""


class KnownCommand(msgspec.Struct, frozen=True):
    """A command with its progress."""

    id: str
    command: Command
    progress: Progress | None

    def state(self, now_s: float) -> CommandState:
        """Return how far it is."""
        if self.progress is not None:
            return self.progress.state
        return CommandState.EXPIRED if now_s >= self.command.expires_at.timestamp() else CommandState.ASKED


def is_expired(detail: dict[str, Any], now_s: float) -> bool:
    """Whether the command with the event detail ``detail`` is not to be sent any more."""
    return datetime.fromisoformat(detail["expires_at"]).timestamp() <= now_s


class Commands:
    """The commands of all tenants. All methods raise StoreError."""

    def __init__(self, documents: Documents, now_s: Callable[[], float], stamp: Callable[[], int]) -> None:
        """``stamp`` returns times in microseconds, never the same twice."""
        self._documents = documents
        self._now_s = now_s
        self._stamp = stamp

    async def ask(self, tenant: int, said: dict[str, Any], actor: str) -> KnownCommand:
        """Keep a command; it goes out at once. ``said`` has the fields of Command the caller gives."""
        now = datetime.fromtimestamp(self._now_s(), UTC)
        command = Command(asked_by=actor, asked_at=now, expires_at=now + timedelta(seconds=VALID_S), **said)
        # Counted down, so that the newest comes first in the order of names.
        identity = f"{_BEYOND - self._stamp():016x}"
        await self._documents.put(tenant, COMMAND_KIND, identity, msgspec.json.encode(command), actor)
        return KnownCommand(identity, command, None)

    def find(self, tenant: int, identity: str) -> KnownCommand | None:
        """Return a command."""
        body = self._documents.get(tenant, COMMAND_KIND, identity)
        return self._known(tenant, identity, body) if body is not None else None

    def list(self, tenant: int, after: str, limit: int) -> list[KnownCommand]:
        """Return commands, the newest first."""
        rows = self._documents.list(tenant, COMMAND_KIND, after=after, limit=limit)
        return [self._known(tenant, identity, body) for identity, body in rows]

    async def note_sent(self, tenant: int, identity: str, endpoint: str) -> None:
        """A receiver has taken it. An acknowledgement that came earlier stays."""
        known = self.find(tenant, identity)
        if known is not None and known.progress is None:
            await self._note(tenant, identity, Progress(CommandState.SENT, self._now_s(), endpoint))

    async def acknowledge(self, tenant: int, identity: str, state: CommandState, note: str, actor: str) -> None:
        """The sending system says what became of it; of two words the later holds."""
        await self._note(tenant, identity, Progress(state, self._now_s(), actor, note))

    async def _note(self, tenant: int, identity: str, progress: Progress) -> None:
        body = msgspec.json.encode(progress)
        await self._documents.put(tenant, PROGRESS_KIND, identity, body, progress.by)

    def _known(self, tenant: int, identity: str, body: bytes) -> KnownCommand:
        progress = self._documents.get(tenant, PROGRESS_KIND, identity)
        return KnownCommand(
            identity,
            msgspec.json.decode(body, type=Command),
            msgspec.json.decode(progress, type=Progress) if progress is not None else None,
        )
