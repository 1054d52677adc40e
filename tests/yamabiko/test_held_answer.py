"""What is asked for every mail is looked up once a second."""

from __future__ import annotations

import pytest

from yamabiko import held_answer
from yamabiko.held_answer import HOLDS_S, HeldAnswer


def test_a_change_holds_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    sharing: set[int] = set()
    asked: list[int] = []
    now = [0.5]
    monkeypatch.setattr(held_answer.time, "monotonic", lambda: now[0])

    def shares(tenant: int) -> bool:
        asked.append(tenant)
        return tenant in sharing

    held = HeldAnswer(shares)
    assert [held(tenant) for tenant in (1, 2, 1, 2)] == [False] * 4
    assert asked == [1, 2]
    sharing = {1}
    now[0] += HOLDS_S - 0.01
    assert not held(1)
    now[0] += 0.02
    assert [held(1), held(2)] == [True, False]
    assert asked == [1, 2, 1, 2]
    sharing = set()
    now[0] += HOLDS_S + 0.01
    assert not held(1)


def test_an_error_is_no_answer_and_is_not_held() -> None:
    answers = iter([OSError("gone"), True])

    def look(_question: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    held = HeldAnswer(look)
    with pytest.raises(OSError, match="gone"):
        held("disk")
    assert held("disk")
    assert held("disk"), "held: the third answer is none of look's"
