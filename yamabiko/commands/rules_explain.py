"""``yamabiko rules explain``: why a reply gets the verdict it gets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.clusters import template_of
from classifier.evidence import bare_evidence
from classifier.explain import (
    Explanation,
    Loser,
    can_suppress,
    conditions_of,
    explain,
    hardness,
    suppression_text,
    views_of,
)
from console.labels import LABELS
from model.cause import SPECS
from yamabiko import exits
from yamabiko.operator_error import OperatorError
from yamabiko.rule_options import load_rules_of, reply_options, rules_option

_MAX_TEXT = 64 * 1024


@click.command("explain")
@click.argument("text")
@reply_options
@rules_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def explain_command(
    context: click.Context,
    text: str,
    status: str | None,
    reply_code: int | None,
    host: str | None,
    smtp_command: str | None,
    rules_directory: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say which rules hold for the reply TEXT (- reads it from standard input), which decides, and why.

    Example: yamabiko rules explain "550 5.2.1 The account is disabled" --host mx.example.jp
    """
    if text == "-":
        text = sys.stdin.buffer.read(_MAX_TEXT).decode("utf-8", "replace")
    if not text.strip():
        raise OperatorError("The reply is empty; give its text, or - to read it from standard input.", exits.USAGE)
    rules = load_rules_of(context, rules_directory)
    evidence = bare_evidence(text, status=status, reply_code=reply_code, host=host, command=smtp_command)
    explanation = explain(rules, evidence)
    if as_json:
        click.echo(json.dumps(as_values(explanation), ensure_ascii=False, indent=2))
    else:
        _show(Console(highlight=False), explanation)


def as_values(explanation: Explanation) -> dict[str, Any]:
    """Return ``explanation`` as plain values, for JSON."""
    verdict, evidence = explanation.verdict, explanation.evidence
    spec = SPECS[verdict.cause]
    return {
        "text": evidence.text,
        "normalised": template_of(evidence.text),
        "status": evidence.status or None,
        "reply_code": evidence.reply_code or None,
        "hosts": list(evidence.hosts),
        "command": evidence.command or None,
        "cause": verdict.cause.value,
        "reason": verdict.reason.value,
        "permanence": verdict.permanence.value,
        "permanence_why": explanation.permanence_why,
        "hardness": hardness(verdict),
        "fault": verdict.fault.value,
        "confidence": verdict.confidence,
        "conflict": verdict.conflict,
        "suppression": {
            "policy": spec.suppress.value,
            "can": can_suppress(verdict),
            "means": suppression_text(verdict),
        },
        "views": {**views_of(verdict), "sansan_ja": _sansan_label(verdict.cause.value, spec.sansan)},
        "rule": verdict.rule,
        "place": f"{explanation.winner.file}:{explanation.winner.line}" if explanation.winner else None,
        "why": explanation.why,
        "also": [_loser(loser) for loser in explanation.losers],
        "near": [_loser(loser) for loser in explanation.near],
        "rules_version": verdict.rules_version,
    }


def _loser(loser: Loser) -> dict[str, Any]:
    rule = loser.rule
    return {
        "rule": rule.id, "cause": rule.cause.value, "priority": rule.priority, "looks_at": conditions_of(rule),
        "place": f"{rule.file}:{rule.line}", "why": loser.why,
    }  # fmt: skip


def _sansan_label(cause: str, name: str | None) -> str | None:
    if name is None:
        return {"suppressed_list": "配信除外", "suppressed_unsubscribed": "配信拒否"}.get(cause)
    return LABELS[f"sansan.{name}"][0]


def _show(console: Console, explanation: Explanation) -> None:
    values = as_values(explanation)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (
        ("text", values["text"]),
        ("normalised", values["normalised"]),
        ("codes", f"reply {values['reply_code'] or '-'}, status {values['status'] or '-'}, "
                  f"command {values['command'] or '-'}, host {', '.join(values['hosts']) or '-'}"),
        ("", ""),
        ("cause", values["cause"]),
        ("permanence", f"{values['permanence']}: {values['permanence_why']}"),
        ("counts as", f"{values['hardness']} bounce, reason {values['reason']}"),
        ("fault", values["fault"]),
        ("suppression", values["suppression"]["means"]),
        ("confidence", f"{values['confidence']:g}"),
        ("", ""),
        ("decided by", f"{values['rule']}" + (f"  ({values['place']})" if values["place"] else "")),
        ("because", values["why"]),
    ):  # fmt: skip
        table.add_row(Text(name, style="bold"), Text(str(value)))
    console.print(table)
    _show_rules(console, "Rules that hold too", explanation.losers)
    _show_rules(console, "Rules whose words match, but which do not hold", explanation.near)
    views = Table(title="In other vocabularies", show_header=False, box=None, title_justify="left")
    shown = values["views"]
    sansan = f"{shown['sansan_ja']} ({shown['sansan']})" if shown["sansan"] else shown["sansan_ja"] or "-"
    for name, value in (
        ("Sansan", sansan),
        ("EngageLab soft", shown["engagelab_soft"]), ("EngageLab invalid", shown["engagelab_invalid"]),
        ("SES", shown["ses"]), ("Anymail", shown["anymail"]), ("Sisimai", shown["sisimai"]),
    ):  # fmt: skip
        views.add_row(Text(name, style="bold"), Text(value or "-"))
    console.print(views)


def _show_rules(console: Console, title: str, losers: tuple[Loser, ...]) -> None:
    if not losers:
        return
    table = Table(title=title, title_justify="left")
    for name in ("rule", "cause", "why not"):
        table.add_column(name, overflow="fold")
    for loser in losers:
        place = f"{loser.rule.id}\n{loser.rule.file}:{loser.rule.line}"
        table.add_row(Text(place), Text(loser.rule.cause.value), Text(loser.why))
    console.print(table)
