"""``yamabiko serve``: check everything that can be checked beforehand, then supervise."""

from __future__ import annotations

import click

from yamabiko.operator_error import load_settings
from yamabiko.spares import Spares


@click.command("serve")
@click.pass_context
def serve_command(context: click.Context) -> None:
    """Run the server until SIGTERM: mail, tracker and console, each in processes of their own.

    The first start makes HOME with signing keys and an administrator's API token. Log lines go to standard
    error as JSON. What listens where is in HOME/run/{smtp,tracker,console}.json; /healthz and /metrics are on
    the console's port.

    \b
    SIGTERM, SIGINT   drain: finish what was begun, then exit 0; a second one ends at once
    SIGHUP            read settings, rules, secrets and certificates again
    """  # noqa: D301 - click takes \b as a real backspace
    settings = load_settings(context)
    with Spares(settings.run) as spares:
        # It begins without a post: what it imports takes longer than all we have to import and to look at.
        spares.refill(("tracker",))
        from yamabiko.serving import serve

        code = serve(settings, spares, lambda: load_settings(context))
    context.exit(code)
