"""Stores made for measuring are real ones, and what is said of their growth and size is so."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from bench import growth, lists, recovery, reports
from bench.comparison import Options
from bench.disk import measure_disk
from bench.grown_store import Shape, grown_store, shape_for
from bench.memory import PeakMemory, memory_of
from bench.opens import Opens, commit, places_of
from bench.user_agents import user_agents
from model.detail import Agent
from store.environment import Environment
from store.maintenance import stat
from store.verify import verify
from store.writer import next_seq
from tracker.agent import judge_user_agent


def test_the_mission_s_store_has_its_size() -> None:
    shape = shape_for(50_000_000)
    assert (shape.facts, shape.recipients) == (50_000_000, 2_000_000)


def test_a_grown_store_is_sound_and_made_once(tmp_path: Path) -> None:
    shape = Shape(recipients=40)
    with grown_store(tmp_path, shape) as env:
        found = stat(env)
        assert found["facts"] == shape.facts == 1_000
        assert found["facts_by_type"] == {"planned": 200, "clicked": 200, "opened": 600}
        assert verify(env).is_sound
        commit(env, Opens(random.Random(3), start_us=2_000_000_000_000_000).opens(places_of(1, [5])))
    with grown_store(tmp_path, shape) as env:
        assert next_seq(env) - 1 == 1_001, "not made anew"
    with grown_store(tmp_path, Shape(recipients=20)) as env:
        assert next_seq(env) - 1 == 500, "another shape is"


def test_a_fill_that_was_broken_off_begins_anew(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    commit(env, Opens(random.Random(3)).opens(places_of(1, [5])))
    env.close()
    with grown_store(tmp_path, Shape(recipients=20)) as env:
        assert next_seq(env) - 1 == 500


@pytest.mark.system("gcc")
def test_growth_and_recovery_use_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_MOST_A_RUN", 1_000)
    monkeypatch.setattr(growth, "MAX_WAITING", 1_000)
    monkeypatch.setattr(recovery, "_VISITS", 2_000)
    options = Options(seconds=1, runs=1, facts=2_000, store=tmp_path)
    (row,) = growth.measure_growth(options)
    assert row.name == "growth_flatness"
    assert row.ours and row.peer and row.ratio and abs(row.ratio - row.ours / row.peer) < 0.01
    assert "large: 2,000 facts" in row.note
    with grown_store(tmp_path / "small", shape_for(2_000)) as env:
        assert next_seq(env) - 1 == 2_000, "runs are made in a copy of the small store"
    (row,) = recovery.measure_recovery(options)
    assert row.name == "recovery" and row.ours and 0.1 < row.ours < 20
    assert "pixels answered before the kills" in row.note


def test_disk_is_measured_over_several_opens_of_each_delivery() -> None:
    (row,) = measure_disk(Options(), deliveries=300)
    assert row.name == "disk" and row.ours and 20 < row.ours < 5_000
    assert "of 300 deliveries" in row.note


def test_the_most_memory_is_kept() -> None:
    with PeakMemory(os.getpid()) as peak:
        deadline = time.monotonic() + 10
        while not peak.looks and time.monotonic() < deadline:
            time.sleep(0.05)
        before, ballast = peak.own, bytearray(os.urandom(1)) * 50_000_000
        while peak.own < before + 49 and time.monotonic() < deadline:
            time.sleep(0.05)
        del ballast
    assert peak.own >= before + 49 > 59 and peak.looks >= 2
    assert memory_of(os.getpid()).own < peak.own


def test_visitors_are_as_varied_as_real_ones() -> None:
    agents = user_agents(random.Random(1), 5_000)
    assert len(set(agents)) > 500
    verdicts = {judge_user_agent(agent)[0] for agent in agents}
    assert {Agent.PERSON, Agent.PROXY, Agent.PREFETCH} <= verdicts
    assert Agent.MACHINE not in verdicts


def test_the_store_s_pages_are_told_from_a_worker_s_own(tmp_path: Path) -> None:
    env = Environment(tmp_path / "data")
    try:
        visitors = Opens(random.Random(1))
        for first in range(1, 10_000, 1_000):
            commit(env, visitors.opens(places_of(1, range(first, first + 1_000))))
        memory = memory_of(os.getpid())
    finally:
        env.close()
    assert memory.store > 0.1 and memory.own > 10
    assert memory_of(os.getpid()).store < memory.store


@pytest.mark.system("gcc")
def test_reports_are_read_from_what_was_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_EVENTS_S", 0.5), ("_VISITS", 2_000), ("_BROADCASTS", 60)):
        monkeypatch.setattr(reports, name, value)
    for name, value in (("_MOST_REPORTS", 20), ("_WALK_S", 0.3), ("_SLOWEST", 2)):
        monkeypatch.setattr(lists, name, value)
    rows = reports.measure_reports(Options(seconds=1, runs=1, recipients=1_000))
    sends, report, pages, export = rows
    assert [row.name for row in rows] == ["sends_rate", "report_ms", "list_page_ms", "export_rows"]
    assert all(row.ours and row.peer is None for row in rows)
    assert "1,000 recipients, 500 a request" in sends.note
    assert "1,000 targeted" in report.note
    assert "1,000 recipients, 50 of them failed" in export.note and "memory grew by" in export.note
    assert "broadcasts: 2 pages" in pages.note
    assert "recipients?metric=undelivered: " in pages.note
