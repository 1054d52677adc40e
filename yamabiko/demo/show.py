"""Print what came out: the seven numbers, the reasons, the suppression list, one timeline, and every comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

#: Sansan's seven numbers (S06-S11, S16).
_SEVEN = ("targeted", "reached", "opened_users", "clicked_of_opened", "undelivered", "unopened", "not_clicked")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure beside the truth; ``low`` and ``high`` differ only where an answer was lost on its way."""

    name: str
    found: int | None
    low: int
    high: int

    @property
    def is_right(self) -> bool:
        """Whether the figure is what was done."""
        return self.found is not None and self.low <= self.found <= self.high


def show_numbers(out: Console, report: Mapping[str, Any]) -> None:
    """Print the seven numbers, in Japanese and English."""
    labels, numbers = report["labels"], report["numbers"]
    table = Table(title="配信レポート / Report", title_justify="left")
    for heading in ("数字", "name", "件数"):
        table.add_column(heading, justify="right" if heading == "件数" else "left")
    for name in _SEVEN:
        table.add_row(labels[name], name, "-" if numbers[name] is None else f"{numbers[name]:,}")
    out.print(table)


def show_reasons(out: Console, report: Mapping[str, Any]) -> None:
    """Print why mails failed: our causes, and Sansan's twelve classes."""
    labels, numbers = report["labels"], report["numbers"]
    table = Table(title="不達の理由 / Why mails failed", title_justify="left")
    for heading in ("理由", "class", "件数"):
        table.add_column(heading, justify="right" if heading == "件数" else "left")
    for name, count in sorted(numbers["sansan"].items(), key=lambda item: -item[1]):
        if count:
            table.add_row(labels.get(f"sansan.{name}", name), name, f"{count:,}")
    out.print(table)
    causes = ", ".join(f"{name} {count}" for name, count in sorted(numbers["causes"].items(), key=lambda i: -i[1]))
    out.print(f"[dim]causes: {causes}[/dim]", highlight=False)


def show_suppressions(out: Console, rows: Sequence[Mapping[str, Any]], total: int) -> None:
    """Print the first rows of the suppression list."""
    table = Table(title=f"配信停止・除外リスト / Suppression list ({total:,})", title_justify="left")
    for heading in ("address", "kind", "cause", "until"):
        table.add_column(heading)
    for row in rows:
        until = row["expires_at"][:10] if row["expires_at"] else "-"
        table.add_row(row["address"] or row["recipient"], row["kind"], row["cause"] or "-", until)
    out.print(table)


def show_timeline(out: Console, delivery: Mapping[str, Any]) -> None:
    """Print what happened to one recipient."""
    table = Table(title=f"{delivery['address']}: {delivery['state']}", title_justify="left")
    for heading in ("at", "what", "detail"):
        table.add_column(heading)
    for event in delivery["events"]:
        detail = event["detail"]
        shown = detail.get("diagnostic") or detail.get("target") or detail.get("agent") or detail.get("via") or ""
        table.add_row(event["at"][11:23], event["type"], str(shown)[:80])
    out.print(table)


def compare(truth: Mapping[str, int], numbers: Mapping[str, Any], unsure: Mapping[str, int]) -> list[Comparison]:
    """Return every figure of the truth, and every figure the report has beyond it, side by side."""
    found = _flatten(numbers)
    rows: list[Comparison] = []
    # Not counted by anybody, or what ``causes`` says in other words.
    ignored = {"is_assuming", "opened_pixel", "cv"}
    for name in sorted(truth.keys() | found.keys()):
        if name in ignored or name.startswith(("rates.", "reasons.", "channels.", "failed.")):
            continue
        wanted = truth.get(name, 0)
        rows.append(Comparison(name, found.get(name, 0), wanted, wanted + unsure.get(name, 0)))
    return rows


def show_comparisons(out: Console, rows: Sequence[Comparison]) -> None:
    """Print what is right in one line and what is wrong in a table."""
    wrong = [row for row in rows if not row.is_right]
    right = len(rows) - len(wrong)
    out.print(f"[bold]{right} of {len(rows)} figures equal the simulated truth[/bold]")
    if not wrong:
        return
    table = Table(title="Differences", title_justify="left", style="red")
    for heading in ("figure", "found", "truth"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for row in wrong:
        truth = f"{row.low}" if row.low == row.high else f"{row.low} to {row.high}"
        table.add_row(row.name, str(row.found), truth)
    out.print(table)


def _flatten(numbers: Mapping[str, Any]) -> dict[str, int | None]:
    flat: dict[str, int | None] = {}
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{inner}": count for inner, count in value.items()})
        else:
            flat[name] = value
    return flat
