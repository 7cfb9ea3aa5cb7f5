"""Warn of an argument like '$NAME' that no shell expands: envkit starts the app itself.

Imported only on a terminal, and if an argument has a `$`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from envkit.cli.error_text import print_labelled

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "mksh", "fish", "ash", "rbash", "busybox"))
# these programs expand `$NAME` themselves, or pass it to a shell
READERS = frozenset(
    ("envsubst", "perl", "php", "awk", "gawk", "mawk", "jq", "make", "ssh", "su", "watch", "tclsh")
)
_USE = re.compile(r"(?<![\\$])\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))", re.ASCII)
_TAKES_TEXT = re.compile(r"-[A-Za-z]*c|--command(=.*)?", re.ASCII)


def warn(command: Sequence[str], names: Container[str]) -> None:
    """Print a warning if an argument contains a variable and no shell would expand it.

    Args:
        command: the program and its arguments, as they reached envkit.
        names: the variables that the program gets.
    """
    name = next((name for name in _uses(command[1:]) if name in names), None)
    if name is None or _is_read(command):
        return
    program = os.path.basename(command[0])
    print_labelled("warning", f"{program} gets ${name} unexpanded: no shell expands it")
    print_labelled(
        "hint", f"to expand it, run a shell: envkit exec ... -- sh -c '{program} ... \"${name}\"'"
    )


def _uses(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        for found in _USE.finditer(argument):
            yield found[1] or found[2]


def _is_read(command: Sequence[str]) -> bool:
    """Return whether the program, or one that it starts, expands variables."""
    for at, word in enumerate(command):
        program = os.path.basename(word)
        if program in READERS and at == 0:
            return True
        if program in SHELLS and any(map(_TAKES_TEXT.fullmatch, command[at + 1 :])):
            return True
    return False
