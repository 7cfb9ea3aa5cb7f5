"""The commands that need not start fast: each is imported when it runs."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import typer
import typer.main

from envkit.cli.command_help import HELP_FLAGS, ShownCommand

if TYPE_CHECKING:
    from collections.abc import Callable

# in the order of the help; each is a function with that name in envkit/cli/commands/NAME.py, or
# in the folder of FOLDERS, or a group of commands in envkit/cli/commands/NAME/group.py; a keyword
# has `_` after it in Python
GROUPS = ("env", "rotate", "backup")
FOLDERS = {"restore": "backup", "login": "logins", "logout": "logins"}
LAZY = (
    *("list", "show", "diff", "check", "scan"),
    *("set", "unset", "edit", "promote", "history", "rollback", "rotate", "audit"),
    *("access", "backup", "restore", "env", "init", "import", "doctor", "trust"),
    *("login", "logout", "agent", "hook"),
)


def lazy_command(name: str) -> Any:
    """Return a command of LAZY or a group of commands."""
    word = f"{name}_" if iskeyword(name) else name
    place = f"{FOLDERS[name]}.{word}" if name in FOLDERS else word
    module = import_module(f"envkit.cli.commands.{place}{'.group' if name in GROUPS else ''}")
    function: Callable[..., int] | typer.Typer = getattr(module, word)
    if isinstance(function, typer.Typer):
        return typer.main.get_command(function)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, cls=ShownCommand, context_settings=HELP_FLAGS, epilog=module.EXAMPLE)(
        function
    )
    return typer.main.get_command(single)
