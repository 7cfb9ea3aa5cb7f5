"""Open the access of a command on behalf of the person at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.audit.session import Access
from envkit.cli.error_text import print_labelled
from envkit.cli.interaction.prompt import ask_reason

if TYPE_CHECKING:
    from envkit.errors import EnvkitError


def open_access(command: str, reason: str | None, *, break_glass: bool) -> Access:
    """Return the access of a command; it asks for a missing reason.

    Args:
        command: `set`, `show`, ...
        reason: the value of `--reason`.
        break_glass: whether `--break-glass` was given.
    """
    return Access(command, reason=reason, ask=ask_reason, break_glass=break_glass, warn=warn)


def warn(error: EnvkitError) -> None:
    """Print why a use could not be reported."""
    print_labelled("warning", error.message)
