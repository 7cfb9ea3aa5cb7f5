"""The typer app: help, completion, and the commands that need not start fast.

A command is a function in a module of the same name. Typer reads its options from the
signature; it returns an exit status; EXAMPLE appears in its help. A command is imported only
when it runs. `boundary.guarded` reports all errors.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from envkit import __version__
from envkit._internal.files import set_leaving
from envkit._internal.suggestions import did_you_mean
from envkit.cli.boundary import encode_streams, guarded
from envkit.cli.command_help import HELP_FLAGS, ShownGroup
from envkit.cli.hot_commands import hot_command
from envkit.cli.lazy_commands import LAZY, lazy_command
from envkit.cli.options import COMMANDS
from envkit.errors import UsageError
from envkit.launch.exec import parent_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "envkit"
# depending on its version, typer raises its own usage errors or click's
_errors: Any = sys.modules[typer.BadParameter.__module__]


class _Commands(ShownGroup):
    """The commands by name; each is built when it is needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        return [*COMMANDS, *LAZY]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name in COMMANDS:
            return hot_command(cmd_name, HELP_FLAGS)
        return lazy_command(cmd_name) if cmd_name in LAZY else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            raise UsageError(
                f"envkit has no command '{args[0]}'",
                hint=did_you_mean(args[0], self.list_commands(ctx)),
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    name=PROGRAM,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    subcommand_metavar="COMMAND ...",
    epilog="envkit exec --env dev -- env",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _envkit(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Run programs with their configuration and secrets. Compare, change and rotate secrets."""


def run_app(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: as in `sys.argv[1:]`; if empty, envkit shows the help.
    """
    _undo_locale_coercion()
    group: Any = typer.main.get_command(app)
    completing = os.environ.get(f"_{PROGRAM.upper()}_COMPLETE")
    if completing or any(word.endswith("-completion") for word in arguments):
        from envkit.cli.shell_completion import register

        register()
    if completing:
        encode_streams()
        set_leaving(None)  # completion cannot ask a question, and it reads profiles
        group.main([], prog_name=PROGRAM)  # answers the shell and exits
    return guarded(lambda: _invoke(group, list(arguments) or ["--help"]), arguments)


def _undo_locale_coercion() -> None:
    """Give hooks, editors and git the LC_CTYPE that envkit was given, not Python's own."""
    given = parent_environment().get(b"LC_CTYPE")
    if given is None:
        os.environ.pop("LC_CTYPE", None)
    else:
        os.environb[b"LC_CTYPE"] = given


def _invoke(group: Any, arguments: list[str]) -> int:
    try:
        with group.make_context(PROGRAM, arguments) as context:
            return group.invoke(context) or 0
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _errors.NoSuchOption as error:
        known = [flag for parameter in error.ctx.command.params for flag in parameter.opts]
        raise UsageError(
            f"{error.ctx.command_path} has no option '{error.option_name}'",
            hint=did_you_mean(error.option_name, [flag for flag in known if flag[:2] == "--"]),
        ) from None
    except _errors.UsageError as error:
        message = error.format_message().rstrip(".")
        # there is no context yet if an option has no value
        path = error.ctx.command_path if error.ctx else f"{PROGRAM} {arguments[0]}"
        message = message.replace("a valid int range", "a whole number")
        message = re.sub(r"not in the range (\d+)<=x<=(\d+)", r"not between \1 and \2", message)
        hint = f"run: {path} --help"
        wanted = re.search(r"'(\w+)' is not one of ", message)
        if path == f"{PROGRAM} show" and wanted:
            from envkit.launch.export import FORMATS

            if wanted[1] in FORMATS:
                hint = f"to print the values, use envkit export --format {wanted[1]}"
        raise UsageError(message[:1].lower() + message[1:], hint=hint) from None
