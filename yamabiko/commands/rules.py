"""``yamabiko rules``: look after the rule files."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.check import Finding, Severity, check_rules
from classifier.rulefile import RuleError, load_rules
from yamabiko.commands.classify import DEFAULT_RULES
from yamabiko.commands.rules_diff import diff_command
from yamabiko.commands.rules_explain import explain_command
from yamabiko.commands.rules_test import test_command
from yamabiko.commands.rules_unknown import unknown_command

_STYLE = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@click.group("rules")
def rules_group() -> None:
    """Look after the rule files: check them, ask why, test, compare, and find what they do not know.

    docs/rules.md describes the files.
    """


for _command in (explain_command, test_command, diff_command, unknown_command):
    rules_group.add_command(_command)


@rules_group.command("check")
@click.option("--all", "show_all", is_flag=True, help="Show notes too: which rules overlap.")
@click.argument("directory", type=click.Path(path_type=Path), default=DEFAULT_RULES, required=False)
def check_command(directory: Path, *, show_all: bool) -> None:
    """Check the rule files in DIRECTORY (default: the ones that come with Yamabiko); exit 1 on errors."""
    try:
        rules = load_rules(directory)
    except RuleError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
    findings = check_rules(rules)
    shown = [finding for finding in findings if show_all or finding.severity is not Severity.NOTE]
    if shown:
        Console().print(_table_of(shown))
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    click.echo(
        f"{len(rules.rules)} rules, version {rules.version}: {counts[Severity.ERROR]} errors, "
        f"{counts[Severity.WARNING]} warnings, {counts[Severity.NOTE]} notes"
    )
    if counts[Severity.ERROR]:
        raise SystemExit(1)


def _table_of(findings: list[Finding]) -> Table:
    table = Table("", "rule", "finding", show_lines=True)
    for finding in findings:
        table.add_row(
            Text(finding.severity.value, style=_STYLE[finding.severity]),
            Text(f"{finding.rule.id}\n{finding.rule.file}:{finding.rule.line}"),
            Text(f"{finding.problem}\n{finding.remedy}"),
        )
    return table
