"""Looks now and then at what nobody watches by hand, and raises alerts: rates, floods, pauses that last.

Rates of hard failures and complaints that ask for a pause get one, as far as a webhook takes commands and the policy
does not say otherwise (N16, P19). A flood of failures that is held back waits for somebody to look (S26). A pause that
lasts two days is worth a call, whether we asked for it or the sending side told of it (E28).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from console.outgoing.alert import Alert, AlertOf, Alerts
from console.outgoing.commands import Command, CommandName, Commands, CommandState, KnownCommand
from console.outgoing.dispatcher import Pulse, every
from console.outgoing.documents import HOUSE, Documents
from console.outgoing.event_log import Names
from console.outgoing.watch import WATCHED_KIND
from console.queue_board import QUEUE_KIND
from store.errors import StoreError
from store.rates import Level, Rate
from store.reader import Reader
from store.suppression_desk import SuppressionDesk

_log = logging.getLogger("yamabiko.outgoing")
#: Who asks for the pauses that rates ask for.
ACTOR = "rates"
#: From this age on a pause is worth a word (E28: two to three days).
PAUSED_S = 48 * 3_600.0
_RATES_EVERY_S = 60.0
_PAUSES_EVERY_S = 600.0
#: Floods that ended so long ago are told of no more.
_INCIDENTS_BACK_S = 3_600.0
_PAUSES = {CommandName.QUEUE_PAUSE, CommandName.BROADCAST_PAUSE}
_ENDS = {CommandName.BROADCAST_PAUSE, CommandName.BROADCAST_CANCEL}
_MAX_COMMANDS = 1_000


@dataclass(frozen=True, slots=True)
class _Pause:
    """Something that stands: by a command of ours (its id), or because the sending side says so."""

    since_s: float
    broadcast: str | None = None
    queue: str | None = None
    api_user: str | None = None
    reason: str = ""
    command: str | None = None

    def is_told_by(self, alert: Alert) -> bool:
        """Whether an alert is about this very pause."""
        if alert.what is not AlertOf.PAUSED_TOO_LONG or alert.command != self.command:
            return False
        is_same_queue = (alert.queue, alert.api_user) == (self.queue, self.api_user)
        return self.command is not None or (is_same_queue and alert.since == _time(self.since_s))


class Alarms:
    """One per process. All methods raise StoreError."""

    def __init__(
        self, documents: Documents, desk: SuppressionDesk, reader: Reader, names: Names, commands: Commands,
        alerts: Alerts, now_s: Callable[[], float], takes_commands: Callable[[int], bool],
    ) -> None:  # fmt: skip
        """``takes_commands`` says whether anybody would hear a tenant's command."""
        self._documents = documents
        self._desk = desk
        self._reader = reader
        self._names = names
        self._commands = commands
        self._alerts = alerts
        self._now_s = now_s
        self._takes_commands = takes_commands

    async def run(self, pulse: Pulse) -> None:
        """Look until cancelled or the pulse ends."""
        pauses_at = 0.0
        while not pulse.is_over:
            try:
                await self.look_at_failures()
                if self._now_s() >= pauses_at:
                    pauses_at = self._now_s() + _PAUSES_EVERY_S
                    await self.look_at_pauses()
            except StoreError as error:
                _log.error("alarms wait for the store", exc_info=error)
            except Exception as error:  # noqa: BLE001 - the boundary of this task
                _log.error("looking for alarms failed", exc_info=error)
            await asyncio.sleep(_RATES_EVERY_S)

    # Rates and floods

    async def look_at_failures(self) -> None:
        """Look at rates and floods of all tenants. A rate may rise with nothing new: what went well grows old, too."""
        for tenant in await asyncio.to_thread(self._desk.tenants):
            now_s = self._now_s()
            rates = await asyncio.to_thread(self._desk.due, tenant, int(now_s * 1e6))
            await self._raise_rates(tenant, rates, now_s)
            await self._raise_incidents(tenant, now_s)

    async def _raise_rates(self, tenant: int, rates: list[Rate], now_s: float) -> None:
        if not rates:
            return
        told = self._told_rates(tenant, now_s, max(rate.threshold.window_s for rate in rates))
        # Broadcasts first: what one of them says is not said again of all of them together.
        for rate in sorted(rates, key=lambda rate: (rate.broadcast == 0, rate.broadcast)):
            mark = (rate.threshold.metric, rate.threshold.window_s)
            number = _number(rate.broadcast)
            levels = {level for told_mark, told_number, level in told if told_mark == mark
                      and (number is None or told_number == number)}  # fmt: skip
            if rate.level.value in levels or Level.PAUSE.value in levels:
                continue
            told.add((mark, number, rate.level.value))
            await self._raise_rate(tenant, rate, now_s)

    def _told_rates(
        self, tenant: int, now_s: float, longest_s: int
    ) -> set[tuple[tuple[str | None, int], str | None, str | None]]:
        """Return what was told so lately that it holds yet: (metric, window), broadcast, level."""
        return {
            ((alert.metric, alert.window_s), alert.number, alert.level)
            for alert in self._alerts.since(tenant, now_s - longest_s)
            if alert.what is AlertOf.RATE and alert.window_s and alert.at.timestamp() > now_s - alert.window_s
        }

    async def _raise_rate(self, tenant: int, rate: Rate, now_s: float) -> None:
        limit, broadcast = rate.threshold, self._names.broadcast(tenant, rate.broadcast)
        command = None
        may_pause = self._takes_commands(tenant) and self._desk.policy(tenant).pauses_senders
        if rate.level is Level.PAUSE and may_pause:
            reason = f"{limit.metric}: {rate.events} of {rate.sends} in {limit.window_s // 3_600} h"
            command = await self._pause(tenant, broadcast, reason, now_s)
        alert = Alert(
            AlertOf.RATE, _time(now_s), broadcast=broadcast, number=_number(rate.broadcast), metric=limit.metric,
            level=rate.level.value, sends=rate.sends, count=rate.events, window_s=limit.window_s, command=command,
        )  # fmt: skip
        await self._alerts.keep(tenant, alert)

    async def _pause(self, tenant: int, broadcast: str | None, reason: str, now_s: float) -> str:
        """Ask for a pause until somebody resumes; returns the command's id, or that of one already in force."""
        for known in self._commands.list(tenant, "", _MAX_COMMANDS):
            command = known.command
            if command.command.partition(".")[0] == "broadcast" and command.broadcast == broadcast:
                if command.command in _ENDS and _is_asked(known, now_s):
                    return known.id
                break
        said = {"command": CommandName.BROADCAST_PAUSE, "broadcast": broadcast, "reason": reason}
        return (await self._commands.ask(tenant, said, ACTOR)).id

    async def _raise_incidents(self, tenant: int, now_s: float) -> None:
        since_us = int((now_s - _INCIDENTS_BACK_S) * 1e6)
        found = await asyncio.to_thread(self._reader.incidents, tenant, since_us=since_us)
        if not found:
            return
        first_s = min(incident.first_us for incident in found) / 1e6
        told = {alert.incident for alert in self._alerts.since(tenant, first_s)}
        for incident in found:
            if incident.incident_id not in told:
                alert = Alert(
                    AlertOf.INCIDENT, _time(now_s), name=incident.kind, queue=incident.domain or None,
                    since=_time(incident.first_us / 1e6), count=incident.failures, incident=incident.incident_id,
                )  # fmt: skip
                await self._alerts.keep(tenant, alert)

    # Pauses

    async def look_at_pauses(self) -> None:
        """Raise an alert for every pause that has lasted for two days, once a pause (E28)."""
        now_s = self._now_s()
        for name, _ in every(self._documents, HOUSE, WATCHED_KIND):
            tenant = int(name)
            pauses = [*self._asked_pauses(tenant, now_s), *self._standing_queues(tenant)]
            lasting = [pause for pause in pauses if now_s - pause.since_s >= PAUSED_S]
            if not lasting:
                continue
            told = list(self._alerts.since(tenant, min(pause.since_s for pause in lasting)))
            for pause in lasting:
                if not any(pause.is_told_by(alert) for alert in told):
                    alert = Alert(
                        AlertOf.PAUSED_TOO_LONG, _time(now_s), broadcast=pause.broadcast, queue=pause.queue,
                        api_user=pause.api_user, since=_time(pause.since_s), reason=pause.reason, command=pause.command,
                    )  # fmt: skip
                    await self._alerts.keep(tenant, alert)

    def _asked_pauses(self, tenant: int, now_s: float) -> Iterator[_Pause]:
        """Yield the pauses asked for here that are in force: of what is asked of one thing the latest word holds."""
        latest: set[tuple[str, str | None]] = set()
        for known in self._commands.list(tenant, "", _MAX_COMMANDS):
            command = known.command
            subject = (command.command.partition(".")[0], command.broadcast or command.queue)
            is_in_force = known.state(now_s) in (CommandState.SENT, CommandState.DONE)
            if not is_in_force or subject in latest:
                continue
            latest.add(subject)
            if command.command in _PAUSES and not _is_over(command, now_s):
                yield _Pause(
                    command.asked_at.timestamp(), command.broadcast, command.queue, None, command.reason, known.id
                )

    def _standing_queues(self, tenant: int) -> Iterator[_Pause]:
        """Yield the queues that stand, as the sending side reported them (console.queues)."""
        for name, body in every(self._documents, tenant, QUEUE_KIND):
            domain, _, api_user = name.partition("|")
            said = json.loads(body)
            reason = said["reason"] or ""
            yield _Pause(said["paused_since_us"] / 1e6, None, domain, api_user or None, reason)


def _is_asked(known: KnownCommand, now_s: float) -> bool:
    """Whether a pause is in force or on its way there."""
    is_asked = known.state(now_s) in (CommandState.ASKED, CommandState.SENT, CommandState.DONE)
    return is_asked and not _is_over(known.command, now_s)


def _is_over(command: Command, now_s: float) -> bool:
    """Whether the time for which it was asked has passed."""
    return command.for_s is not None and command.asked_at.timestamp() + command.for_s <= now_s


def _number(broadcast: int) -> str | None:
    return f"{broadcast:012x}" if broadcast else None


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
