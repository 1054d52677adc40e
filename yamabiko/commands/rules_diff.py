"""``yamabiko rules diff``: which verdicts a change of rules would flip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.classify import Classifier
from classifier.diff import Comparison, Flip, compare
from yamabiko import exits
from yamabiko.corpus_files import read_mails, read_replies
from yamabiko.operator_error import OperatorError
from yamabiko.rule_options import read_rules

_SHOWN = 50


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--corpus", type=click.Path(path_type=Path, exists=True), help="Directory of mails, or one mail.")
@click.option("--replies", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="One reply a line.")
@click.option("--limit", type=click.IntRange(0), default=_SHOWN, show_default=True, help="Flips shown; 0 shows all.")
@click.option("--rule-changes", is_flag=True, help="Show too where only the deciding rule changes.")
@click.option("--fail-on-change", is_flag=True, help="Exit 1 when a cause, reason or permanence changes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def diff_command(
    old: Path,
    new: Path,
    corpus: Path | None,
    replies: Path | None,
    limit: int,
    *,
    rule_changes: bool,
    fail_on_change: bool,
    as_json: bool,
) -> None:
    """Compare the rules in the directories OLD and NEW over mails and replies.

    Example: yamabiko rules diff config/rules my-rules --corpus bounces/
    """
    if corpus is None and replies is None:
        raise OperatorError("Nothing to compare over: give --corpus DIR, --replies FILE or both.", exits.USAGE)
    before, after = read_rules(old), read_rules(new)
    mails: Iterator[tuple[str, bytes]] = read_mails(corpus) if corpus else iter(())
    texts: Iterator[tuple[str, str]] = read_replies(replies) if replies else iter(())
    found = compare(Classifier(before), Classifier(after), mails, texts)
    shown = found.flips if rule_changes else found.changes
    shown = shown[: limit or None]
    if as_json:
        click.echo(json.dumps(_as_values(found, shown, before.version, after.version), ensure_ascii=False, indent=2))
    else:
        _show(found, shown)
    if fail_on_change and found.changes:
        raise SystemExit(1)


def _as_values(found: Comparison, shown: list[Flip], old: str, new: str) -> dict[str, Any]:
    return {
        "old_version": old,
        "new_version": new,
        "mails": found.mails,
        "replies": found.replies,
        "verdicts": found.recipients,
        "changed": len(found.changes),
        "other_rule_only": len(found.flips) - len(found.changes),
        "summary": [
            {"old": was.value, "new": now.value, "old_permanence": perm.value, "new_permanence": then.value, "count": n}
            for was, now, perm, then, n in found.summary
        ],
        "flips": [
            {
                "name": flip.name, "address": flip.address, "old": _verdict(flip.old), "new": _verdict(flip.new),
                "suppression": flip.suppression or None,
            }
            for flip in shown
        ],
    }  # fmt: skip


def _verdict(verdict: Any) -> dict[str, Any]:
    return {
        "cause": verdict.cause.value, "reason": verdict.reason.value, "permanence": verdict.permanence.value,
        "rule": verdict.rule,
    }  # fmt: skip


def _show(found: Comparison, shown: list[Flip]) -> None:
    console = Console(highlight=False)
    if shown:
        table = Table("mail", "recipient", "old", "new", "suppression")
        for flip in shown:
            cells = [Text(f"{v.cause.value} {v.permanence.value}\n{v.rule}") for v in (flip.old, flip.new)]
            table.add_row(Text(flip.name), Text(flip.address or "-"), *cells, Text(flip.suppression))
        console.print(table)
    if found.summary:
        table = Table("old cause", "new cause", "number", title="What became what")
        for was, now, perm, then, count in found.summary:
            table.add_row(f"{was.value} ({perm.value})", f"{now.value} ({then.value})", f"{count:,}")
        console.print(table)
    if len(shown) < len(found.changes):
        click.echo(f"{len(found.changes) - len(shown):,} more; --limit 0 shows all.")
    only_rule = len(found.flips) - len(found.changes)
    click.echo(
        f"{found.recipients:,} verdicts ({found.mails:,} mails, {found.replies:,} replies): "
        f"{len(found.changes):,} changed, {only_rule:,} decided by another rule with the same result"
    )
