"""The first verdict on who asked (mission 4.8, T6), against labelled cases."""

from __future__ import annotations

import pytest

from model.detail import Agent
from tests.tracker.agents import CASES
from tracker.agent import clean_user_agent, judge_agent, judge_user_agent


@pytest.mark.parametrize("number", range(len(CASES)))
def test_verdict(number: int) -> None:
    user_agent, extra, expected, _ = CASES[number]
    headers = {"User-Agent": user_agent, **{k: v for k, v in extra.items() if k[0] != ":"}}
    agent, reasons = judge_agent(extra.get(":method", "GET"), headers, is_honeypot=":honeypot" in extra)
    assert agent is expected, (user_agent, reasons)
    assert bool(reasons) is (agent is not Agent.PERSON)


@pytest.mark.row("T6")
def test_precision_and_recall() -> None:
    true = false = missed = people = 0
    for user_agent, extra, _, is_machine in CASES:
        headers = {"User-Agent": user_agent, **extra}
        agent, _ = judge_agent(extra.get(":method", "GET"), headers, is_honeypot=":honeypot" in extra)
        true += agent.is_machine and is_machine
        false += agent.is_machine and not is_machine
        missed += not agent.is_machine and is_machine
        people += not is_machine
    precision, recall = true / (true + false), true / (true + missed)
    print(
        f"{len(CASES)} cases: precision {precision:.3f}, recall {recall:.3f}, "
        f"{false} of {people} people taken for machines"
    )
    assert len(CASES) >= 200 and precision >= 0.98 and false / people <= 0.02 and recall >= 0.95


def test_no_user_agent_at_all_is_a_machines() -> None:
    assert judge_agent("GET", {}) == (Agent.MACHINE, ("no-user-agent",))


def test_reasons_come_strongest_first() -> None:
    assert judge_agent("HEAD", {"User-Agent": "curl/8", "Purpose": "prefetch"})[1] == ("method", "purpose", "tool")


def test_a_long_user_agent_costs_little() -> None:
    judge_user_agent.cache_clear()
    for text in ("bot" * 100_000, "a.image" * 50_000, "(" * 300_000, " " * 300_000, "trend " * 50_000):
        judge_user_agent(text)
        assert len(clean_user_agent(text) or "") <= 256
