"""A Postfix of the test's own: its configuration, queue and ports in a temporary directory, gone afterwards."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.system_packages import find_program
from yamabiko.demo.ports import free_port

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "postfix.md"
_BLOCK = re.compile(r"^```ini (?P<name>[\w.\-]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

# Everything in here is about running beside the system's own Postfix and in seconds instead of days.
_BASE = """
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/lib
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}/log
syslog_name = yamabiko-test
multi_instance_enable = no
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ
myhostname = out.shop.example
mydomain = shop.example
myorigin = shop.example
mydestination = local.example.jp
local_recipient_maps =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
# No DNS, and no mail that could leave this machine.
smtp_dns_support_level = disabled
smtp_host_lookup = native
default_transport = error:5.1.2 this test sends to no such domain
smtp_connection_cache_on_demand = no
smtp_helo_timeout = 2s
smtp_connect_timeout = 3s
smtp_tls_security_level =
append_dot_mydomain = no
biff = no
disable_vrfy_command = yes
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 2 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
tls unix - - n - - smtp -o smtp_tls_security_level=encrypt
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
# Ends Postfix and removes its directory when this process lets go of the pipe, however it ends.
_REAPER = """
import shutil, subprocess, sys
sys.stdin.read()
postfix, folder = sys.argv[1:]
subprocess.run([postfix, "-c", folder + "/etc", "stop"], stdout=-3, stderr=-3)
shutil.rmtree(folder, ignore_errors=True)
"""


def documented(name: str) -> str:
    """Return the block called ``name`` of docs/postfix.md. Raises KeyError when there is none."""
    blocks = {match["name"]: match["text"] for match in _BLOCK.finditer(_PAGE.read_text(encoding="utf-8"))}
    return blocks[name]


class Postfix:
    """One running instance."""

    def __init__(self, folder: Path, port: int) -> None:
        """Use ``running`` instead."""
        self.folder = folder
        self.port = port

    @property
    def log(self) -> str:
        """Everything it logged."""
        return (self.folder / "log" / "mail.log").read_text(encoding="utf-8", errors="replace")

    def queue(self) -> list[str]:
        """Return the mails in the queue, one JSON object each."""
        return self._command("postqueue", "-j").splitlines()

    def send(
        self, reverse_path: str, forward_paths: list[str], content: bytes, *, notify: str = "", envid: str = "",
        options: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Hand a mail over by SMTP, as a sending system does. Raises smtplib.SMTPException when it is refused."""
        mail_options = [*options, *(["RET=HDRS", f"ENVID={envid}"] if envid else [])]
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="app.shop.example", timeout=20) as smtp:
            smtp.sendmail(
                reverse_path, forward_paths, content, mail_options, [f"NOTIFY={notify}"] if notify else []
            )  # fmt: skip

    def _command(self, name: str, *arguments: str) -> str:
        program = find_program(name)
        assert program is not None
        done = subprocess.run(
            [program, "-c", str(self.folder / "etc"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"
        return done.stdout


@contextlib.contextmanager
def running(settings: Mapping[str, str], routes: Mapping[str, str]) -> Iterator[Postfix]:
    """Run a Postfix with the configuration of docs/postfix.md, then ``settings``.

    Arguments: ``routes`` says where mail to a domain goes; the return-path domain's replaces the documented one.
    """
    postfix = find_program("postfix")
    assert postfix is not None
    # Not below pytest's own directory: that is closed to the user postfix.
    folder = Path(tempfile.mkdtemp(prefix="yamabiko-postfix-"))
    reaper = subprocess.Popen([sys.executable, "-c", _REAPER, postfix, str(folder)], stdin=subprocess.PIPE)
    try:
        instance = Postfix(folder, free_port())
        _write(instance, settings, routes)
        instance._command("postfix", "start")
        _wait_for(instance)
        yield instance
    finally:
        assert reaper.stdin is not None
        reaper.stdin.close()
        reaper.wait(30)
    assert not folder.exists()


def _write(instance: Postfix, settings: Mapping[str, str], routes: Mapping[str, str]) -> None:
    folder = instance.folder
    owner, group = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postfix").gr_gid
    folder.chmod(0o755)
    for name in ("etc", "spool", "log"):
        (folder / name).mkdir(mode=0o755)
    (folder / "lib").mkdir(mode=0o700)
    os.chown(folder / "lib", owner, group)
    etc = folder / "etc"
    page = documented("main.cf").replace("/etc/postfix", str(etc))
    merged = _settings(_BASE.format(folder=folder)) | _settings(page) | dict(settings)
    (etc / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in merged.items()), encoding="utf-8")
    (etc / "master.cf").write_text(_MASTER.format(port=instance.port), encoding="utf-8")
    maps = Path("/etc/postfix/dynamicmaps.cf")
    if maps.exists():
        shutil.copy(maps, etc)
    table = dict(line.split(None, 1) for line in documented("yamabiko-transport").splitlines() if line)
    assert set(table) <= set(routes), "the test must say where the documented domain is"
    lines = [f"{domain} {route.format(own=instance.port)}\n" for domain, route in routes.items()]
    (etc / "yamabiko-transport").write_text("".join(lines), encoding="utf-8")


def _settings(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}


def _wait_for(instance: Postfix) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", instance.port, timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(f"Postfix does not answer:\n{instance.log[-3000:]}")
