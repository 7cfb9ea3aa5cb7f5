"""`envkit rotate` and its subcommands, as typer sees them.

`envkit rotate` without a subcommand rotates. A rotation with the name of a subcommand needs
its full name: `prod/status`.
"""

from __future__ import annotations

from typing import Any

import typer

from envkit.cli.command_help import HELP_FLAGS, ShownCommand, ShownGroup
from envkit.cli.commands.rotate import now, serve, simulate, status


class _Rotate(ShownGroup):
    """The command that rotates, with its subcommands."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Run the command that rotates unless the first word is a subcommand."""
        command: Any = (
            self if args and args[0] in self.list_commands(None) else self.commands["now"]
        )
        maker = super().make_context if command is self else command.make_context
        return maker(info_name, args, parent, **extra)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's
        return [name for name, command in self.commands.items() if not command.hidden]


rotate = typer.Typer(
    cls=_Rotate,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    help="Rotate secrets that are due. Show the state of rotations.",
)
rotate.command("now", cls=now.NowCommand, hidden=True, epilog=now.EXAMPLE)(now.now)
rotate.command("status", cls=ShownCommand, epilog=status.EXAMPLE)(status.status)
rotate.command("serve", cls=ShownCommand, epilog=serve.EXAMPLE)(serve.serve)
rotate.command("simulate", cls=ShownCommand, epilog=simulate.EXAMPLE)(simulate.simulate)
