"""Shared fixtures: a fixed ring of keys, a checking store, a clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.keyring import Key, KeyRing, KeyStatus
from model.mint import Hosts, Mint
from store.environment import Environment
from store.verify import verify
from tests.bytecode import keep_bytecode
from tests.system_packages import pytest_runtest_setup

__all__ = ["pytest_runtest_setup"]

keep_bytecode()

_TESTS = Path(__file__).parent
#: Folders whose files take long: real servers, disks and other people's programs.
_LONG = ("interop", "yamabiko", "bench", "store", "tracker", "exporter")
#: 2026-04-01 00:00:00 UTC
T0_US = 1_775_001_600_000_000


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers (``-n``) begin with the long files: one of them left to the end would keep one worker."""
    if hasattr(config, "workerinput"):
        turns = {folder: turn for turn, folder in enumerate(_LONG)}
        items.sort(key=lambda item: turns.get(item.path.relative_to(_TESTS).parts[0], len(turns)))


@pytest.fixture
def keys() -> KeyRing:
    """A ring with one current, one old and one revoked key."""
    return KeyRing(
        {
            1: Key(1, b"\x01" * 32, KeyStatus.OLD),
            2: Key(2, b"\x02" * 32, KeyStatus.CURRENT),
            3: Key(3, b"\x03" * 32, KeyStatus.REVOKED),
        },
        b"\x10" * 32,
    )


@pytest.fixture
def mint(keys: KeyRing) -> Mint:
    """Mints for bounce.example.jp and https://t.example.jp."""
    return Mint(keys, Hosts("bounce.example.jp", "https://t.example.jp"))


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Environment]:
    """A store that is verified when the test is over: re-folding all facts must give what is stored."""
    environment = Environment(tmp_path / "data", map_size=256 * 2**20)
    yield environment
    verification = verify(environment)
    environment.close()
    assert verification.is_sound, verification
