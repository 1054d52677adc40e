"""Postfix as a peer of the mail server: its own queue and ports, delivering to ``discard`` or into a pipe."""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, MissingProgramError
from bench.processes import Clock, clock_of_tree, find_program, output_of, server
from yamabiko.demo.ports import free_port

_MAIN = """
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/lib
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}/log
multi_instance_enable = no
myhostname = in.shop.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains =
default_transport = {transport}:
smtpd_relay_restrictions = permit_mynetworks, reject
# Nothing that would slow it down: no look-ups, no limits on one client, no pause when mail comes fast.
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = 127.0.0.0/8
in_flow_delay = 0
fast_flush_domains =
parser_destination_recipient_limit = 1
biff = no
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
parser unix - n n - {processes} pipe user=nobody argv={python} {script} {results}
"""
#: Parsers at once; more would only wait for a core.
_PARSERS_PER_CORE = 4
_SENT = b"status=sent"
_FAILED = re.compile(rb"status=(?:deferred|bounced).*")
# flufl.bounce and what it needs.
_PARSER_PACKAGES = ("flufl.bounce", "public")


@dataclass(slots=True)
class Postfix:
    """A running instance."""

    port: int
    clock: Clock
    log: Path
    #: a line for each mail a parser was run for
    results: Path
    _read: int = 0
    _sent: int = 0

    def delivered(self) -> int:
        """Return how many mails have left its queue. Raises BenchError when it failed to deliver one."""
        if not self.log.exists():  # made with its first line
            return 0
        with self.log.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        self._sent += whole.count(_SENT)
        if failed := _FAILED.search(whole):
            raise BenchError(f"Postfix could not deliver: {failed[0].decode(errors='replace')}")
        return self._sent


@contextmanager
def running_postfix(folder: Path, transport: str) -> Iterator[Postfix]:
    """Run Postfix with all its files in the new directory ``folder``; mail goes to ``discard`` or ``parser``.

    Raises MissingProgramError when it cannot be run here.
    """
    postfix = find_program("postfix")
    if os.geteuid() != 0:
        raise MissingProgramError("Postfix can be started by root only")
    port = free_port()
    _write(folder, port, transport)
    etc = str(folder / "etc")
    checked = subprocess.run([postfix, "-c", etc, "check"], capture_output=True, text=True, check=False, timeout=30)
    if checked.returncode != 0:
        raise BenchError(f"Postfix does not like its configuration: {checked.stderr[-1_000:]}")
    with server([_master(), "-c", etc], port, folder / "log" / "start.log") as process:
        yield Postfix(port, clock_of_tree(process.pid), folder / "log" / "mail.log", folder / "results")


def _master() -> str:
    postconf = [find_program("postconf"), "-dh", "daemon_directory"]
    daemons = subprocess.run(postconf, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    return f"{daemons}/master"


def _write(folder: Path, port: int, transport: str) -> None:
    owner, group = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid
    for name in ("", "etc", "spool", "log"):
        (folder / name).mkdir(mode=0o755)
    (folder / "lib").mkdir(mode=0o700)
    os.chown(folder / "lib", owner, group)
    results = folder / "results"
    results.touch()
    results.chmod(0o666)  # the parser runs as nobody
    processes = (os.cpu_count() or 1) * _PARSERS_PER_CORE
    script = _public_parser(folder / "parser")
    main = _MAIN.format(folder=folder, transport=transport)
    python = _public_python(script.parent)
    master = _MASTER.format(port=port, processes=processes, python=python, script=script, results=results)
    (folder / "etc" / "main.cf").write_text(main, encoding="utf-8")
    (folder / "etc" / "master.cf").write_text(master, encoding="utf-8")


def _public_parser(folder: Path) -> Path:
    """Copy the parser and what it imports to where nobody can read it; returns the script."""
    for name in _PARSER_PACKAGES:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise MissingProgramError(f"{name} is not installed")
        (place,) = spec.submodule_search_locations
        shutil.copytree(place, folder.joinpath(*name.split(".")))
    return Path(shutil.copy(Path(__file__).with_name("flufl_pipe.py"), folder))


def _public_python(folder: Path) -> Path:
    """Return an interpreter that nobody can run, with ``folder`` compiled for it."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if not python.exists():
            continue
        try:
            subprocess.run([python, "-c", ""], user="nobody", cwd="/", check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.CalledProcessError):
            continue
        output_of([str(python), "-m", "compileall", "-q", str(folder)], 60)
        return python
    raise MissingProgramError("a python3 that the user nobody can run")
