"""``yamabiko rules``: look after the rule files."""

from __future__ import annotations

import click

from yamabiko.lazy_group import LazyCommand, LazyGroup

_COMMANDS = {
    "check": LazyCommand("yamabiko.commands.rules_check", "check_command", "Check the rule files."),
    "explain": LazyCommand(
        "yamabiko.commands.rules_explain", "explain_command", "Say which rules hold for a reply, and why."
    ),
    "test": LazyCommand("yamabiko.commands.rules_test", "test_command", "Run cases of your own through the rules."),
    "diff": LazyCommand(
        "yamabiko.commands.rules_diff", "diff_command", "Compare two sets of rules over mails or replies."
    ),
    "unknown": LazyCommand(
        "yamabiko.commands.rules_unknown", "unknown_command", "Group the replies that no rule knows, or knows weakly."
    ),
}


@click.group("rules", cls=LazyGroup, lazy=_COMMANDS)
def rules_group() -> None:
    """Look after the rule files: check them, ask why, test, compare, and find what they do not know.

    docs/rules.md describes the files.
    """
