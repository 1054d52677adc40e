"""Tests that need a package of the system: skipped with a clear word without it, failed where it is demanded.

``@pytest.mark.system("postfix")`` names the package, ``require("dma")`` in a test or fixture does the same. With
TEST_REQUIRE_SYSTEM=1 (CI) a missing one fails the test. A conftest imports ``pytest_runtest_setup`` from here.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

#: package -> programs it brings, and whether only root can use it as the tests do
_PACKAGES: dict[str, tuple[tuple[str, ...], bool]] = {
    "postfix": (("postfix", "postconf", "postqueue"), True),
    "nginx": (("nginx",), False),
    "openssl": (("openssl",), False),
    "gcc": (("gcc",), False),
    "unshare": (("unshare", "mount", "chroot"), True),
}
#: Packages that are only unpacked, since Debian lets one MTA be installed: package -> a file it brings.
_UNPACKED = {
    "exim4-daemon-light": "usr/sbin/exim4",
    "opensmtpd": "usr/sbin/smtpd",
    "sendmail-bin": "usr/libexec/sendmail/sendmail",
    "courier-mta": "usr/sbin/courier",
    "dma": "usr/sbin/dma",
}
# Where tests/system/install.sh unpacks them.
_UNPACKED_IN = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yamabiko-interop"
# A file system of one's own over the machine's, as tests/interop/box.py makes it.
_TRY_BOX = (
    "mount -t tmpfs none /tmp && mkdir /tmp/upper /tmp/work /tmp/root && "
    "mount -t overlay -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work none /tmp/root"
)
#: Read once: tests that start servers take it out of the environment.
_IS_REQUIRED = os.environ.get("TEST_REQUIRE_SYSTEM") == "1"
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def find_program(name: str) -> str | None:
    """Return the path of a program, looking where daemons are kept too; None when there is none."""
    return shutil.which(name, path=_PATH)


def tree_of(package: str) -> Path | None:
    """Return where ``package`` is unpacked; None for one that is installed."""
    return _UNPACKED_IN / package if package in _UNPACKED else None


def missing(package: str) -> str:
    """Return why tests of ``package`` cannot run here; empty when they can. Raises KeyError for an unknown one."""
    if package in _UNPACKED:
        tree = _UNPACKED_IN / package
        is_there = (tree / _UNPACKED[package]).exists() and Path(f"{tree}.complete").exists()
        return "" if is_there else f"{package} is not unpacked in {_UNPACKED_IN}: run `make system` as root"
    programs, needs_root = _PACKAGES[package]
    absent = [name for name in programs if find_program(name) is None]
    if absent:
        return f"{package} is not installed ({', '.join(absent)} not found): run `make system` as root"
    if needs_root and os.geteuid() != 0:
        return f"{package} can be started by root only"
    return _why_no_box() if package == "unshare" else ""


@functools.cache
def _why_no_box() -> str:
    """Return why no MTA can have a machine of its own here, as in a container without privileges."""
    command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "sh", "-c", _TRY_BOX]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return f"no namespaces or no overlay here: {done.stderr.strip()[:200]}" if done.returncode else ""


def require(package: str) -> None:
    """Skip the test in progress when ``package`` is missing; fail it with TEST_REQUIRE_SYSTEM=1."""
    why = missing(package)
    if not why:
        return
    if _IS_REQUIRED:
        pytest.fail(f"TEST_REQUIRE_SYSTEM=1, but {why}", pytrace=False)
    pytest.skip(why)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look at the test's ``system`` marks before any of its fixtures is made."""
    for mark in item.iter_markers("system"):
        require(*mark.args)
