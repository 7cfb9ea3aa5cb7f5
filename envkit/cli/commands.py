"""How a command looks in its help: its options, and an example at the end."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

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


class ShownGroup(_Shown, TyperGroup):
    """Several commands below one word, with an example of one of them."""
