"""``yamabiko report``: the numbers of a broadcast on the terminal, in the words of a profile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from yamabiko import exits, key_file
from yamabiko.key_file import KeyFile
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from console.profiles.context import Context
    from console.report_view import ExplanationOut, FigureOut, ProfileOut, SectionOut
    from store.report import Report

_PROFILES = ("native", "sansan", "relation", "engagelab", "karte", "bales")
_EVERYTHING = "all"
#: What the terminal says beside the figures: (Japanese, English).
_WORDS = {
    "counted": ("集計値", "counted"),
    "excludes": ("含まない", "leaves out"),
    "reconciles": ("突き合わせ", "agrees with"),
    "formula": ("計算", "formula"),
    "meaning": ("意味", "meaning"),
    "status": ("状態", "Standing"),
    "final": ("確定の目安", "final at"),
    "earliest": ("早くても", "at the earliest"),
    "eta": ("配信完了予定時刻", "Expected end"),
    "holds": ("一致", "holds"),
    "broken": ("不一致", "DOES NOT HOLD"),
}


@click.command("report")
@click.argument("broadcast")
@click.option("--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True)
@click.option("--profile", type=click.Choice(_PROFILES), help="Whose words, classes and rules. [default: native]")
@click.option("--lang", type=click.Choice(["ja", "en"]), default="en", show_default=True)
@click.option(
    "--explain",
    is_flag=False,
    flag_value=_EVERYTHING,
    metavar="[FIGURE]",
    help="How FIGURE, or every figure, is made up and agrees with the other profiles. Put it last.",
)
@click.option("--test", "is_test", is_flag=True, help="The test sends, which count nowhere else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.pass_context
def report_command(
    context: click.Context,
    broadcast: str,
    tenant: int,
    profile: str | None,
    lang: str,
    explain: str | None,
    *,
    is_test: bool,
    as_json: bool,
) -> None:
    """Show the numbers of BROADCAST (its id) as they are now. A hyphen means: cannot be known.

    Example: yamabiko report spring-2026 --profile sansan --lang ja --explain undelivered
    """
    report, known = _read(context, broadcast, tenant, profile, explain, is_test=is_test)
    if as_json and profile is None and explain is None:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
        return
    view = _view(profile or "native", report, known, lang, explain)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(view).decode())
        return
    _show(view, lang, explain, ZoneInfo(load_settings(context).console.zone))


def _read(
    context: click.Context, broadcast: str, tenant: int, profile: str | None, explain: str | None, *, is_test: bool
) -> tuple[Report, Context]:
    """Return the numbers and what is known beside them."""
    from console.report_source import ReportSource, wants_errors
    from store.people import People
    from store.reader import Reader
    from store.windows import Windows

    settings = load_settings(context)
    with friendly(), open_store(settings, read_only=True) as env:
        number = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring().broadcast_number(tenant, broadcast)
        reader = Reader(env)
        found = reader.broadcast(tenant, number)
        if found is None:
            raise OperatorError(f"Tenant {tenant} has no broadcast {broadcast!r}.", exits.DATA)
        now_us = time.time_ns() // 1_000
        source = ReportSource(reader, Windows(env), People(env), tenant)
        has_errors = wants_errors(profile, explain)
        return source.report_and_context(number, found, now_us=now_us, is_test=is_test, has_errors=has_errors)


def _view(profile: str, report: Report, known: Context, language: str, explain: str | None) -> ProfileOut:
    """Return the profile's figures. Raises OperatorError for a figure it does not have, naming those it has."""
    from console.profiles.build import build_profile
    from console.profiles.evaluation import UnknownFigureError
    from console.report_view import figures_of, view_of

    try:
        return view_of(build_profile(profile, report, known, explain=explain), language)
    except UnknownFigureError as error:
        names = ", ".join(figures_of(error.profile))
        raise OperatorError(
            f"Profile {error.profile} has no figure {error.name!r}. It has: {names}.", exits.USAGE
        ) from None


def _show(view: ProfileOut, language: str, explain: str | None, zone: ZoneInfo) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if explain is None or explain == _EVERYTHING:
        _show_heading(console, view, language, zone)
    if explain is None:
        for section in view.sections:
            _show_section(console, section)
        for notice in view.notices:
            console.print(f"* {notice}", soft_wrap=True)
        return
    for explanation in view.explanations:
        _show_explanation(console, explanation, language)


def _show_heading(console: Console, view: ProfileOut, language: str, zone: ZoneInfo) -> None:
    column = 0 if language == "ja" else 1
    console.print(view.label, style="bold")
    if view.empty_text:
        console.print(view.empty_text, soft_wrap=True)
    if view.settlement is not None:
        line = f"{_WORDS['status'][column]}: {view.settlement.label}"
        if view.final_at is not None:
            earliest = f"{_WORDS['earliest'][column]} " if view.settlement.is_open else ""
            line += f"  ({_WORDS['final'][column]}: {earliest}{_clock(view.final_at, zone)})"
        console.print(line)
    if view.eta is not None:
        console.print(f"{_WORDS['eta'][column]}: {_clock(view.eta, zone)}")


def _clock(at: datetime, zone: ZoneInfo) -> str:
    """Return a time as clocks in ``zone`` show it, in which days and months of reports begin too."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %z}"


def _show_section(console: Console, section: SectionOut) -> None:
    """Print a section's figures; parts that are 0 are left out, and a section of nothing but such parts too."""
    from rich.table import Table

    shown = [figure for figure in section.figures if figure.value or not figure.is_detail]
    if not shown:
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for figure in shown:
        indent = "  " if figure.is_detail else ""
        table.add_row(f"{indent}{figure.label}", drawn(figure.value, figure.unit), _beside(figure))
    console.print()
    console.print(section.label, style="bold")
    console.print(table)
    if section.note:
        console.print(f"* {section.note}", soft_wrap=True)


def drawn(value: float | None, unit: str = "") -> str:
    """Return a value as it is drawn: a hyphen where there is none (S12), a ratio in percent."""
    if value is None:
        return "-"
    if unit == "ratio" or isinstance(value, float):
        return f"{value:.2%}"
    return f"{value:,}"


def _beside(figure: FigureOut) -> str:
    """Return what stands beside a figure: why it has no value, or what to do where there is something to do."""
    if figure.value is None:
        return figure.why_none or ""
    return " / ".join(hint.text for hint in figure.hints) if figure.value else ""


def _show_explanation(console: Console, explanation: ExplanationOut, language: str) -> None:
    from rich.table import Table

    column = 0 if language == "ja" else 1
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(explanation, column):
        table.add_row(f"  {name}", text)
    console.print()
    value = drawn(explanation.value)
    why = f"  ({explanation.why_none})" if explanation.why_none else ""
    console.print(f"{explanation.label} ({explanation.figure}): {value}{why}", style="bold")
    console.print(table)


def _lines(explanation: ExplanationOut, column: int) -> Iterator[tuple[str, str]]:
    """Yield what is said of a figure, line by line; terms that are 0 are left out of a long sum."""
    yield _WORDS["meaning"][column], explanation.meaning
    yield _WORDS["formula"][column], explanation.formula or _WORDS["counted"][column]
    for term in explanation.terms:
        if term.value != 0 or len(explanation.terms) <= 4:
            yield "", f"{term.label} ({term.figure}) {drawn(term.value)}"
    for position, excluded in enumerate(explanation.excludes):
        amount = "" if excluded.amount is None else f": {drawn(excluded.amount)}"
        yield "" if position else _WORDS["excludes"][column], f"{excluded.text}{amount}"
    for position, one in enumerate(explanation.reconciles):
        state = {True: _WORDS["holds"][column], False: _WORDS["broken"][column], None: "-"}[one.holds]
        identity = f", {one.identity}" if one.identity else ""
        yield "" if position else _WORDS["reconciles"][column], one.text
        yield "", f"{one.equation}  ({drawn(one.left)}, {drawn(one.right)}: {state}{identity})"
