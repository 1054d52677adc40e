"""One setting as data: how a field of the settings tree declares its default, its why and its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_type_hints

#: What every environment variable of ours begins with.
PREFIX = "YAMABIKO_"

#: A check returns what is wrong and how to mend it, or None.
Check = Callable[[Any], str | None]


def setting(default: object, why: str, check: Check | None = None) -> Any:
    """Declare a field: its default, why it is that, and a check of other values."""
    return field(default=default, metadata={"why": why, "check": check})


def section(factory: type) -> Any:
    """Declare a field that holds a section."""
    return field(default_factory=factory)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as documentation and command line show it. ``section`` is empty for top-level ones."""

    section: str
    name: str
    kind: type
    default: object
    why: str
    check: Check | None

    @property
    def key(self) -> str:
        """The dotted name, e.g. ``smtp.port``."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return PREFIX + self.key.replace(".", "_").upper()


def rows_of(tree: type) -> list[SettingRow]:
    """Return every setting of a settings class: the top-level ones, then section by section."""
    hints = get_type_hints(tree)
    return [*_top_rows(tree, hints), *_section_rows(tree, hints)]


def _top_rows(tree: type, hints: dict[str, Any]) -> Iterator[SettingRow]:
    for item in fields(tree):
        if item.default is not MISSING:
            yield _row("", item, hints[item.name])


def _section_rows(tree: type, hints: dict[str, Any]) -> Iterator[SettingRow]:
    for item in fields(tree):
        if item.default is MISSING:
            section_hints = get_type_hints(hints[item.name])
            for inner in fields(hints[item.name]):
                yield _row(item.name, inner, section_hints[inner.name])


def _row(section: str, item: Field[Any], kind: type) -> SettingRow:
    return SettingRow(section, item.name, kind, item.default, item.metadata["why"], item.metadata["check"])
