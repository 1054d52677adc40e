"""Run every torture test, or one; exit code 1 when any of them lost something or was wrong."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import secrets
import sys
import time

import tests.torture as package
from tests.torture.result import TortureTest


def discover() -> dict[str, TortureTest]:
    """Return the torture tests of all modules by name."""
    found: dict[str, TortureTest] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_"):
            continue
        for name, value in vars(importlib.import_module(f"tests.torture.{module.name}")).items():
            if callable(value) and hasattr(value, "torture_tries"):
                found[name] = value
    return found


def main() -> int:
    """Run what the command line asks for."""
    tests = discover()
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--only", metavar="NAME", choices=sorted(tests), help=", ".join(sorted(tests)))
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="replays a run; drawn if not given")
    parser.add_argument("--tries", type=int, help="how many faults, instead of the test's own number")
    arguments = parser.parse_args()
    is_bad = False
    for name, test in sorted(tests.items()):
        if arguments.only in (None, name):
            begun = time.monotonic()
            tries = arguments.tries or test.torture_tries  # type: ignore[attr-defined]
            result = test(seed=arguments.seed, tries=tries)
            print(result.line(), flush=True)
            print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
            is_bad |= bool(result.lost or result.wrong)
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
