"""The typer app: every command that need not start in a blink, and all the help."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


def run_app(arguments: list[str]) -> int:
    return 0
