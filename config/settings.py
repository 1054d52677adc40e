"""Every setting: its default, why that default, and what values are possible. Reads one TOML file and the environment.

The only module that knows settings by name; composition roots (``yamabiko``) load a ``Settings`` and hand plain
values to everything else. It opens no socket and makes no directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from config.checks import (
    between,
    is_domain,
    is_domain_or_empty,
    is_host,
    is_networks,
    is_origin_or_empty,
    is_words,
    is_zone,
    one_of,
)
from config.row import PREFIX, SettingRow, rows_of, section, setting
from config.sources import read_environment, read_file

#: Where the data lives when neither the file nor the environment says so.
DEFAULT_HOME = Path("yamabiko-home")
#: Name of the settings file inside the home directory.
FILE_NAME = "yamabiko.toml"
_GIB = 1024**3
_MIB = 1024**2


class SettingsError(Exception):
    """Settings cannot be used. The text names file or variable, key and remedy, one problem a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        """``problems`` are shown to the operator as they are."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Smtp:
    """Where reports, complaints and unsubscribe mails come in."""

    host: str = setting("127.0.0.1", "Loopback until the operator opens it; `0.0.0.0` or `::` for the world.", is_host)
    port: int = setting(
        2525, "Needs no privilege; 0 picks a free port, see run/smtp.json. Mail needs 25.", between(0, 65_535)
    )
    hostname: str = setting(
        "", "Name in the greeting, as reverse DNS gives it; empty: the return_path_domain.", is_domain_or_empty
    )
    return_path_domain: str = setting(
        "bounce.localhost", "The domain after the @ of return paths; its MX must lead here.", is_domain
    )
    accepted_addresses: tuple[str, ...] = setting(
        (), "Plain addresses taken besides signed ones and postmaster, abuse; reports to them prove nothing."
    )
    max_message_bytes: int = setting(
        32 * _MIB, "Reports carry whole originals; larger than any mailbox provider sends.", between(65_536, _GIB)
    )
    max_connections: int = setting(2_000, "Per worker; the rest hears 421 at once.", between(1, 100_000))
    max_connections_per_ip: int = setting(
        20, "One client cannot take all; /64 counts as one for IPv6.", between(1, 100_000)
    )
    session_messages: int = setting(
        1_000, "Mails of one session; then 421 and the client connects anew.", between(1, 1_000_000)
    )
    session_s: int = setting(1_200, "Seconds a session may last; a mail under way is finished.", between(60, 86_400))
    proxy_port: int = setting(
        0, "Where proxies connect, each with a PROXY header first; 0: nowhere.", between(0, 65_535)
    )
    proxy_networks: tuple[str, ...] = setting(
        (), "Networks those proxies are in; from elsewhere proxy_port is closed without a word.", is_networks
    )
    in_flight_bytes: int = setting(
        256 * _MIB, "Memory for mails being received, per machine; above it 452.", between(_MIB, 64 * _GIB)
    )
    tls_certificate: str = setting("", "PEM file with the chain; empty: no STARTTLS. Read again on SIGHUP.")
    tls_key: str = setting("", "PEM file with the private key, set together with the certificate.")


@dataclass(frozen=True, slots=True)
class Tracker:
    """Where pixels, links and unsubscribe pages are answered."""

    host: str = setting("127.0.0.1", "Loopback until a proxy or the operator opens it.", is_host)
    port: int = setting(8_025, "Needs no privilege; 0 picks a free port, see run/tracker.json.", between(0, 65_535))
    tracking_origin: str = setting(
        "",
        "Scheme and host that links in mails begin with, as recipients reach it; empty: http://host:port of this "
        "section, so http://127.0.0.1:8025 by default.",
        is_origin_or_empty,
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "Networks whose X-Forwarded-For is believed; none, so that nobody can lie.", is_networks
    )


@dataclass(frozen=True, slots=True)
class Console:
    """The operator's and the sending system's HTTP API, /healthz and /metrics."""

    host: str = setting("127.0.0.1", "Loopback: put a TLS proxy before it to open it.", is_host)
    port: int = setting(8_026, "Needs no privilege; 0 picks a free port, see run/console.json.", between(0, 65_535))
    allowed_hosts: tuple[str, ...] = setting(
        ("127.0.0.1", "localhost", "[::1]"),
        "Host headers answered; others get 421, against DNS rebinding. The bound address is always allowed.",
    )
    role_addresses: tuple[str, ...] = setting(
        (
            "abuse",
            "admin",
            "administrator",
            "hostmaster",
            "info",
            "mailer-daemon",
            "no-reply",
            "noc",
            "noreply",
            "postmaster",
            "root",
            "sales",
            "security",
            "support",
            "webmaster",
        ),
        "Local parts that belong to a function and get no mailing (RFC 2142).",
        is_words,
    )
    zone: str = setting("Asia/Tokyo", "Where days and months begin in reports.", is_zone)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Events and commands sent to other systems."""

    private_networks: tuple[str, ...] = setting(
        (),
        "Networks webhooks may go to though they are not public, and the only ones plain http may go to; none, so "
        "that nobody reaches inwards through this server.",
        is_networks,
    )
    requests_at_once: int = setting(16, "Of all endpoints together; an endpoint has one at a time.", between(1, 500))


@dataclass(frozen=True, slots=True)
class Lookup:
    """Postfix asks whether a recipient may be mailed: tcp_table and socketmap."""

    host: str = setting("127.0.0.1", "Loopback: the protocols know no password.", is_host)
    port: int = setting(0, "0: off. One port for both protocols, e.g. 8027.", between(0, 65_535))
    tenant: int = setting(1, "Whose suppression list answers.", between(1, 65_535))


@dataclass(frozen=True, slots=True)
class Store:
    """The LMDB environment under HOME/data."""

    map_size_gib: int = setting(64, "Address space, not disk: the file grows as needed.", between(1, 16_384))
    min_free_bytes: int = setting(
        256 * _MIB, "Below this free space mail is answered 452, before the disk is full.", between(0, 1024 * _GIB)
    )
    scrub_hours: int = setting(
        24,
        "Hours from one look for damage through all data to the next, at a twentieth of one processor. 0: never.",
        between(0, 8_760),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that turn replies into causes."""

    directory: str = setting(
        "", "Directory of rule files; empty: the ones shipped in config/rules. Saved changes apply within 2 s."
    )


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is kept of the people who open and click."""

    ip: str = setting("truncate", "`keep`, `truncate` to /24 and /48, or `drop`.", one_of("keep", "truncate", "drop"))
    erase_at_start_mib: int = setting(
        256,
        "Who is to be forgotten is forgotten before the server serves, if the data is at most so large: 256 take about "
        "half a minute. 0: only by `yamabiko store erase`.",
        between(0, _MIB),
    )


@dataclass(frozen=True, slots=True)
class Logging:
    """JSON log lines, one an event (S31)."""

    level: str = setting("info", "`debug` is loud. Read again on SIGHUP.", one_of("debug", "info", "warning", "error"))
    file: str = setting(
        "", "Empty: standard error, where a service manager collects it. Appended to; reopened on SIGHUP."
    )


@dataclass(frozen=True, slots=True)
class Processes:
    """The supervisor and its workers (design decision 8)."""

    smtp_workers: int = setting(1, "One takes thousands of mails a second; add one per spare core.", between(1, 3))
    tracker_workers: int = setting(1, "One takes tens of thousands of hits a second.", between(1, 4))
    spares: int = setting(
        1, "1 keeps an idle process of each kind ready to step in at once, for 40 MB each; 0 does not.", between(0, 1)
    )
    drain_s: int = setting(30, "How long workers may finish what they began at SIGTERM.", between(1, 600))
    stuck_after_s: int = setting(
        10, "A worker silent for so long is killed: it may hold the store's write lock.", between(2, 600)
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one API request may take (T9)."""

    api_body_bytes: int = setting(_MIB, "Enough for any single object.", between(1_024, 64 * _MIB))
    sends_body_bytes: int = setting(
        _GIB, "About five million rows; they are read in pieces.", between(1_024, 64 * _GIB)
    )
    sends_row_bytes: int = setting(65_536, "One row of POST /v1/sends.", between(256, _MIB))
    sends_batch_rows: int = setting(
        2_000, "Rows a commit: larger is faster, smaller answers sooner.", between(1, 20_000)
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole tree. ``load`` makes it."""

    home: Path = setting(DEFAULT_HOME, "Everything of one installation: data/, secrets/, run/, yamabiko.toml.")
    node: int = setting(
        0, "Number of this machine in facts; differs between machines that share data.", between(0, 65_535)
    )
    smtp: Smtp = section(Smtp)
    tracker: Tracker = section(Tracker)
    console: Console = section(Console)
    webhooks: Webhooks = section(Webhooks)
    lookup: Lookup = section(Lookup)
    store: Store = section(Store)
    rules: Rules = section(Rules)
    privacy: Privacy = section(Privacy)
    logging: Logging = section(Logging)
    processes: Processes = section(Processes)
    limits: Limits = section(Limits)

    @property
    def data(self) -> Path:
        """Where the store lives."""
        return self.home / "data"

    @property
    def secrets(self) -> Path:
        """Where keys and tokens live; apart from data, so that a backup of data carries none (T19)."""
        return self.home / "secrets"

    @property
    def exports(self) -> Path:
        """Where files of exports wait to be downloaded."""
        return self.home / "exports"

    @property
    def run(self) -> Path:
        """Where running processes leave lock, ports, status and metrics."""
        return self.home / "run"

    @property
    def rules_directory(self) -> Path:
        """The rule files in force."""
        return Path(self.rules.directory) if self.rules.directory else Path(__file__).parent / "rules"


def rows() -> list[SettingRow]:
    """Return every setting, top-level ones first, in the order of the classes above."""
    return rows_of(Settings)


def load(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings: ``file`` (else HOME/yamabiko.toml if it is there), then ``YAMABIKO_SECTION_KEY`` over it.

    Arguments: ``environment`` is os.environ unless given. Raises SettingsError listing every problem found.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    found: dict[str, Any] = {}
    home = Path(environment.get(PREFIX + "HOME") or DEFAULT_HOME)
    if file is not None or (home / FILE_NAME).exists():
        read_file(file or home / FILE_NAME, rows(), found, problems)
    read_environment(environment, rows(), found, problems)
    if problems:
        raise SettingsError(problems)
    settings = _assemble(found)
    problems.extend(_contradictions(settings))
    if problems:
        raise SettingsError(problems)
    return settings


def from_values(values: Mapping[str, Any]) -> Settings:
    """Build Settings from ``to_values`` of the same version, unchecked."""
    return _assemble(dict(values))


def to_values(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON-ready values by dotted key; ``home`` and rule directory as absolute paths."""
    values: dict[str, Any] = {}
    for row in rows():
        owner = getattr(settings, row.section) if row.section else settings
        value = getattr(owner, row.name)
        values[row.key] = str(value.absolute()) if isinstance(value, Path) else value
    return values


def _assemble(found: Mapping[str, Any]) -> Settings:
    parts: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for row in rows():
        target = sections.setdefault(row.section, {}) if row.section else parts
        if row.key in found:
            value = found[row.key]
            target[row.name] = (
                tuple(value) if isinstance(value, list) else row.kind(value) if row.kind is Path else value
            )
    hints = get_type_hints(Settings)
    for name, values in sections.items():
        parts[name] = hints[name](**values)
    return Settings(**parts)


def _contradictions(settings: Settings) -> Iterator[str]:
    smtp = settings.smtp
    if bool(smtp.tls_certificate) != bool(smtp.tls_key):
        missing = "tls_key" if smtp.tls_certificate else "tls_certificate"
        yield f"smtp.{missing}: must be set, because the other half is. Set both or neither."
    for key, path in (("smtp.tls_certificate", smtp.tls_certificate), ("smtp.tls_key", smtp.tls_key)):
        if path and not Path(path).is_file():
            yield f"{key}: {path} is not a file. Correct the path or leave it empty."
    if bool(smtp.proxy_port) != bool(smtp.proxy_networks):
        missing = "proxy_networks" if smtp.proxy_port else "proxy_port"
        yield f"smtp.{missing}: must be set, because the other half is. Set both or neither."
    if smtp.proxy_port and smtp.proxy_port == smtp.port:
        yield f"smtp.proxy_port: {smtp.port} is also smtp.port. Give each its own."
    if not settings.rules_directory.is_dir():
        yield f"rules.directory: {settings.rules_directory} is not a directory. Correct it or leave it empty."
    taken: dict[int, str] = {}
    for name in ("smtp", "tracker", "console", "lookup"):
        port = getattr(settings, name).port
        if port and port in taken:
            yield f"{name}.port: {port} is also {taken[port]}.port. Give each its own."
        taken[port] = name
