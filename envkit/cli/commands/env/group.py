"""`envkit env`: share encrypted `.env` files in git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from envkit.cli.command_help import HELP_FLAGS, ShownCommand, ShownGroup
from envkit.cli.commands.env import (
    decrypt,
    edit,
    encrypt,
    hook,
    init,
    keys,
    migrate,
    rotate_key,
    set,  # noqa: A004 - the command's name
    textconv,
)

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLE = "envkit env init --env prod"
_COMMANDS: dict[str, ModuleType] = {
    "init": init,
    "encrypt": encrypt,
    "decrypt": decrypt,
    "set": set,
    "edit": edit,
    "keys": keys,
    "rotate-key": rotate_key,
    "migrate": migrate,
    "textconv": textconv,
}


def _group(text: str, example: str) -> Any:
    return typer.Typer(
        cls=ShownGroup,
        add_completion=False,
        rich_markup_mode=None,
        context_settings=HELP_FLAGS,
        epilog=example,
        help=text,
    )


env = _group("Share secrets in git, in encrypted .env files.", EXAMPLE)
for _name, _module in _COMMANDS.items():
    _function = getattr(_module, _name.replace("-", "_"))
    env.command(_name, cls=ShownCommand, epilog=_module.EXAMPLE)(_function)
_hook = _group("Check encrypted files before each commit.", hook.EXAMPLE)
_hook.command("install", cls=ShownCommand, epilog=hook.EXAMPLE)(hook.install)
_hook.command("run", cls=ShownCommand, epilog=hook.RUN_EXAMPLE)(hook.run)
env.add_typer(_hook, name="hook")
