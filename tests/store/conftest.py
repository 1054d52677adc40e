"""What tests of the store share."""

from __future__ import annotations

import pytest

from store import records


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record is put in its place in DELIVERIES by the commit that changes it."""
    monkeypatch.setattr(records, "MAX_WAITING", 0)
