"""``yamabiko rules check``: what is wrong with the rule files, and what to do."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.check import Finding, Severity, check_rules
from classifier.rulefile import RuleError, load_rules
from yamabiko.commands.classify import DEFAULT_RULES

_STYLE = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@click.command("check")
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
