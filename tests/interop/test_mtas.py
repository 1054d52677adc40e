"""Six real MTAs meet the same refusals; each report they write must be read right, whatever shape it has.

What an MTA does not tell, nobody can read: ``_Mta`` says what each leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.reading import Action, Kind
from tests.interop import box, world
from tests.interop.cases import BY_NAME, CASES, PERMANENT, TRANSIENT
from tests.system_packages import missing, require, tree_of

pytestmark = pytest.mark.timeout(240)

_RULES = Path(__file__).parents[2] / "config" / "rules"
#: all that three of them say of what they gave up
_EXPIRED = ("delivery_expired", TRANSIENT, "")


@dataclass(frozen=True)
class _Mta:
    """What differs from ``cases``."""

    package: str
    #: commands it names
    tells: frozenset[str]
    #: case -> what its last report says, where that is less than the truth
    last: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    #: the same of its warnings
    late: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    #: cases it takes no mail for, so that there is no report
    refuses: frozenset[str] = frozenset()
    warns: bool = True
    #: how often at least it tries what fails for a while
    tries: int = 2


_DIALOGUE = frozenset({"MAIL", "RCPT", "DATA"})
_MTAS = {
    "postfix": _Mta("postfix", _DIALOGUE),
    "exim": _Mta(
        "exim4-daemon-light", _DIALOGUE | {"CONN"},
        # "retry timeout exceeded" and no more; an unknown local user is an "Unrouteable address" like any other.
        last=dict.fromkeys(("cut", "refused", "servfail"), ("delivery_expired", PERMANENT, ""))
        | {"nobody.here": ("host_unknown", PERMANENT, "")},
        late=dict.fromkeys(("cut", "refused", "servfail"), _EXPIRED),
    ),
    "opensmtpd": _Mta(
        "opensmtpd", frozenset(),
        # Without the command, docomo's filter looks like an unknown user (A6).
        last={"carrier": ("user_unknown", PERMANENT, "")}
        | dict.fromkeys(("full4", "banner", "grey", "busy", "disk", "cut", "refused", "lost", "null", "servfail"),
                        _EXPIRED),
        late=dict.fromkeys(("banner", "busy"), ("connection_failed", TRANSIENT, ""))
        | dict.fromkeys(("lost", "null"), ("host_unknown", TRANSIENT, "")),
        refuses=frozenset({"nobody.here"}),
        tries=1,
    ),
    "sendmail": _Mta(
        "sendmail-bin", _DIALOGUE,
        last=dict.fromkeys(("busy", "cut", "refused", "servfail"), _EXPIRED),
        refuses=frozenset({"nobody.here"}),
    ),
    # It knows no null MX (RFC 7505).
    "courier": _Mta("courier-mta", _DIALOGUE, last={"null": ("host_unknown", PERMANENT, "")}),
    "dma": _Mta(
        "dma", _DIALOGUE,
        last=dict.fromkeys(("full4", "grey", "busy", "disk", "refused", "lost", "null", "servfail"),
                           ("delivery_expired", PERMANENT, "")),
        refuses=frozenset({"cut", "nobody.here"}),
        warns=False,
        tries=1,
    ),
}  # fmt: skip


#: Read wrongly so far, case by case: dma names the refused sender where others name the recipient, and that is what
#: the reader of plain bounces takes. With our return path the token still finds the right delivery.
_KNOWN_WRONG = {"dma": {"sender": "news@shop.example"}}


@dataclass(frozen=True)
class _Read:
    """One recipient of one report, as read."""

    case: str
    kind: Kind
    form: str
    address: str | None
    action: Action
    rule: str
    #: cause, permanence, command
    found: tuple[str, str, str]


@pytest.fixture(scope="module")
def yamabiko(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Yamabiko]:
    with world.running(tmp_path_factory.mktemp("mtas") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def answers(yamabiko: world.Yamabiko) -> dict[str, dict[str, dict[str, Any]]]:
    """Each MTA sends a broadcast of its own: by MTA and case, what Yamabiko answered for the case's recipient."""
    # Where a mail has two recipients, it is the one that fails first.
    addresses = [next(iter(case.expected)) for case in CASES]
    names = [case.name for case in CASES]
    return {mta: dict(zip(names, yamabiko.list_people(mta, addresses), strict=True)) for mta in _MTAS}


@pytest.fixture(scope="module")
def plays(answers: dict[str, dict[str, dict[str, Any]]]) -> Iterator[dict[str, Future[box.Played]]]:
    """All at once: they mostly wait."""
    with ThreadPoolExecutor(len(_MTAS)) as pool:
        yield {
            name: pool.submit(box.play, name, tree_of(mta.package), {c: a["return_path"] for c, a in paths.items()})
            for (name, mta), paths in zip(_MTAS.items(), answers.values(), strict=True)
            if not missing("unshare") and not missing(mta.package)
        }


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_rules(_RULES))


@pytest.fixture(params=_MTAS)
def name(request: pytest.FixtureRequest) -> str:
    """The MTA; skips where it cannot run."""
    require("unshare")
    require(_MTAS[request.param].package)
    return str(request.param)


def _read_all(played: box.Played, classifier: Classifier) -> list[_Read]:
    rows = []
    for case in CASES:
        for content in played.reports[case.name]:
            reading = classifier.read(content)
            assert reading.recipients, (case.name, content.decode(errors="replace"))
            for recipient in reading.recipients:
                verdict = recipient.verdict
                assert verdict is not None, (case.name, reading)
                found = (verdict.cause.value, verdict.permanence.value, recipient.command or "")
                rows.append(
                    _Read(case.name, reading.kind, reading.form, recipient.address, recipient.action, verdict.rule,
                          found)
                )  # fmt: skip
    return rows


def test_reports(name: str, plays: dict[str, Future[box.Played]], classifier: Classifier) -> None:
    mta, played = _MTAS[name], plays[name].result()
    rows = _read_all(played, classifier)
    print(f"{name}: {sum(map(len, played.reports.values()))} reports in {played.seconds:.1f} s")
    known = _KNOWN_WRONG.get(name, {})
    rows = [
        replace(row, address=next(iter(BY_NAME[row.case].expected))) if known.get(row.case) == row.address else row
        for row in rows
    ]
    for row in rows:
        print(f"{name:10}{row.case:12}{row.kind.value:15}{row.form:9}{row.action.value:8}{row.address or '-':30}"
              f"{' '.join(row.found):42}{row.rule}")  # fmt: skip
    assert set(played.refused) == mta.refuses, played.refused

    wrong = [row for row in rows if row.action is Action.DELAYED and row.found != _expected(mta, row, mta.late)]
    last = [row for row in rows if row.action is Action.FAILED]
    wrong += [row for row in last if row.found != _expected(mta, row, mta.last)]
    # What an MTA writes depends on how soon it had an answer, so the report itself is told.
    assert not wrong, "\n".join(
        f"{row} {played.said.get(row.address or '')}\n{b''.join(played.reports[row.case]).decode(errors='replace')}"
        for row in wrong
    )
    assert {row.action for row in rows} == ({Action.FAILED, Action.DELAYED} if mta.warns else {Action.FAILED})
    # Each failed recipient once, and nobody else: not the one that was reached.
    wanted = sorted(address for case in CASES if case.name not in mta.refuses for address in case.expected)
    assert sorted(row.address or "" for row in last) == wanted


def _expected(mta: _Mta, row: _Read, less: dict[str, tuple[str, str, str]]) -> tuple[str, str, str]:
    cause, permanence, command = less.get(row.case) or BY_NAME[row.case].expected[row.address or ""]
    return cause, permanence, command if command in mta.tells else ""


def test_yamabiko_counts_them(
    name: str,
    plays: dict[str, Future[box.Played]],
    yamabiko: world.Yamabiko,
    answers: dict[str, dict[str, dict[str, Any]]],
) -> None:
    """Through the door: to the return path that went through the MTA, into the report of its broadcast."""
    mta, played = _MTAS[name], plays[name].result()
    for case in CASES:
        for content in played.reports[case.name]:
            path = answers[name][case.name]["return_path"]
            assert world.deliver(yamabiko.server.address("smtp"), path, content) == 250
    for case in CASES:
        delivery = yamabiko.delivery(name, answers[name][case.name]["recipient"])
        if case.name in mta.refuses:
            assert delivery["state"] == "planned"
            continue
        cause = mta.last.get(case.name, next(iter(case.expected.values())))[0]
        assert (delivery["state"], delivery["cause"]) == ("undelivered", cause), delivery
    numbers = yamabiko.numbers(name)
    assert numbers["undelivered"] == len(CASES) - len(mta.refuses)
    assert numbers["deferred"] == 0


def test_they_were_really_asked(name: str, plays: dict[str, Future[box.Played]]) -> None:
    """Every server said what its script has, and what waits was tried again."""
    mta, played = _MTAS[name], plays[name].result()
    for case in CASES:
        if case.dns != "mx" or case.name in mta.refuses:
            continue
        for address, turns in case.turns.items():
            said = played.said[address]
            assert said, (case.name, address)
            assert set(said) == {turns[0].reply or ""}
            if (turns[0].reply or "4")[0] == "4":
                assert len(said) >= mta.tries, (case.name, said)


def test_nothing_is_left_behind(name: str, plays: dict[str, Future[box.Played]]) -> None:
    plays[name].result()
    mounts = Path("/proc/mounts").read_text(encoding="utf-8")
    assert f"/yamabiko-{name}-" not in mounts
