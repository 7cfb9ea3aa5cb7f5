"""`envkit backup` and its subcommands, as typer sees them."""

from __future__ import annotations

import typer

from envkit.cli.command_help import HELP_FLAGS, DefaultGroup, ShownCommand
from envkit.cli.commands.backup import drill, make, verify

backup = typer.Typer(
    cls=DefaultGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    help="Back up secrets to an encrypted file. Test that it can be restored.",
)
backup.command("now", cls=make.MakeCommand, hidden=True, epilog=make.EXAMPLE)(make.make)
backup.command("verify", cls=ShownCommand, epilog=verify.EXAMPLE)(verify.verify)
backup.command("drill", cls=ShownCommand, epilog=drill.EXAMPLE)(drill.drill)
