"""``yamabiko settings``: what is in force, and what could be."""

from __future__ import annotations

import json

import click

from config.example import example_toml
from config.settings import to_values
from yamabiko.operator_error import load_settings


@click.group("settings")
def settings_group() -> None:
    """Show the settings in force, or an example file with all of them. None of them is a secret."""


@settings_group.command("show")
@click.pass_context
def show_command(context: click.Context) -> None:
    """Print every setting as it is after file and environment, as JSON."""
    click.echo(json.dumps(to_values(load_settings(context)), indent=2, ensure_ascii=False))


@settings_group.command("example")
def example_command() -> None:
    """Print a settings file with every setting, its default and why."""
    click.echo(example_toml(), nl=False)
