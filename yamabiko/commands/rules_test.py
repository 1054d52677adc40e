"""``yamabiko rules test``: the operator's own cases against the rules in force."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.case import Case, CaseError, Outcome, parse_cases, run_case
from classifier.classify import Classifier
from classifier.evidence import bare_evidence
from classifier.explain import explain
from yamabiko import exits
from yamabiko.operator_error import OperatorError, load_settings
from yamabiko.rule_options import load_rules_of, rules_option

#: Where cases are looked for when no file is named: in HOME, then beside the directory of rules.
FILE_NAME = "rules-tests.toml"


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@rules_option
@click.pass_context
def test_command(context: click.Context, files: tuple[Path, ...], rules_directory: Path | None) -> None:
    """Run the cases in FILE (HOME/rules-tests.toml unless given); exit 1 when one fails.

    \b
    [[case]]
    text = "550 5.2.1 mailbox closed"
    host = "mx.example.jp"
    expect = { cause = "mailbox_disabled", permanence = "permanent" }
    """  # noqa: D301 - click takes \b as a real backspace
    classifier = Classifier(load_rules_of(context, rules_directory))
    failed: list[Outcome] = []
    count = 0
    for file in files or (_default_file(context, rules_directory),):
        for case in _read_cases(file):
            count += 1
            outcome = _run(case, classifier, file)
            if outcome.wrong:
                failed.append(outcome)
    if failed:
        Console(highlight=False).print(_table_of(failed, classifier))
    click.echo(f"{count} cases, {len(failed)} failed, rules {classifier.version}")
    if failed:
        raise SystemExit(1)


def _default_file(context: click.Context, rules_directory: Path | None) -> Path:
    settings = load_settings(context)
    beside = (rules_directory or settings.rules_directory).resolve().parent
    tried = [settings.home / FILE_NAME, beside / FILE_NAME]
    for path in tried:
        if path.is_file():
            return path
    places = " nor ".join(str(path) for path in tried)
    raise OperatorError(
        f"No cases: neither {places} is there. Name a file; `yamabiko rules test --help` shows a case.", exits.USAGE
    )


def _read_cases(file: Path) -> list[Case]:
    try:
        return parse_cases(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        raise OperatorError(f"{file}: cannot be read: {error.strerror}.", exits.IO) from None
    except UnicodeDecodeError:
        raise OperatorError(f"{file}: is not UTF-8. Save it as UTF-8.", exits.DATA) from None
    except CaseError as error:
        raise OperatorError(str(error), exits.DATA) from None


def _run(case: Case, classifier: Classifier, file: Path) -> Outcome:
    try:
        return run_case(case, classifier, lambda name: (file.parent / name).read_bytes())
    except OSError as error:
        problem = f"{error.filename}: cannot be read: {error.strerror}"
        raise OperatorError(f'{file.name}: case "{case.name}": {problem}.', exits.IO) from None


def _table_of(failed: list[Outcome], classifier: Classifier) -> Table:
    table = Table("case", "expected", "got", "why", show_lines=True)
    for outcome in failed:
        table.add_row(
            Text(outcome.case.name),
            Text("\n".join(f"{what} {expected}" for what, expected, _ in outcome.wrong), style="green"),
            Text("\n".join(f"{what} {got}" for what, _, got in outcome.wrong), style="red"),
            Text(_hint(outcome, classifier)),
        )
    return table


def _hint(outcome: Outcome, classifier: Classifier) -> str:
    """Say which rule decided, and which one wanted to say what was expected."""
    if not outcome.rule:
        return "no verdict: see `yamabiko classify --explain`"
    case = outcome.case
    evidence = bare_evidence(
        outcome.shown, status=case.status, reply_code=case.reply_code, host=case.host, command=case.command
    )
    found = explain(classifier.rules, evidence)
    lines = [f"decided by {outcome.rule}"]
    wanted = case.expect.get("cause")
    for loser in (*found.losers, *found.near):
        if loser.rule.cause.value == wanted or loser.rule.id == case.expect.get("rule"):
            lines.append(f"{loser.rule.id} lost: {loser.why}")
            break
    else:
        if wanted:
            lines.append("no rule of the expected cause matches its words")
    lines.append("more: yamabiko rules explain TEXT" if not case.mail else "more: yamabiko classify --explain FILE")
    return "\n".join(lines)
