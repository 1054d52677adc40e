"""The SMTP worker: the mail server with the rules of the operator."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from pathlib import Path

from classifier.reload import LiveRules
from classifier.rulefile import RuleError
from config.settings import Settings
from mta.limits import Limits
from mta.server import MtaServer, MtaSettings
from mta.tls import certificate_problem
from store.guard import is_disk_low
from store.suppression_desk import SuppressionDesk
from yamabiko.counters import WorkerCounters
from yamabiko.held_answer import HeldAnswer
from yamabiko.listening import cap_connections
from yamabiko.service import StartError, WorkerContext

_log = logging.getLogger(__name__)
_RULES_EVERY_TICKS = 2
#: Seconds until somebody looks again when the certificate ends.
_CERTIFICATE_CHECK_S = 3_600.0
#: Rules a spare loaded while it waited, by directory; they are looked at again before they are used.
_prepared: dict[Path, LiveRules] = {}


class SmtpService:
    """See yamabiko.service.Service."""

    def __init__(self, context: WorkerContext) -> None:
        """Load rules and certificate. Raises StartError when they are no good."""
        self._context = context
        self._rules_problem = ""
        self._certificate_problem = ""
        self._certificate_checked_s = 0.0
        self._ticks = 0
        self._is_low = HeldAnswer(self._look_at_disk)
        self._events = WorkerCounters(context.settings.run, context.name, context.writer)
        try:
            directory = context.settings.rules_directory
            self._rules = _prepared[directory] if directory in _prepared else LiveRules(directory)
            self._server = MtaServer(
                _settings(context),
                keys=lambda: context.keys.value,
                classifier=lambda: self._rules.classifier,
                submit=context.writer.submit,
                metrics=self._events,
                is_disk_low=self._is_disk_low,
                make_way=context.writer.make_way,
            )
        except RuleError as error:
            raise StartError(str(error)) from error
        except (OSError, ssl.SSLError) as error:
            raise StartError(
                f"smtp.tls_certificate, smtp.tls_key: cannot be used: {error}. Both are PEM files, and belong together."
            ) from error

    async def start(self) -> None:
        """Listen, with the rules as they are now."""
        self._follow_rules()
        self._check_certificate()
        try:
            await self._server.start()
        except OSError as error:
            if not self._context.settings.smtp.proxy_port:
                raise
            raise StartError(f"smtp.port, smtp.proxy_port: cannot be listened on: {error}.") from error

    async def stop(self, grace_s: float) -> None:
        """Drain."""
        await asyncio.wait_for(self._server.stop(), grace_s)
        self._events.flush()

    def reload(self, settings: Settings) -> None:
        """Read the certificate anew (S30)."""
        try:
            self._server.reload_tls()
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"smtp.tls_certificate, smtp.tls_key: {error}; the old certificate stays.") from error
        self._check_certificate()

    def tick(self) -> None:
        """Follow the rule files, hand over the counts; now and then look when the certificate ends."""
        self._events.flush()
        if time.monotonic() - self._certificate_checked_s > _CERTIFICATE_CHECK_S:
            self._check_certificate()
        self._ticks += 1
        if self._ticks % _RULES_EVERY_TICKS == 0:
            self._follow_rules()

    def _follow_rules(self) -> None:
        result = self._rules.refresh()
        if result is None:
            return
        self._rules_problem = result.error
        if result.is_taken:
            _log.info("rules changed", extra={"version": result.version, "rules": result.count})
        else:
            self._events.count("rules_refused")
            _log.error("rules refused, the old ones stay", extra={"problem": result.error, "version": result.version})

    def _check_certificate(self) -> None:
        self._certificate_checked_s = time.monotonic()
        context, certificate = self._server.tls_context, self._context.settings.smtp.tls_certificate
        if context is None:
            return
        problem = certificate_problem(context, Path(certificate), time.time())
        if problem and problem != self._certificate_problem:
            _log.error("certificate", extra={"problem": problem})
        self._certificate_problem = problem

    def problems(self) -> dict[str, str]:
        """Return what is wrong with rules, certificate and disk."""
        found = {}
        if self._rules_problem:
            found["rules"] = self._rules_problem
        if self._certificate_problem:
            found["certificate"] = self._certificate_problem
        if self._is_disk_low():
            found["disk"] = "free disk space is low; mail is answered 452"
        return found

    def _is_disk_low(self) -> bool:
        return self._is_low(self._context.settings.data)

    def _look_at_disk(self, directory: Path) -> bool:
        return is_disk_low(directory, min_free_bytes=self._context.settings.store.min_free_bytes)


def prepare(settings: Settings) -> None:
    """Load the rules beforehand: it takes longest. Bad ones are told by whoever needs them."""
    try:
        _prepared[settings.rules_directory] = LiveRules(settings.rules_directory)
    except RuleError:
        _prepared.clear()


def make(context: WorkerContext) -> SmtpService:
    """Return the service. Raises StartError."""
    return SmtpService(context)


def _settings(context: WorkerContext) -> MtaSettings:
    smtp = context.settings.smtp
    return MtaSettings(
        hostname=smtp.hostname or smtp.return_path_domain,
        return_path_domains=(smtp.return_path_domain,),
        addresses=((context.host, context.port),),
        plain_addresses=smtp.accepted_addresses,
        # Mail to postmaster and the like is for whoever runs this machine: the first tenant.
        plain_tenant=1,
        limits=Limits(
            message_bytes=smtp.max_message_bytes,
            connections=cap_connections(smtp.max_connections),
            connections_per_peer=smtp.max_connections_per_ip,
            session_messages=smtp.session_messages,
            session_s=float(smtp.session_s),
            inflight_bytes=smtp.in_flight_bytes // context.settings.processes.smtp_workers,
            drain_s=float(context.settings.processes.drain_s),
        ),
        tls_certificate=Path(smtp.tls_certificate) if smtp.tls_certificate else None,
        tls_key=Path(smtp.tls_key) if smtp.tls_key else None,
        proxied_addresses=((context.settings.smtp.host, smtp.proxy_port),) if smtp.proxy_port else (),
        proxy_networks=smtp.proxy_networks,
        shares_bounces=HeldAnswer(SuppressionDesk(context.env).shares_bounces),
        node=context.settings.node,
        slot=context.slot,
    )
