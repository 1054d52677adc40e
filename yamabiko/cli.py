"""The ``yamabiko`` command. Each subcommand is a file of its own in ``yamabiko.commands``, imported when it is used."""

from __future__ import annotations

import os
import sys
import traceback

import click

from config.settings import SettingsError
from yamabiko import __version__, exits
from yamabiko.lazy_group import LazyCommand, LazyGroup

#: What shells give a command that was ended by Ctrl-C.
_INTERRUPTED = 130
COMMANDS = {
    "serve": LazyCommand("yamabiko.commands.serve", "serve_command", "Run the server: mail, tracker and console."),
    "classify": LazyCommand("yamabiko.commands.classify", "classify_command", "Say why a returned mail came back."),
    "rules": LazyCommand("yamabiko.commands.rules", "rules_group", "Check and explain the rules of classification."),
    "ingest": LazyCommand("yamabiko.commands.ingest", "ingest_command", "Take in returned mails from files."),
    "report": LazyCommand("yamabiko.commands.report", "report_command", "Show the numbers of a broadcast."),
    "export": LazyCommand("yamabiko.commands.export", "export_command", "Write tables as CSV, NDJSON or Parquet."),
    "sql": LazyCommand("yamabiko.commands.sql", "sql_command", "Ask the data anything, in SQL."),
    "timeline": LazyCommand("yamabiko.commands.timeline", "timeline_command", "Show what happened to one recipient."),
    "suppressions": LazyCommand("yamabiko.commands.suppressions", "suppressions_group", "Who is not mailed, and why."),
    "webhooks": LazyCommand(
        "yamabiko.commands.webhooks", "webhooks_group", "How webhooks stand, also while no server runs."
    ),
    "unmatched": LazyCommand("yamabiko.commands.unmatched", "unmatched_command", "Mails that came back without proof."),
    "store": LazyCommand("yamabiko.commands.store", "store_group", "Look after the data: verify, back up, restore."),
    "keys": LazyCommand("yamabiko.commands.keys", "keys_group", "Signing keys: list, rotate, revoke, export."),
    "token": LazyCommand("yamabiko.commands.token", "token_group", "API tokens: create, list, revoke."),
    "settings": LazyCommand(
        "yamabiko.commands.settings", "settings_group", "Show the settings in force, or an example file."
    ),
    "demo": LazyCommand("yamabiko.demo.command", "demo_command", "See it all work, with made-up mailings."),
}


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="yamabiko")
@click.option("--home", type=click.Path(file_okay=False), help="Directory of this installation.  [$YAMABIKO_HOME]")
@click.option("--config", type=click.Path(dir_okay=False), help="Settings file.  [HOME/yamabiko.toml]")
@click.pass_context
def cli(context: click.Context, home: str | None, config: str | None) -> None:
    """Catch everything that comes back from a mailing, understand it, count it and keep it.

    \b
    Start here:
      yamabiko serve                      run it; makes keys and a first API token
      yamabiko classify bounce.eml        why did this mail come back?
      yamabiko COMMAND --help             each command's own manual

    Data, secrets and settings live in one directory, ./yamabiko-home unless --home or YAMABIKO_HOME says
    otherwise. docs/settings.md lists all settings, docs/operating.md tells how to run it for real.

    \b
    Exit codes: 0 done, 1 a check did not hold, 64 wrong usage, 65 unusable input, 69 a port or service
    cannot be had, 70 a fault of ours, 73 and 74 files, 75 try again later, 78 settings, rules or secrets.
    """  # noqa: D301 - click takes \b as a real backspace
    if home is not None:
        os.environ["YAMABIKO_HOME"] = home
    context.obj = config


def main() -> None:
    """Run the command line; mistakes of the operator end in a line of text, never in a traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.exceptions.Abort:
        click.echo("Aborted.", err=True)
        code = _INTERRUPTED
    except click.UsageError as error:
        error.show()
        code = exits.USAGE
    except click.ClickException as error:
        error.show()
        code = error.exit_code if error.exit_code != 1 else exits.DATA
    except SettingsError as error:
        code = _complain("\n".join(error.problems), exits.CONFIG)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exits.OK
    except OSError as error:
        code = _complain(f"{error.filename or 'input or output'}: {error.strerror or error}", exits.IO)
    except Exception:  # noqa: BLE001 - the boundary of the command line
        traceback.print_exc()
        code = _complain("this is a fault of ours; please report the lines above.", exits.SOFTWARE)
    sys.exit(code if isinstance(code, int) else exits.OK)


def _complain(text: str, code: int) -> int:
    click.echo(f"yamabiko: {text}", err=True)
    return code


if __name__ == "__main__":
    main()
