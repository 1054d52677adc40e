"""Tests that need a package of the system: skipped with a clear word without it, failed where it is demanded.

``@pytest.mark.system("postfix")`` names the package. With TEST_REQUIRE_SYSTEM=1 (CI) a missing one fails the
test. A conftest imports ``pytest_runtest_setup`` from here.
"""

from __future__ import annotations

import os
import shutil

import pytest

#: package -> programs it brings, and whether only root can use it as the tests do
_PACKAGES: dict[str, tuple[tuple[str, ...], bool]] = {
    "postfix": (("postfix", "postconf", "postqueue"), True),
    "nginx": (("nginx",), False),
    "openssl": (("openssl",), False),
    "wrk": (("wrk",), False),
    "gcc": (("gcc",), False),
}
#: Read once: tests that start servers take it out of the environment.
_IS_REQUIRED = os.environ.get("TEST_REQUIRE_SYSTEM") == "1"
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def find_program(name: str) -> str | None:
    """Return the path of a program, looking where daemons are kept too; None when there is none."""
    return shutil.which(name, path=_PATH)


def missing(package: str) -> str:
    """Return why tests of ``package`` cannot run here; empty when they can. Raises KeyError for an unknown one."""
    programs, needs_root = _PACKAGES[package]
    absent = [name for name in programs if find_program(name) is None]
    if absent:
        return f"{package} is not installed ({', '.join(absent)} not found): run `make system` as root"
    if needs_root and os.geteuid() != 0:
        return f"{package} can be started by root only"
    return ""


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
