"""The figures of all profiles agree, whatever became of the deliveries; and they are what counting by hand gives."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from console.profiles.build import build_profile
from console.profiles.evaluation import PROFILES, Evaluation, definitions_of, qualified
from console.profiles.figure import Unit, Value
from console.profiles.formula import parse
from model.cause import Cause, Channel, is_hard
from model.detail import ExcludedKind
from store.environment import Environment
from store.outcome import Outcome, State
from store.reader import Reader
from store.report import build_report
from store.writer import write_now
from tests.console.profiles.deliveries import CROSSWALK, INVALID, SANSAN, SOFT, World, random_world
from tests.store.world import DAY, T0_US, random_facts

E_KINDS = {ExcludedKind.BOUNCE, ExcludedKind.COMPLAINT, ExcludedKind.BLOCK, ExcludedKind.UNSUBSCRIBE,
           ExcludedKind.SYNTAX}  # fmt: skip


@pytest.mark.row("N11", "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10")
@pytest.mark.parametrize("seed", range(400))
def test_every_agreement_holds_for_random_deliveries(seed: int) -> None:
    print("seed", seed)
    world = random_world(random.Random(seed))
    assert Evaluation(world.report, world.context).broken() == []


@pytest.mark.row("N11")
@pytest.mark.parametrize("seed", range(6))
def test_every_agreement_holds_at_every_moment_of_a_store(seed: int, env: Environment) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    reader = Reader(env)
    checked = 0
    for _ in range(12):
        write_now(env, random_facts(rng, 40))
        for number in (1, 2, 3):
            for now in (T0_US, T0_US + 30 * DAY):
                report = build_report(
                    reader.counts(1, number), reader.broadcast(1, number),
                    last_attempt_us=reader.last_attempt_us(1), now_us=now,
                )  # fmt: skip
                evaluation = Evaluation(report)
                assert evaluation.broken() == []
                checked += evaluation.value("sansan.undelivered")[0] or 0
    assert checked > 0, "the control: there was something to agree on"


#: what is counted wrong -> an identity that must notice
WRONG = {
    "listed": "I1", "in_flight": "I2", "hard": "I3", "soft": "I3", "undelivered": "I4", "cancelled": "I2",
    "opened_users": "I8", "reached_html": "I6", "clicked_users": "I8", "reached": "I2",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_number_counted_wrong_is_noticed(name: str) -> None:
    """Negative control: what the two tests above must refuse."""
    world = random_world(random.Random(5), 60)
    world.broadcast = None
    report = world.report
    assert Evaluation(report, world.context).broken() == []
    wrong = replace(report, **{name: getattr(report, name) + 1_000})
    identities = {agreed.agreement.identity for _, agreed in Evaluation(wrong, world.context).broken()}
    assert WRONG[name] in identities


def test_a_failure_put_into_no_class_is_noticed() -> None:
    """Negative control of I4, I5: one failure more than the classes know."""
    world = random_world(random.Random(5), 60)
    report = world.report
    wrong = replace(report, failed={**report.failed, "in_session.user_unknown.permanent": 1_000})
    names = {name for name, _ in Evaluation(wrong, world.context).broken()}
    assert {"sansan.undelivered", "native.undelivered"} <= names


def test_people_on_links_below_the_people_who_clicked_are_noticed() -> None:
    """Negative control of I10."""
    world = random_world(random.Random(5), 60)
    world.broadcast = None
    context = replace(world.context, link_clickers=0)
    assert "I10" in {agreed.agreement.identity for _, agreed in Evaluation(world.report, context).broken()}


def recount(world: World) -> dict[str, Value]:
    """Count the deliveries by hand, one by one, from mission 4.2 and the crosswalk written down in the tests."""
    report = world.report
    is_text = report.opened_users is None
    found: Counter[str] = Counter()
    for place, outcome in enumerate(world.outcomes):
        _recount_excluded(outcome, found)
        if outcome.state is State.EXCLUDED:
            continue
        reached = outcome.state is State.REACHED or (outcome.state is State.PLANNED and report.is_assuming)
        undelivered = outcome.state is State.UNDELIVERED
        waits = outcome.state in (State.PLANNED, State.DEFERRED) and not reached
        found["sansan.targeted"] += 1
        found["karte.targets"] += 1
        for name in ("sansan.reached", "relation.success", "engagelab.delivered", "karte.delivered", "bales.reached"):
            found[name] += reached
        for name in ("sansan.undelivered", "relation.error"):
            found[name] += undelivered
        for name in ("relation.done", "bales.sent", "relation.billed"):
            found[name] += reached or undelivered
        found["engagelab.requested"] += waits
        if undelivered:
            _recount_failure(outcome, found)
            found["karte.fail_count"] += place not in world.failed_before
        if outcome.state is State.REACHED:
            _recount_engagement(outcome, found, is_text=is_text)
    for outcome in world.outcomes:
        found["karte.unsubs"] += outcome.was_unsubscribed
        found["bales.unsubs"] += outcome.was_unsubscribed
        found["karte.resubs"] += outcome.was_resubscribed
        found["sansan.class.auto_reply"] += outcome.has_auto_reply
    result: dict[str, Value] = dict(found)
    if is_text:
        names = ("sansan.opened", "sansan.unopened", "sansan.link_clicked", "sansan.not_clicked", "bales.opens")
        result |= dict.fromkeys((*names, "karte.opened_users", "karte.opens", "karte.open_rate"))
    result["karte.cv"] = world.cv
    return result


def _recount_excluded(outcome: Outcome, found: Counter[str]) -> None:
    found["sansan.listed"] += outcome.rows
    found["sansan.excluded.duplicate"] += outcome.rows - 1
    if outcome.state is not State.EXCLUDED:
        return
    assert outcome.excluded is not None
    found[f"sansan.excluded.{outcome.excluded.name.lower()}"] += 1
    if outcome.excluded in E_KINDS:
        found["engagelab.invalid"] += 1
        found["engagelab.invalid.blacklist"] += outcome.excluded.name in ("BOUNCE", "COMPLAINT", "BLOCK")
        found["engagelab.invalid.unsubscribed"] += outcome.excluded is ExcludedKind.UNSUBSCRIBE
        found["engagelab.invalid.address_format"] += outcome.excluded is ExcludedKind.SYNTAX


def _recount_failure(outcome: Outcome, found: Counter[str]) -> None:
    assert outcome.cause is not None
    sansan, soft, invalid, code = CROSSWALK[outcome.cause.value]
    found[f"sansan.class.{SANSAN[sansan]}"] += 1
    if outcome.channel is Channel.OUT_OF_BAND:
        found["engagelab.soft_bounce"] += 1
        found[f"engagelab.soft.{SOFT[soft]}"] += 1
    else:
        found["engagelab.invalid"] += 1
        found[f"engagelab.invalid.{INVALID[invalid]}"] += 1
    found["karte.hard_bounces" if is_hard(outcome.cause, outcome.permanence) else "karte.soft_bounces"] += 1
    if outcome.channel is Channel.PRE_SEND:
        code = {Cause.ADDRESS_SYNTAX: "INVALID_PARAMETER", Cause.RATE_LIMITED: "FAILED"}.get(outcome.cause, code)
    found[f"karte.code.{'unknown' if code == '-' else code}"] += 1


def _recount_engagement(outcome: Outcome, found: Counter[str], *, is_text: bool) -> None:
    found["karte.clicked_users"] += outcome.clicks > 0
    for name in ("karte.clicks", "bales.clicks"):
        found[name] += outcome.clicks
    if is_text or not outcome.is_html:
        return
    has_opened = outcome.opens > 0 or outcome.clicks > 0
    for name in ("sansan.opened", "karte.opened_users"):
        found[name] += has_opened
    found["sansan.link_clicked"] += outcome.clicks > 0
    found["sansan.not_clicked"] += has_opened and not outcome.clicks
    for name in ("bales.opens", "karte.opens"):
        found[name] += outcome.opens


@pytest.mark.row("S06", "S07", "S08", "S09", "S10", "S11", "S16", "R10", "R11", "R12", "E02", "E03", "E04", "E05",
                 "K06", "K22", "K23", "K24", "K25", "K29", "K30", "B01", "X1", "X2", "X3", "X4")  # fmt: skip
@pytest.mark.parametrize("seed", range(200))
def test_figures_are_what_counting_by_hand_gives(seed: int) -> None:
    print("seed", seed)
    world = random_world(random.Random(seed))
    evaluation = Evaluation(world.report, world.context)
    by_hand = recount(world)
    assert {name: evaluation.value(name)[0] for name in by_hand} == by_hand


@pytest.mark.row("S19", "S20", "S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S29", "S30", "E06", "E07",
                 "E08", "E09", "E10", "E11", "E12", "E13", "E14", "E15", "E16", "E17", "E18", "E19", "K09", "K10",
                 "K11", "K12", "K13", "K14", "K16", "K18", "K19")  # fmt: skip
@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("cause", Cause)
def test_one_failure_is_in_the_classes_the_crosswalk_names_and_in_no_other(cause: Cause, channel: Channel) -> None:
    outcome = Outcome(State.UNDELIVERED, is_html=True, channel=channel, cause=cause)
    world = World([outcome], set())
    evaluation = Evaluation(world.report)
    by_hand: Counter[str] = Counter()
    _recount_failure(outcome, by_hand)
    classes = ("sansan.class.", "engagelab.soft.", "engagelab.invalid.", "karte.code.")
    counted = {
        name
        for profile in PROFILES
        for figure in definitions_of(profile)
        if (name := f"{profile}.{figure}").startswith(classes)
        and not name.endswith((".hard", ".soft"))
        and evaluation.value(name)[0]
    }
    assert counted == {name for name in by_hand if name.startswith(classes)}
    assert len(counted) == 3, "one of Sansan's, one of EngageLab's, one of KARTE's"


@pytest.mark.parametrize("seed", range(50))
def test_native_rates_and_derived_numbers_are_those_of_the_report(seed: int) -> None:
    """What the formulas compute is what store.report computes on its own."""
    print("seed", seed)
    world = random_world(random.Random(seed))
    report, evaluation = world.report, Evaluation(world.report, world.context)
    assert {name: evaluation.value(f"native.{name}")[0] for name in report.rates} == dict(report.rates)
    for name in ("unopened", "not_clicked", "opened_inferred"):
        assert evaluation.value(f"native.{name}")[0] == getattr(report, name)
    for name, count in report.causes.items():
        assert evaluation.value(f"native.causes.{name}")[0] == count
    for name, count in report.sansan.items():
        assert evaluation.value(f"sansan.class.{name}")[0] == count


@pytest.mark.row("X6")
def test_units_are_kept_by_formulas() -> None:
    """A contact, a mail and a user of one broadcast are the same thing seen by three systems; an event is not."""
    for profile in PROFILES:
        for figure in definitions_of(profile).values():
            if not figure.formula:
                continue
            formula = parse(figure.formula)
            names = [qualified(profile, name) for name in formula.names]
            units = {_unit(name) for name in names}
            if formula.divisor:
                assert figure.unit is Unit.RATIO, figure.id
            elif names:
                assert units == {_kind(figure.unit)}, (profile, figure.id, units)


def _unit(name: str) -> str:
    profile, _, figure = name.partition(".")
    return _kind(definitions_of(profile)[figure].unit)


def _kind(unit: Unit) -> str:
    return {Unit.EVENT: "event", Unit.RATIO: "ratio"}.get(unit, "person")


def test_every_name_in_every_formula_is_a_figure() -> None:
    world = random_world(random.Random(1), 10)
    evaluation = Evaluation(world.report, world.context)
    for profile in PROFILES:
        for figure in definitions_of(profile):
            explanation = evaluation.explain(profile, figure)
            assert explanation.definition.meaning.ja and explanation.definition.meaning.en
            assert explanation.definition.label.ja and explanation.definition.label.en


@pytest.mark.row("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10")
def test_every_identity_is_shown_by_some_figure() -> None:
    shown = {
        agreement.identity
        for profile in PROFILES
        for figure in definitions_of(profile).values()
        for agreement in figure.agrees
    }
    # I9 compares the store with its own facts: `yamabiko store verify`.
    assert shown - {""} == {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10"}


@pytest.mark.row("N11")
def test_every_main_figure_names_a_sibling_in_another_profile() -> None:
    """Sansan's seven, Re:lation's bar, EngageLab's four, KARTE's project numbers and BALES's five."""
    for profile, section in (
        ("sansan", "numbers"), ("relation", "status"), ("engagelab", "status"), ("karte", "project"),
        ("bales", "numbers"),
    ):  # fmt: skip
        figures = next(s for s in PROFILES[profile].sections if s.id == section).figures
        for figure in figures:
            if figure.is_detail or figure.unit is Unit.RATIO:
                continue
            names = {name for agreement in figure.agrees for name in parse(agreement.formula).names}
            others = {name.partition(".")[0] for name in names} - {profile}
            # A figure that no other system has still says what it is made of.
            assert others or figure.formula.startswith("native."), (profile, figure.id)


@pytest.mark.row("S12")
def test_a_rate_of_nothing_is_none_and_never_zero_or_nan() -> None:
    empty = World([], set()).report
    evaluation = Evaluation(empty)
    for profile in PROFILES:
        for figure in definitions_of(profile).values():
            if figure.unit is Unit.RATIO:
                value, why = evaluation.value(f"{profile}.{figure.id}")
                assert value is None and why is not None, (profile, figure.id)
    assert build_profile("karte", empty).figure("click_rate").value is None
