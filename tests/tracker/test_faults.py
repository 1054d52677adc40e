"""What visitors see when the store fails (T4), and that every fact is accounted for."""

from __future__ import annotations

import asyncio
import time

import pytest

from model.fact import FactType
from tests.tracker.conftest import MakeEdge
from tests.tracker.edge import FULL, Client, Edge, Reply, path_of
from tracker.metrics import Count
from tracker.pending import Pending

TARGET = "https://example.jp/"


async def many(edge: Edge, count: int, clients: int = 8) -> list[tuple[Reply, float, bool]]:
    """Fetch pixels and clicks in turn over several connections; with each answer, the seconds it took."""
    mail = edge.mail()
    paths = (path_of(mail.pixel_url), path_of(mail.click_url(TARGET, link=1, links=1)))
    answers: list[tuple[Reply, float, bool]] = []

    async def visit(client: Client, numbers: range) -> None:
        for number in numbers:
            is_pixel = number % 2 == 0
            raw = f"GET {paths[not is_pixel]} HTTP/1.1\r\nHost: t\r\nUser-Agent: Mozilla/5.0 (X)\r\n\r\n".encode()
            started = time.perf_counter()
            reply = await client.send(raw)
            answers.append((reply, time.perf_counter() - started, is_pixel))
        await client.close()

    share = count // clients
    await asyncio.gather(*(visit(Client(edge.port), range(i * share, (i + 1) * share)) for i in range(clients)))
    return answers


def assert_all_served(answers: list[tuple[Reply, float, bool]]) -> None:
    for reply, _, is_pixel in answers:
        assert reply.status == (200 if is_pixel else 302)
        assert len(reply.body) == (43 if is_pixel else 0)


@pytest.mark.row("T4")
async def test_a_frozen_store_stops_no_pixel_and_no_redirect(make_edge: MakeEdge) -> None:
    edge = await make_edge(max_pending=500)
    sound = sorted(seconds for _, seconds, _ in await many(edge, 400))
    edge.tally.counts.clear()  # a busy machine lets a sound store look slow for a moment
    edge.store.is_frozen = True
    answers = await many(edge, 2_000)
    assert_all_served(answers)
    took = sorted(seconds for _, seconds, _ in answers)
    p99 = took[int(len(took) * 0.99)]
    counts = edge.tally
    print(
        f"p50 {took[1_000] * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, longest {took[-1] * 1e3:.0f} ms, "
        f"{dict(counts.counts)}"
    )
    # 50 ms, unless this machine is so busy that a sound store takes as long.
    assert p99 < max(0.05, 3 * sound[395]) and took[-1] < 2.0
    # Dropped is exactly what the counter says, and the rest is at risk, not lost.
    assert counts[Count.LOST] == 2_000 - 500 and counts[Count.AT_RISK] == 500
    assert (await edge.get("/healthz")).body == b"store stalled\n"
    assert (await edge.get(edge.mail().pixel_url)).header("X-Recorded") == "unsure"
    lost = counts[Count.LOST] - 1
    edge.store.thaw()
    await asyncio.sleep(0.1)
    assert lost == 1_500 and counts[Count.RESCUED] == 500 and len(edge.store.facts) == 400 + 500
    assert (await edge.get(edge.mail().pixel_url)).header("X-Recorded") is None
    assert (await edge.get("/healthz")).body == b"ok\n"
    assert counts[Count.AT_RISK] == 500  # once the store is back, answers wait for it again


@pytest.mark.row("T4")
async def test_a_failing_store_stops_no_pixel_and_no_redirect(make_edge: MakeEdge) -> None:
    edge = await make_edge(pixel_wait_s=5.0, click_wait_s=5.0)
    for error in (FULL, RuntimeError("a bug")):
        edge.store.error = error
        assert_all_served(await many(edge, 400))
    assert edge.tally[Count.LOST] == 800 and edge.tally[Count.AT_RISK] == 0 and not edge.store.facts


@pytest.mark.row("T4")
@pytest.mark.parametrize("fault", ["frozen", "full", "bug"])
async def test_an_unsubscribe_that_is_not_stored_is_never_a_success(make_edge: MakeEdge, fault: str) -> None:
    edge = await make_edge(unsubscribe_wait_s=0.05)
    edge.store.is_frozen = fault == "frozen"
    edge.store.error = {"full": FULL, "bug": RuntimeError("a bug")}.get(fault)
    url = edge.mail().unsubscribe_url
    replies = []
    for _ in range(10):
        replies.append(await edge.post(url, b"List-Unsubscribe=One-Click"))
        replies.append(await edge.post(url, b"action=unsubscribe&reason=3&scope=all&lang=en"))
        replies.append(await edge.post(url, b"action=resubscribe"))
    assert {reply.status for reply in replies} == {503}
    assert {reply.header("Retry-After") for reply in replies} == {"60"}
    page = replies[1].body.decode()
    assert 'role="alert"' in page and 'value="3" checked' in page and 'value="all" checked' in page
    assert not edge.store.facts and edge.tally[Count.REFUSED] == 30
    assert edge.tally[Count.UNSUBSCRIBES] == edge.tally[Count.RESUBSCRIBES] == 0


async def test_the_control_with_a_sound_store_loses_nothing(edge: Edge) -> None:
    assert_all_served(await many(edge, 400))
    assert (await edge.post(edge.mail().unsubscribe_url, b"List-Unsubscribe=One-Click")).status == 200
    assert len(edge.store.facts) == 401
    counts = edge.tally
    assert counts[Count.LOST] == counts[Count.AT_RISK] == counts[Count.REFUSED] == 0
    assert (counts[Count.PIXELS], counts[Count.REDIRECTS], counts[Count.UNSUBSCRIBES]) == (200, 200, 1)


async def test_answers_wait_for_a_slow_store_within_bounds(make_edge: MakeEdge) -> None:
    edge = await make_edge(pixel_wait_s=0.3, click_wait_s=0.05)
    edge.store.delay_s = 0.15
    mail = edge.mail()
    started = time.perf_counter()
    await edge.get(mail.pixel_url)
    assert time.perf_counter() - started >= 0.15 and len(edge.store.facts) == 1 and edge.tally[Count.AT_RISK] == 0
    started = time.perf_counter()
    await edge.get(mail.click_url(TARGET, link=1, links=1))
    assert time.perf_counter() - started < 0.15 and edge.tally[Count.AT_RISK] == 1
    await asyncio.sleep(0.2)
    assert len(edge.store.facts) == 2 and edge.tally[Count.RESCUED] == 1


async def test_an_error_of_ours_is_503_and_one_line_without_the_token(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = edge.mail().unsubscribe_url
    monkeypatch.setattr("tracker.front.open_unsubscribe", lambda *_: 1 / 0)
    reply = await edge.get(url)
    assert (reply.status, reply.header("Retry-After")) == (503, "60") and edge.tally[Count.ERRORS] == 1
    assert path_of(url)[3:11] in caplog.text and path_of(url)[3:12] not in caplog.text


async def test_stopping_waits_for_facts_under_way(make_edge: MakeEdge) -> None:
    edge = await make_edge(click_wait_s=0.01, drain_s=2.0)
    edge.store.delay_s = 0.3
    await edge.get(edge.mail().click_url(TARGET, link=1, links=1))
    assert not edge.store.facts
    await edge.stop()
    assert [fact.type for fact in edge.store.facts] == [FactType.CLICKED]
    with pytest.raises((EOFError, ConnectionError)):
        await edge.get("/healthz")


async def test_stopping_does_not_wait_for_ever(make_edge: MakeEdge, caplog: pytest.LogCaptureFixture) -> None:
    edge = await make_edge(click_wait_s=0.01, drain_s=0.2)
    edge.store.is_frozen = True
    await edge.get(edge.mail().click_url(TARGET, link=1, links=1))
    started = time.perf_counter()
    await edge.client.close()
    await edge.server.stop()
    assert time.perf_counter() - started < 2
    assert "stopped with 1 submissions still open" in caplog.text


async def test_a_submit_that_raises_at_once_is_lost_and_counted(edge: Edge) -> None:
    def submit(_facts: object) -> None:
        raise FULL

    pending = Pending(submit, edge.tally, 10)  # type: ignore[arg-type]
    assert not await pending.keep([None], 1)  # type: ignore[list-item]
    assert edge.tally[Count.LOST] == 1 and len(pending) == 0
