"""A machine of its own for an MTA: separate processes, network and file system, gone when its first process ends.

MTAs want port 25, DNS, /etc and /var/spool for themselves, and Debian lets only one be installed. Here each gets
them: an overlay of its extracted package over this machine's root, written to memory only; a network that has
nothing but this machine, with a DNS server that knows the domains of ``cases`` and a mail server for each. So an
MTA runs with its distribution's own configuration, finds its way by MX records, and no mail can leave.

``python -m tests.interop.box MTA TREE FOLDER REVERSE_PATHS`` is the inside, the first process of that machine;
``play`` starts it. It ends when its standard input does, however the test ended.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.cases import CASES, HOSTNAME, RETURN_PATH_DOMAIN, Case
from tests.interop.sink import ACCEPT, Host, Turn, answering

if TYPE_CHECKING:
    from tests.interop.mtas import Mta

_ROOT = Path(__file__).resolve().parents[2]
#: longest wait for the reports of all cases; a machine with other load needed more than 75
_PATIENCE_S = 150.0
_NET = "198.51.100"
_REFUSING = f"{_NET}.250"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _IFF_UP = 0x8913, 0x8914, 0x8916, 1
_BODY = """\
From: Shop <news@shop.example>
To: {to}
Subject: Spring offers
Date: Wed, 01 Apr 2026 00:00:00 +0000
Message-ID: <{name}.1@shop.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

550 5.7.1 spam, mailbox full, user unknown, message too large: our offers
"""


@dataclass(frozen=True)
class Played:
    """What an MTA did with all the cases."""

    #: case -> the reports that came back for it
    reports: dict[str, list[bytes]]
    #: case -> what the MTA said when it would not take the mail
    refused: dict[str, str]
    #: address -> replies it was given
    said: dict[str, list[str]]
    log: str
    seconds: float


def play(name: str, tree: Path | None, reverse_paths: Mapping[str, str]) -> Played:
    """Run the MTA ``name`` from ``tree`` (None: as installed) through all cases.

    Arguments: ``reverse_paths`` are used instead of the cases' own, by case.
    """
    began = time.monotonic()
    # An empty directory is all that can be left behind.
    with tempfile.TemporaryDirectory(prefix=f"yamabiko-{name}-") as folder:
        command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL"]
        command += [
            sys.executable,
            "-m",
            "tests.interop.box",
            name,
            str(tree or ""),
            folder,
            json.dumps(dict(reverse_paths)),
        ]
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdin is not None
        try:
            out, err = _communicate(process)
        finally:
            process.stdin.close()
            process.kill()
            process.wait(20)
    assert process.returncode == 0, f"{name}: {err.decode(errors='replace')[-6000:]}"
    found = json.loads(out)
    return Played(
        {case: [base64.b64decode(text) for text in texts] for case, texts in found["reports"].items()},
        found["refused"],
        found["said"],
        found["log"],
        time.monotonic() - began,
    )


def _communicate(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Read both outputs to their end, with the input left open: its end is the sign to stop."""
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[bytes] = []
    stream = process.stderr
    reader = threading.Thread(target=lambda: errors.append(stream.read()), daemon=True)
    reader.start()
    out = process.stdout.read()
    process.wait(20)
    reader.join(20)
    return out, b"".join(errors)


class Box:
    """The inside: a root directory, and commands run in it."""

    def __init__(self, tree: str, folder: Path) -> None:
        """Build the machine; call once, as first process of new namespaces."""
        socket.sethostname(HOSTNAME)
        _raise_network()
        self.root = folder / "root"
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        for part in ("upper", "work", "root"):
            (folder / part).mkdir()
        if tree:
            # Not a layer of its own: layers must not contain each other.
            subprocess.run(["cp", "-a", f"{tree}/.", folder / "upper"], check=True, timeout=20)
        _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work", "overlay", self.root)
        _mount("-t", "proc", "proc", self.root / "proc")
        self._make_dev()
        for place in ("run", "tmp", "var/tmp"):
            _mount("-t", "tmpfs", "-o", f"mode={'755' if place == 'run' else '1777'}", "tmpfs", self.root / place)
        self.lines: list[str] = []
        self._listen_to_log()
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{_NET}.1 {HOSTNAME} out\n")
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
        self.write("/etc/mailname", HOSTNAME + "\n")
        self.write("/etc/hostname", HOSTNAME + "\n")
        self.write("/etc/aliases", "postmaster: root\nmailer-daemon: postmaster\n")

    def path(self, inside: str) -> Path:
        """Return where a path of the machine is from outside."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str, owner: str = "root:root", mode: int = 0o644) -> None:
        """Write a file of the machine."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        if owner != "root:root":
            self.run("chown", owner, inside)

    def folder(self, inside: str, owner: str = "root:root", mode: int = 0o755) -> None:
        """Make a directory of the machine."""
        self.path(inside).mkdir(parents=True, exist_ok=True)
        self.run("chown", owner, inside)
        self.path(inside).chmod(mode)

    def user(self, name: str, number: int, home: str = "/nonexistent") -> None:
        """Add a user and a group of that name, unless the system has them."""
        for file, line in (("passwd", f"{name}:x:{number}:{number}::{home}:/usr/sbin/nologin\n"),
                           ("group", f"{name}:x:{number}:\n")):  # fmt: skip
            text = self.path(f"/etc/{file}").read_text(encoding="utf-8")
            if not any(entry.startswith(f"{name}:") for entry in text.splitlines()):
                self.write(f"/etc/{file}", text.rstrip("\n") + "\n" + line)

    def run(self, *command: str, text: str = "", check: bool = True) -> str:
        """Run a command of the machine to its end; returns what it printed."""
        # Into a file: a pipe would stay open for as long as a daemon that the command leaves behind.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                ["chroot", str(self.root), *command], input=text.encode(), stdout=output, stderr=output,
                check=False, timeout=40, env=_ENVIRONMENT, cwd="/",
            )  # fmt: skip
            output.seek(0)
            printed = output.read().decode("utf-8", "replace")
        if check and done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}: {printed}")
        return printed

    def start(self, *command: str) -> None:
        """Start a command that stays; what it prints goes to the log."""
        process = subprocess.Popen(
            ["chroot", str(self.root), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=_ENVIRONMENT, cwd="/",
        )  # fmt: skip
        stream = process.stdout
        assert stream is not None

        def collect() -> None:
            for line in stream:
                self.lines.append(line.decode("utf-8", "replace"))

        threading.Thread(target=collect, daemon=True).start()

    def _make_dev(self) -> None:
        dev = self.root / "dev"
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            (dev / name).touch()
            _mount("--bind", f"/dev/{name}", dev / name)
        (dev / "shm").mkdir(mode=0o1777)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            (dev / name).symlink_to(f"/proc/self/fd/{number}")
        (dev / "fd").symlink_to("/proc/self/fd")

    def _listen_to_log(self) -> None:
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(self.root / "dev" / "log")
        log.bind(path)
        os.chmod(path, 0o666)

        def collect() -> None:
            while True:
                self.lines.append(log.recv(65_536).decode("utf-8", "replace").rstrip("\n\0") + "\n")

        threading.Thread(target=collect, daemon=True).start()


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANG": "C", "TZ": "UTC", "HOME": "/"}


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, timeout=20)


def _raise_network() -> None:
    """Give the loopback interface an address and with it the whole network around that address.

    Only the one is the interface's own: MTAs deliver to all others as to other machines.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
        # A class C address brings its /24; on a loopback interface all of that is local.
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(f"{_NET}.1"))
        fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address))


class _Names:
    """The DNS server of the machine."""

    def __init__(self) -> None:
        self._mx: dict[str, str] = {}
        self._a = {HOSTNAME: f"{_NET}.1", "shop.example": f"{_NET}.1", f"mx.{RETURN_PATH_DOMAIN}": f"{_NET}.3"}
        self._broken: set[str] = set()
        self._mx[RETURN_PATH_DOMAIN] = f"mx.{RETURN_PATH_DOMAIN}"
        for number, case in enumerate(CASES, 10):
            host = f"mx1.{case.domain}"
            if case.dns in ("mx", "refused"):
                self._mx[case.domain] = host
                self._a[host] = f"{_NET}.{number}" if case.dns == "mx" else _REFUSING
            elif case.dns == "lost":
                self._mx[case.domain] = host
            elif case.dns == "null":
                self._mx[case.domain] = "."
            elif case.dns == "broken":
                self._broken.add(case.domain)

    def place(self, domain: str) -> tuple[str, int]:
        """Return where the server of a domain listens."""
        return self._a[self._mx[domain]], 25

    def serve(self) -> None:
        """Answer queries for as long as the machine lives."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 53))
        while True:
            query, client = udp.recvfrom(4096)
            with contextlib.suppress(struct.error, IndexError):
                udp.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        name, end = _read_name(query, 12)
        kind = struct.unpack(">H", query[end : end + 2])[0]
        answers: list[bytes] = []
        code = 0
        if any(name == domain or name.endswith(f".{domain}") for domain in self._broken):
            code = 2
        elif kind == 15 and name in self._mx:
            answers.append(struct.pack(">H", 0 if self._mx[name] == "." else 10) + _write_name(self._mx[name]))
        elif kind == 1 and name in self._a:
            answers.append(socket.inet_aton(self._a[name]))
        elif name not in self._mx and name not in self._a and not any(n.endswith(f".{name}") for n in self._a):
            code = 3
        # Of the query's flags only "recursion desired" is repeated.
        flags = 0x8480 | (query[2] & 1) << 8 | code
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0, 0) + query[12 : end + 4]
        return head + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(a)) + a for a in answers)


def _read_name(query: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _write_name(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def content_of(case: Case) -> str:
    """Return the mail of a case, lines ended by LF."""
    return _BODY.format(to=", ".join(case.turns), name=case.name)


def _scripts(cases: Sequence[Case]) -> dict[str, dict[str, Sequence[Turn]]]:
    scripts: dict[str, dict[str, Sequence[Turn]]] = {
        RETURN_PATH_DOMAIN: {case.reverse_path: (ACCEPT,) for case in cases}
    }
    for case in cases:
        if case.dns == "mx":
            scripts.setdefault(case.domain, {}).update(case.turns)
    return scripts


@contextlib.contextmanager
def _world(cases: Sequence[Case]) -> Iterator[dict[str, Host]]:
    names = _Names()
    threading.Thread(target=names.serve, daemon=True).start()
    scripts = _scripts(cases)
    with answering(scripts, {}, {domain: names.place(domain) for domain in scripts}) as hosts:
        yield hosts


def _inside(name: str, tree: str, folder: str, reverse_paths: str) -> None:
    from tests.interop.mtas import MTAS

    paths: dict[str, str] = json.loads(reverse_paths)
    cases = [replace(case, reverse_path=paths.get(case.name, case.reverse_path)) for case in CASES]
    threading.Thread(target=_end_with_input, daemon=True).start()
    box = Box(tree, Path(folder))
    mta = MTAS[name](box)
    refused: dict[str, str] = {}
    with _world(cases) as hosts:
        try:
            mta.start()
            for case in cases:
                if words := "never" if case.name in mta.never else mta.submit(case):
                    refused[case.name] = words
            _wait(mta, cases, hosts, refused)
        except Exception:
            sys.stderr.write("".join(box.lines)[-8000:])
            raise
        taken = {a: b.taken for a, b in hosts[RETURN_PATH_DOMAIN].mailboxes.items()}
        found = {
            "reports": {
                case.name: [base64.b64encode(content).decode() for _, content in taken[case.reverse_path]]
                for case in cases
            },
            "refused": refused,
            "said": {a: b.said for host in hosts.values() for a, b in host.mailboxes.items()},
            "log": "".join(box.lines),
        }
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    # As first process it takes everything with it.
    os._exit(0)


def _wait(mta: Mta, cases: Sequence[Case], hosts: dict[str, Host], refused: dict[str, str]) -> None:
    """Wait until each case has all the reports the MTA makes of it, or nothing new comes."""
    boxes = hosts[RETURN_PATH_DOMAIN].mailboxes
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        mta.nudge()
        time.sleep(0.5)
        missing = [
            case.name
            for case in cases
            if case.name not in refused
            and not mta.is_done(case, [content for _, content in boxes[case.reverse_path].taken])
        ]
        if not missing:
            return
    sys.stderr.write(f"no report of {missing}\n")


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(3)


if __name__ == "__main__":
    _inside(*sys.argv[1:])
