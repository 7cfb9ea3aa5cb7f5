"""`exec`, `get` and `export` for typer, which only shows their help and completes them.

Their options come from `options.COMMANDS`, and `hot.run` gets the arguments unparsed, so
that there is only one table and one parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperOption

from envkit.arguments import FLAG, MANY
from envkit.cli import hot
from envkit.cli.command_help import ShownCommand
from envkit.cli.complete import COMPLETERS, variables
from envkit.cli.options import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.cli.options import Command, Option


class HotCommand(ShownCommand):
    """One command in the table."""

    def __init__(self, name: str, spec: Command, context_settings: Mapping[str, Any]) -> None:
        self.spec = spec
        self.hot_name = name
        parameters: list[Any] = [_option(option) for option in spec.options]
        if spec.positional:
            completer = variables if spec.positional == "name" else None
            parameters.append(
                TyperArgument(
                    param_decls=["rest"],
                    nargs=-1,
                    metavar="NAME",
                    help="Name of the variable.  [required]",
                    hidden=spec.positional == "command",
                    autocompletion=completer,
                )
            )
        super().__init__(
            name,
            params=parameters,
            help=spec.summary,
            epilog=spec.example,
            # words after the command of `exec` are arguments of that command
            context_settings={
                **context_settings,
                "allow_interspersed_args": spec.positional != "command",
            },
            rich_markup_mode=None,
        )

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the words after the name in the usage line."""
        return [self.spec.usage.removeprefix(f"envkit {self.hot_name} ")]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse only for shell completion and for the help that `__main__` requests."""
        if ctx.resilient_parsing or args == ["--help"]:
            return super().parse_args(ctx, args)
        ctx.args = args
        return args

    def invoke(self, ctx: Any) -> int:
        """Run the command without typer."""
        return hot.run(self.hot_name, ctx.args)


def hot_command(name: str, context_settings: Mapping[str, Any]) -> HotCommand:
    """Return a command of the table."""
    return HotCommand(name, COMMANDS[name], context_settings)


def _option(option: Option) -> TyperOption:
    return TyperOption(
        param_decls=list(option.flags),
        multiple=option.kind == MANY,
        is_flag=option.kind == FLAG,
        metavar=option.metavar or None,
        help=option.help,
        autocompletion=COMPLETERS.get(option.key),
    )
