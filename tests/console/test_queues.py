"""Queues as the sending side reports them (E23-E28)."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.queue_board import QueueBoard, QueueIn, QueuesQuery, Window, pause_class
from model.keyring import KeyRing
from store.environment import Environment
from tests.console.api import Api, running_api

S = 1_000_000
T0 = 1_775_001_600 * S


@pytest.mark.row("E23", "E24")
def test_rates_are_means_over_five_second_buckets_and_null_is_not_zero() -> None:
    board = QueueBoard()
    for n in range(6):
        board.report(
            1, QueueIn("docomo.ne.jp", pending=100 - n, arrived=0, attempted=50, sent=25), T0 + n * 5 * S, None
        )
    at = T0 + 25 * S
    for window, attempted in ((Window.FIVE, 10.0), (Window.FIFTEEN, 10.0), (Window.THIRTY, 10.0)):
        row = board.shown(1, QueuesQuery(window), at)[0]
        assert (row.rate_attempt, row.rate_out, row.rate_in) == (attempted, attempted / 2, 0.0)
    later = board.shown(1, QueuesQuery(Window.FIFTEEN), at + 60 * S)[0]
    assert (later.rate_attempt, later.rate_out, later.rate_in, later.pending) == (None, None, None, 95)
    half = board.shown(1, QueuesQuery(Window.THIRTY), at + 15 * S)[0]
    assert half.rate_attempt == 5.0
    assert board.shown(2, QueuesQuery(), at) == []


@pytest.mark.row("E27")
@pytest.mark.parametrize(
    ("reason", "name"),
    [(None, None), ("Daily quota of the domain reached", "domain_quota"), ("per IP limit", "ip_quota"),
     ("too many connections from your host", "ip_conn_rate"), ("stopped by hand", "other")],
)  # fmt: skip
def test_the_three_usual_reasons(reason: str | None, name: str | None) -> None:
    assert pause_class(reason) == name


@pytest.mark.row("E25", "E28")
async def test_a_queue_that_stands_for_two_days_is_an_alarm_also_after_a_restart(
    env: Environment, keys: KeyRing, tmp_path: Path
) -> None:
    now = [T0]
    standing = {"queues": [{"domain": "Example.JP", "api_user": "u1", "pending": 9, "paused_reason": "quota",
                            "next_attempt_at": "2026-04-01T10:00:00Z"}]}  # fmt: skip
    async with running_api(env, keys, now_us=lambda: now[0]) as api:
        row = (await api.call("PUT", "/v1/queues", json=standing)).json["queues"][0]
        assert (row["domain"], row["status"], row["paused_class"], row["alert"]) == (
            "example.jp", "paused", "domain_quota", None)  # fmt: skip
        assert row["next_attempt_at"] == "2026-04-01T10:00:00Z"
    now[0] += 48 * 3_600 * S + S
    async with running_api(env, keys, now_us=lambda: now[0]) as api:
        assert (await api.call("GET", "/v1/queues")).json["queues"] == [], "rates and lengths are not kept"
        row = (await api.call("PUT", "/v1/queues", json=standing)).json["queues"][0]
        assert row["paused_since"] == "2026-04-01T00:00:00Z" and "48 hours" in row["alert"]
        moving = {"queues": [{"domain": "example.jp", "api_user": "u1", "pending": 2, "out": 7}]}
        row = (await api.call("PUT", "/v1/queues", json=moving)).json["queues"][0]
        assert (row["status"], row["alert"], row["rate_out"]) == ("moving", None, pytest.approx(7 / 15))
        row = (await api.call("PUT", "/v1/queues", json=standing)).json["queues"][0]
        assert row["alert"] is None, "it stands anew"


async def test_what_is_no_queue_is_told(api: Api) -> None:
    for body in ({}, {"queues": []}, {"queues": [{"domain": ""}]}, {"queues": [{"domain": "a", "pending": -1}]}):
        assert (await api.call("PUT", "/v1/queues", json=body)).status == 400
    assert (await api.call("GET", "/v1/queues?window=7")).status == 400
