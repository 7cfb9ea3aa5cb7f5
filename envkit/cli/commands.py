"""How a command looks in its help: its options, and an example at the end."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class ShownCommand(TyperCommand):
    """A command whose epilog is an example: a line as a person would type it."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's
        """Write the example."""
        if self.epilog:
            with formatter.section("Example"):
                formatter.write(f"{'':>{formatter.current_indent}}{self.epilog}\n")
