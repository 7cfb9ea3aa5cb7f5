"""The `--help` of a command: its options in sections, an example, exit statuses, a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from envkit.cli.help_table import NOTES, panelled
from envkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

HELP_FLAGS = {"help_option_names": ["-h", "--help"]}

_RANGE = re.compile(r" +\[\d+<=x<=\d+\]$")  # added by click; our help says it in words


def help_record(parameter: Any, ctx: Any) -> tuple[str, str] | None:
    """Return the two columns for a parameter in the help; None if it is hidden."""
    columns = parameter.get_help_record(ctx)
    # a value that must be behind `=` is not apart from its option
    return columns and (columns[0].replace(" [=", "[="), _RANGE.sub("", columns[1]))


def parameter_sections(command: Any, context: Any) -> dict[str, list[Any]]:
    """Return the parameters that the help of a command shows, by the title of their section."""
    arguments, options = [], []
    for parameter in command.get_params(context):
        columns = help_record(parameter, context)
        if columns is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(columns)
        else:
            options.append((tuple(parameter.opts), columns))
    sections = {"Arguments": arguments, **panelled(options)}
    return {title: rows for title, rows in sections.items() if rows}


class _Shown:
    epilog: str | None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, the options in their sections, and the commands of a group."""
        for title, rows in parameter_sections(self, ctx).items():
            with formatter.section(title):
                formatter.write_dl(rows)
        if isinstance(self, TyperGroup):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, the exit statuses and the page."""
        if self.epilog:
            with formatter.section("Example"):
                formatter.write(f"{'':>{formatter.current_indent}}{self.epilog}\n")
        notes = NOTES[" ".join(ctx.command_path.split()[1:])]
        if notes.statuses:
            with formatter.section("Exit status"):
                formatter.write_dl([(str(one), text) for one, text in notes.meanings.items()])
        with formatter.section("Documentation"):
            formatter.write(f"{'':>{formatter.current_indent}}{notes.page}\n")


class ShownCommand(_Shown, TyperCommand):
    """A command whose epilog is an example, written as a person would type it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; refuse a surplus argument with envkit's own message."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise UsageError(
                f"{ctx.command_path} takes no argument '{ctx.args[0]}'",
                hint=f"run: {ctx.command_path} --help",
            )
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the name in the usage line, without hidden options."""
        shown = [one for one in self.get_params(ctx) if not getattr(one, "hidden", False)]
        pieces = [piece for one in shown for piece in one.get_usage_pieces(ctx)]
        return [self.options_metavar or "", *(piece.strip("{}") for piece in pieces)]


class ShownGroup(_Shown, TyperGroup):
    """A group of commands, with an example of one of them."""


class DefaultGroup(ShownGroup):
    """A group that is also a command: its hidden command runs if the first word is no other."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Run the hidden command unless the first word is a subcommand."""
        command: Any = self
        if not args or args[0] not in self.list_commands(None):
            command = next(one for one in self.commands.values() if one.hidden)
        maker = super().make_context if command is self else command.make_context
        return maker(info_name, args, parent, **extra)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's
        """Return the names of the subcommands."""
        return [name for name, command in self.commands.items() if not command.hidden]


class DefaultCommand(ShownCommand):
    """The hidden command of a `DefaultGroup`; its help shows the subcommands.

    Attributes:
        subcommands: each with its summary.
    """

    subcommands: Mapping[str, str] = {}

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what completes a word; the first word may be a subcommand."""
        found: list[Any] = super().shell_complete(ctx, incomplete)
        sources = map(ctx.get_parameter_source, ctx.params)
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            return found
        from envkit.cli.shell_completion import completion_item

        names = [name for name in self.subcommands if name.startswith(incomplete)]
        return [*(completion_item(name, self.subcommands[name]) for name in names), *found]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, then the subcommands."""
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(self.subcommands.items()))
