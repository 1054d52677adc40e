"""The docs say what is there: links lead somewhere, commands exist, RFCs are those of the glossary."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click import Group

from yamabiko.cli import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
_RFC = re.compile(r"\bRFC[ \u00a0](\d{3,5})\b")


def sources() -> list[Path]:
    """Python files and pages that are in git, or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.md", "*.toml"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in names if (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not broken


def test_every_page_is_linked_from_another() -> None:
    linked = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(page.read_text("utf-8"))}
    lost = [page.name for page in PAGES if page.parent.name == "docs" and page.resolve() not in linked]
    assert not lost


def test_every_rfc_cited_is_in_the_glossary() -> None:
    known = set(_RFC.findall((ROOT / "docs/glossary.md").read_text("utf-8")))
    cited: dict[str, str] = {}
    for path in sources():
        if "rules" not in path.parts and "cases" not in path.parts:
            cited |= {number: path.name for number in _RFC.findall(path.read_text("utf-8"))}
    assert not {number: name for number, name in cited.items() if number not in known}


def test_every_command_has_a_help_text_and_is_in_the_docs() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert isinstance(cli, Group)
    for name, command in _commands(cli, "yamabiko"):
        assert command.help, name
        assert name in text, f"no page speaks of `{name}`"


def _commands(group: Group, prefix: str) -> list[tuple[str, Group]]:
    import click

    found = []
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, Group):
                found += _commands(command, f"{prefix} {name}")
            else:
                found.append((f"{prefix} {name}", command))
    return found  # type: ignore[return-value]
