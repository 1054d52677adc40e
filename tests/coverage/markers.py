"""Read ``pytest.mark.row(...)`` out of the tests' sources, and the rows themselves out of docs/coverage.md."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/coverage.md"
_ROW = re.compile(r"\| ([SREKB]\d\d|W\d\d?|I\d\d?) \| (.*?) \| (.*?) \|$")


@dataclass(frozen=True)
class Row:
    """A row of the mission: its id and what it is called."""

    id: str
    words: str


def tests_by_row() -> dict[str, list[str]]:
    """Return for each row id the tests that claim to show it, as ``file::function``."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if isinstance(node, ast.ClassDef) or node.name.startswith("test_"):
                name = f"{path.relative_to(ROOT / 'tests')}::{node.name}"
                for row in _claimed(node.decorator_list):
                    found.setdefault(row, []).append(name)
    return found


def _claimed(decorators: list[ast.expr]) -> list[str]:
    claimed: list[str] = []
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.row":
            claimed += [str(argument.value) for argument in decorator.args if isinstance(argument, ast.Constant)]
    return claimed


def rows_of_page() -> list[Row]:
    """Return the rows that docs/coverage.md lists."""
    matches = (_ROW.match(line) for line in PAGE.read_text("utf-8").splitlines())
    return [Row(match.group(1), match.group(2)) for match in matches if match]


def write_page(rows: list[Row]) -> str:
    """Return the page for these rows and the tests as they are."""
    tests = tests_by_row()
    shown = sum(1 for row in rows if tests.get(row.id))
    lines = [
        "# Coverage: which test shows which row",
        "",
        "Made by `python -m tests.coverage` from the markers `pytest.mark.row(...)` in the tests; a test fails when a",
        "row loses its last test or this page is not true. The rows are those of the mission that are the product's",
        "own work (class CORE), then the worked cases (W) and the identities (I).",
        "",
        f"{shown} of {len(rows)} rows are shown.",
        "",
        "| row | what | shown by |",
        "|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        names = tests.get(row.id, [])
        text = "<br>".join(f"`{name}`" for name in names[:3])
        if len(names) > 3:
            text += f" and {len(names) - 3} more"
        lines.append(f"| {row.id} | {row.words} | {text or '**nothing yet**'} |")
    return "\n".join(lines) + "\n"
