"""The options that commands share, declared once from the table of the hot commands.

def show(env: Env = None, profiles: Profiles = None, timeout: Timeout = None) -> int: ...
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envkit.cli import options
from envkit.cli.complete import COMPLETERS, sources, variables

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
    """The output formats of most commands."""

    TABLE = "table"
    JSON = "json"


class TextFormat(StrEnum):
    """The output formats of commands that print more than a table."""

    TEXT = "text"
    JSON = "json"


Env = Annotated[list[str] | None, _declared(options.ENV)]
OneEnv = Annotated[
    list[str] | None,
    _declared(options.ENV.described("Environment to use. [default: $ENVKIT_ENV]")),
]
AnyEnv = Annotated[
    list[str] | None,
    _declared(
        options.ENV.described("Environment to examine. Repeatable. [default: $ENVKIT_ENV, or all]")
    ),
]
EachEnv = Annotated[
    list[str] | None,
    _declared(options.ENV.described("Environment to review. Repeatable. [default: all]")),
]
Profiles = Annotated[str | None, _declared(options.PROFILES)]
Only = Annotated[list[str] | None, _declared(options.ONLY)]
Except = Annotated[list[str] | None, _declared(options.EXCEPT)]
Reason = Annotated[str | None, _declared(options.REASON)]
BreakGlass = Annotated[
    bool, typer.Option(*options.BREAK_GLASS.flags, help=options.BREAK_GLASS.help)
]
Timeout = Annotated[str | None, _declared(options.TIMEOUT)]
LoginTimeout = Annotated[
    str | None,
    _declared(options.TIMEOUT.described("Time limit for the whole login. [default: 120]")),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to FILE instead of standard output."
    ),
]
Name = Annotated[  # optional, because commands also accept --ref
    str | None,
    typer.Argument(metavar="NAME", help="Name of the variable.", autocompletion=variables),
]
LoginSource = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="Source, such as vault. [default: the only one that you log in to]",
        autocompletion=sources,
    ),
]
Ref = Annotated[
    str | None,
    typer.Option(
        "--ref",
        metavar="REF",
        help="Use this reference instead of a variable, such as vault:db#password.",
    ),
]
FromFile = Annotated[
    str | None,
    typer.Option(
        "--from-file",
        metavar="FILE",
        help="Read the value from FILE, byte for byte. Use - for stdin.",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Change the value even if a rotation of it is in progress."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Formatted = Annotated[
    Format,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="table or json. [default: table]",
        show_default=False,
    ),
]
TextFormatted = Annotated[
    TextFormat,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="text or json. [default: text]",
        show_default=False,
    ),
]
