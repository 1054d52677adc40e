"""``yamabiko demo``: see it work, and see that its numbers are true."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

#: Fewer rows would not have enough of every scenario.
_FEWEST = 400


@click.command("demo")
@click.option(
    "--recipients", type=click.IntRange(_FEWEST), default=2_000, show_default=True,
    help="How many rows the simulated list has.",
)  # fmt: skip
@click.option("--seed", default=20_260_401, show_default=True, help="The same seed makes the same world.")
@click.option(
    "--kill", "kills", type=click.IntRange(0), default=0, help="Kill -9 a random process this many times under load."
)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the home in this directory to look at it after.")
def demo_command(recipients: int, seed: int, kills: int, keep: Path | None) -> None:
    """Simulate a mailing and everything that comes back, and compare every figure with the truth.

    Starts a real server on free ports of this machine, speaks real SMTP and HTTP to it, and ends with 1 if any
    figure differs from what was simulated.
    """
    # They take a second to import, and whoever asks for the manual does not need them.
    from yamabiko.demo.run import Options, run_demo
    from yamabiko.demo.sender import ApiError
    from yamabiko.demo.server import Server, ServerError
    from yamabiko.demo.world import build_world

    out = Console()
    started = time.monotonic()
    home = keep or Path(tempfile.mkdtemp(prefix="yamabiko-demo-"))
    server = Server(home)
    try:
        world = build_world(seed, recipients)
        out.print(f"[bold]山彦 Yamabiko[/bold]: a mailing to {recipients:,}, seed {seed}")
        server.start()
        is_right = asyncio.run(run_demo(out, server, world, Options(seed, kills)))
    except (ServerError, ApiError, ConnectionError, AssertionError, ValueError) as error:
        out.print(f"[red]{error}[/red]", highlight=False)
        is_right = False
    finally:
        server.kill()
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    out.print(f"{'all true' if is_right else 'NOT all true'}, {time.monotonic() - started:.1f} s")
    raise SystemExit(0 if is_right else 1)
