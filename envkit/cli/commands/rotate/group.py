"""`envkit rotate` and its subcommands, as typer sees them.

`envkit rotate` without a subcommand rotates. A rotation with the name of a subcommand needs
its full name: `prod/status`.
"""

from __future__ import annotations

import typer

from envkit.cli.command_help import HELP_FLAGS, DefaultGroup, ShownCommand
from envkit.cli.commands.rotate import now, serve, simulate, status

rotate = typer.Typer(
    cls=DefaultGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    help="Rotate secrets that are due. Show the state of rotations.",
)
rotate.command("now", cls=now.NowCommand, hidden=True, epilog=now.EXAMPLE)(now.now)
rotate.command("status", cls=ShownCommand, epilog=status.EXAMPLE)(status.status)
rotate.command("serve", cls=ShownCommand, epilog=serve.EXAMPLE)(serve.serve)
rotate.command("simulate", cls=ShownCommand, epilog=simulate.EXAMPLE)(simulate.simulate)
