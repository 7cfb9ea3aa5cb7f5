"""The help of a command: its options, and an example at the end."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from envkit.errors import UsageError

HELP_FLAGS = {"help_option_names": ["-h", "--help"]}


class _Shown:
    epilog: str | None

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's
        """Write the example."""
        if self.epilog:
            with formatter.section("Example"):
                formatter.write(f"{'':>{formatter.current_indent}}{self.epilog}\n")


class ShownCommand(_Shown, TyperCommand):
    """A command whose epilog is an example: a line as a person would type it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; a surplus one is told in envkit's words."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise UsageError(
                f"{ctx.command_path} takes no argument '{ctx.args[0]}'",
                hint=f"run '{ctx.command_path} --help'",
            )
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the name in the usage, without what is hidden."""
        shown = [one for one in self.get_params(ctx) if not getattr(one, "hidden", False)]
        pieces = [piece for one in shown for piece in one.get_usage_pieces(ctx)]
        return [self.options_metavar or "", *(piece.strip("{}") for piece in pieces)]


class ShownGroup(_Shown, TyperGroup):
    """Several commands below one word, with an example of one of them."""
