"""What a worker process gives its service, and what it asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from config.settings import Settings
from model.keyring import KeyRing
from store.environment import Environment
from store.writer import Writer
from yamabiko.live_file import LiveFile
from yamabiko.token_file import TokenTable


class StartError(Exception):
    """Something the operator set is no good: rules, a certificate. The text says what, where and the remedy."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Everything a service is built from."""

    settings: Settings
    #: e.g. ``smtp-0``
    name: str
    #: number of the process in the store, 0-7
    slot: int
    #: where to listen, sharing the port with siblings by SO_REUSEPORT
    host: str
    port: int
    env: Environment
    writer: Writer
    keys: LiveFile[KeyRing]
    tokens: LiveFile[TokenTable]


class Service(Protocol):
    """One kind of server inside a worker.

    Its module in ``yamabiko.workers`` has ``prepare(settings)``, which a spare runs while it waits, and whose work
    ``make`` does where there was no time for it; and ``make(context)``, which returns the service.
    """

    async def start(self) -> None:
        """Begin to accept. Raises StartError for what the operator must mend."""

    async def stop(self, grace_s: float) -> None:
        """Accept no more, finish what was begun, within ``grace_s`` seconds."""

    def reload(self, settings: Settings) -> None:
        """Take what may change while running from ``settings``. Raises StartError; the old then stays."""

    def tick(self) -> None:
        """Do what is to be done twice a second; must be quick."""

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by check; what is in order is not named."""
