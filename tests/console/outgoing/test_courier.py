"""Delivery: in order, at least once, with stable ids, whatever the receiver does (T07, T16, T18)."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from console.outgoing.courier import Gate
from console.outgoing.dispatcher import every
from console.outgoing.endpoint import DEAD_KIND, STATE_KIND, Secret, Standing, State, decode_state, decode_trial
from console.outgoing.event import EventType
from console.outgoing.retry import GIVE_UP_S
from console.outgoing.signature import new_secret, verify
from tests.console.outgoing.world import Got, Receiver, World
from tests.store.world import DAY, T0_US, clicked, failed, opened, planned

HOUR = 3_600.0


def refuse(status: int, **headers: str) -> web.Response:
    return web.Response(status=status, headers=headers, text="secret words of the receiver")


async def test_events_come_in_order_signed_with_the_ids_of_their_facts(world: World, hook: Receiver) -> None:
    facts = [planned(1), failed(1), planned(2), opened(2, at=T0_US + 5)]
    world.add(*facts)
    await world.go(world.courier(hook.url))
    assert [got.id for got in hook.got] == [fact.id.hex() for fact in facts]
    assert hook.seqs == [1, 2, 3, 4]
    assert [got.type for got in hook.got] == ["planned", "failed", "planned", "opened"]
    world.check_signatures(hook.got)
    data = hook.got[1].data
    assert data["id"] == hook.got[1].id
    assert (data["type"], data["recipient"], data["broadcast"]) == ("failed", f"{1:016x}", f"~{1:012x}")
    assert data["detail"]["cause"] == "user_unknown"
    assert "origin" not in data["detail"]


@pytest.mark.row("P17", "P09")
async def test_an_hour_down_loses_nothing_and_keeps_the_order(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 51)))
    courier = world.courier(hook.url)
    hook.answer = lambda _: None
    await world.go(courier, until_s=HOUR)
    assert hook.got == []
    assert courier.state.standing is Standing.FAILING
    tries = len(hook.tried)
    assert 8 <= tries <= 14  # 5 s doubling: some ten in an hour, no flood
    assert {got.id for got in hook.tried} == {hook.tried[0].id}  # the first alone is tried, the others wait
    assert len({got.body for got in hook.tried}) == 1  # with the same content each time
    world.add(*(planned(n) for n in range(51, 101)))
    hook.answer = lambda _: web.Response(status=200)
    await world.go(courier, until_s=2 * HOUR)
    assert [got.data["recipient"] for got in hook.got] == [f"{n:016x}" for n in range(1, 101)]
    assert courier.state.standing is Standing.ACTIVE
    assert every(world.documents, 1, DEAD_KIND) == []


async def test_without_retries_the_hour_would_have_lost_events(world: World, hook: Receiver) -> None:
    """Negative control: a courier that moves on after one try loses what the test above finds."""
    world.add(*(planned(n) for n in range(1, 4)))
    courier = world.courier(hook.url)
    hook.answer = lambda _: None
    for n in range(1, 4):
        await world.go(courier)
        courier.state = State(n)
        courier._start_over()
    hook.answer = lambda _: web.Response(status=200)
    await world.go(courier, until_s=HOUR)
    assert hook.got == []


@pytest.mark.row("P17")
async def test_after_72_hours_a_dead_letter_stays_and_the_endpoint_is_disabled_visibly(
    world: World, hook: Receiver
) -> None:
    world.add(planned(1), planned(2), planned(3))
    courier = world.courier(hook.url)
    hook.answer = lambda _: refuse(500)
    began = world.clock.now
    await world.go(courier, until_s=80 * HOUR)
    assert courier.state.standing is Standing.DISABLED
    assert courier.state.disabled_at is not None
    assert GIVE_UP_S <= courier.state.disabled_at - began < GIVE_UP_S + 1.3 * HOUR
    assert "72 hours" in courier.state.disabled_why
    dead = [decode_trial(body) for _, body in every(world.documents, 1, DEAD_KIND)]
    assert [(trial.seq, trial.status) for trial in dead] == [(1, 500)]
    assert dead[0].attempts > 70
    assert "secret words" not in str(dead)
    tried = len(hook.tried)
    await world.go(courier, until_s=DAY)
    assert len(hook.tried) == tried
    # Enabled, it goes on where it stood; the dead letter is replayed beside.
    hook.answer = lambda _: web.Response(status=200)
    await courier.enable()
    await courier.retry(dead)
    await world.go(courier, until_s=HOUR)
    assert sorted(hook.seqs) == [1, 2, 3]
    assert hook.got[hook.seqs.index(1)].id == dead[0].id
    assert every(world.documents, 1, DEAD_KIND) == []


async def test_410_disables_at_once_and_nothing_is_lost(world: World, hook: Receiver) -> None:
    world.add(planned(1), planned(2))
    courier = world.courier(hook.url)
    hook.answer = lambda _: refuse(410)
    await world.go(courier, until_s=DAY)
    assert len(hook.tried) == 1
    assert courier.state.disabled_why == "the receiver answered 410 Gone"
    hook.answer = lambda _: web.Response(status=200)
    await courier.enable()
    await world.go(courier)
    assert hook.seqs == [1, 2]


async def test_one_event_that_is_refused_for_what_it_is_does_not_hold_the_others(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 11)))
    courier = world.courier(hook.url)
    hook.answer = lambda got: refuse(400) if got.data["seq"] == 4 else web.Response(status=200)
    await world.go(courier, until_s=HOUR)
    assert hook.seqs == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert [trial.seq for trial in courier.state.parked] == [4]
    assert courier.state.standing is Standing.ACTIVE
    # Mended within three days, it comes after all; with the same id.
    hook.answer = lambda _: web.Response(status=200)
    await world.go(courier, until_s=3 * HOUR)
    assert hook.seqs[-1] == 4
    assert courier.state.parked == ()


async def test_an_event_that_is_always_refused_becomes_a_dead_letter(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 4)))
    courier = world.courier(hook.url)
    hook.answer = lambda got: refuse(422) if got.data["seq"] == 2 else web.Response(status=200)
    await world.go(courier, until_s=80 * HOUR)
    assert hook.seqs == [1, 3]
    assert courier.state.standing is Standing.ACTIVE
    assert [decode_trial(body).seq for _, body in every(world.documents, 1, DEAD_KIND)] == [2]


async def test_a_receiver_that_is_down_is_not_taken_for_one_bad_event(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 11)))
    courier = world.courier(hook.url)
    hook.answer = lambda _: refuse(503)
    await world.go(courier, until_s=3 * HOUR)
    assert courier.state.parked == ()
    hook.answer = lambda _: web.Response(status=200)
    await world.go(courier, until_s=2 * HOUR)
    assert hook.seqs == list(range(1, 11))


async def test_retry_after_is_respected(world: World, hook: Receiver) -> None:
    world.add(planned(1))
    courier = world.courier(hook.url)
    hook.answer = lambda _: refuse(429, **{"Retry-After": "600"})
    await world.go(courier, until_s=599)
    assert len(hook.tried) == 1
    await world.go(courier, until_s=2)
    assert len(hook.tried) == 2


@pytest.mark.row("B13")
async def test_only_what_was_asked_for_is_sent(world: World, hook: Receiver) -> None:
    world.add(planned(1), opened(1), failed(2), failed(2, 2), planned(3, is_test=True), clicked(1, 2))
    await world.go(world.courier(hook.url, types=(EventType.FAILED, EventType.CLICKED), broadcast=2))
    assert [(got.type, got.data["broadcast"]) for got in hook.got] == [
        ("failed", f"~{2:012x}"), ("clicked", f"~{2:012x}"),
    ]  # fmt: skip


async def test_test_sends_come_only_when_asked_for(world: World, hook: Receiver) -> None:
    world.add(planned(1), planned(2, is_test=True))
    await world.go(world.courier(hook.url))
    assert hook.seqs == [1]
    await world.go(world.courier(hook.url, with_tests=True))
    assert hook.seqs == [1, 1, 2]
    assert hook.got[-1].data["is_test"] is True


async def test_settings_and_secrets_never_leave_the_house(world: World, hook: Receiver) -> None:
    await world.documents.put(1, "webhook", "x", b'{"secrets":["whsec_x"]}')
    world.add(planned(1))
    await world.go(world.courier(hook.url, types=tuple(EventType), with_tests=True))
    assert [got.type for got in hook.got] == ["planned"]


@pytest.mark.row("T07")
async def test_replay_from_a_fact_sends_the_same_again(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 6)))
    courier = world.courier(hook.url)
    await world.go(courier)
    first = list(hook.got)
    await courier.rewind(3)
    await world.go(courier)
    assert hook.seqs == [1, 2, 3, 4, 5, 3, 4, 5]
    assert [(got.id, got.body) for got in hook.got[5:]] == [(got.id, got.body) for got in first[2:]]


async def test_a_replay_asked_for_during_a_request_is_not_lost(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 4)))
    courier = world.courier(hook.url)
    await world.go(courier)
    world.add(planned(4))

    def answer(got: Got) -> web.Response:
        if got.data["seq"] == 4 and len(hook.tried) == 4:
            rewound.append(asyncio.ensure_future(courier.rewind(1)))
        return web.Response(status=200)

    rewound: list[asyncio.Future[None]] = []
    real_post = world.sender.post

    async def slow(*arguments):  # type: ignore[no-untyped-def]
        outcome = await real_post(*arguments)
        for one in rewound:
            await one
        return outcome

    hook.answer = answer
    world.sender.post = slow  # type: ignore[method-assign]
    await world.go(courier)
    assert hook.seqs == [1, 2, 3, 4, 1, 2, 3, 4]


async def test_the_cursor_is_kept_and_a_new_start_goes_on_there(world: World, hook: Receiver) -> None:
    world.add(*(planned(n) for n in range(1, 4)))
    courier = world.courier(hook.url)
    await world.go(courier, until_s=10)
    kept = decode_state(world.documents.get(1, STATE_KIND, courier.endpoint.id) or b"")
    assert kept.cursor >= 3
    world.add(planned(4))
    await world.go(world.courier(hook.url, state=kept))
    assert [got.data["recipient"] for got in hook.got] == [f"{n:016x}" for n in range(1, 5)]


async def test_an_idle_endpoint_writes_nothing(world: World, hook: Receiver) -> None:
    """Keeping a cursor makes a fact, which moves the cursor: that must not go on for ever."""
    world.add(planned(1))
    courier = world.courier(hook.url)
    await world.go(courier, until_s=60)
    head = world.feed.head()
    for _ in range(100):
        await world.go(courier, until_s=60)
    assert world.feed.head() == head


async def test_both_secrets_sign_while_the_old_one_is_valid(world: World, hook: Receiver) -> None:
    old, new = Secret(new_secret(), until=world.clock.now + 100), Secret(new_secret())
    world.add(planned(1))
    await world.go(world.courier(hook.url, secrets=(new, old)))
    world.clock.now += 101
    await world.go(world.courier(hook.url, secrets=(new, old)))
    early, late = hook.got
    for one, secrets in ((early, (old, new)), (late, (new,))):
        assert len(one.headers["webhook-signature"].split(" ")) == len(secrets)
        for secret in secrets:
            verify([secret.value], one.headers, one.body, world.at(one))


async def test_slow_receivers_of_one_tenant_leave_room_for_others() -> None:
    gate, inside, most = Gate(4), 0, 0

    async def hold(tenant: int, for_s: float) -> float:
        nonlocal inside, most
        began = time.monotonic()
        async with gate.enter(tenant):
            waited = time.monotonic() - began
            inside, most = inside + 1, max(most, inside + 1)
            await asyncio.sleep(for_s)
            inside -= 1
        return waited

    hogs = [asyncio.create_task(hold(1, 0.3)) for _ in range(8)]
    await asyncio.sleep(0.05)
    assert await hold(2, 0.0) < 0.1
    await asyncio.gather(*hogs, *(hold(n, 0.1) for n in range(2, 12)))
    assert most == 4


async def test_what_cannot_be_json_is_mended_not_stuck(world: World, hook: Receiver) -> None:
    world.add(planned(1, address="broken\udce3@example.jp"), planned(2))
    await world.go(world.courier(hook.url))
    assert hook.seqs == [1, 2]
    assert hook.got[0].data["detail"]["address"] == "broken?@example.jp"


async def test_speed(world: World, hook: Receiver) -> None:
    """One endpoint, one request at a time, over loopback: prints what that gives; a floor against mishaps."""
    world.add(*(planned(n) for n in range(1, 501)))
    courier = world.courier(hook.url)
    began = time.process_time()
    await world.go(courier)
    took = time.process_time() - began
    print(f"{500 / took:.0f} events per CPU second, the receiver's part included")
    assert len(hook.got) == 500
    assert took < 10
