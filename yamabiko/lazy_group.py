"""A group of commands that are files of their own, each imported only to run it or to show its own help."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Where a command is, and its line in the overview, written out so that the overview imports nothing."""

    module: str
    attribute: str
    line: str


class LazyGroup(click.Group):
    """Knows its commands by name."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        """``lazy`` are its commands in their order; ``arguments`` and ``options`` are click's."""
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click.Group; commands that are not part of this installation are left out."""
        return [name for name, command in self._lazy.items() if is_installed(command.module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group."""
        command = self._lazy.get(cmd_name)
        if command is None or not is_installed(command.module):
            return None
        found: click.Command = getattr(import_module(command.module), command.attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click.MultiCommand."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name].line) for name in self.list_commands(ctx)])


def is_installed(module: str) -> bool:
    """Return whether ``module`` is part of this installation, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
