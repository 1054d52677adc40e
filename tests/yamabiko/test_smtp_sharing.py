"""What a tenant shares is asked for every mail, and looked up in the store once a second."""

from __future__ import annotations

from typing import cast

import pytest

from store.suppression_desk import SuppressionDesk
from yamabiko.workers import smtp


class Desk:
    def __init__(self) -> None:
        self.sharing: set[int] = set()
        self.asked: list[int] = []

    def shares_bounces(self, tenant: int) -> bool:
        self.asked.append(tenant)
        return tenant in self.sharing


def test_a_change_of_mind_holds_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, now = Desk(), [0.5]
    monkeypatch.setattr(smtp.time, "monotonic", lambda: now[0])
    sharing = smtp._Sharing(cast(SuppressionDesk, desk))
    assert [sharing.shares(tenant) for tenant in (1, 2, 1, 2)] == [False] * 4
    assert desk.asked == [1, 2]
    desk.sharing = {1}
    now[0] += smtp._SHARING_CHECK_S - 0.01
    assert not sharing.shares(1)
    now[0] += 0.02
    assert [sharing.shares(1), sharing.shares(2)] == [True, False]
    desk.sharing = set()
    now[0] += smtp._SHARING_CHECK_S + 0.01
    assert not sharing.shares(1)
