"""The fold: order, repetition and batching change nothing; the worked cases come out as the table says."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from model.cause import Cause, Channel, Permanence
from model.detail import (
    Agent,
    Engaged,
    Excluded,
    ExcludedKind,
    Trust,
)
from model.fact import Fact, FactType, Hit
from store import keys as layout
from store import records
from store.environment import Environment
from store.fold import Fold
from store.gate import Candidate
from store.log import scan_log
from store.outcome import State
from store.reader import Reader
from store.report import Report, build_report
from store.rows import rows_of
from store.standing import bounce_days
from store.suppression import SuppressionKind
from store.writer import write_now
from tests.store.world import (
    DAY,
    HOUR,
    SECOND,
    T0_US,
    clicked,
    complained,
    described,
    failed,
    key,
    opened,
    planned,
    random_facts,
    report,
    unsubscribed,
)


def numbers(env: Environment, broadcast: int = 1, *, now: int = T0_US + 30 * DAY, is_test: bool = False) -> Report:
    reader = Reader(env)
    return build_report(
        reader.counts(1, broadcast, is_test=is_test),
        reader.broadcast(1, broadcast),
        last_attempt_us=reader.last_attempt_us(1),
        now_us=now,
    )


def suppressed(env: Environment) -> int:
    """The length of the suppression list; a page of it looks only so long, so there may be several."""
    page = Reader(env).suppressions(1)
    count = len(page.rows)
    while page.after is not None:
        page = Reader(env).suppressions(1, after=page.after)
        count += len(page.rows)
    return count


def state_of(env: Environment) -> dict[str, list[tuple[bytes, object]]]:
    """All that a store says, without the places of facts in its log."""
    from store.record import Record
    from store.suppression import Suppression

    result: dict[str, list[tuple[bytes, object]]] = {}
    for name in (layout.COUNTERS, layout.MAILED, layout.FIRST_FAILED, layout.DEAD_HOSTS):
        result[name.decode()] = [(k, v) for k, v in rows_of(env, name)]
    result["lists"] = sorted((k[:9], v) for k, v in rows_of(env, layout.LISTS))
    for name in (layout.DELIVERIES, layout.TEST_DELIVERIES):
        result[name.decode()] = [
            (k, (r.is_html, r.domain, r.summary, [e[:4] for e in r.entries]))
            for k, v in rows_of(env, name)
            if (r := Record.unpack(k, v))
        ]
    result["suppressed"] = [
        (k, (s.at_us, s.expires_at_us, s.failures, s.cause, s.is_on, s.everything))
        for k, v in rows_of(env, layout.SUPPRESSED)
        if (s := Suppression.unpack(k, v))
    ]
    return result


@pytest.mark.row("I9")
@pytest.mark.parametrize("seed", range(25))
def test_order_repetition_and_batches_change_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    facts = random_facts(rng, 400)
    states = []
    for turn in range(3):
        monkeypatch.setattr(records, "MAX_WAITING", (32_768, 20, 0)[turn])
        env = Environment(tmp_path / f"data{turn}", map_size=64 * 2**20)
        order = list(facts)
        if turn:
            rng.shuffle(order)
            order += rng.sample(facts, 50)
        while order:
            size = rng.randint(1, 120) if turn else 400
            write_now(env, order[:size])
            order = order[size:]
        states.append(state_of(env))
        env.close()
    assert states[0] == states[1] == states[2]
    assert states[0]["counters"], "the control: there is something to compare"


@pytest.mark.parametrize("seed", range(25))
def test_the_short_way_of_hits_leads_to_the_same(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    facts = random_facts(rng, 400, recipients=15)
    facts.sort(key=lambda fact: fact.at_us)
    states, sizes = [], []
    for turn in range(2):
        env = Environment(tmp_path / f"data{turn}", map_size=64 * 2**20)
        for start in range(0, len(facts), 37):
            batch: list[Fact | Hit] = list(facts[start : start + 37])
            if turn:
                batch = [_as_hit(fact) for fact in facts[start : start + 37]]
            write_now(env, batch)
        states.append(state_of(env))
        sizes.append([fact for _, fact in scan_log(env)])
        env.close()
    assert states[0] == states[1]
    assert sizes[0] == sizes[1], "a hit is written down as the fact it is"


def _as_hit(fact: Fact) -> Fact | Hit:
    if not isinstance(fact.detail, Engaged):
        return fact
    return Hit(fact.type, fact.key.pack(), fact.at_us, fact.detail, fact.node, fact.is_test, fact.is_html)


@pytest.mark.parametrize("seed", range(10))
def test_every_total_is_the_sum_of_its_cells_and_domains(seed: int, env: Environment) -> None:
    from store.sealed import unpack_value

    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(10):
        write_now(env, random_facts(rng, 60))
    totals: dict[bytes, Counter[str]] = {}
    cells: dict[bytes, Counter[str]] = {}
    for k, v in rows_of(env, layout.COUNTERS):
        row = Counter({name: n for name, n in unpack_value(k, v).items() if isinstance(n, int)})
        if k[8:9] == layout.SCOPE_ALL and any(k[2:8]):
            totals[k[:8]] = row
        elif k[8:9] == layout.SCOPE_CELL:
            cells.setdefault(k[:8], Counter()).update(row)
    assert totals
    for k, total in totals.items():
        del total["last_attempt_us"]
        inferred = total.pop("opened_inferred", 0)
        assert inferred == total["opened_users"] - total["opened_pixel"]
        assert +total == +cells[k]


@pytest.mark.parametrize("seed", range(5))
def test_identities_hold_at_every_moment(seed: int, env: Environment) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(20):
        write_now(env, random_facts(rng, 30))
        for broadcast in (1, 2, 3):
            r = numbers(env, broadcast)
            assert r.listed == r.targeted + sum(r.excluded.values())  # I1
            assert r.targeted == r.reached + r.undelivered + r.in_flight + r.cancelled  # I2
            assert r.undelivered == r.hard + r.soft == sum(r.causes.values())  # I3
            assert sum(r.sansan.values()) == sum(r.reasons.values()) == r.undelivered  # I4
            assert sum(r.channels.values()) == r.undelivered
            if r.opened_users is not None:
                assert r.opens is not None and r.opened_inferred is not None and r.clicked_of_opened is not None
                assert r.opened_users <= r.opens + r.opened_inferred  # I8
                assert r.opened_users == r.clicked_of_opened + (r.not_clicked or 0)  # I6
            assert r.clicked_users <= r.clicks


def test_w1_in_session_and_expired(env: Environment) -> None:
    facts = [planned(i) for i in range(1, 1001)]
    facts += [report(FactType.ACCEPTED, i) for i in range(1, 701)]
    facts += [failed(i, channel=Channel.IN_SESSION) for i in range(701, 801)]
    facts += [
        failed(i, channel=Channel.IN_SESSION, cause=Cause.DELIVERY_EXPIRED, permanence=Permanence.TRANSIENT)
        for i in range(801, 1001)
    ]
    write_now(env, facts)
    r = numbers(env, now=T0_US)
    assert (r.targeted, r.reached, r.hard, r.soft) == (1000, 700, 100, 200)
    assert r.rates["reach_rate"] == 0.7


def test_w2_accepted_then_bounced(env: Environment) -> None:
    write_now(env, [planned(), report(FactType.ACCEPTED)])
    assert numbers(env).evidence["accepted"] == 1
    write_now(env, [failed(at=T0_US + 26 * HOUR)])
    r = numbers(env)
    assert (r.reached, r.undelivered, r.channels, r.sansan["user_unknown"]) == (0, 1, {"out_of_band": 1}, 1)
    denial = Reader(env).preflight(1, [Candidate(1)], "", T0_US + 27 * HOUR)[0]
    assert denial is not None and denial.kind is SuppressionKind.BOUNCE
    assert denial.detail == "Blacklist: Bounce (worker:address in bounce list)"


def test_w3_deferred_then_accepted(env: Environment) -> None:
    write_now(env, [planned(), report(FactType.DEFERRED)])
    assert (numbers(env, now=T0_US + HOUR).reached, numbers(env).deferred) == (0, 1)
    write_now(env, [report(FactType.ACCEPTED, at=T0_US + 2 * HOUR)])
    assert (numbers(env).reached, numbers(env).undelivered) == (1, 0)


def test_w5_same_report_twice(env: Environment) -> None:
    dsn = failed(origin=b"one-and-the-same")
    receipt = write_now(env, [planned(), dsn, dsn])
    assert (receipt.added, receipt.known) == (2, 1)
    later = Fact(dsn.type, dsn.key, dsn.at_us + HOUR, dsn.detail, is_html=True)
    assert write_now(env, [later]).known == 1
    webhook = failed(channel=Channel.OUT_OF_BAND, origin=b"by-webhook", at=T0_US + SECOND)
    write_now(env, [webhook])
    assert numbers(env).undelivered == 1
    row = Reader(env).suppressions(1).rows[0]
    assert (row.entry.failures, row.address) == (1, "r1@example.jp")


def test_w6_text_mail_has_hyphens(env: Environment) -> None:
    write_now(env, [planned(is_html=False), clicked(is_html=False)])
    r = numbers(env)
    assert (r.opened_users, r.unopened, r.not_clicked, r.clicked_users) == (None, None, None, 1)


def test_w7_click_without_pixel(env: Environment) -> None:
    write_now(env, [planned(), clicked()])
    r = numbers(env)
    assert (r.opened_pixel, r.opened_users, r.clicked_of_opened) == (0, 1, 1)


def test_w8_scanner_then_person(env: Environment) -> None:
    accepted = report(FactType.ACCEPTED)
    scan = [clicked(at=T0_US + 4 * SECOND + i * SECOND // 4, link=i + 1, links=12) for i in range(12)]
    write_now(env, [planned(), accepted, *scan])
    assert (numbers(env).clicks, numbers(env).clicks_machine) == (0, 12)
    write_now(env, [clicked(at=T0_US + 2 * HOUR, links=12)])
    r = numbers(env)
    assert (r.clicks, r.clicks_machine, r.clicked_users, r.unsubs) == (1, 12, 1, 0)


def test_w8_scanner_comes_in_any_order(env: Environment) -> None:
    scan = [clicked(at=T0_US + i * SECOND // 4, link=i + 1, links=12) for i in range(12)]
    for fact in reversed(scan):
        write_now(env, [fact])
    assert numbers(env).clicks_machine == 12


def test_honeypot_takes_its_neighbours(env: Environment) -> None:
    trap = clicked(at=T0_US + 3 * SECOND, link=99, agent=Agent.HONEYPOT)
    write_now(env, [planned(), clicked(), opened(at=T0_US + SECOND), trap, opened(at=T0_US + HOUR)])
    r = numbers(env)
    assert (r.clicks, r.clicks_machine, r.opens, r.opens_machine) == (0, 2, 1, 1)


def test_w9_test_send_changes_nothing(env: Environment) -> None:
    write_now(env, [planned(is_test=True), failed(is_test=True), opened(is_test=True)])
    assert numbers(env).listed == 0
    assert numbers(env, is_test=True).undelivered == 1
    assert Reader(env).preflight(1, [Candidate(1)], "", T0_US) == [None]


@pytest.mark.parametrize(("domain", "days"), [("qq.com", [1, 2, 4, 8, 16, 30]), ("example.jp", [30, 60, 180, 180])])
def test_w11_w12_ladder(domain: str, days: list[int], env: Environment) -> None:
    assert [bounce_days(n, domain) for n in range(1, len(days) + 1)] == days
    at = T0_US
    for n, length in enumerate(days, 1):
        at += DAY
        write_now(env, [planned(broadcast=n, at=at, address=f"taro@{domain}"), failed(broadcast=n, at=at)])
        entry = Reader(env).suppressions(1).rows[0].entry
        assert (entry.failures, entry.expires_at_us) == (n, at + length * DAY)
    end = at + days[-1] * DAY
    assert Reader(env).preflight(1, [Candidate(1)], "", end - 1)[0] is not None
    assert Reader(env).preflight(1, [Candidate(1)], "", end) == [None], "expiry is checked when read (T06)"


def test_ladder_resets_when_the_address_lives(env: Environment) -> None:
    write_now(env, [failed(broadcast=1), report(FactType.ACCEPTED, broadcast=2, at=T0_US + DAY)])
    assert Reader(env).preflight(1, [Candidate(1)], "", T0_US + 2 * DAY) == [None]
    write_now(env, [failed(broadcast=3, at=T0_US + 3 * DAY)])
    assert Reader(env).suppressions(1).rows[0].entry.failures == 1


def test_w13_complaint_expires_from_the_latest(env: Environment) -> None:
    write_now(env, [complained(), complained(at=T0_US + 100 * DAY)])
    reader = Reader(env)
    assert reader.preflight(1, [Candidate(1)], "", T0_US + 280 * DAY - 1)[0] is not None
    assert reader.preflight(1, [Candidate(1)], "", T0_US + 280 * DAY) == [None]


def test_w15_our_own_fault_suppresses_nobody(env: Environment) -> None:
    write_now(env, [planned(i) for i in range(400)])
    write_now(env, [failed(i, cause=Cause.IP_BLOCKLISTED, permanence=Permanence.TRANSIENT) for i in range(400)])
    assert (numbers(env).undelivered, numbers(env).sansan["rejected"]) == (400, 400)
    assert suppressed(env) == 0
    write_now(env, [failed(500)])
    assert suppressed(env) == 1, "the control: a recipient's fault does suppress"


def test_unproven_report_suppresses_nobody(env: Environment) -> None:
    write_now(env, [failed(trust=Trust.COUNT)])
    assert Reader(env).suppressions(1).rows == []


def test_unsubscribe_ends_a_stream_only(env: Environment) -> None:
    write_now(env, [described(1, stream="news"), described(2, stream="orders"), unsubscribed(broadcast=1)])
    reader = Reader(env)
    assert reader.preflight(1, [Candidate(1)], "orders", T0_US + DAY) == [None]
    denial = reader.preflight(1, [Candidate(1)], "news", T0_US + DAY)[0]
    assert denial is not None and denial.detail == "購読解除"
    write_now(env, [unsubscribed(broadcast=2, at=T0_US + HOUR, everything=True)])
    assert reader.preflight(1, [Candidate(1)], "orders", T0_US + DAY)[0] is not None
    write_now(env, [unsubscribed(broadcast=2, at=T0_US + 2 * HOUR, again=True)])
    assert reader.preflight(1, [Candidate(1)], "orders", T0_US + DAY) == [None]
    assert numbers(env, 2).unsubs == 1 and numbers(env, 2).resubs == 1


def test_broadcast_fields_merge_by_time(env: Environment) -> None:
    late, early = described(at=T0_US + HOUR, name="late"), described(at=T0_US, name="early", subject="件名")
    write_now(env, [late])
    write_now(env, [early, early])
    found = Reader(env).broadcast(1, 1)
    assert found is not None and (found.name, found.subject) == ("late", "件名")


def test_flood_of_one_token_is_counted_and_not_kept(env: Environment) -> None:
    facts = [opened(at=T0_US + i * 8) for i in range(5_000)]
    before = (env.path / "data.mdb").stat().st_size
    for i in range(0, len(facts), 500):
        write_now(env, facts[i : i + 500])
    r = numbers(env)
    assert r.opens_raw == 5_000
    assert len(Reader(env).timeline(key())) == 100
    assert (env.path / "data.mdb").stat().st_size - before < 2 * 2**20


def test_duplicate_rows_are_excluded_once(env: Environment) -> None:
    rows = [planned(row=b"a"), planned(row=b"b"), planned(row=b"b")]
    write_now(env, rows)
    r = numbers(env)
    assert (r.listed, r.targeted, r.excluded) == (2, 1, {"duplicate": 1})


def test_in_session_reports_switch_the_assumption_off(env: Environment) -> None:
    write_now(env, [planned(1), planned(2)])
    assert numbers(env, now=T0_US).reached == 2, "no news is good news where nobody reports (R26)"
    write_now(env, [report(FactType.ACCEPTED, 1)])
    r = numbers(env, now=T0_US + HOUR // 2)
    assert (r.reached, r.in_flight, r.is_assuming) == (1, 1, False)


def test_delivery_and_links_can_be_read(env: Environment) -> None:
    write_now(
        env,
        [planned(), clicked(target="https://example.jp/a"), clicked(at=T0_US + HOUR, target="https://example.jp/a")],
    )
    reader = Reader(env)
    delivery = reader.delivery(key())
    assert delivery is not None and delivery.outcome.state is State.REACHED
    assert delivery.planned is not None and delivery.planned.address == "r1@example.jp"
    assert reader.links(1, 1) == [(1, "https://example.jp/a", {"clicks": 2, "users": 1})]
    targets = [getattr(f.detail, "target", None) for f in reader.timeline(key())]
    assert targets == [None, "https://example.jp/a", "https://example.jp/a"]


# Found by the second reader: each of these once depended on the order in which facts came


def excluded(recipient: int = 1, broadcast: int = 1, *, at: int = T0_US) -> Fact:
    return Fact(FactType.EXCLUDED, key(recipient, broadcast), at, Excluded(ExcludedKind.BOUNCE))


def again(fact: Fact, rng: random.Random) -> Fact:
    """The same fact seen at another time, by a way that says something else about the format."""
    if isinstance(fact.detail, Engaged) or fact.type in (FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED):
        return replace(fact, is_html=rng.random() < 0.5)  # their time is what they are
    return replace(fact, at_us=fact.at_us + rng.randint(-5, 5) * DAY, is_html=rng.random() < 0.5)


def without_attempts(state: dict[str, list[tuple[bytes, object]]]) -> dict[str, list[tuple[bytes, object]]]:
    """Leave out when a sending system last reported: that follows the sightings themselves."""
    from store.sealed import unpack_value

    rows = [(k, unpack_value(k, v)) for k, v in state["counters"]]
    kept = [(k, {name: n for name, n in row.items() if name != "last_attempt_us"}) for k, row in rows]
    return state | {"counters": [(k, row) for k, row in kept if row]}


@pytest.mark.parametrize("seed", range(6))
def test_sightings_at_other_times_change_nothing(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    facts = [f for f in random_facts(rng, 160, recipients=8) if f.type is not FactType.RELEASED]
    facts += [excluded(rng.randint(1, 8), rng.randint(1, 3), at=T0_US + rng.randint(0, 5) * DAY) for _ in range(6)]
    facts += [again(fact, rng) for fact in rng.sample(facts, 80)]
    states = []
    for turn in range(3):
        env = Environment(tmp_path / f"data{turn}", map_size=64 * 2**20)
        rng.shuffle(facts)
        for start in range(0, len(facts), 23):
            write_now(env, facts[start : start + 23])
        states.append(without_attempts(state_of(env)))
        env.close()
    assert states[0] == states[1] == states[2]


LATE_WORD: dict[str, list[Fact]] = {
    "an exclusion takes a failure away": [planned(), failed(), excluded(at=T0_US + DAY)],
    "an exclusion takes a sign of life away": [
        failed(), report(FactType.ACCEPTED, broadcast=2, at=T0_US + DAY), excluded(broadcast=2, at=T0_US + 2 * DAY)
    ],
    "a trap takes a sign of life away": [
        failed(),
        clicked(broadcast=2, at=T0_US + DAY, links=9),
        clicked(broadcast=2, at=T0_US + DAY + SECOND, link=9, links=9, agent=Agent.HONEYPOT),
    ],
    "a burst takes signs of life away": [
        failed(), *(clicked(broadcast=2, at=T0_US + DAY + i * SECOND, link=i, links=3) for i in (1, 2, 3))
    ],
    "the list gives the domain of the ladder": [planned(address="taro@qq.com", at=T0_US + DAY), failed()],
    "an earlier sighting of a sign of life": [
        failed(at=T0_US + DAY),
        (accepted := report(FactType.ACCEPTED, broadcast=2, at=T0_US + 2 * DAY)),
        replace(accepted, at_us=T0_US),
    ],
    "the format told by the second sighting": [
        replace(accepted, is_html=False), replace(accepted, at_us=accepted.at_us + 8, is_html=True)
    ],
}  # fmt: skip


@pytest.mark.parametrize("facts", LATE_WORD.values(), ids=LATE_WORD)
def test_late_word_counts_as_early_word(facts: list[Fact], tmp_path: Path) -> None:
    states = []
    for turn, order in enumerate(permutations(facts)):
        env = Environment(tmp_path / f"data{turn}", map_size=16 * 2**20)
        for fact in order:
            write_now(env, [fact])
        states.append(without_attempts(state_of(env)))
        env.close()
    assert all(state == states[0] for state in states)


def test_what_is_only_counted_leaves_no_other_trace(env: Environment) -> None:
    text = [replace(clicked(at=T0_US + i * 8), is_html=False) for i in range(100)]
    write_now(env, text)
    write_now(env, [clicked(at=T0_US + 8_000, link=2)])
    assert [link for link, _, _ in Reader(env).links(1, 1)] == [1]
    assert "html.reached" not in Reader(env).counts(1, 1)  # and the fixture's verify agrees


def test_a_test_send_shows_no_links(env: Environment) -> None:
    sent = replace(clicked(), is_test=True)
    write_now(env, [planned(), sent])
    assert Reader(env).links(1, 1) == []
    assert [getattr(f.detail, "target", "") for f in Reader(env).timeline(key(), is_test=True)] == [
        "https://example.jp/1"
    ]


def test_a_trap_is_no_link(env: Environment) -> None:
    write_now(env, [planned(), clicked(link=9, agent=Agent.HONEYPOT), clicked(at=T0_US + HOUR)])
    assert [link for link, _, _ in Reader(env).links(1, 1)] == [1]


def test_counts_that_return_to_nothing_are_gone(env: Environment) -> None:
    bare = replace(clicked(), detail=Engaged(Agent.PERSON, 1, 3))
    write_now(env, [bare])
    assert Reader(env).links(1, 1) == [(1, "", {"clicks": 1, "users": 1})]
    write_now(env, [failed()])
    assert Reader(env).links(1, 1) == []


def test_one_stream_taken_up_again_does_not_undo_the_end_of_all(env: Environment) -> None:
    write_now(env, [described(1, stream="news"), described(2, stream="orders"), described(3, stream="events")])
    write_now(env, [unsubscribed(broadcast=1, everything=True)])
    write_now(env, [unsubscribed(broadcast=1, at=T0_US + HOUR, again=True)])
    reader = Reader(env)
    assert reader.preflight(1, [Candidate(1)], "news", T0_US + DAY) == [None]
    assert reader.preflight(1, [Candidate(1)], "events", T0_US + DAY)[0] is not None
    write_now(env, [unsubscribed(broadcast=2, at=T0_US + 2 * HOUR, again=True, everything=True)])
    assert reader.preflight(1, [Candidate(1)], "events", T0_US + DAY) == [None]


def test_the_number_of_failures_is_told_whatever_reason_holds_longest(env: Environment) -> None:
    write_now(env, [failed(broadcast=1, cause=Cause.RECIPIENT_RESTRICTED), failed(broadcast=2, at=T0_US + DAY)])
    row = Reader(env).suppressions(1).rows[0]
    assert (row.entry.failures, row.entry.expires_at_us) == (1, T0_US + 180 * DAY)


@pytest.mark.parametrize("is_html", [False, True])
@pytest.mark.parametrize("address", ["ann@example.jp", "ann@例え.jp", "no address"])
def test_a_listing_by_the_short_way_is_the_same_by_octets(
    address: str, is_html: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact = replace(planned(7, address=address), is_html=is_html)
    states = []
    for turn in range(2):
        if turn:
            monkeypatch.setattr(Fold, "_take_listing", lambda fold, fact, place: fold._take_plainly(fact, place))
        env = Environment(tmp_path / f"data{turn}", map_size=2**26)
        write_now(env, [fact])
        states.append([list(rows_of(env, name)) for name in layout.DERIVED])
        env.close()
    assert states[0] == states[1]
