"""The options that commands share, declared once, from the table of the hot commands.

def show(env: Env = None, profiles: Profiles = None, timeout: Timeout = None) -> int: ...
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit.cli import options
from envkit.cli.complete import COMPLETERS, variables

if TYPE_CHECKING:
    from envkit.cli.options import Option


def _declared(option: Option) -> Any:
    return typer.Option(
        *option.flags,
        metavar=option.metavar,
        help=option.help,
        autocompletion=COMPLETERS.get(option.key),
    )


class Format(StrEnum):
    """How a command prints."""

    TABLE = "table"
    JSON = "json"


Env = Annotated[list[str] | None, _declared(options.ENV)]
OneEnv = Annotated[
    list[str] | None,
    _declared(options.ENV._replace(help="Profile to use, else ENVKIT_ENV.")),
]
Profiles = Annotated[str | None, _declared(options.PROFILES)]
Only = Annotated[list[str] | None, _declared(options.ONLY)]
Except = Annotated[list[str] | None, _declared(options.EXCEPT)]
Reason = Annotated[str | None, _declared(options.REASON)]
Timeout = Annotated[str | None, _declared(options.TIMEOUT)]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write a file.")]
Name = Annotated[  # of commands that take a REF in its place
    str | None, typer.Argument(metavar="NAME", help="The variable.", autocompletion=variables)
]
Ref = Annotated[
    str | None,
    typer.Option("--ref", metavar="REF", help="A reference, in place of NAME: vault:db#password."),
]
Formatted = Annotated[
    Format,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="table, for people, unless said; json, for programs.",
        show_default=False,
    ),
]
