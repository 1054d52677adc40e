"""What the commands about rules share: where the rules are, and loading them with errors told in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from classifier.rulefile import RuleError, RuleSet, load_rules
from model.status import StatusCode
from yamabiko import exits
from yamabiko.operator_error import OperatorError, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])
#: The option --rules; the rules in force unless given.
rules_option = click.option(
    "--rules",
    "rules_directory",
    type=click.Path(path_type=Path),
    default=None,
    help="Directory of rule files instead of those in force.",
)


def load_rules_of(context: click.Context, directory: Path | None) -> RuleSet:
    """Return the rules of ``directory``, or those in force. Raises OperatorError when they cannot be used."""
    return read_rules(directory if directory is not None else load_settings(context).rules_directory)


def read_rules(directory: Path) -> RuleSet:
    """Return the rules of ``directory``. Raises OperatorError when they cannot be used."""
    try:
        return load_rules(directory)
    except RuleError as error:
        raise OperatorError(str(error), exits.CONFIG) from None


def _status(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return an enhanced status code as it was given. Raises BadParameter for what is none."""
    if value is not None and str(StatusCode.parse(value)) != value:
        raise click.BadParameter(f"{value!r} is no enhanced status code such as 5.1.1.")
    return value


def reply_options(command: Command) -> Command:
    """Add the options that say what is known beside a reply's text."""
    for option in (
        click.option("--command", "smtp_command", help="The SMTP command that was answered: RCPT, DATA …"),
        click.option("--host", help="The server that spoke, or the recipient's domain."),
        click.option("--reply-code", type=click.IntRange(200, 599), help="The reply code, where not in the text."),
        click.option("--status", callback=_status, help="The enhanced status code, where not in the text: 5.1.1."),
    ):
        command = option(command)
    return command
